"""Virtual time: what is to happen, in order; it stands still while anything runs. No real clock is asked."""

import heapq
from collections.abc import Callable

__all__ = ["Clock"]


class Clock:
    """Things to do at moments; of two for one moment the one that was asked for first goes first."""

    def __init__(self) -> None:
        self.now = 0.0
        self._heap: list[tuple[float, int, Callable[[], None]]] = []
        self._asked = 0

    def after(self, seconds: float, act: Callable[[], None]) -> None:
        """Do something so many seconds from now."""
        self._asked += 1
        heapq.heappush(self._heap, (self.now + seconds, self._asked, act))

    def at(self, moment: float, act: Callable[[], None]) -> None:
        """Do something at a moment, or now if that has passed."""
        self.after(max(0.0, moment - self.now), act)

    @property
    def next(self) -> float | None:
        """When something is to happen next."""
        return self._heap[0][0] if self._heap else None

    def step(self) -> None:
        """Go to the next moment and do what is to be done first."""
        self.now, _, act = heapq.heappop(self._heap)
        act()
