"""What every verb's performer can do, so that a call need not know which one is at work.

A performer is plain data with methods: it hears the call's events, speaks through the `Stage`, and returns an `Outcome`
once, when its verb is over. It is not told that the call ends except by `stop`.
"""

from typing import ClassVar, Protocol

from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome, OutcomeKind

__all__ = ["OK", "Performer", "failed"]

OK = Outcome(kind=OutcomeKind.OK)


class Performer(Protocol):
    """A verb at work. Its fields are plain data (see `offhook.call.plain`)."""

    needs_answer: ClassVar[bool]
    """Whether an incoming party must be answered for it (46elks: play, ivr and record; not connect and hangup)."""

    deadline: Mono | None
    """When `handle_timer` is to be called next."""

    def start(self, stage: Stage) -> Outcome | None:
        """Begin; the outcome at once if there is nothing to wait for."""

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """Hear an event of the call; those that are not its own it lets pass."""

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """The deadline has come."""

    def stop(self, stage: Stage) -> None:
        """The call ends: let go of everything but the party itself."""

    def leave(self, stage: Stage) -> None:
        """The flow goes on elsewhere and the party stays: let go of everything that this verb has begun."""

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """The call was restored: say again what had been asked of the world and not been answered.

        `sound_lost`: the media engine has begun anew, so what played, was sent or was joined must be said again too.
        """


def failed(why: str) -> Outcome:
    """A verb that could not do what it was asked to."""
    return Outcome(kind=OutcomeKind.FAILED, why=why)
