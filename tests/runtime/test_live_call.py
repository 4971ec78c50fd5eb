"""Whole calls in the world: what a call asks for is done, what comes of it reaches the call, and nothing stays."""

import asyncio
import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from tests.support.calls import flow
from tests.support.customer import customer
from tests.support.faulty_application import Fault, faulty_application
from tests.support.indoors import FAR, Exchange, exchange
from tests.support.sip_party import DEADLINE_S
from tests.support.sounds import RATE, encoded

from offhook.call import commands as do
from offhook.call import events as happened
from offhook.call.changes import Objection
from offhook.call.events import ChangeRecording, GoOn, HangUp, Mute, PressKeys, RecordingChange
from offhook.flow.dialects.choose import DIALECTS, read_start
from offhook.flow.dialects.dialect import Reading
from offhook.flow.document import Document
from offhook.flow.program import Flow, Step
from offhook.flow.verbs import Dial, Gather, LegStage, NumberTarget, Record, StatusHook, Treatment
from offhook.flow.view import CallId, Cause
from offhook.hooks.attempt import CONTROL
from offhook.media import commands as engine
from offhook.media import events as said
from offhook.runtime.call_task import CallTask
from offhook.runtime.hook_desk import HookDesk
from offhook.runtime.live_call import LiveCall
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.sip_driver import now
from offhook.runtime.sound.library import SoundLibrary
from offhook.sip import events as sip
from offhook.storage.records import events_after, recording_by_id
from offhook.storage.store import Storage

OTHER = "+46700000002"


class Engine:
    """What the real one would say of sounds and recordings, said at a test's word."""

    def __init__(self, x: Exchange) -> None:
        self.x = x

    async def asked(self, kind: type[Any], count: int = 1) -> Any:
        """The newest command of a kind, once there are so many."""
        async with asyncio.timeout(DEADLINE_S):
            while len(self.x.line.all(kind)) < count:
                await self.x.line.more()
        return self.x.line.last(kind)

    def played(self, play: engine.Play, reason: said.PlaybackEnd = said.PlaybackEnd.FINISHED) -> None:
        self.x.line.tell(
            said.PlaybackEnded(session=play.session, playback=play.playback, reason=reason, played_ms=500, detail="")
        )

    def recorded(
        self, start: engine.StartRecording, *, ms: int = 3000, voiced: int = 2000,
        reason: said.RecordingEnd = said.RecordingEnd.SILENCE,
    ) -> None:  # fmt: skip
        Path(start.path).write_bytes(encoded("wav", "pcm_s16le", RATE))
        self.x.line.tell(
            said.RecordingEnded(
                recording=start.recording,
                session=start.session,
                reason=reason,
                duration_ms=ms,
                voiced_ms=voiced,
                bytes=32_044,
                detail="",
            )
        )


def kinds(timeline: list[tuple[str, dict[str, Any]]]) -> list[str]:
    return [kind for kind, _ in timeline]


async def gone(path: str) -> None:
    """A file that nobody needs is deleted by a thread: wait until it is."""
    deadline = asyncio.get_running_loop().time() + DEADLINE_S
    while Path(path).exists():
        assert asyncio.get_running_loop().time() < deadline, path
        await asyncio.sleep(0.01)


# ── what is told ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_timeline_is_never_ahead_of_the_facts_nor_behind_who_reads_it(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(flow=flow(Gather(prompts=(), max_digits=9, timeout_s=30.0)))
        await x.far_answers()
        live = x.board.live[view.id]
        while live.call.view().start is None:
            await x.line.more()
        x.services.keeper.flush()

        async def durable() -> tuple[int, str]:
            """How many keys the timeline has, and which ones the facts."""
            await storage.writer.flush()
            read = await storage.read(lambda connection: events_after(connection, view.id))
            (fact,) = [each for each in await storage.read(storage.facts.load) if each.key == view.id]
            return [row.kind for row in read].count("key.pressed"), "77" if "'77'" in str(fact.data) else ""

        assert await durable() == (0, "")
        for _ in range(2):
            live.post(happened.DigitPressed(leg=do.LegId(0), digit="7"))
        live.task.settle()
        assert await durable() == (0, ""), "neither: they go together"
        live.write_down()
        assert await durable() == (2, "77")
        reader = asyncio.ensure_future(x.services.book.wait(view.id, x.services.book._last[view.id], DEADLINE_S))
        await asyncio.sleep(0)
        assert x.services.book.is_awaited(view.id)
        live.note("sound.warning", {"sound": "x"})
        async with asyncio.timeout(DEADLINE_S):
            await reader
        x.board.hang_up(view.id)
        await x.over()


