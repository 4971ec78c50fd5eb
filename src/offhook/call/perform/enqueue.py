"""Carries out Enqueue: waits in a queue until an agent takes the party, and talks to the agent (didML `enqueue`).

Outcomes: `ok` when the two were joined and parted; `failed` with `left` when a flow for the waiting party hung up, with
`full`, or with `time_limit` when nobody has come for four hours. Keys pressed meanwhile are nobody's.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Self

from offhook.call.commands import CallerBriefed, EnterQueue
from offhook.call.events import LegAnswered, RoomBriefs, RoomJoined, RoomLeft, RoomWaits
from offhook.call.perform.visit import LEFT, Visit
from offhook.call.perform.waiting import Waiting
from offhook.call.plain import Mono
from offhook.call.stage import Heard, ScriptEnded, ScriptId, Stage
from offhook.flow.document import Document
from offhook.flow.program import Outcome
from offhook.flow.verbs import Enqueue

__all__ = ["Queueing"]


@dataclass(slots=True, kw_only=True)
class Queueing:
    """An Enqueue at work."""

    needs_answer: ClassVar[bool] = True
    verb: Enqueue
    visit: Visit = field(default_factory=Visit)
    briefing: ScriptId | None = None
    """What the party hears before it is joined."""
    briefed: bool = False
    """It has heard that, of the agent who has taken it."""

    @classmethod
    def of(cls, verb: Enqueue) -> Self:
        """Not begun yet."""
        return cls(verb=verb, visit=Visit(waiting=Waiting(document=verb.wait)))

    @property
    def deadline(self) -> Mono | None:
        """Of what is heard while waiting; the room has the others."""
        return self.visit.waiting.deadline

    def start(self, stage: Stage) -> Outcome | None:
        """Enter, as soon as the party is there."""
        if stage.party.up:
            self._enter(stage)
        return None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """What the room says, and the flows that the party hears meanwhile."""
        match event:
            case LegAnswered(leg=leg) if leg == stage.party.id and self.visit.id is None:
                self._enter(stage)
            case RoomWaits(position=position) if self.visit.is_of(event):
                self._waits(position or 1, stage)
            case RoomBriefs(document=document) if self.visit.is_of(event):
                self._brief(document, stage)
            case RoomJoined() if self.visit.is_of(event):
                self._end_briefing(stage)
                self.visit.is_joined(stage)
            case RoomLeft() if self.visit.is_of(event):
                self._end_briefing(stage)
                return self.visit.is_over(event, stage)
            case ScriptEnded(id=script) if script == self.briefing:
                return self._briefed(event, stage)
            case _:
                if self.visit.waiting.handle(event, stage):
                    self.visit.leave(stage)
                    return LEFT
        return None

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """A place in the queue may be spoken."""
        self.visit.waiting.handle_timer(stage)
        return None

    def stop(self, stage: Stage) -> None:
        """The call ends, and the visit with it."""
        self.visit.ends_with_the_call(stage)

    def leave(self, stage: Stage) -> None:
        """The party leaves the queue, or whom it was joined with."""
        self._end_briefing(stage)
        self.visit.leave(stage)

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """What is heard while waiting, and where the party stands in the queue."""
        if self.visit.resume(stage):
            self._wish(stage)
        self.visit.waiting.resume(stage, sound_lost=sound_lost)

    def _enter(self, stage: Stage) -> None:
        self.visit.begins(stage)
        self._wish(stage)
        stage.note("room.entered", visit=self.visit.id, role="caller", room=self.verb.queue)

    def _wish(self, stage: Stage) -> None:
        assert self.visit.id is not None
        stage.say(EnterQueue(visit=self.visit.id, leg=stage.party.id, queue=self.verb.queue))

    def _waits(self, position: int, stage: Stage) -> None:
        """At the first time, at each change, and when an agent is gone before the two were joined."""
        self._end_briefing(stage)
        if not self.visit.waiting.active or position != self.visit.waiting.place:
            stage.note("queue.position", visit=self.visit.id, position=position)
        self.briefed = False
        self.visit.waiting.begin(stage)
        self.visit.waiting.stands_at(position, stage)

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
