"""Record: the party alone, and when it is worth keeping (46elks `record`)."""

import pytest
from tests.support.calls import A, B, incoming, outgoing

from offhook.call.commands import AnswerLeg, OweRecording, StartRecording, StopRecording
from offhook.call.events import RecordingEnded
from offhook.flow.verbs import Record

URL = "https://app.example/voicemail?key=secret"


def test_it_is_told_how_long_and_how_silent() -> None:
    world = outgoing(Record(deliver_to=URL, max_s=30.0, silence_s=None))
    (start,) = world.new()
    assert start == StartRecording(
        leg=A,
        recording=world.last(StartRecording).recording,
        both=False,
        max_s=30.0,
        silence_s=None,
        keep_as=None,
        min_ms=1000,
        min_voiced_ms=100,
    )


def test_an_unanswered_caller_is_answered_first() -> None:
    world = incoming(Record(deliver_to=URL))
    assert world.new() == [AnswerLeg(leg=A)]
    assert [type(each) for each in world.answers(A)] == [StartRecording]


@pytest.mark.parametrize("reason", ["silence", "max", "stopped"])
def test_it_is_delivered_before_what_follows(reason: str) -> None:
    world = outgoing(Record(deliver_to=URL))
    world.new()
    owed, *_ = world.recorded(reason=reason)
    assert isinstance(owed, OweRecording)
    assert (owed.url, owed.params) == (URL, (("said", "recorded"), ("wav", "https://api.example/r0.wav")))
    assert (owed.recording.index, owed.recording.duration_s) == (0, 5)
    assert world.results == [("ok", None)]
    assert world.call.view().recordings == (f"{'c' * 32}-r0",)
    assert world.notes("recording.owed")[0]["url"] == "https://app.example/voicemail?key=…"


def test_a_finish_key_ends_it_once() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.new()
    assert world.presses("12") == []
    assert world.presses("#", leg=B) == []
    assert world.presses("##") == [StopRecording(recording=world.last(StartRecording).recording)]
    assert world.results == []
    world.recorded(reason="stopped")
    assert world.results == [("ok", None)]


def test_a_finish_key_before_the_answer_ends_nothing() -> None:
    world = incoming(Record(deliver_to=URL))
    world.new()
    assert world.presses("#") == []


@pytest.mark.parametrize(("ms", "voiced"), [(900, 800), (5000, 0), (5000, 90)])
def test_too_short_is_not_delivered(ms: int, voiced: int) -> None:
    world = outgoing(Record(deliver_to=URL))
    world.recorded(ms=ms, voiced=voiced, index=None)
    assert world.results == [("failed", "tooshort")]
    assert world.all(OweRecording) == []
    assert world.call.view().recordings == ()


def test_what_the_world_threw_away_is_too_short_whatever_its_length() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.recorded(index=None)
    assert world.results == [("failed", "tooshort")]


def test_what_could_not_be_written_is_an_error() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.recorded(reason="failed", index=None)
    assert world.results == [("failed", "error")]


def test_one_kept_under_a_name_is_nobodys_but_the_calls() -> None:
    world = outgoing(Record(keep_as="name"))
    assert world.last(StartRecording).keep_as == "name"
    world.recorded(index=None)
    assert world.results == [("ok", None)]
    assert (world.call.view().recordings, world.all(OweRecording)) == ((), [])
    short = outgoing(Record(keep_as="name"))
    short.recorded(index=None, voiced=0)
    assert short.results == [("failed", "tooshort")]


def test_one_without_a_receiver_is_kept() -> None:
    world = outgoing(Record())
    world.recorded()
    assert world.all(OweRecording) == []
    assert world.call.view().recordings == (f"{'c' * 32}-r0",)


def test_the_party_leaves_and_the_recording_is_kept_and_posted() -> None:
    world = outgoing(Record(deliver_to=URL), hangup_hook="https://app.example/end")
    world.new()
    assert world.ends(A) == [StopRecording(recording=world.last(StartRecording).recording)]
    assert world.results == [("failed", "hangup")]
    said = world.recorded(reason="closed")
    assert [type(each).__name__ for each in said] == ["OweRecording", "OweHangup", "Finished"]
    assert world.finished.recordings == (f"{'c' * 32}-r0",)


def test_another_recording_is_not_its_own() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.tell(RecordingEnded(recording=9, reason="max", duration_ms=1, voiced_ms=1, index=0))  # type: ignore[arg-type]
    assert world.results == []
    assert world.call.view().recordings == ()
