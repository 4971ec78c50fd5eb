"""RecordCall: both parties, to the end (46elks `recordcall`)."""

from tests.support.calls import A, B, incoming, outgoing

from offhook.call.commands import OweRecording, StartRecording, StopRecording
from offhook.flow.verbs import Dial, NumberTarget, Play, RecordCall, UrlSound
from offhook.flow.view import Cause

URL = "https://app.example/all"
PLAY = Play(sounds=(UrlSound(url="https://app.example/1.wav"),))
DIAL = Dial(targets=(NumberTarget(number="+46700000011"),))


def test_it_takes_no_time_and_ends_with_the_call() -> None:
    world = outgoing(RecordCall(deliver_to=URL), PLAY, hangup_hook="https://app.example/end")
    start = world.new()[0]
    assert isinstance(start, StartRecording)
    assert (start.leg, start.both, start.max_s, start.silence_s, start.min_ms) == (A, True, None, None, 0)
    world.ready()
    world.played()
    assert world.all(StopRecording) == [StopRecording(recording=start.recording)]
    world.ends(A)
    said = world.recorded(reason="closed")
    assert [type(each).__name__ for each in said] == ["OweRecording", "OweHangup", "Finished"]


def test_before_an_answer_it_waits_for_it() -> None:
    world = incoming(RecordCall(deliver_to=URL), DIAL)
    assert world.all(StartRecording) == []
    world.answers(B)
    world.answers(A)
    assert len(world.all(StartRecording)) == 1


def test_a_call_that_is_never_answered_has_no_recording() -> None:
    world = incoming(RecordCall(deliver_to=URL), DIAL, hangup_hook="https://app.example/end")
    world.ends(B, Cause.BUSY)
    world.ends(A, Cause.BUSY)
    assert world.finished.recordings == ()
    assert world.all(StartRecording) == []


def test_the_first_one_wins() -> None:
    world = outgoing(RecordCall(deliver_to=URL), RecordCall(deliver_to="https://app.example/other"), PLAY)
    assert len(world.all(StartRecording)) == 1
    world.ends(A)
    assert world.all(StopRecording) == [StopRecording(recording=world.last(StartRecording).recording)]
    world.recorded(reason="closed")
    assert [owed.url for owed in world.all(OweRecording)] == [URL]


def test_it_can_be_ended_and_begun_again() -> None:
    """didML section 4.8: `recording` with `off`."""
    world = outgoing(RecordCall(deliver_to=URL), RecordCall(stop=True), RecordCall(stop=True), RecordCall(), PLAY)
    first, second = world.all(StartRecording)
    assert world.all(StopRecording) == [StopRecording(recording=first.recording)]
    assert second.recording != first.recording


def test_what_was_never_begun_can_be_ended() -> None:
    world = incoming(RecordCall(), RecordCall(stop=True), PLAY)
    world.answers(A)
    assert world.all(StartRecording) == []
    assert world.results[:2] == [("ok", None), ("ok", None)]


def test_one_that_ends_early_is_delivered_then() -> None:
    world = outgoing(RecordCall(deliver_to=URL), PLAY)
    world.recorded(reason="failed", index=None)
    assert world.all(OweRecording) == []
    world.ends(A)
    assert world.finished.cause is Cause.NORMAL


def test_a_call_knows_where_its_recording_is() -> None:
    world = outgoing(RecordCall(), PLAY)
    assert world.call.view().recording_url == ""
    world.ends(A)
    world.recorded(reason="closed")
    assert world.finished.recording_url == "https://api.example/r0.wav"
