"""Whether the machine is well enough for new calls: can storage write, is there room in memory for what is owed, are
there descriptors left (ours and the media engine's), and ports for sound.

It only looks and says why not; running calls are never its business. Each limit is left only when there is room again,
so that the answer does not flicker. docs/howto/unwell.md has every sentence of it.
"""

import errno
import os
import resource
from collections.abc import Callable
from enum import Enum
from pathlib import Path
from typing import NamedTuple, Protocol

from offhook.storage.writer import WriterHealth

__all__ = [
    "Ailment",
    "Complaint",
    "Descriptors",
    "Ports",
    "Wellness",
    "descriptors",
    "raise_descriptor_limit",
    "tightest",
]

STORAGE_PATIENCE_S = 3.0
"""How long storage may take nothing before new calls are refused: a lock or a full journal is often gone by then."""
REFUSE_ABOVE_ROWS = 20_000
"""Rows that wait in memory to be written, what is owed to customers among them: a minute of a busy server's. The writer
lets timeline entries go at five times as many."""
TAKE_BELOW_ROWS = 5_000
REFUSE_BELOW_DESCRIPTORS = 64
"""Left to this process. Running calls need them for webhooks, sounds and their database."""
TAKE_ABOVE_DESCRIPTORS = 128
WATCH_BELOW_DESCRIPTORS = 1024
"""Left: from here on a second's calls may take them all."""
PORTS_KEPT = 20
"""One pair of RTP ports in so many is kept for running calls, whose flows may call others; twice that before new calls
are taken again."""
WANTED_DESCRIPTORS = 65_536
PROCESSES = Path("/proc")


class Ailment(Enum):
    """What is wrong, in the words that far ends may know: SIP says them to whoever calls."""

    STORAGE = "storage cannot write"
    MEMORY = "storage is too slow"
    DESCRIPTORS = "no file descriptors left"
    PORTS = "no RTP ports left"


class Complaint(NamedTuple):
    """Why no new call should be taken."""

    ailment: Ailment
    sentence: str
    """For the operator and for customers: what is wrong, how much of it, and what to do."""


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
    """Those that rest, and cannot be taken again yet, among them."""
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
        """`used`: of whichever process has fewer left."""
        self._writer = writer
        self._descriptors = used or descriptors
        self._ports = ports
        self._too_few_ports = False
        self._too_many_rows = False
        self._too_few_descriptors = False
        self.closely = False
        """Whether to look again at once and not by and by."""

    def complaint(self, now_mono: float) -> Complaint | None:
        """Why no new call should be taken; `None`: all is well."""
        return self._short_of_storage(now_mono) or self._short_of_descriptors() or self.short_of_ports()

    def _short_of_storage(self, now_mono: float) -> Complaint | None:
        health = self._writer.health()
        rows = TAKE_BELOW_ROWS if self._too_many_rows else REFUSE_ABOVE_ROWS
        self._too_many_rows = health.pending > rows
        if health.trying_since is not None and now_mono - health.trying_since >= STORAGE_PATIENCE_S:
            why = health.error or f"no answer for {now_mono - health.trying_since:.0f} s"
            return Complaint(
                Ailment.STORAGE,
                f"storage cannot write ({why}); {health.pending} rows wait in memory:"
                " make room on the disk of data_dir, or end what locks the database",
            )
        if self._too_many_rows:
            return Complaint(
                Ailment.MEMORY,
                f"storage is too slow: {health.pending} rows wait in memory; give data_dir a faster disk",
            )
        return None

    def short_of_ports(self) -> Complaint | None:
        """The part of it that costs next to nothing to ask."""
        if self._ports is None:
            return None
        used, most = self._ports()
        kept = most // PORTS_KEPT
        # A range of few ports keeps none back: two calls at once are better than none.
        least = 2 * kept if self._too_few_ports else kept
        self._too_few_ports = most - used < max(1, least)
        if not self._too_few_ports:
            return None
        return Complaint(Ailment.PORTS, f"{used} of {most} pairs of RTP ports are in use or rest; widen rtp_ports")

    def _short_of_descriptors(self) -> Complaint | None:
        found = self._descriptors()
        if found is None:
            return None
        self.closely = found.left < WATCH_BELOW_DESCRIPTORS
        least = TAKE_ABOVE_DESCRIPTORS if self._too_few_descriptors else REFUSE_BELOW_DESCRIPTORS
        # A limit so low that the answer would always be no is the operator's wish, and half of it must do.
        self._too_few_descriptors = found.left < min(least, found.most // 2)
        if not self._too_few_descriptors:
            return None
        return Complaint(
            Ailment.DESCRIPTORS,
            f"only {found.left} of {found.most} file descriptors are left; raise the limit (ulimit -n)",
        )


def descriptors(process: int | None = None) -> Descriptors | None:
    """What a process of this user uses, this one if none is named; `None` where the system does not say."""
    folder = PROCESSES / ("self" if process is None else str(process)) / "fd"
    kind = resource.RLIMIT_NOFILE
    try:
        most = (resource.getrlimit(kind) if process is None else resource.prlimit(process, kind))[0]
        # Since Linux 6.2 the folder's size is their number; before that it is 0, and they are counted.
        used = os.stat(folder).st_size or len(os.listdir(folder)) - (process is None)
    except OSError as error:
        # To list them needs one of ours.
        return Descriptors(most, most) if error.errno in (errno.EMFILE, errno.ENFILE) else None
    return Descriptors(used, most)


def tightest(*found: Descriptors | None) -> Descriptors | None:
    """Of several processes the one that has the fewest left."""
    return min((each for each in found if each is not None), key=lambda each: each.left, default=None)


def share(wanted: int, one_in: int) -> int:
    """How many connections others may hold open: so many, but no more than one descriptor in `one_in` of this process's
    limit. Whoever opens connections must not cost a running call its webhooks."""
    most = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    return wanted if most == resource.RLIM_INFINITY else min(wanted, most // one_in)


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
