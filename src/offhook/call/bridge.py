"""Two legs and what joins them: joint rules, run to a fixed point.

Each rule says what must be so whenever two parties stand as they do, whatever happened last; so no order of events is
forgotten. It never decides what comes after: that is the flow's.
"""

from collections.abc import Callable
from dataclasses import dataclass

from offhook.call.commands import Command, JoinLegs, LegId, PartLegs
from offhook.call.events import Now
from offhook.call.leg import Leg
from offhook.flow.view import Cause

__all__ = ["Bridge"]


@dataclass(slots=True, kw_only=True)
class Bridge:
    """Joins `a`, whose flow it is, with `b`, who was called for it."""

    a: LegId
    b: LegId
    early: bool
    """Whether A may hear B before B answers: only when nobody else is being called."""
    joined: bool = False

    def settle(self, a: Leg, b: Leg, now: Now) -> list[Command]:
        """Commands after which every rule holds. Settling again gives none."""
        commands: list[Command] = []
        rules: tuple[Callable[[Leg, Leg, Now], list[Command]], ...] = (
            self._an_answer_is_passed_on,
            self._early_sound_is_passed_on,
            self._two_who_can_hear_are_joined,
            self._who_is_gone_is_parted,
            self._nobody_waits_for_a_party_that_left,
        )
        while done := next((each for rule in rules if (each := rule(a, b, now))), None):
            commands += done
        return commands

    def _an_answer_is_passed_on(self, a: Leg, b: Leg, now: Now) -> list[Command]:
        return a.answer() if b.up else []

    def _early_sound_is_passed_on(self, a: Leg, b: Leg, now: Now) -> list[Command]:
        return a.open_early() if self.early and b.audible else []

    def _two_who_can_hear_are_joined(self, a: Leg, b: Leg, now: Now) -> list[Command]:
        if self.joined or not a.audible or not (b.up or (self.early and b.audible)):
            return []
        self.joined = True
        return [JoinLegs(a=self.a, b=self.b)]

    def _who_is_gone_is_parted(self, a: Leg, b: Leg, now: Now) -> list[Command]:
        if not self.joined or not (a.gone or b.gone):
            return []
        self.joined = False
        return [PartLegs(a=self.a, b=self.b)]

    def _nobody_waits_for_a_party_that_left(self, a: Leg, b: Leg, now: Now) -> list[Command]:
        if not a.gone:
            return []
        return b.hang_up(Cause.NORMAL if b.up else Cause.CANCELLED, now)