# ── two parties ──────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_two_parties_are_joined_beside_each_other_and_parted(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(json.dumps({"connect": "+46700000002"}))
        await x.far_answers()
        onward = await x.far_answers()
        bridge = await Engine(x).asked(engine.Bridge)
        first, second = x.line.all(engine.OpenSession)
        assert {bridge.a, bridge.b} == {first.session, second.session}
        assert second.near == first.session
        x.far.endpoint.hang_up(onward.session, now())
        x.far.say()
        await x.over()
        assert x.line.open == set()
        timeline = await x.timeline(view.id)
        assert kinds(timeline).count("leg.answered") == 2
        assert kinds(timeline).count("leg.statistics") == 2
        assert {"sip.sent", "sip.received"} <= set(kinds(timeline))
        row = await x.row(view.id)
        assert row.cost == 2 * (100 + 600)


async def test_the_last_word_of_a_timeline_is_the_figures_of_the_last_leg(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(json.dumps({"connect": "+46700000002"}))
        await x.far_answers()
        await x.far_answers()
        assert x.services.book.is_open(view.id)
        x.board.hang_up(view.id)
        await x.over()
        last = 0
        async with asyncio.timeout(DEADLINE_S):
            while x.services.book.is_open(view.id):
                await x.services.book.wait(view.id, last, DEADLINE_S)
                last = len(await x.timeline(view.id))
        assert kinds(await x.timeline(view.id))[-1] == "leg.statistics"


async def test_a_target_that_routing_refuses_fails_and_the_flow_goes_on(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(json.dumps({"connect": "+4930123456", "failed": {"connect": "+46700000002"}}))
        await x.far_answers()
        assert (await x.far.wait(sip.IncomingInvite)).uri.username == "+46700000002"
        x.board.hang_up(view.id)
        await x.over()
        refused = [data for kind, data in await x.timeline(view.id) if kind == "leg.ended" and data["leg"] == 1]
        assert refused[0]["cause"] == "not_allowed"
        assert "add a prefix" in refused[0]["detail"]


async def test_a_leg_lost_to_a_fault_does_not_keep_its_call(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with exchange(storage) as x:

        def broken(*_: object, **__: object) -> None:
            raise RuntimeError("a fault of ours")

        monkeypatch.setattr(MediaLegs, "open", broken)
        view = x.dial()
        await x.over()
        assert (await x.row(view.id)).cause == "internal_error"


async def test_a_call_given_up_leaves_no_leg(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.dial('{"play":"sound/ringback"}')
        await x.far_answers()
        await Engine(x).asked(engine.Play)
        x.board.live[x.only_call].task.abandon()
        await x.far.wait(sip.RemoteHungUp)
        await x.over()


async def test_credit_that_is_gone_ends_the_call(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.storage.directory.set_balance(x.account, 500)
        view = x.dial('{"play":"sound/ringback"}')
        await x.far_answers()
        await x.far.wait(sip.RemoteHungUp)
        await x.over()
        assert (await x.row(view.id)).cause == "no_credit"
        left = x.storage.directory.credit_left(x.account)
        assert left == 500 - 700, "what was used is owed"


async def test_lists_say_since_when_a_call_lasts(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"play":"sound/ringback"}')
        assert (await x.row(view.id)).started is None
        await x.far_answers()
        await Engine(x).asked(engine.Play)
        row = await x.row(view.id)
        assert (row.state, row.started is not None) == ("ongoing", True)
        x.board.end_all(Cause.NORMAL)
        await x.over()


# ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_sound_is_fetched_played_and_followed(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        url = app.serve("/hello.wav", encoded("wav", "pcm_s16le", RATE))
        view = x.dial(json.dumps({"play": url, "next": {"hangup": "busy"}}))
        await x.far_answers()
        play = await Engine(x).asked(engine.Play)
        assert all(Path(file).exists() for file in play.files)
        Engine(x).played(play)
        await x.far.wait(sip.RemoteHungUp)
        await x.over()
        assert kinds(await x.timeline(view.id)).count("verb.ended") >= 1


async def test_a_sound_that_is_none_is_told_and_the_flow_goes_on(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        url = app.serve("/hello.wav", b"this is no sound")
        app.on("/next", {"hangup": "true"})
        x.dial(json.dumps({"play": url, "next": app.url + "/next"}))
        await x.far_answers()
        hook = await app.hook("/next")
        assert (hook.fields["result"], hook.fields["why"]) == ("failed", "badsource")
        await x.over()
        assert x.line.all(engine.Play) == []


async def test_keys_reach_the_flow(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/key", {"hangup": "true"})
        x.dial(json.dumps({"ivr": "sound/dialtone", "next": app.url + "/key", "digits": 1}))
        await x.far_answers()
        play = await Engine(x).asked(engine.Play)
        x.line.tell(
            said.Digit(session=play.session, digit="7", duration_ms=100, source=said.DigitSource.EVENT, at_us=0)
        )
        assert (await app.hook("/key")).fields["result"] == "7"
        assert x.line.all(engine.StopPlayback) != []
        await x.over()


# ── a called party's own flow, and who is told of legs ───────────────────────────────────────────────────────────────


async def test_a_called_party_is_sent_keys_and_briefed_before_being_joined(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/whisper", {"play": "sound/beep"})
        briefed = Treatment(send_digits="P7", briefing=Document(url=app.url + "/whisper", method="GET"))
        view = x.dial(flow=Flow(steps=(Step(verb=Dial(targets=(NumberTarget(number=OTHER, treatment=briefed),))),)))
        await x.far_answers()
        ours = Engine(x)
        ringback = await ours.asked(engine.Play)
        await x.far_answers()
        keys = await ours.asked(engine.SendDigits)
        second = x.line.all(engine.OpenSession)[1].session
        assert (keys.session, ringback.session == second) == (second, False)
        assert app.got("/whisper") == []
        x.line.tell(said.DigitsSent(session=second, request=keys.request, reason=said.DigitsEnd.SENT))
        assert (await app.hook("/whisper")).method == "GET"
        beep = await ours.asked(engine.Play, 2)
        assert beep.session == second
        assert x.line.all(engine.Bridge) == []
        ours.played(beep)
        assert {(await ours.asked(engine.Bridge)).a, x.line.last(engine.Bridge).b} == {second, ringback.session}
        x.board.hang_up(view.id)
        await x.over()
        begun = [data for kind, data in await x.timeline(view.id) if kind == "verb.begun"]
        assert [(data["verb"], data.get("leg")) for data in begun] == [("dial", None), ("play", 1)]


async def test_who_is_told_of_a_leg_hears_of_each_stage_in_order(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/status", "")
        told = StatusHook(
            url=app.url + "/status?a=b", method="GET", stages=frozenset(LegStage), extra=(("token", "1"),)
        )
        x.dial(told=told, send_digits="1")
        await x.far_answers()
        keys = await Engine(x).asked(engine.SendDigits)
        x.line.tell(said.DigitsSent(session=keys.session, request=keys.request, reason=said.DigitsEnd.SENT))
        await x.over()
        await app.hook("/status", 3)
        assert [hook.method for hook in app.got("/status")] == ["GET"] * 3
        fields = [hook.fields for hook in app.got("/status")]
        assert [each["status"] for each in fields] == ["initiated", "answered", "completed"]
        assert {(each["a"], each["token"], each["to"]) for each in fields} == {("b", "1", FAR)}


# ── recordings ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_recording_is_stored_and_delivered(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/rec", "")
        view = x.dial(json.dumps({"record": app.url + "/rec", "next": {"hangup": "true"}}))
        await x.far_answers()
        start = await Engine(x).asked(engine.StartRecording)
        assert Path(start.path).parent == storage.recordings_dir
        Engine(x).recorded(start)
        hook = await app.hook("/rec")
        assert hook.fields["wav"].startswith("http://voice.example/a1/recordings/")
        await x.over()
        at = (await x.row(view.id)).created
        row = await storage.read(lambda connection: recording_by_id(connection, view.id, 0, at))
        assert row is not None
        assert (storage.recordings_dir / row.path).exists()
        assert row.owner == x.account


async def test_a_recording_in_which_nobody_spoke_is_thrown_away(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/rec", "")
        view = x.dial(json.dumps({"record": app.url + "/rec"}))
        await x.far_answers()
        start = await Engine(x).asked(engine.StartRecording)
        Engine(x).recorded(start, voiced=50)
        await x.over()
        await gone(start.path)
        assert (await x.row(view.id)).recordings == ()


async def test_what_a_call_keeps_for_itself_is_played_back_and_goes_with_it(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.dial(json.dumps({"record": "local/message", "next": {"play": "local/message"}}))
        await x.far_answers()
        start = await Engine(x).asked(engine.StartRecording)
        Engine(x).recorded(start)
        before = len(x.line.all(engine.Play))
        play = await Engine(x).asked(engine.Play, before + 1)
        assert Path(start.path).exists()
        Engine(x).played(play)
        await x.over()
        await gone(start.path)


async def test_what_a_call_had_for_itself_can_become_the_customers(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(flow=Flow(steps=(Step(verb=Record(confirm=True)),)))
        await x.far_answers()
        ours = Engine(x)
        ours.recorded(await ours.asked(engine.StartRecording))
        x.board.hang_up(view.id)
        await x.over()
        (kept,) = [data for kind, data in await x.timeline(view.id) if kind == "recording.kept"]
        assert kept["recording"] == 2
        row = await x.row(view.id)
        assert row.recordings == (f"{view.id}-r0",)
        at = datetime.now(UTC)
        stored = await x.storage.read(lambda connection: recording_by_id(connection, view.id, 0, at))
        assert stored is not None
        assert (storage.recordings_dir / stored.path).exists()


async def test_a_second_recording_under_a_name_takes_the_place_of_the_first(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.dial(flow=Flow(steps=(Step(verb=Record(keep_as="m")), Step(verb=Record(keep_as="m")))))
        await x.far_answers()
        ours = Engine(x)
        first = await ours.asked(engine.StartRecording)
        ours.recorded(first)
        second = await ours.asked(engine.StartRecording, 2)
        ours.recorded(second)
        await x.over()
        await gone(first.path)
        await gone(second.path)


async def test_what_is_lost_cannot_change_hands(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(flow=Flow(steps=(Step(verb=Record(confirm=True)),)))
        await x.far_answers()
        ours = Engine(x)
        start = await ours.asked(engine.StartRecording)
        live = x.board.live[x.only_call]
        ours.recorded(start)
        live.kept.clear()
        await x.over()
        (ended,) = [data for kind, data in await x.timeline(view.id) if kind == "verb.ended"]
        assert (ended["result"], ended["why"]) == ("failed", "error")
        assert (await x.row(view.id)).recordings == ()


async def test_what_is_kept_after_the_end_goes_at_once(storage: Storage) -> None:
    """A call given up by its watchdog is over before its recording is closed."""
    async with exchange(storage) as x:
        x.dial(json.dumps({"record": "local/message"}))
        await x.far_answers()
        start = await Engine(x).asked(engine.StartRecording)
        x.board.live[x.only_call].task.abandon()
        Engine(x).recorded(start, reason=said.RecordingEnd.CLOSED)
        await x.over()
        await gone(start.path)


async def test_a_recording_survives_the_engine(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/rec", "")
        view = x.dial(json.dumps({"recordcall": app.url + "/rec", "play": "sound/ringback"}))
        await x.far_answers()
        start = await Engine(x).asked(engine.StartRecording)
        Path(start.path).write_bytes(encoded("wav", "pcm_s16le", RATE))
        x.services.media.lost((start.session,))
        assert (await app.hook("/rec")).fields["wav"]
        await x.over()
        assert (await x.row(view.id)).cause == "media_lost"
        assert Path(start.path).exists()


# ── the customer ─────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_web_application_steers_the_call_and_hears_of_its_end(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/start", {"hangup": "busy", "whenhangup": app.url + "/end"})
        app.on("/end", "")
        x.runs(app.url + "/start")
        x.call_us()
        assert (await x.far.wait(sip.Refused)).status == 486
        started = await app.hook("/start")
        ended = await app.hook("/end")
        assert started.fields["callid"] == ended.fields["id"]
        assert (started.fields["from"], started.fields["direction"]) == (FAR, "incoming")
        await x.over()
        timeline = await x.timeline(CallId(started.fields["callid"].removeprefix("c")))
        assert "hook.tries" in kinds(timeline)
        assert "hook.owed" in kinds(timeline)


@pytest.mark.parametrize(
    ("answer", "status", "cause"),
    [
        (web.Response(status=500), 503, "hook_failed"),
        ('{"play":', 503, "bad_document"),
    ],
)
async def test_a_web_application_that_fails_sends_the_caller_elsewhere(
    storage: Storage, answer: Any, status: int, cause: str
) -> None:
    async with exchange(storage) as x, customer() as app:
        app.on("/start", (lambda _: web.Response(status=500)) if isinstance(answer, web.Response) else answer)
        x.runs(app.url + "/start")
        x.call_us()
        assert (await x.far.wait(sip.Refused)).status == status
        await x.over()
        call = CallId((await app.hook("/start")).fields["callid"].removeprefix("c"))
        assert (await x.row(call)).cause == cause
        (failed,) = [data for kind, data in await x.timeline(call) if kind == "hook.failed"]
        assert failed["detail"]


async def test_a_call_that_ends_while_it_asks_leaves_the_question_to_itself(storage: Storage) -> None:
    release = asyncio.Event()

    async def slow(_: object) -> web.Response:
        await release.wait()
        return web.json_response({"play": "sound/beep"})

    async with exchange(storage) as x, customer() as app:
        app.on("/start", slow)
        x.runs(app.url + "/start")
        session = x.call_us()
        await app.hook("/start")
        live = x.board.live[x.only_call]
        x.far.endpoint.hang_up(session, now())
        x.far.say()
        await x.over()
        (working,) = live._working
        release.set()
        await asyncio.wait_for(working, DEADLINE_S)
        assert live._working == set()
        assert "hook.tries" in kinds(await x.timeline(live.id)), "what the server said is told all the same"
        assert x.line.all(engine.Play) == []


async def test_a_fault_beside_a_call_ends_it(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    async def broken(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    async with exchange(storage) as x:
        monkeypatch.setattr(SoundLibrary, "prepare", broken)
        view = x.dial('{"play":"sound/beep"}')
        await x.far_answers()
        await x.far.wait(sip.RemoteHungUp)
        await x.over()
        assert (await x.row(view.id)).cause == "internal_error"


async def test_commands_for_a_leg_that_never_was_are_answered(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They may cross the end of it; what a call would wait for comes all the same."""
    async with exchange(storage) as x:
        x.dial('{"play":"sound/ringback"}')
        await x.far_answers()
        await Engine(x).asked(engine.Play)
        live = x.board.live[x.only_call]
        posted: list[happened.Event] = []
        monkeypatch.setattr(CallTask, "post", lambda _, event: posted.append(event))
        nobody = do.LegId(9)
        for command in (
            do.RingLeg(leg=nobody),
            do.AnswerLeg(leg=nobody),
            do.HangUpLeg(leg=nobody, cause=Cause.BUSY),
            do.JoinLegs(a=do.LegId(0), b=nobody),
            do.StartPlayback(leg=nobody, playback=do.PlaybackId(1), sounds=()),
            do.StopPlayback(leg=nobody, playback=do.PlaybackId(1)),
            do.SendDigits(leg=nobody, request=do.RequestId(2), keys="1"),
            do.StartRecording(
                leg=nobody, recording=do.RecordingId(3), both=False, max_s=None, silence_s=None, keep_as=None
            ),
            do.StopRecording(recording=do.RecordingId(3)),
        ):
            LiveCall.perform(live, live.task, command)
        assert [type(event).__name__ for event in posted] == [
            "LegEnded", "PlaybackEnded", "DigitsSent", "RecordingEnded",
        ]  # fmt: skip
        live.services.legs.hang_up(live.legs[do.LegId(0)], Cause.NORMAL)


# ── a web application that fails ─────────────────────────────────────────────────────────────────────────────────────

FALLBACK = {"record": "https://app.example/recorded"}


async def test_no_call_that_has_a_fallback_is_dropped_by_a_web_application_that_fails_at_random(
    storage: Storage,
) -> None:
    """Sixty calls; three in ten requests are refused, reset, answered 500, not answered, or half answered."""
    async with exchange(storage) as x, faulty_application(lambda _: json.dumps(FALLBACK), seed=20261121) as app:
        fallback = read_start(json.dumps(FALLBACK), DIALECTS["elks"])
        assert isinstance(fallback, Reading)
        calls = [x.dial(app.at("/start"), fallback=fallback.flow).id for _ in range(60)]
        for _ in calls:
            await x.far_answers()
        # Every call comes to its recording, by its own document or by the fallback's.
        await Engine(x).asked(engine.StartRecording, len(calls))
        assert len(x.board.live) == len(calls)
        assert all(app.failed(fault) for fault in Fault)
        x.board.end_all(Cause.NORMAL)
        for started in x.line.all(engine.StartRecording):
            Engine(x).recorded(started, reason=said.RecordingEnd.STOPPED)
        await x.over()
        fell_back = 0
        for call in calls:
            kinds_of_call = kinds(await x.timeline(call))
            assert "verb.begun" in kinds_of_call
            fell_back += "hook.fallback" in kinds_of_call
        assert 0 < fell_back < len(calls)


async def test_precedence_of_fallbacks_call_number_account(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        for name in ("call", "number", "account"):
            app.on(f"/{name}", {"hangup": "busy"})
        dead = app.on("/dead", web.Response(status=404))
        directory = storage.directory
        directory.change_account(x.account, fallback=app.url + "/account")
        directory.change_number(x.number.id, voice_start=dead)
        x.call_us()
        hook = await app.hook("/account")
        assert (hook.fields["failed_url"], hook.fields["failed_status"]) == (dead, "404")
        await x.over()
        directory.change_number(x.number.id, fallback=app.url + "/number", method="GET")
        x.call_us()
        assert (await app.hook("/number")).method == "GET"
        await x.over()
        x.dial(dead, fallback=Document(url=app.url + "/call"))
        await x.far_answers()
        await app.hook("/call")
        await x.over()
        sub = directory.add_subaccount(x.account, "sub")
        x.dial(dead, owner=sub.id, from_="anonymous")
        await x.far_answers()
        await app.hook("/account", 2)
        await x.over()
        # One that cannot be read any more is none: the call ends as one without.
        directory.change_account(x.account, fallback="{nonsense")
        x.dial(dead)
        await x.far_answers()
        play = await Engine(x).asked(engine.Play)
        Engine(x).played(play)
        await x.over()


async def test_a_caller_that_waits_hears_comfort_and_one_that_is_failed_an_apology(storage: Storage) -> None:
    async with exchange(storage) as x, customer() as app:
        release = asyncio.Event()

        async def slow(_: Any) -> Any:
            await release.wait()
            return web.Response(status=404)

        x.services.hooks = HookDesk(client=x.services.hooks._client, outbox=x.services.hooks._outbox, policy=CONTROL)
        view = x.dial(app.on("/slow", slow))
        await x.far_answers()
        comfort = await Engine(x).asked(engine.Play)
        assert (Path(comfort.files[0]).name.startswith("tone-comfort"), comfort.repeat) == (True, 0)
        release.set()
        stop = await Engine(x).asked(engine.StopPlayback)
        assert stop.playback == comfort.playback
        apology = await Engine(x).asked(engine.Play, 2)
        assert Path(apology.files[0]).name.startswith("tone-sorry")
        Engine(x).played(apology)
        await x.over()
        assert {"comfort.begun", "apology.begun"} <= set(kinds(await x.timeline(view.id)))


# ── changed from outside ─────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_live_call_is_changed_in_every_way(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(json.dumps({"connect": "+46700000002"}))
        await x.far_answers()
        await x.far_answers()
        bridge = await Engine(x).asked(engine.Bridge)
        board = x.board
        assert board.change(view.id, Mute(leg=do.LegId(1), muted=True)) is None
        muted = await Engine(x).asked(engine.Mute)
        assert (muted.session, muted.muted) == (x.line.all(engine.OpenSession)[1].session, True)
        assert muted.session in (bridge.a, bridge.b)
        assert board.change(view.id, PressKeys(leg=do.LegId(1), keys="12")) is None
        assert (await Engine(x).asked(engine.SendDigits)).session == muted.session
        for change in RecordingChange:
            assert board.change(view.id, ChangeRecording(change=change)) is None
            kind = {
                RecordingChange.START: engine.StartRecording,
                RecordingChange.STOP: engine.StopRecording,
            }.get(change, engine.PauseRecording)
            await Engine(x).asked(kind, 2 if change is RecordingChange.RESUME else 1)
        Engine(x).recorded(x.line.last(engine.StartRecording), reason=said.RecordingEnd.STOPPED)
        play = read_start('{"play": "sound/beep"}', DIALECTS["elks"])
        assert isinstance(play, Reading)
        assert board.change(view.id, GoOn(to=play.flow)) is None
        await x.far.wait(sip.RemoteHungUp)
        await Engine(x).asked(engine.Play)
        assert board.change(view.id, HangUp(cause=Cause.NORMAL)) is None
        await x.over()
        assert board.change(view.id, HangUp(cause=Cause.NORMAL)) is Objection.CALL_OVER
        noted = {"leg.muted", "keys.sent", "recording.paused", "recording.resumed", "flow.changed", "call.hangup_asked"}
        assert noted <= set(kinds(await x.timeline(view.id)))
