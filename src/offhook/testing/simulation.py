"""Whole calls in virtual time: the real machines of calls and rooms, the real dialects, and a scripted world around.

No socket, no clock, no chance: the same scenario gives the same trace, always. With `restarts` calls and rooms are
exported and restored after every event, which must change nothing.
"""

from offhook.call.events import Now
from offhook.testing.clock import Clock
from offhook.testing.rooms import SimulatedRooms
from offhook.testing.scenario import Scenario
from offhook.testing.simulated_call import SimulatedCall
from offhook.testing.trace import Line

__all__ = ["Stuck", "simulate"]

WALL_0 = 1_767_225_600.0
"""Scenarios begin at 2026-01-01T00:00:00 UTC."""
STEPS_MAX = 20_000
SAME_MOMENT_S = 1e-4
"""A deadline that went through a restart is as fine as the wall clock."""


class Stuck(Exception):
    """The scenario does not come to an end."""


def simulate(scenario: Scenario, *, restarts: bool = False) -> list[Line]:
    """What happens. Raises `Stuck` when a call never ends."""
    return _Simulation(scenario, restarts).run()


class _Simulation:
    """One scenario, being played; what its calls share."""

    def __init__(self, scenario: Scenario, restarts: bool) -> None:
        self.scenario = scenario
        self.restarts = restarts
        self.clock = Clock()
        self.pages_used: dict[int, int] = {}
        self._lines: list[Line] = []
        self._credit = scenario.prices.credit
        self.rooms = SimulatedRooms(self.clock, lambda: self.now, self.say, restarts=restarts)
        alone = len(scenario.begins) == 1
        self._calls = [
            SimulatedCall(self, number, begins, alone=alone) for number, begins in enumerate(scenario.begins, 1)
        ]

    def run(self) -> list[Line]:
        for call, begins in zip(self._calls, self.scenario.begins, strict=True):
            if begins.at_s:
                self.clock.at(begins.at_s, call.begin)
            else:
                call.begin()
        for _ in range(STEPS_MAX):
            if all(call.over for call in self._calls) and self.rooms.all_closed:
                return self._lines
            self._step()
        raise Stuck(f"after {STEPS_MAX} steps the call is still not over, at {self.clock.now:g} s")

    def _step(self) -> None:
        """The next thing that is to happen; what people do goes before a deadline at the same moment."""
        due = self.clock.next
        timers = [(call.deadline(), call.handle_timer) for call in self._calls] + self.rooms.timers()
        awaited = [(moment, act) for moment, act in timers if moment is not None]
        deadline, handle_timer = min(awaited, key=lambda each: each[0], default=(None, None))
        if due is not None and (deadline is None or due <= deadline + SAME_MOMENT_S):
            self.clock.step()
        elif deadline is not None and handle_timer is not None:
            self.clock.now = max(self.clock.now, deadline)
            handle_timer()
        else:
            raise Stuck(
                f"after {self.clock.now:g} s nothing more can happen, and the call is not over: somebody must hang up"
            )

    @property
    def now(self) -> Now:
        return Now(self.clock.now, WALL_0 + self.clock.now)

    def say(self, text: str, params: tuple[tuple[str, str], ...] = ()) -> None:
        self._lines.append(Line(round(self.clock.now, 3), text, dict(params)))

    def spend(self, amount: int) -> bool:
        if self._credit is None:
            return True
        self._credit -= amount
        return self._credit >= 0
