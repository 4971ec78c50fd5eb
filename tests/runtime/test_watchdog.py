"""What belongs to nothing is ended when it is seen twice; what is in order is left alone."""

import asyncio
from typing import Any, cast

import structlog
from tests.support.calls import flow
from tests.support.indoors import Exchange, exchange
from tests.support.sip_party import DEADLINE_S

from offhook.call.commands import LegId, VisitId
from offhook.call.room import Guest
from offhook.flow.verbs import Beeps, Conference
from offhook.flow.view import CallId
from offhook.media import commands as engine
from offhook.runtime.call_task import now
from offhook.runtime.live_call import LiveCall
from offhook.runtime.sip_leg import LegState
from offhook.runtime.watchdog import Watchdog
from offhook.sip import events as sip
from offhook.sip.commands import SessionId
from offhook.storage.store import Storage


class Line:
    """The engine's process, with a session of nobody's."""

    def __init__(self, x: Exchange, *sessions: int) -> None:
        self.x = x
        self.more = {engine.SessionId(each) for each in sessions}
        self.sent: list[engine.Command] = []

    @property
    def sessions(self) -> frozenset[engine.SessionId]:
        return frozenset(engine.SessionId(each) for each in self.x.line.open) | self.more

    def send(self, command: engine.Command) -> None:
        self.sent.append(command)


def watchdog(x: Exchange, line: Line) -> Watchdog:
    return Watchdog(live=x.board.live, services=x.services, driver=x.driver, line=cast(Any, line))


async def answered(x: Exchange) -> None:
    """One call that lasts."""
    x.dial('{"ivr":"http://127.0.0.1:9/none.wav","digits":2,"timeout":30}')
    await x.far_answers()
    live = x.board.live[x.only_call]
    async with asyncio.timeout(DEADLINE_S):
        while live.legs[LegId(0)].state is not LegState.ANSWERED:
            await x.line.more()


async def test_what_is_in_order_is_left_alone(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        line = Line(x)
        dog = watchdog(x, line)
        assert (dog.look(), dog.look(), line.sent) == (0, 0, [])
        x.board.hang_up(x.only_call)
        await x.over()
        assert (dog.look(), dog.look()) == (0, 0)


async def test_a_session_of_the_engine_that_is_nobodys_is_closed_at_the_second_look(storage: Storage) -> None:
    async with exchange(storage) as x:
        line = Line(x, 99)
        dog = watchdog(x, line)
        assert dog.look() == 0
        assert dog.look() == 1
        assert line.sent == [engine.CloseSession(session=engine.SessionId(99))]


async def test_a_call_that_was_lost_leaves_no_party_and_no_sound(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        live = x.board.live.pop(x.only_call)
        line = Line(x)
        dog = watchdog(x, line)
        assert dog.look() == 0
        assert dog.look() == 2
        await x.far.wait(sip.RemoteHungUp)
        assert line.sent == [engine.CloseSession(session=live.legs[LegId(0)].media.session)]
        assert not any(x.services.media.counts().values())


async def test_a_call_without_a_party_is_over(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        live = x.board.live[x.only_call]
        live.legs[LegId(0)].state = LegState.ENDED
        live.call.poll_deadline = lambda: None  # type: ignore[method-assign]
        dog = watchdog(x, Line(x))
        assert dog.look() == 0
        assert dog.look() > 0
        assert not x.board.live
        row = await x.row(live.id)
        assert (row.state, row.cause) == ("failed", "internal_error")
        assert "call.watchdog" in [kind for kind, _ in await x.timeline(live.id)]


async def test_a_leg_without_its_session_ends_its_call(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        live = x.board.live[x.only_call]
        live.legs[LegId(0)].session = SessionId(999)
        dog = watchdog(x, Line(x))
        assert dog.look() == 0
        assert dog.look() == 2, "the session of nobody too"
        await x.over()
        assert (await x.row(live.id)).cause == "internal_error"


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def met(x: Exchange, room: str = "board") -> LiveCall:
    """A call that is in a conference by itself."""
    view = x.dial(flow=flow(Conference(room=room, beeps=Beeps.NONE)))
    await x.far_answers()
    live = x.board.live[view.id]
    async with asyncio.timeout(DEADLINE_S):
        while not live.call.visits() or not x.services.rooms.listed() >= live.call.visits():
            await x.line.more()
    return live


async def settled() -> None:
    """Rooms and calls have heard what was on their queues."""
    for _ in range(4):
        await asyncio.sleep(0)


async def looked(x: Exchange, finds: list[tuple[str, object]]) -> None:
    """Nothing is done at the first look; at the second what was found is ended, and nothing is left for a third."""
    dog = watchdog(x, Line(x))
    with structlog.testing.capture_logs() as logged:
        assert dog.look() == 0
        assert dog.look() == len(finds)
        await settled()
        assert (dog.look(), dog.look()) == (0, 0)
    said = [(each["what"], each["which"]) for each in logged if each["event"] == "watchdog.orphan"]
    assert said == finds


async def test_rooms_that_are_in_order_are_left_alone(storage: Storage) -> None:
    async with exchange(storage) as x:
        one, other = await met(x), await met(x)
        async with asyncio.timeout(DEADLINE_S):
            while len(x.line.all(engine.JoinMix)) < 2:
                await x.line.more()
        await looked(x, [])
        for live in (one, other):
            x.board.hang_up(live.id)
        await x.over()
        assert x.services.rooms.counts() == {"rooms": 0, "guests": 0, "visits": 0}


async def test_a_guest_whose_call_has_forgotten_its_visit_has_left_the_room(storage: Storage) -> None:
    async with exchange(storage) as x:
        live = await met(x)
        ghost = Guest(call=CallId("e" * 32), leg=LegId(0), visit=VisitId(1))
        (room,) = x.services.rooms._live.values()
        room.guests[ghost] = live
        x.services.rooms._visits[(ghost.call, ghost.visit)] = (ghost, room)
        await looked(x, [("guest", ghost)])
        assert x.services.rooms.counts() == {"rooms": 1, "guests": 1, "visits": 1}
        x.board.hang_up(live.id)
        await x.over()


async def test_a_room_without_guests_is_no_more_and_its_call_goes_on(storage: Storage) -> None:
    async with exchange(storage) as x:
        live = await met(x)
        (visit,) = live.call.visits()
        (room,) = x.services.rooms._live.values()
        room.guests.clear()
        room.task.room = type(room.task.room).make(room.name, now())
        x.services.rooms._visits.clear()
        await looked(x, [("room", room.name), ("visit", visit)])
        assert x.services.rooms.counts() == {"rooms": 0, "guests": 0, "visits": 0}
        await x.over()
        assert ("room.left", {"visit": 1, "why": "over"}) in await x.timeline(live.id)
        assert (await x.row(live.id)).cause == "normal"


async def test_a_call_in_a_room_that_does_not_have_it_goes_on_with_what_follows(storage: Storage) -> None:
    async with exchange(storage) as x:
        live = await met(x)
        (visit,) = live.call.visits()
        x.services.rooms._live.clear()
        x.services.rooms._visits.clear()
        await looked(x, [("visit", visit)])
        await x.over()
        assert (await x.row(live.id)).cause == "normal"


async def test_sound_in_a_mix_of_no_room_is_taken_out_of_it(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        live = x.board.live[x.only_call]
        sound = live.legs[LegId(0)].media
        x.services.media.mix(engine.MixId(77), sound, muted=False)
        await looked(x, [("mix", int(sound.session))])
        assert x.line.last(engine.LeaveMix) == engine.LeaveMix(mix=engine.MixId(77), session=sound.session)
