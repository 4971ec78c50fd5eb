"""A call is made again of its facts, while its far ends notice nothing; what waited on its queue is heard."""

import json
from typing import Any

from tests.support.indoors import OURS, Exchange, exchange

from offhook.call.commands import LegId
from offhook.call.events import DigitPressed, HangUp
from offhook.flow.view import Cause
from offhook.media import commands as engine
from offhook.media import events as said
from offhook.runtime.call_facts import call_fact, restored_call, sessions_in
from offhook.runtime.live_call import LiveCall
from offhook.runtime.sip_driver import now
from offhook.runtime.sip_leg import LegState
from offhook.sip import events as sip
from offhook.storage.facts import Fact
from offhook.storage.store import Storage

BRIDGED = json.dumps({"connect": "+46700000002"})


CLOCKS_READ_WITHIN_S = 0.05


def through_json(fact: Fact) -> dict[str, Any]:
    read: dict[str, Any] = json.loads(json.dumps(fact.data))
    return read


def forgotten(x: Exchange) -> LiveCall:
    """Take the one call away, as if its process had died: only the endpoint and the engine know of it."""
    (live,) = x.board.live.values()
    x.board.live.clear()
    x.services.keeper.forget(live)
    live.task.over = True
    x.services.legs._by_session.clear()
    x.services.media._sessions.clear()
    return live


def taken_up(x: Exchange, data: dict[str, Any]) -> LiveCall:
    live = restored_call(data, x.services)
    x.board.resumed(live, 100)
    x.line.heard = data["heard"] + 1
    return live


def alike(a: Any, b: Any) -> bool:
    """The same; moments are told by two clocks, which are never read at the same instant."""
    if isinstance(a, float):
        return isinstance(b, float) and abs(a - b) < CLOCKS_READ_WITHIN_S
    if isinstance(a, dict):
        return isinstance(b, dict) and a.keys() == b.keys() and all(alike(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return isinstance(b, list) and len(a) == len(b) and all(map(alike, a, b))
    return bool(a == b)


async def test_a_bridge_goes_on_and_ends_as_it_would_have(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial(BRIDGED, hangup_hook="http://app.example/over")
        await x.far_answers()
        onward = await x.far_answers()
        while not x.line.all(engine.Bridge):
            await x.line.more()
        fact = call_fact(x.board.live[view.id])
        assert (fact.kind, fact.key, len(sessions_in(fact.data))) == ("call", view.id, 2)
        forgotten(x)
        live = taken_up(x, through_json(fact))
        assert live.call.view() == x.board.view(view.id)
        first, second = live.legs.values()
        assert (first.state, second.state) == (LegState.ANSWERED, LegState.ANSWERED)
        assert first.media.partner is second.media
        again = through_json(call_fact(live))
        assert alike({**again, "call": None, "heard": 0}, {**through_json(fact), "call": None, "heard": 0})
        live.resume(None)
        x.far.endpoint.hang_up(onward.session, now())
        x.far.say()
        await x.over()
        assert (await x.row(view.id)).state == "success"


async def test_what_waited_on_the_queue_is_heard(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"ivr":"http://127.0.0.1:9/none.wav","digits":2,"timeout":30}')
        await x.far_answers()
        live = x.board.live[view.id]
        while live.call.view().start is None:
            await x.line.more()
        live.task.post(DigitPressed(leg=LegId(0), digit="5"))
        live.task.post(HangUp(cause=Cause.NORMAL))
        fact = call_fact(live)
        forgotten(x)
        restored = taken_up(x, through_json(fact))
        restored.resume(None)
        await x.over()
        row = await x.row(view.id)
        assert (row.state, row.cause) == ("success", "normal")


async def test_a_call_that_is_not_to_go_on_is_ended_at_its_far_end(storage: Storage) -> None:
    async with exchange(storage) as x:
        x.runs(BRIDGED)
        x.call_us(OURS)
        ringing = await x.far.wait(sip.IncomingInvite)
        fact = call_fact(x.board.live[x.only_call])
        forgotten(x)
        restored = taken_up(x, through_json(fact))
        x.services.media.expect([])
        restored.resume(Cause.SERVER_RESTART)
        assert (await x.far.wait(sip.Refused)).status == 503
        gone = await x.far.wait(sip.RemoteHungUp)
        assert (gone.session, gone.how) == (ringing.session, sip.HangUpKind.CANCEL)
        await x.over()
        assert (await x.row(restored.id)).cause == "server_restart"


async def test_a_recording_is_heard_of_again(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"record":"http://127.0.0.1:9/recorded","silencedetection":"no"}')
        await x.far_answers()
        while not x.line.all(engine.StartRecording):
            await x.line.more()
        start = x.line.last(engine.StartRecording)
        fact = call_fact(x.board.live[view.id])
        forgotten(x)
        live = taken_up(x, through_json(fact))
        live.resume(None)
        live.path_of(next(iter(live.recordings.values())).command).write_bytes(bytes(16_044))
        x.line.tell(
            said.RecordingEnded(
                recording=start.recording, session=start.session, reason=said.RecordingEnd.STOPPED,
                duration_ms=1000, voiced_ms=1000, bytes=16_044, detail="",
            )
        )  # fmt: skip
        await x.over()
        assert len((await x.row(view.id)).recordings) == 1


async def test_a_recording_that_a_server_died_before_it_could_begin_begins(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"record":"http://127.0.0.1:9/recorded","silencedetection":"no"}')
        await x.far_answers()
        while not x.line.all(engine.StartRecording):
            await x.line.more()
        start, live = x.line.last(engine.StartRecording), x.board.live[view.id]
        (recording,) = live.recordings.values()
        recording.paused = True
        fact = call_fact(live)
        forgotten(x)
        x.line.sent.clear()
        restored = taken_up(x, through_json(fact))
        (again,) = restored.recordings.values()
        assert (again.paused, again.stopping, again.path) == (True, False, recording.path)
        found = said.SessionAlive(
            session=start.session, local=("127.0.0.1", 20_000), rtcp_port=20_001, remote=("127.0.0.1", 9),
            direction=engine.Direction.SEND_RECV, bridged_with=engine.NO_SESSION, mix=engine.MixId(0),
            playback=engine.PlaybackId(0), recordings=(),
        )  # fmt: skip
        x.services.media.expect([found])
        restored.resume(None)
        x.services.media.reconcile([found])
        said_again = [each for each in x.line.sent if not isinstance(each, engine.Mute)]
        assert said_again == [start, engine.PauseRecording(recording=start.recording, paused=True)]
        x.board.hang_up(view.id)
        x.line.tell(
            said.RecordingEnded(
                recording=start.recording, session=start.session, reason=said.RecordingEnd.STOPPED,
                duration_ms=1000, voiced_ms=1000, bytes=16_044, detail="",
            )
        )  # fmt: skip
        await x.over()
