"""Facts are sorted, numbers never used twice, and a fact that nobody can read costs only itself."""

import asyncio
from collections.abc import Callable
from dataclasses import replace
from urllib.parse import parse_qsl

from aiohttp import web
from tests.support.calls import flow
from tests.support.indoors import Exchange, exchange
from tests.support.receivers import receiver
from tests.support.sip_party import DEADLINE_S

from offhook.call.commands import VisitId
from offhook.call.events import Event, RoomEnd, RoomLeft
from offhook.call.plain import to_plain
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.targets import LegStage, StatusHook
from offhook.flow.verbs import Beeps, Conference, Gather
from offhook.flow.view import CallId
from offhook.media.commands import (
    NO_SESSION,
    Direction,
    JoinMix,
    LeaveMix,
    MixId,
    PlaybackId,
    SessionId,
    StartRecording,
)
from offhook.media.events import Digit, DigitSource, SessionAlive
from offhook.runtime.restoring import first_id, keep_facts, remembered, resume, take_up
from offhook.runtime.rooms import LiveRoom, Rooms
from offhook.sip import events as sip
from offhook.storage.deliveries import entries_of_unfinished
from offhook.storage.facts import Fact
from offhook.storage.store import Storage


def fact(kind: str, key: str, version: int = 1, **data: object) -> Fact:
    return Fact(kind=kind, key=key, version=version, data=data)


def test_facts_are_sorted_and_those_of_another_version_left_alone() -> None:
    found = remembered(
        [
            fact("call", "c1", legs=[{"sip": {"s": 1}}, {"sip": None}]),
            fact("call", "c2", version=99),
            fact("leaving", "c3", sip=[{"s": 2}]),
            fact("phone", "p", s=3),
            fact("server", "", starts=7),
            fact("room", "r"),
            fact("unheard of", "x"),
        ]
    )
    assert [each.key for each in found.calls] == ["c1"]
    assert [each.key for each in found.rooms] == ["r"]
    assert found.starts == 7
    assert found.sip_parts() == [{"s": 1}, {"s": 2}, {"s": 3}]


async def test_each_server_begins_with_numbers_of_its_own(storage: Storage) -> None:
    begun = []
    for _ in range(3):
        found = remembered(storage.read_blocking(storage.facts.load))
        begun.append(first_id(found, storage.facts))
        await storage.writer.flush()
    assert begun == [0x1_0001, 0x2_0001, 0x3_0001]


async def test_a_call_that_cannot_be_read_costs_only_itself(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"play":"http://127.0.0.1:9/none.wav"}')
        await x.far_answers()
        good = x.services.fact_of(x.board.live[view.id])
        bad = [fact("call", "c1"), fact("call", "c2", call={"version": -1}, dialect="elks", queue=[], legs=[])]
        storage.facts.save(bad[0])
        found = remembered([*bad, good])
        x.board.live.clear()
        x.services.legs._by_session.clear()
        x.services.media._sessions.clear()
        restored = take_up(found, x.services, x.board, None, {view.id: 5})
        assert [live.id for live in restored] == [view.id]
        resume(restored, x.services.rooms, sound=False)
        await x.over()
        assert (await x.row(view.id)).cause == "server_restart"
        await storage.writer.flush()
        assert not [each for each in await storage.read(storage.facts.load) if each.key in ("c1", "c2")]


def forgotten(x: Exchange, call: CallId) -> Fact:
    """A call's process has died: only its fact is left, and what the endpoint knows."""
    live = x.board.live.pop(call)
    fact = x.services.fact_of(live)
    x.services.keeper.forget(live)
    live.task.over = True
    x.services.legs._by_session.clear()
    x.services.media._sessions.clear()
    return fact


