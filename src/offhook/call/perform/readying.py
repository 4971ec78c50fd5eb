"""What happens to somebody who has answered and is not joined yet: keys are sent to them, then a flow briefs them.

That is didML's `senddigits` and the whisper of its `url`. Whether they may be joined is their own flow's to say: its
Hangup declines, and a flow that cannot be had or run declines too, since it may have been there to ask a person.
"""

from dataclasses import dataclass
from enum import Enum

from offhook.call.commands import LegId, RequestId, SendDigits
from offhook.call.events import DigitsSent
from offhook.call.stage import Heard, ScriptEnded, ScriptId, Stage
from offhook.flow.document import Document
from offhook.flow.targets import Treatment
from offhook.flow.view import Cause

__all__ = ["Readiness", "Readying"]


class Readiness(Enum):
    """How far it is."""

    UNDER_WAY = "under_way"
    READY = "ready"
    DECLINED = "declined"


@dataclass(slots=True, kw_only=True)
class Readying:
    """One party on its way from its answer to being joined."""

    leg: LegId
    keys: str
    briefing: Document | None
    state: Readiness = Readiness.UNDER_WAY
    sending: RequestId | None = None
    script: ScriptId | None = None
    cause: Cause = Cause.REJECTED
    """Why it declined."""

    @classmethod
    def of(cls, leg: LegId, treatment: Treatment) -> "Readying":
        """Not begun yet."""
        return cls(leg=leg, keys=treatment.send_digits, briefing=treatment.briefing)

    def start(self, stage: Stage) -> None:
        """The party is there."""
        if self.keys:
            self.sending = stage.next_request()
            stage.say(SendDigits(leg=self.leg, request=self.sending, keys=self.keys))
        else:
            self._brief(stage)

    def handle(self, event: Heard, stage: Stage) -> None:
        """Keys are out, or the briefing is over; `state` says what came of it."""
        match event:
            case DigitsSent(request=request) if request == self.sending:
                self.sending = None
                self._brief(stage)
            case ScriptEnded(id=script) if script == self.script:
                self.script = None
                if event.declined or event.cause is not Cause.NORMAL:
                    self.state = Readiness.DECLINED
                    self.cause = Cause.REJECTED if event.declined else event.cause
                else:
                    self.state = Readiness.READY
            case _:
                pass

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """Keys that may not have been sent to their end are sent again; the briefing resumes by itself."""
        if sound_lost and self.sending is not None:
            stage.say(SendDigits(leg=self.leg, request=self.sending, keys=self.keys))

    def give_up(self, cause: Cause, stage: Stage) -> None:
        """It has taken too long."""
        if self.script is not None:
            stage.drop_script(self.script)
        self.sending = self.script = None
        self.state, self.cause = Readiness.DECLINED, cause

    def _brief(self, stage: Stage) -> None:
        if self.briefing is None:
            self.state = Readiness.READY
        else:
            self.script = stage.begin_script(self.leg, self.briefing)
