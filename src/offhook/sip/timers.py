"""SIP's timer values (RFC 3261 table 4) and the one queue in which all deadlines of an endpoint wait.

The queue is a heap with lazy deletion: a cancelled deadline stays in the heap until it is met or swept, so that
starting and stopping a timer, which every message does, costs no search.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from heapq import heapify, heappop, heappush

SWEEP_ABOVE_ENTRIES = 4096
"""Below this many heap entries dead ones are left to come up by themselves."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TimerValues:
    """The three base values, in seconds; everything else is a multiple of them."""

    t1: float = 0.5
    """Round-trip estimate (17.1.1.1)."""
    t2: float = 4.0
    """Longest pause between repeats of non-INVITE requests and INVITE responses (17.1.2.2)."""
    t4: float = 5.0
    """How long a message stays in the network (17.1.2.2)."""

    @property
    def patience(self) -> float:
        """64*T1: timers B, D, F, H, J, L, M and the wait for the ACK of a 2xx."""
        return 64 * self.t1


class Owner(Enum):
    """Whose deadline it is; says where ``handle_timer`` takes it."""

    __hash__ = object.__hash__

    TRANSACTION = "transaction"
    OUTGOING = "outgoing"
    SESSION = "session"
    REGISTRATION = "registration"
    BINDING = "binding"
    REQUEST = "request"


Key = tuple[Owner, str, str]
"""Owner, the owner's id, the timer's name. One deadline per key: setting it again moves it."""


class Timers:
    """Deadlines in monotonic seconds, by key."""

    __slots__ = ("_heap", "_live", "_serial")

    def __init__(self) -> None:
        self._heap: list[tuple[float, int, Key]] = []
        self._live: dict[Key, tuple[float, int]] = {}
        self._serial = 0

    def set(self, owner: Owner, ident: str, name: str, at: float) -> None:
        """Let the named timer come due at ``at``; an earlier setting is forgotten."""
        key = (owner, ident, name)
        self._serial = serial = self._serial + 1
        self._live[key] = (at, serial)
        heappush(self._heap, (at, serial, key))
        if len(self._heap) > SWEEP_ABOVE_ENTRIES and len(self._heap) > 4 * len(self._live):
            self._sweep()

    def cancel(self, owner: Owner, ident: str, name: str) -> None:
        """Forget the named timer; nothing happens if it is not set."""
        self._live.pop((owner, ident, name), None)

    def is_set(self, owner: Owner, ident: str, name: str) -> bool:
        """Whether the named timer waits."""
        return (owner, ident, name) in self._live

    def at(self, owner: Owner, ident: str, name: str) -> float | None:
        """When the named timer comes due; None if it is not set."""
        found = self._live.get((owner, ident, name))
        return None if found is None else found[0]

    def next(self) -> float | None:
        """The earliest deadline, or None."""
        heap, live = self._heap, self._live
        while heap:
            at, serial, key = heap[0]
            current = live.get(key)
            if current is not None and current[1] == serial:
                return at
            heappop(heap)
        return None

    def pop_due(self, mono: float) -> Key | None:
        """Take out the earliest timer that is due at ``mono``; None when none is."""
        at = self.next()
        if at is None or at > mono:
            return None
        key = heappop(self._heap)[2]
        del self._live[key]
        return key

    def items(self) -> Iterator[tuple[Key, float]]:
        """All timers in the order in which they will come due."""
        for key, (at, _) in sorted(self._live.items(), key=lambda item: item[1]):
            yield key, at

    def __len__(self) -> int:
        return len(self._live)

    def _sweep(self) -> None:
        self._heap = [(at, serial, key) for key, (at, serial) in self._live.items()]
        heapify(self._heap)
