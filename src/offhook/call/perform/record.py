"""Carries out Record: what the party says, until it stops, presses a finish key or the time is over (46elks `record`).

Makes no beep. The recording itself, whoever ends it, is booked and delivered by the call (see
`offhook.call.recordings`).
Outcomes: `ok`; `failed` with `tooshort`, or with `error` when the recording could not be written.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from offhook.call.commands import RecordingId, StopRecording
from offhook.call.events import DigitPressed, LegAnswered, RecordingEnded
from offhook.call.perform.performer import OK, failed
from offhook.call.plain import Mono
from offhook.call.policy import too_short
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import Record

__all__ = ["Recording"]


@dataclass(slots=True, kw_only=True)
class Recording:
    """A Record at work."""

    needs_answer: ClassVar[bool] = True
    verb: Record
    recording: RecordingId | None = None
    stopping: bool = False
    deadline: Mono | None = None

    @classmethod
    def of(cls, verb: Record) -> Self:
        """Not begun yet."""
        return cls(verb=verb)

    def start(self, stage: Stage) -> Outcome | None:
        """Record as soon as the party is there."""
        self._begin(stage)
        return None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """An answer, a finish key, the end of the recording."""
        match event:
            case LegAnswered(leg=leg) if leg == stage.party.id and self.recording is None:
                self._begin(stage)
            case DigitPressed(leg=leg, digit=digit) if leg == stage.party.id and digit in self.verb.finish_keys:
                self._finish(stage)
            case RecordingEnded(recording=recording) if recording == self.recording:
                return self._outcome(event)
            case _:
                pass
        return None

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """The world watches the length and the silence, which it hears."""
        return None

    def stop(self, stage: Stage) -> None:
        """The party is going; the call stops every recording and keeps what there is."""

    def _begin(self, stage: Stage) -> None:
        if stage.party.up:
            verb = self.verb
            self.recording = stage.record(
                deliver_to=verb.deliver_to, keep_as=verb.keep_as, max_s=verb.max_s, silence_s=verb.silence_s
            )

    def _finish(self, stage: Stage) -> None:
        if self.recording is not None and not self.stopping:
            self.stopping = True
            stage.say(StopRecording(recording=self.recording))

    def _outcome(self, event: RecordingEnded) -> Outcome:
        if event.reason == "failed":
            return failed("error")
        thrown_away = event.index is None and self.verb.keep_as is None
        if thrown_away or too_short(event.duration_ms, event.voiced_ms):
            return failed("tooshort")
        return OK
