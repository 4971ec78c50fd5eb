"""Carries out Pause: waits (didML `pause`). Does not answer, so that a flow can let a caller ring for a while.

Outcome `ok`. Keys pressed meanwhile are nobody's.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from offhook.call.perform.performer import OK
from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import Pause

__all__ = ["Pausing"]


@dataclass(slots=True, kw_only=True)
class Pausing:
    """A Pause at work."""

    needs_answer: ClassVar[bool] = False
    verb: Pause
    deadline: Mono | None = None

    @classmethod
    def of(cls, verb: Pause) -> Self:
        """Not begun yet."""
        return cls(verb=verb)

    def start(self, stage: Stage) -> Outcome | None:
        """Wait from now on."""
        self.deadline = stage.after(self.verb.seconds)
        return OK if self.verb.seconds <= 0 else None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """Nothing but time ends it."""
        return None

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """That was it."""
        return OK

    def stop(self, stage: Stage) -> None:
        """There is nothing to let go of."""

    def leave(self, stage: Stage) -> None:
        """There is nothing to let go of."""

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """Time has gone on by itself."""
