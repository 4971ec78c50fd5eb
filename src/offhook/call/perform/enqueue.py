"""Carries out Enqueue: waits in a queue until an agent takes the party, and talks to the agent (didML `enqueue`).

Outcomes: `ok` when the two were joined and parted; `failed` with `left` when a flow for the waiting party hung up, with
`full`, or with `time_limit` when nobody has come for four hours.
"""

from dataclasses import dataclass
from typing import Any, Self

from offhook.call.commands import CallerBriefed, EnterQueue, LegId, VisitId
from offhook.call.events import RoomBriefs, RoomLeft, RoomWaits
from offhook.call.perform.visit import Visit
from offhook.call.perform.visiting import LEFT, Visiting
from offhook.call.perform.waiting import Waiting
from offhook.call.stage import Heard, ScriptEnded, ScriptId, Stage
from offhook.flow.document import Document
from offhook.flow.program import Outcome
from offhook.flow.verbs import Enqueue

__all__ = ["Queueing"]


@dataclass(slots=True, kw_only=True)
class Queueing(Visiting):
    """An Enqueue at work."""

    verb: Enqueue
    briefing: ScriptId | None = None
    """What the party hears before it is joined."""
    briefed: bool = False
    """It has heard that, of the agent who has taken it."""

    @classmethod
    def of(cls, verb: Enqueue) -> Self:
        """Not begun yet."""
        return cls(verb=verb, visit=Visit(waiting=Waiting(document=verb.wait)))

    def wish(self, visit: VisitId, leg: LegId) -> EnterQueue:
        """To stand in the queue."""
        return EnterQueue(visit=visit, leg=leg, queue=self.verb.queue)

    def noted_as(self) -> dict[str, Any]:
        """A caller in a queue."""
        return {"role": "caller", "room": self.verb.queue}

    def waits(self, event: RoomWaits, stage: Stage) -> None:
        """At the first time, at each change, and when an agent is gone before the two were joined."""
        self._end_briefing(stage)
        position = event.position or 1
        if not self.visit.waiting.active or position != self.visit.waiting.place:
            stage.note("queue.position", visit=self.visit.id, position=position)
        self.briefed = False
        self.visit.waiting.begin(stage)
        self.visit.waiting.stands_at(position, stage)

    def joined(self, stage: Stage) -> None:
        """With the agent, whom the party was briefed for."""
        self._end_briefing(stage)
        self.visit.is_joined(stage)

    def over(self, event: RoomLeft, stage: Stage) -> Outcome:
        """Also while it was being briefed."""
        self._end_briefing(stage)
        return self.visit.is_over(event, stage)

    def meanwhile(self, event: Heard, stage: Stage) -> Outcome | None:
        """The briefing, besides what is heard while waiting."""
        match event:
            case RoomBriefs(document=document) if self.visit.is_of(event):
                self._brief(document, stage)
                return None
            case ScriptEnded(id=script) if script == self.briefing:
                return self._briefed(event, stage)
            case _:
                return self.hears(event, stage)

    def leave(self, stage: Stage) -> None:
        """The party leaves the queue, or whom it was joined with."""
        self._end_briefing(stage)
        self.visit.leave(stage)

    def _brief(self, document: Document, stage: Stage) -> None:
        """May be told again after a restart: what is heard goes on, and what was heard is not repeated."""
        assert self.visit.id is not None
        if self.briefed:
            stage.say(CallerBriefed(visit=self.visit.id))
        elif self.briefing is None:
            self.visit.waiting.end(stage)
            stage.note("queue.briefing", visit=self.visit.id)
            self.briefing = stage.begin_script(stage.party.id, document)

    def _end_briefing(self, stage: Stage) -> None:
        if self.briefing is not None:
            stage.drop_script(self.briefing)
            self.briefing = None

    def _briefed(self, event: ScriptEnded, stage: Stage) -> Outcome | None:
        """A briefing that could not be had keeps nobody from talking; one that hangs up does."""
        self.briefing = None
        if event.declined:
            self.visit.leave(stage)
            return LEFT
        assert self.visit.id is not None
        self.briefed = True
        stage.say(CallerBriefed(visit=self.visit.id))
        return None
