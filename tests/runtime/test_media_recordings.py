"""Recordings of legs: told to the engine, and their end told once, whoever ends them. (Those that outlive a control
process are in `test_media_legs_restored.py`: they do so with their session.)"""

from pathlib import Path

import pytest
from tests.support.media_scene import Scene

from offhook.media import commands as do
from offhook.media import events as said
from offhook.runtime.media_recordings import NOTHING, RecordingClosed, what_is_left


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_recording_says_how_it_ended(scene: Scene) -> None:
    media = scene.open()
    number = scene.record(media, "/r.wav", both=False, max_s=10.5, silence_s=3.0)
    started = scene.line.last(do.StartRecording)
    assert (started.recorded, started.max_ms, started.silence_ms) == (do.RecordingKind.PARTY, 10_500, 3_000)
    scene.legs.recordings.stop(number)
    ended = said.RecordingEnded(
        recording=number, session=media.session, reason=said.RecordingEnd.STOPPED, duration_ms=900, voiced_ms=800,
        bytes=14_444, detail="",
    )  # fmt: skip
    scene.legs.handle(ended)
    scene.legs.handle(ended)
    scene.legs.recordings.stop(number)
    assert scene.closings == [RecordingClosed(reason="stopped", duration_ms=900, voiced_ms=800, size_bytes=14_444)]
    assert len(scene.line.all(do.StopRecording)) == 1


def test_a_recording_that_ends_with_its_session_is_not_stopped_as_well(scene: Scene) -> None:
    media = scene.open()
    number = scene.record(media)
    scene.legs.close(media)
    scene.legs.recordings.stop(number)
    assert scene.line.all(do.StopRecording) == [], "the engine would not know it any longer, and complain"
    assert scene.legs.counts()["recordings"] == 1, "its end is still to come"


def test_a_recording_is_paused_and_goes_on_while_it_lasts(scene: Scene) -> None:
    media = scene.open()
    number = scene.record(media)
    scene.legs.recordings.pause(number, True)
    scene.legs.recordings.pause(number, False)
    assert [each.paused for each in scene.line.all(do.PauseRecording)] == [True, False]
    scene.legs.close(media)
    scene.legs.recordings.pause(number, True)
    assert len(scene.line.all(do.PauseRecording)) == 2


def test_a_recording_may_be_closed_after_its_session(scene: Scene) -> None:
    """The engine's disk has a thread of its own."""
    media = scene.open()
    number = scene.record(media)
    assert scene.line.last(do.StartRecording).recorded is do.RecordingKind.BOTH
    scene.legs.close(media)
    assert scene.closings == []
    scene.legs.handle(
        said.RecordingEnded(
            recording=number,
            session=media.session,
            reason=said.RecordingEnd.CLOSED,
            duration_ms=7_000,
            voiced_ms=100,
            bytes=112_044,
            detail="",
        )
    )
    assert [each.reason for each in scene.closings] == ["closed"]


def test_a_recording_refused_because_its_session_just_closed_has_failed(scene: Scene) -> None:
    media = scene.open()
    scene.record(media)
    scene.line.closed(media.session, said.CloseCause.FAULT)
    assert scene.closings == []
    scene.legs.handle(said.CommandFailed(command=11, id=media.session, detail="no such session"))
    assert [each.duration_ms for each in scene.closings] == [0]


def test_of_a_leg_that_is_gone_nothing_is_recorded(scene: Scene) -> None:
    media = scene.open()
    scene.legs.close(media)
    number = scene.record(media)
    assert scene.closings == [NOTHING]
    assert scene.line.all(do.StartRecording) == []
    scene.legs.recordings.stop(number)
    assert scene.line.all(do.StopRecording) == []


def test_only_the_recordings_of_sessions_that_are_gone_are_closed(scene: Scene) -> None:
    gone, stays = scene.open(), scene.open()
    scene.record(gone)
    scene.record(stays)
    scene.legs.recordings.close_of({gone.session})
    assert [each.reason for each in scene.closings] == ["closed"]
    assert len(scene.legs.recordings) == 1


def test_what_the_engine_could_not_record_is_told_as_it_says(scene: Scene) -> None:
    media = scene.open()
    number = scene.record(media)
    scene.legs.handle(
        said.RecordingEnded(
            recording=number, session=media.session, reason=said.RecordingEnd.FAILED, duration_ms=0, voiced_ms=0,
            bytes=0, detail="no space left",
        )
    )  # fmt: skip
    assert scene.closings == [NOTHING]


@pytest.mark.parametrize(("size", "duration_ms"), [(None, 0), (0, 0), (43, 0), (44, 0), (44 + 24_000, 1500)])
def test_what_is_left_of_a_file_is_its_sound_so_far(tmp_path: Path, size: int | None, duration_ms: int) -> None:
    path = tmp_path / "r.wav"
    if size is not None:
        path.write_bytes(bytes(size))
    assert what_is_left(path) == RecordingClosed(
        reason="closed", duration_ms=duration_ms, voiced_ms=duration_ms, size_bytes=size or 0
    )
