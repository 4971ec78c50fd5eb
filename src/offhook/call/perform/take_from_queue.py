"""Carries out TakeFromQueue: an agent takes who waits longest, or waits with music for somebody (didML `queue`).

Outcomes: `ok` when the two were joined and parted, whoever hung up, or the time limit parted them; `failed` with
`no_answer` when nobody has come in time. How long it waits, and for whom, is the queue's to say.
"""

from dataclasses import dataclass
from typing import Any, Self

from offhook.call.commands import LegId, TakeCaller, VisitId
from offhook.call.perform.visiting import Visiting
from offhook.flow.verbs import TakeFromQueue

__all__ = ["Taking"]


@dataclass(slots=True, kw_only=True)
class Taking(Visiting):
    """A TakeFromQueue at work."""

    verb: TakeFromQueue

    @classmethod
    def of(cls, verb: TakeFromQueue) -> Self:
        """Not begun yet."""
        return cls(verb=verb)

    def wish(self, visit: VisitId, leg: LegId) -> TakeCaller:
        """To be given a caller."""
        verb = self.verb
        return TakeCaller(
            visit=visit,
            leg=leg,
            queue=verb.queue,
            briefing=verb.briefing,
            timeout_s=verb.timeout_s,
            time_limit_s=verb.time_limit_s,
        )

    def noted_as(self) -> dict[str, Any]:
        """An agent at a queue."""
        return {"role": "agent", "room": self.verb.queue}
