"""A wall clock that is set while the server runs: how far it was moved, and what time it surely is.

Deadlines run on the monotonic clock and are not touched by it (`offhook.call.events.Now`). What is deleted for its age
goes by this one: an hour is enough to notice a wrong clock and set it right, and nothing comes back that was deleted.
"""

from collections import deque
from typing import NamedTuple

__all__ = ["JUMP_S", "SettledClock"]

JUMP_S = 1.0
"""By how much the clocks must part to be noticed. What is less is drift, or a leap second."""
BELIEVED_AFTER_S = 24 * 3600.0
"""How long a clock that was set forward has to stand before anything is deleted by it."""


class _Ahead(NamedTuple):
    since: float
    """Monotonic."""
    by: float
    """How far the wall clock was ahead of the monotonic one from then on."""


class SettledClock:
    """Told both clocks from time to time. Pure arithmetic."""

    def __init__(self, mono: float, wall: float) -> None:
        self._ahead = deque([_Ahead(mono, wall - mono)])

    def looked(self, mono: float, wall: float) -> float:
        """By how many seconds the wall clock was set since it was noticed last; 0: it was not."""
        jump = wall - mono - self._ahead[-1].by
        if abs(jump) < JUMP_S:
            return 0.0
        self._ahead.append(_Ahead(mono, wall - mono))
        return jump

    def surely(self, mono: float) -> float:
        """The earliest that it can be (Unix time), by any clock that was believed within `BELIEVED_AFTER_S`."""
        while len(self._ahead) > 1 and self._ahead[1].since <= mono - BELIEVED_AFTER_S:
            self._ahead.popleft()
        return mono + min(each.by for each in self._ahead)
