"""What the verbs have in common whose party goes into a room: when it enters, what it hears there, and how it gets out.

A performer of such a verb adds its wish and what its own room says more. Where the party stands is `Visit`'s, what it
hears until it is joined is `Waiting`'s. Keys pressed meanwhile are nobody's.
"""

from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import Any, ClassVar

from offhook.call.commands import EnterConference, EnterQueue, LegId, TakeCaller, VisitId
from offhook.call.events import LegAnswered, RoomJoined, RoomLeft, RoomWaits
from offhook.call.perform.performer import failed
from offhook.call.perform.visit import Visit
from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome

__all__ = ["LEFT", "Visiting"]

LEFT = failed("left")
"""The customer's flow for the waiting party hung up."""


@dataclass(slots=True, kw_only=True)
class Visiting(ABC):
    """A verb at work whose party enters a room, waits, is joined with others, and parts from them."""

    needs_answer: ClassVar[bool] = True
    visit: Visit = field(default_factory=Visit)

    # ── what each verb says for itself ───────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def wish(self, visit: VisitId, leg: LegId) -> EnterConference | EnterQueue | TakeCaller:
        """What is asked of the room for this party; asked again after a restart that came before the joining."""

    @abstractmethod
    def noted_as(self) -> dict[str, Any]:
        """The entry into the room, for the timeline: `role`, `room`, and what else matters."""

    def waits(self, event: RoomWaits, stage: Stage) -> None:
        """The party is to wait, or stands at another place."""
        stage.note("room.waits", visit=self.visit.id)
        self.visit.waiting.begin(stage)

    def joined(self, stage: Stage) -> None:
        """Sound goes between the party and others. May be told twice, after a restart."""
        self.visit.is_joined(stage)

    def over(self, event: RoomLeft, stage: Stage) -> Outcome:
        """The room has let the party go."""
        return self.visit.is_over(event, stage)

    def meanwhile(self, event: Heard, stage: Stage) -> Outcome | None:
        """Whatever else the call hears: to the one verb a word of its room, to all what the waiting party hears."""
        return self.hears(event, stage)

    # ── what is the same for all of them ─────────────────────────────────────────────────────────────────────────────

    @property
    def deadline(self) -> Mono | None:
        """Of what is heard while waiting; the room has the others, so that nobody is joined who has just given up."""
        return self.visit.waiting.deadline

    def start(self, stage: Stage) -> Outcome | None:
        """Enter, as soon as the party is there."""
        if stage.party.up:
            self._enter(stage)
        return None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """What the room says of this visit and no earlier one, and what is heard until the party is joined."""
        match event:
            case LegAnswered(leg=leg) if leg == stage.party.id and self.visit.id is None:
                self._enter(stage)
            case RoomWaits() if self.visit.is_of(event):
                self.waits(event, stage)
            case RoomJoined() if self.visit.is_of(event):
                self.joined(stage)
            case RoomLeft() if self.visit.is_of(event):
                return self.over(event, stage)
            case _:
                return self.meanwhile(event, stage)
        return None

    def hears(self, event: Heard, stage: Stage) -> Outcome | None:
        """What the waiting party hears; the customer's flow for it may hang up."""
        if not self.visit.waiting.handle(event, stage):
            return None
        self.visit.leave(stage)
        return LEFT

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """What is heard while waiting is due."""
        self.visit.waiting.handle_timer(stage)
        return None

    def stop(self, stage: Stage) -> None:
        """The call ends, and the visit with it."""
        self.visit.ends_with_the_call(stage)

    def leave(self, stage: Stage) -> None:
        """The party leaves the room, and whom it was joined with."""
        self.visit.leave(stage)

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """Where the party stands in the room, and what is heard while waiting."""
        if self.visit.resume(stage):
            self._say_wish(stage)
        self.visit.waiting.resume(stage, sound_lost=sound_lost)

    def _enter(self, stage: Stage) -> None:
        self.visit.begins(stage)
        self._say_wish(stage)
        stage.note("room.entered", visit=self.visit.id, **self.noted_as())

    def _say_wish(self, stage: Stage) -> None:
        assert self.visit.id is not None
        stage.say(self.wish(self.visit.id, stage.party.id))
