"""The book of a call's recordings: which are open, who is owed a finished one, and when all are closed.

It never starts one (a performer does) and never sees a file.
"""

from dataclasses import replace
from datetime import UTC, datetime

from offhook.call.commands import OweRecording, StopRecording
from offhook.call.events import RecordingEnded
from offhook.call.masking import shown_url
from offhook.call.policy import too_short
from offhook.call.stage import Stage
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.view import CallView, RecordingView

__all__ = ["book", "stop_all"]


def stop_all(stage: Stage) -> None:
    """The call ends: finish what still runs; what there is, is kept."""
    stage.say(*(StopRecording(recording=recording) for recording in stage.standing.recordings))


def book(event: RecordingEnded, view: CallView, dialect: Dialect, stage: Stage) -> CallView:
    """The call's view with a finished recording in it.

    A recording that is not open (a repeated event) changes nothing. Of one that failed, since the disk was full, what
    was written until then is the customer's all the same: half an hour is not lost for its last minute.
    """
    recording = stage.standing.recordings.pop(event.recording, None)
    if recording is None:
        return view
    duration_s = round(event.duration_ms / 1000)
    stage.note(
        "recording.ended",
        recording=event.recording,
        reason=event.reason,
        seconds=duration_s,
        index=event.index,
        keep_as=recording.keep_as,
    )
    if recording.then_keep and recording.keep_as is not None and not too_short(event.duration_ms, event.voiced_ms):
        stage.keep(event, recording.keep_as, leg=recording.leg, deliver_to=recording.deliver_to, name=recording.name)
    if event.index is None:
        return view
    finished = RecordingView(
        index=event.index,
        created=datetime.fromtimestamp(stage.now.wall, UTC),
        duration_s=duration_s,
        wav_url=event.wav_url,
        name=recording.name or "",
    )
    if recording.both:
        stage.legs[recording.leg].recording_url = event.wav_url
    view = replace(view, recordings=(*view.recordings, f"{view.id}-r{event.index}"))
    if recording.deliver_to is not None:
        stage.note("recording.owed", recording=event.recording, url=shown_url(recording.deliver_to))
        params = dialect.recorded(view, finished)
        stage.say(OweRecording(url=recording.deliver_to, params=params, recording=finished))
    return view
