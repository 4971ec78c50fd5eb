"""A live call changed from outside: it goes on elsewhere, is muted, sent keys, recorded; and what cannot be changed."""

import pytest
from tests.support.calls import CALLER, FRIEND, HOOK, A, B, World, ask, flow, incoming, outgoing, places

from offhook.call.changes import Change, Objection
from offhook.call.commands import (
    FetchDocument,
    HangUpLeg,
    LegId,
    MuteLeg,
    PartLegs,
    PauseRecording,
    PrepareSound,
    SendDigits,
    StartPlayback,
    StartRecording,
    StopPlayback,
    StopRecording,
)
from offhook.call.events import (
    ChangeRecording,
    DigitsSent,
    DocumentFailed,
    GoOn,
    HangUp,
    LegEnded,
    Mute,
    PressKeys,
    RecordingChange,
)
from offhook.flow.verbs import Dial, Gather, NumberTarget, Pause, Play, Record, UrlSound, Verb
from offhook.flow.view import Cause

PLAY = Play(sounds=(UrlSound(url="https://app.example/1.wav"),))
OTHER = Play(sounds=(UrlSound(url="https://app.example/2.wav"),))
DIAL = Dial(targets=(NumberTarget(number=FRIEND),))
ELSEWHERE = "https://app.example/elsewhere?secret=1"


def objects(world: World, wanted: Change) -> Objection | None:
    return world.call.objection(wanted)


def talking() -> World:
    world = incoming(DIAL, PLAY)
    world.placed(B)
    world.answers(B)
    world.answers(A)
    world.new()
    return world


# ── going on elsewhere ───────────────────────────────────────────────────────────────────────────────────────────────


def test_a_sound_is_left_for_another_flow() -> None:
    world = outgoing(PLAY, PLAY)
    world.ready()
    playing = world.last(StartPlayback)
    world.new()
    stop, prepare = world.tell(GoOn(to=flow(OTHER)))
    assert stop == StopPlayback(leg=A, playback=playing.playback)
    assert isinstance(prepare, PrepareSound)
    assert prepare.sound == OTHER.sounds[0]
    assert world.results == [("failed", "changed")]
    world.played()
    assert world.results == [("failed", "changed")]
    world.ready()
    world.played()
    # Nothing of the first flow is left.
    assert world.last(HangUpLeg).cause is Cause.NORMAL
    assert world.notes("flow.changed") == [{}]


def test_a_url_is_asked_and_told_what_was_left() -> None:
    world = outgoing(Gather(prompts=(), timeout_s=60.0))
    world.tell(GoOn(to=ask(ELSEWHERE)))
    asked = world.last(FetchDocument)
    assert (asked.url, dict(asked.params)["why"]) == (ELSEWHERE, "changed")
    assert world.notes("flow.changed")[0]["url"].startswith("https://app.example/elsewhere")
    assert "secret=1" not in world.notes("flow.changed")[0]["url"]
    world.document(PLAY)
    world.ready()
    assert world.all(StartPlayback)


def test_a_document_that_is_waited_for_is_waited_for_no_longer() -> None:
    world = outgoing(start=ask())
    first = world.last(FetchDocument)
    world.tell(GoOn(to=ask(ELSEWHERE)))
    world.new()
    assert world.tell(DocumentFailed(request=first.request, cause=Cause.HOOK_FAILED, detail="late")) == []
    world.document(PLAY)
    world.ready()
    assert world.all(StartPlayback)


def test_whoever_talks_to_the_party_is_let_go() -> None:
    world = talking()
    said = world.tell(GoOn(to=flow(OTHER)))
    assert HangUpLeg(leg=B, cause=Cause.NORMAL) in said
    assert PartLegs(a=A, b=B) in said
    world.tell(LegEnded(leg=B, cause=Cause.NORMAL))
    assert world.results == [("failed", "changed")]
    world.ready()
    assert world.last(StartPlayback).leg == A


def test_who_still_rings_is_cancelled_and_another_called() -> None:
    world = incoming(DIAL)
    world.placed(B)
    said = world.tell(GoOn(to=flow(Dial(targets=(NumberTarget(number=CALLER),)))))
    assert HangUpLeg(leg=B, cause=Cause.CANCELLED) in said
    assert places(world) == [FRIEND, CALLER]


def test_what_was_recorded_so_far_is_kept() -> None:
    world = outgoing(Record(deliver_to="https://app.example/recorded"))
    assert StopRecording(recording=world.last(StartRecording).recording) in world.tell(GoOn(to=flow(PLAY)))
    world.recorded(reason="stopped")
    assert world.call.view().recordings


@pytest.mark.parametrize("verb", [Pause(seconds=60.0), Record(beep=True), Gather(prompts=(), timeout_s=60.0), DIAL])
def test_every_verb_can_be_left(verb: Verb) -> None:
    world = outgoing(verb)
    world.tell(GoOn(to=flow(PLAY)))
    assert world.results == [("failed", "changed")]
    world.after(120.0)
    assert world.results == [("failed", "changed")]


