"""Where a party stands in a room, be it a conference, a queue or an agent: coming, being joined, and its end.

A party enters once it is answered, so that nobody takes or hears somebody who is not there. It asks the room and
believes it; whose turn it is, is the room's alone.
"""

from dataclasses import dataclass, field

from offhook.call.commands import LeaveRoom, StayInRoom, VisitId
from offhook.call.events import RoomEnd, RoomEvent, RoomLeft
from offhook.call.perform.performer import OK, failed
from offhook.call.perform.waiting import Waiting
from offhook.call.plain import Mono
from offhook.call.stage import Stage
from offhook.flow.program import Outcome, OutcomeKind

__all__ = ["Visit"]


@dataclass(slots=True, kw_only=True)
class Visit:
    """One party's visit, as plain data (`offhook.call.perform.visiting` has the verb around it)."""

    waiting: Waiting = field(default_factory=Waiting)
    id: VisitId | None = None
    """`None` until the party is answered."""
    joined_since: Mono | None = None

    @property
    def joined(self) -> bool:
        """Heard by others, or was."""
        return self.joined_since is not None

    def resume(self, stage: Stage) -> bool:
        """After a restart: whether the wish is to be said again; who had been joined says that it is still there."""
        if self.joined and self.id is not None:
            stage.say(StayInRoom(visit=self.id, leg=stage.party.id))
        return self.id is not None and not self.joined

    def begins(self, stage: Stage) -> VisitId:
        """The party is there; its wish is to be said with this number."""
        self.id = stage.next_visit()
        return self.id

    def is_of(self, event: RoomEvent) -> bool:
        """Whether an event is about this visit and no earlier one."""
        return event.visit == self.id

    def is_joined(self, stage: Stage) -> None:
        """Sound goes between the party and others: nothing else is heard. May be told twice, after a restart."""
        if self.joined:
            return
        self.waiting.end(stage)
        self.joined_since = stage.after(0.0)
        stage.note("room.joined", visit=self.id)

    def leave(self, stage: Stage) -> None:
        """Go, if the party has ever come."""
        self.waiting.end(stage)
        if self.id is not None:
            stage.say(LeaveRoom(visit=self.id))
            stage.note("room.left", visit=self.id, why="asked")

    def ends_with_the_call(self, stage: Stage) -> None:
        """The party is going; what plays to it goes with it."""
        if self.id is not None:
            stage.say(LeaveRoom(visit=self.id))

    def is_over(self, event: RoomLeft, stage: Stage) -> Outcome:
        """How the verb ended: well, if others were heard; else with the word of the room."""
        self.waiting.end(stage)
        stage.note("room.left", visit=self.id, why=event.why.value)
        if event.why is RoomEnd.INTERNAL_ERROR or not self.joined:
            return failed(event.why.value)
        return self.ok(stage)

    def ok(self, stage: Stage) -> Outcome:
        """With how long others were heard."""
        if self.joined_since is None:
            return OK
        return Outcome(kind=OutcomeKind.OK, seconds=round(stage.now.mono - self.joined_since))
