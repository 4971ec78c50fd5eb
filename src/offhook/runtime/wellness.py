"""Whether the machine is well enough for new calls: can storage write, is there room in memory for what is owed, are
there descriptors left, and ports for sound.

It only looks and says why not; running calls are never its business. Each limit is left only when there is room again,
so that the answer does not flicker.
"""

import errno
import os
import resource
from collections.abc import Callable
from typing import NamedTuple, Protocol

from offhook.storage.writer import WriterHealth

__all__ = ["Descriptors", "Ports", "Wellness", "descriptors", "raise_descriptor_limit"]

STORAGE_PATIENCE_S = 3.0
"""How long storage may fail to write before new calls are refused: a lock or a full journal is often gone by then."""
REFUSE_ABOVE_ROWS = 20_000
"""Rows that wait in memory to be written, what is owed to customers among them: a minute of a busy server's. The writer
lets timeline entries go at five times as many."""
TAKE_BELOW_ROWS = 5_000
REFUSE_BELOW_DESCRIPTORS = 64
"""Left to this process. Running calls need them for webhooks, sounds and their database."""
TAKE_ABOVE_DESCRIPTORS = 128
PORTS_KEPT = 20
"""One pair of RTP ports in so many is kept for running calls, whose flows may call others; twice that before new calls
are taken again."""
WANTED_DESCRIPTORS = 65_536
FOLDER = "/proc/self/fd"


class Descriptors(NamedTuple):
    """File descriptors of this process."""

    used: int
    most: int

    @property
    def left(self) -> int:
        return self.most - self.used


class Ports(NamedTuple):
    """Pairs of RTP and RTCP ports."""

    used: int
    most: int


class _Writer(Protocol):
    def health(self) -> WriterHealth: ...


class Wellness:
    """Asked from time to time; remembers what it refused for."""

    def __init__(
        self,
        writer: _Writer,
        used: Callable[[], Descriptors | None] | None = None,
        ports: Callable[[], Ports] | None = None,
    ) -> None:
        self._writer = writer
        self._descriptors = used or descriptors
        self._ports = ports
        self._too_few_ports = False
        self._too_many_rows = False
        self._too_few_descriptors = False

    def complaint(self, now_mono: float) -> str | None:
        """Why no new call should be taken, in words for people; `None`: all is well."""
        health = self._writer.health()
        rows = TAKE_BELOW_ROWS if self._too_many_rows else REFUSE_ABOVE_ROWS
        self._too_many_rows = health.pending > rows
        if health.failing_since is not None and now_mono - health.failing_since >= STORAGE_PATIENCE_S:
            return f"storage cannot write ({health.error}); {health.pending} rows wait in memory"
        if self._too_many_rows:
            return f"storage is too slow: {health.pending} rows wait in memory"
        return self._short_of_descriptors() or self._short_of_ports()

    def _short_of_ports(self) -> str | None:
        if self._ports is None:
            return None
        used, most = self._ports()
        kept = most // PORTS_KEPT
        # A range of few ports keeps none back: two calls at once are better than none.
        least = 2 * kept if self._too_few_ports else kept
        self._too_few_ports = most - used < max(1, least)
        if not self._too_few_ports:
            return None
        return f"{used} of {most} pairs of RTP ports are in use; widen rtp_ports"

    def _short_of_descriptors(self) -> str | None:
        found = self._descriptors()
        if found is None:
            return None
        least = TAKE_ABOVE_DESCRIPTORS if self._too_few_descriptors else REFUSE_BELOW_DESCRIPTORS
        # A limit so low that the answer would always be no is the operator's wish, and half of it must do.
        self._too_few_descriptors = found.left < min(least, found.most // 2)
        if not self._too_few_descriptors:
            return None
        return f"only {found.left} of {found.most} file descriptors are left; raise the limit (ulimit -n)"


def descriptors() -> Descriptors | None:
    """What this process uses; `None` where the system does not say."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    try:
        used = len(os.listdir(FOLDER)) - 1  # the listing needs one itself
    except OSError as error:
        return Descriptors(most, most) if error.errno in (errno.EMFILE, errno.ENFILE) else None
    return Descriptors(used, most)


def raise_descriptor_limit() -> int:
    """Take as many as the system lets this process have; many systems begin with 1,024. Returns the limit now."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = WANTED_DESCRIPTORS if hard == resource.RLIM_INFINITY else min(hard, WANTED_DESCRIPTORS)
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return soft
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
    except (OSError, ValueError):
        return soft
    return wanted
