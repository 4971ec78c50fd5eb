"""Carries out TakeFromQueue: an agent takes who waits longest, or waits with music for somebody (didML `queue`).

Outcomes: `ok` when the two were joined and parted, whoever hung up, or the time limit parted them; `failed` with
`no_answer` when nobody has come in time. How long it waits, and for whom, is the queue's to say.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Self

from offhook.call.commands import TakeCaller
from offhook.call.events import LegAnswered, RoomJoined, RoomLeft, RoomWaits
from offhook.call.perform.visit import Visit
from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import TakeFromQueue

__all__ = ["Taking"]


@dataclass(slots=True, kw_only=True)
class Taking:
    """A TakeFromQueue at work."""

    needs_answer: ClassVar[bool] = True
    verb: TakeFromQueue
    visit: Visit = field(default_factory=Visit)
    deadline: Mono | None = None
    """None: the queue has the time-out and the limit, so that nobody is taken who has just given up."""

    @classmethod
    def of(cls, verb: TakeFromQueue) -> Self:
        """Not begun yet."""
        return cls(verb=verb)

    def start(self, stage: Stage) -> Outcome | None:
        """Ask, as soon as the party is there."""
        if stage.party.up:
            self._enter(stage)
        return None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """What the queue says, and the music."""
        match event:
            case LegAnswered(leg=leg) if leg == stage.party.id and self.visit.id is None:
                self._enter(stage)
            case RoomWaits() if self.visit.is_of(event):
                stage.note("room.waits", visit=self.visit.id)
                self.visit.waiting.begin(stage)
            case RoomJoined() if self.visit.is_of(event):
                self.visit.is_joined(stage)
            case RoomLeft() if self.visit.is_of(event):
                return self.visit.is_over(event, stage)
            case _:
                self.visit.waiting.handle(event, stage)
        return None

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """It has no time of its own."""
        return None

    def stop(self, stage: Stage) -> None:
        """The call ends, and the visit with it."""
        self.visit.ends_with_the_call(stage)

    def leave(self, stage: Stage) -> None:
        """The party leaves the queue, or the caller it was joined with."""
        self.visit.leave(stage)

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """What is heard while waiting, and where the agent stands in the queue."""
        if self.visit.resume(stage):
            self._wish(stage)
        self.visit.waiting.resume(stage, sound_lost=sound_lost)

    def _enter(self, stage: Stage) -> None:
        self.visit.begins(stage)
        self._wish(stage)
        stage.note("room.entered", visit=self.visit.id, role="agent", room=self.verb.queue)

    def _wish(self, stage: Stage) -> None:
        verb = self.verb
        assert self.visit.id is not None
        stage.say(
            TakeCaller(
                visit=self.visit.id,
                leg=stage.party.id,
                queue=verb.queue,
                briefing=verb.briefing,
                timeout_s=verb.timeout_s,
                time_limit_s=verb.time_limit_s,
            )
        )