def test_before_the_answer_the_flow_that_is_to_run_is_another() -> None:
    world = outgoing(PLAY, answered=False)
    world.placed(A)
    assert world.tell(GoOn(to=ask())) == []
    world.answers(A)
    assert world.last(FetchDocument).url == HOOK


def test_a_call_that_ends_goes_on_nowhere() -> None:
    world = outgoing(PLAY)
    world.tell(HangUp(cause=Cause.NORMAL))
    assert objects(world, GoOn(to=flow(OTHER))) is Objection.CALL_OVER
    assert world.tell(GoOn(to=flow(OTHER))) == []
    world.ends(A)
    assert objects(world, HangUp(cause=Cause.NORMAL)) is Objection.CALL_OVER


def test_an_apology_is_the_end_already() -> None:
    world = outgoing(start=ask())
    world.tell(DocumentFailed(request=world.last(FetchDocument).request, cause=Cause.HOOK_FAILED, detail="down"))
    assert objects(world, GoOn(to=flow(OTHER))) is Objection.CALL_OVER
    assert objects(world, HangUp(cause=Cause.NORMAL)) is None


# ── parties ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_party_is_muted_and_heard_again() -> None:
    world = talking()
    assert objects(world, Mute(leg=B, muted=True)) is None
    assert world.tell(Mute(leg=B, muted=True)) == [MuteLeg(leg=B, muted=True)]
    assert world.notes("leg.muted") == [{"leg": 1}]
    assert world.tell(Mute(leg=B, muted=False)) == [MuteLeg(leg=B, muted=False)]
    assert world.notes("leg.unmuted") == [{"leg": 1}]


def test_a_muted_party_stays_so_when_the_engine_begins_anew() -> None:
    world = talking()
    world.tell(Mute(leg=B, muted=True))
    world.call.resume(world.now, sound_lost=True)
    assert MuteLeg(leg=B, muted=True) in world.new()


def test_keys_are_sent() -> None:
    world = talking()
    (sent,) = world.tell(PressKeys(leg=B, keys="12#"))
    assert isinstance(sent, SendDigits)
    assert (sent.leg, sent.keys) == (B, "12#")
    assert world.notes("keys.sent") == [{"leg": 1, "keys": "12#"}]
    assert world.tell(DigitsSent(leg=B, request=sent.request)) == []


@pytest.mark.parametrize("wanted", [Mute(leg=LegId(7), muted=True), PressKeys(leg=LegId(7), keys="1")])
def test_a_leg_that_is_none(wanted: Change) -> None:
    world = talking()
    assert objects(world, wanted) is Objection.NO_LEG
    assert world.tell(wanted) == []


@pytest.mark.parametrize("wanted", [Mute(leg=B, muted=True), PressKeys(leg=B, keys="1")])
def test_a_leg_that_is_not_there(wanted: Change) -> None:
    world = incoming(DIAL)
    world.placed(B)
    assert objects(world, wanted) is Objection.LEG_NOT_THERE
    assert world.tell(wanted) == []


# ── the recording ────────────────────────────────────────────────────────────────────────────────────────────────────


def records(change: RecordingChange, deliver_to: str | None = None) -> ChangeRecording:
    return ChangeRecording(change=change, deliver_to=deliver_to)


def test_the_call_is_recorded_from_now_on_paused_and_stopped() -> None:
    world = talking()
    (started,) = world.tell(records(RecordingChange.START, "https://app.example/recorded"))
    assert isinstance(started, StartRecording)
    assert started.both
    assert objects(world, records(RecordingChange.START)) is Objection.RECORDED_ALREADY
    for change, paused in ((RecordingChange.PAUSE, True), (RecordingChange.RESUME, False)):
        assert world.tell(records(change)) == [PauseRecording(recording=started.recording, paused=paused)]
    assert world.notes("recording.paused") == world.notes("recording.resumed") == [{"recording": 1}]
    assert world.tell(records(RecordingChange.STOP)) == [StopRecording(recording=started.recording)]
    world.recorded(reason="stopped")
    assert world.notes("recording.owed")
    assert objects(world, records(RecordingChange.START)) is None


@pytest.mark.parametrize("change", [RecordingChange.PAUSE, RecordingChange.RESUME, RecordingChange.STOP])
def test_a_call_that_is_not_recorded(change: RecordingChange) -> None:
    world = talking()
    assert objects(world, records(change)) is Objection.NOT_RECORDED
    assert world.tell(records(change)) == []


def test_before_the_answer_it_begins_with_the_answer() -> None:
    world = outgoing(PLAY, answered=False)
    world.placed(A)
    assert world.tell(records(RecordingChange.START)) == []
    assert objects(world, records(RecordingChange.PAUSE)) is Objection.NOT_RECORDED
    world.answers(A)
    assert world.all(StartRecording)