async def test_a_call_whose_far_ends_cannot_be_restored_is_ended_and_owes_what_it_would_have(storage: Storage) -> None:
    async def take(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(take) as customer, exchange(storage) as x:
        told = StatusHook(url=f"{customer.url}/leg", method="POST", stages=frozenset(LegStage))
        order = x.order('{"record":"http://127.0.0.1:9/recorded","silencedetection":"no"}')
        view = x.board.place(replace(order, told=told, dialect=DIALECTS["didml"]))
        await x.far_answers()
        while not x.line.all(StartRecording):
            await x.line.more()
        (recording,) = x.board.live[view.id].recordings.values()
        recording.path.write_bytes(bytes(16_044))
        spoilt = forgotten(x, view.id)
        spoilt.data["legs"][0]["media"]["playing"] = "no list"  # type: ignore[index]
        restored = take_up(remembered([spoilt]), x.services, x.board, [], {view.id: 100})
        resume(restored, x.services.rooms, sound=True)
        await x.far.wait(sip.RemoteHungUp)
        await x.over()
        seen = await customer.has_seen(3)
        stages = [dict(parse_qsl(each.body.decode()))["CallStatus"] for each in seen]
        assert stages == ["initiated", "answered", "completed"]
        row = await x.row(view.id)
        assert (row.state, row.cause, len(row.recordings)) == ("success", "server_restart", 1)
        assert await facts_of(x, "call") == []


async def test_a_leg_whose_session_could_not_be_restored_ends_its_call(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"play":"http://127.0.0.1:9/none.wav"}')
        await x.far_answers()
        known = forgotten(x, view.id)
        known.data["legs"][0]["session"] = 999  # type: ignore[index]
        resume(take_up(remembered([known]), x.services, x.board, [], {view.id: 100}), x.services.rooms, sound=True)
        await x.over()
        assert (await x.row(view.id)).cause == "server_restart"


async def test_what_a_call_told_just_before_a_kill_is_told_once(storage: Storage) -> None:
    """A restored call is a quarter of a second old, and the engine tells again what was not acknowledged."""
    async with exchange(storage) as x:
        view = x.dial(flow=flow(Gather(prompts=(), max_digits=9, timeout_s=30.0)))
        await x.far_answers()
        live = x.board.live[view.id]
        while live.call.view().start is None:
            await x.line.more()
        x.services.keeper.flush()
        pressed = Digit(session=SessionId(1), digit="5", duration_ms=100, source=DigitSource.EVENT, at_us=0)
        x.line.heard += 1
        x.line.tell(pressed)
        live.task.settle()
        # The kill: what was put is durable, and nothing is put any more.
        await storage.writer.flush()
        known = remembered(await storage.read(storage.facts.load))
        entries = await storage.read(entries_of_unfinished)
        forgotten(x, view.id)
        alive = [
            SessionAlive(
                session=SessionId(1), local=("127.0.0.1", 20_000), rtcp_port=20_001, remote=("127.0.0.1", 9),
                direction=Direction.SEND_RECV, bridged_with=NO_SESSION, mix=MixId(0), playback=PlaybackId(0),
                recordings=(),
            )
        ]  # fmt: skip
        resume(take_up(known, x.services, x.board, alive, entries), x.services.rooms, sound=True)
        x.line.tell(pressed)
        x.services.media.reconcile(alive)
        x.board.live[view.id].task.settle()
        told = await x.timeline(view.id)
        assert told.count(("key.pressed", {"leg": 0, "key": "5"})) == 1
        x.board.hang_up(view.id)
        await x.over()


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────

BOARD = Conference(room="board", beeps=Beeps.NONE)


async def there_are(x: Exchange, count: int, state: str) -> None:
    """Wait until so many parties wait, or hear others."""
    rooms, changed = x.services.rooms, asyncio.Event()
    keep = rooms.on_change

    def told(room: LiveRoom) -> None:
        keep(room)
        changed.set()

    rooms.on_change = told
    async with asyncio.timeout(DEADLINE_S):
        while [guest.state for room in rooms.views() for guest in room.guests] != count * [state]:
            changed.clear()
            await changed.wait()
    rooms.on_change = keep


async def restarted(x: Exchange, change: Callable[[Fact], Fact] = lambda fact: fact) -> None:
    """Everything is forgotten but what was kept, and taken up again beside the same engine."""
    x.services.keeper.flush()
    await x.storage.writer.flush()
    found = remembered([change(each) for each in await x.storage.read(x.storage.facts.load)])
    entries = await x.storage.read(entries_of_unfinished)
    media = x.services.media
    joined = {each.session: each.mix[0] for each in media._sessions.values() if each.mix is not None}
    x.board.live.clear()
    x.services.legs._by_session.clear()
    media._sessions.clear()
    x.line.sent.clear()
    # What the engine says from now on, no fact knows of.
    x.line.heard += 1
    x.services.rooms = Rooms(media=media, loop=x.services.loop)
    keep_facts(x.services, x.line, x.driver)
    alive = [
        SessionAlive(
            session=SessionId(session), local=("127.0.0.1", 20_000), rtcp_port=20_001, remote=None,
            direction=Direction.SEND_RECV, bridged_with=NO_SESSION, mix=MixId(joined.get(SessionId(session), 0)),
            playback=PlaybackId(0), recordings=(),
        ) for session in x.line.open
    ]  # fmt: skip
    resume(take_up(found, x.services, x.board, alive, entries), x.services.rooms, sound=True)
    media.reconcile(alive)


async def facts_of_rooms(x: Exchange) -> list[str]:
    """Keys of what is durable of rooms."""
    return await facts_of(x, "room")


async def facts_of(x: Exchange, kind: str) -> list[str]:
    """Keys of what is durable of a kind."""
    x.services.keeper.flush()
    await x.storage.writer.flush()
    return [each.key for each in await x.storage.read(x.storage.facts.load) if each.kind == kind]


async def test_a_conference_goes_on_with_its_parties_and_nothing_of_it_is_said_to_the_engine_but_what_holds(
    storage: Storage,
) -> None:
    async with exchange(storage) as x:
        calls = []
        for _ in range(2):
            calls.append(x.dial(flow=flow(BOARD)).id)
            await x.far_answers()
        await there_are(x, 2, "talking")
        mix = x.line.last(JoinMix).mix
        assert await facts_of_rooms(x) == [str(mix)]
        await restarted(x)
        await there_are(x, 2, "talking")
        assert {each.mix for each in x.line.all(JoinMix)} <= {mix}
        assert x.line.all(LeaveMix) == []
        for each in calls:
            x.board.hang_up(each)
        await x.over()
        assert x.services.rooms.counts() == {"rooms": 0, "guests": 0, "visits": 0}
        assert await facts_of_rooms(x) == []


async def test_a_room_of_which_nothing_can_be_read_lets_its_guests_go_on_with_what_follows(storage: Storage) -> None:
    def spoilt(each: Fact) -> Fact:
        return replace(each, data={**each.data, "room": {"version": 99}}) if each.kind == "room" else each

    async with exchange(storage) as x:
        calls = []
        for _ in range(2):
            calls.append(x.dial(flow=flow(BOARD)).id)
            await x.far_answers()
        await there_are(x, 2, "talking")
        await restarted(x, spoilt)
        await x.over()
        assert len(x.line.all(LeaveMix)) == 2, "nobody hears the others any longer"
        for each in calls:
            assert (await x.row(each)).cause == "normal"
            assert ("room.left", {"visit": 1, "why": "over"}) in await x.timeline(each)
        assert await facts_of_rooms(x) == []


async def test_a_call_that_was_let_go_while_it_was_written_down_does_not_come_back(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(flow=flow(BOARD))
        await x.far_answers()
        await there_are(x, 1, "waiting")

        def let_go(each: Fact) -> Fact:
            left = to_plain(RoomLeft(visit=VisitId(1), why=RoomEnd.OVER), Event, 0.0)
            return replace(each, data={**each.data, "queue": [left]}) if each.kind == "call" else each

        await restarted(x, lambda each: replace(let_go(each), version=0 if each.kind == "room" else each.version))
        await x.over()
        assert (await x.row(view.id)).cause == "normal"
        assert x.services.rooms.counts() == {"rooms": 0, "guests": 0, "visits": 0}
