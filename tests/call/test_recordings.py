"""The book of recordings: order of completion, and who is owed one."""

from tests.support.calls import A, World, outgoing

from offhook.call.commands import OweRecording, StartRecording
from offhook.call.events import RecordingEnded
from offhook.flow.verbs import Record, RecordCall

ALL, ONE = "https://app.example/all", "https://app.example/one"


def ended(world: World, start: StartRecording, index: int | None, reason: str = "stopped") -> RecordingEnded:
    return RecordingEnded(
        recording=start.recording,
        reason=reason,
        duration_ms=2600,
        voiced_ms=2000,
        index=index,
        wav_url=f"https://api.example/r{index}.wav",
    )


def test_ids_follow_the_order_of_completion() -> None:
    world = outgoing(RecordCall(deliver_to=ALL), Record(deliver_to=ONE), hangup_hook="https://app.example/end")
    whole, one = world.all(StartRecording)
    world.tell(ended(world, one, 0))
    world.ends(A)
    world.tell(ended(world, whole, 1))
    assert [(owed.url, owed.recording.index, owed.recording.duration_s) for owed in world.all(OweRecording)] == [
        (ONE, 0, 3),
        (ALL, 1, 3),
    ]
    assert world.finished.recordings == (f"{'c' * 32}-r0", f"{'c' * 32}-r1")


def test_the_view_in_a_post_has_the_recording_already() -> None:
    world = outgoing(Record(deliver_to=ONE))
    world.tell(ended(world, world.last(StartRecording), 0))
    (owed,) = world.all(OweRecording)
    assert owed.recording.created.timestamp() == world.now.wall


def test_a_repeated_event_is_booked_once() -> None:
    world = outgoing(RecordCall(deliver_to=ALL), Record(deliver_to=ONE))
    one = world.last(StartRecording)
    world.tell(ended(world, one, 0))
    world.tell(ended(world, one, 0))
    assert len(world.all(OweRecording)) == 1


def test_one_of_which_nothing_was_written_is_noted_and_not_owed() -> None:
    world = outgoing(RecordCall(deliver_to=ALL), Record(deliver_to=ONE))
    whole = world.all(StartRecording)[0]
    world.tell(ended(world, whole, None, "failed"))
    assert world.all(OweRecording) == []
    assert world.notes("recording.ended") == [{"recording": whole.recording, "reason": "failed", "seconds": 3}]


def test_of_one_that_failed_what_was_written_until_then_is_owed() -> None:
    world = outgoing(RecordCall(deliver_to=ALL))
    world.tell(ended(world, world.last(StartRecording), 0, "failed"))
    (owed,) = world.all(OweRecording)
    assert (owed.url, owed.recording.duration_s) == (ALL, 3)
    assert [note["reason"] for note in world.notes("recording.ended")] == ["failed"]
