"""Somebody at a phone, who presses, speaks and hangs up when the scenario says so.

Knows what happens to them (answered, hears, is recorded, talks) and turns acts into calls of the simulation at their
times.
"""

from collections import Counter
from collections.abc import Callable

from offhook.call.commands import LegId
from offhook.testing.clock import Clock
from offhook.testing.scenario import Act, ActKind, When, WhenKind

__all__ = ["Person"]

BETWEEN_KEYS_S = 0.2


class Person:
    """One end of a leg."""

    def __init__(self, leg: LegId, address: str, acts: tuple[Act, ...], clock: Clock, do: Callable[..., None]) -> None:
        self.leg = leg
        self.address = address
        self.gone = False
        self.up = False
        self.speech: list[tuple[float, float]] = []
        """When they spoke: begin and end."""
        self._acts = acts
        self._clock = clock
        self._do = do
        self._heard: Counter[str] = Counter()
        for act in acts:
            if act.when.kind is WhenKind.AT:
                clock.at(act.when.seconds, lambda act=act: self._act(act))  # type: ignore[misc]

    # ── what happens to them ─────────────────────────────────────────────────────────────────────────────────────────

    def answered(self) -> None:
        """They are connected."""
        self.up = True
        self._happened(lambda when: when.kind is WhenKind.ANSWERED)

    def hears(self, sound: str) -> None:
        """A sound begins."""
        self._heard[sound] += 1
        time = self._heard[sound]
        self._happened(lambda when: when.kind is WhenKind.HEARS and when.sound == sound and when.time == time)

    def recorded(self) -> None:
        """A recording of them begins."""
        self._happened(lambda when: when.kind is WhenKind.RECORDED)

    def talks(self) -> None:
        """They are joined with somebody."""
        self._happened(lambda when: when.kind is WhenKind.TALKS)

    def _happened(self, waited_for: Callable[[When], bool]) -> None:
        for act in self._acts:
            if waited_for(act.when):
                self._clock.after(act.when.seconds, lambda act=act: self._act(act))  # type: ignore[misc]

    # ── what they do ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _act(self, act: Act) -> None:
        if self.gone:
            return
        if act.kind is ActKind.PRESSES:
            for place, key in enumerate(act.keys):
                self._clock.after(place * BETWEEN_KEYS_S, lambda key=key: self._press(key))  # type: ignore[misc]
            return
        if act.kind is ActKind.SPEAKS:
            self.speech.append((self._clock.now, self._clock.now + act.seconds))
        self._do(self, act.kind, "")

    def _press(self, key: str) -> None:
        if not self.gone:
            self._do(self, ActKind.PRESSES, key)

    # ── what was heard of them ───────────────────────────────────────────────────────────────────────────────────────

    def voiced(self, since: float, until: float) -> float:
        """How long they spoke between two moments, seconds."""
        return sum(max(0.0, min(end, until) - max(begin, since)) for begin, end in self.speech)

    def silent_since(self, moment: float) -> float:
        """Since when they have said nothing, as far as is known now, but not before a moment."""
        return max([moment, *(end for _, end in self.speech)])
