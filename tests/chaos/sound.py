"""What far ends say and hear, packet by packet, so that a gap is a gap of the server and not of whoever measures.

Packets that come are stamped by the kernel (SO_TIMESTAMPNS), so a busy peer hears nothing late. Packets that go carry
their number, and when each left is kept, so that a peer that speaks late makes nobody else late. Most calls of a run
are silent: their socket is never read.
"""

import asyncio
import contextlib
import random
import socket
import struct
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from itertools import pairwise

from tests.support.sip_crowd import FRAME_S, LATE_FRAMES, on_one_beat
from tests.support.sip_peer import media_of

__all__ = [
    "FRAME_S",
    "SAMPLES",
    "SERVERS",
    "SILENCE",
    "Gap",
    "Heard",
    "Sound",
    "gaps_of_bridge",
    "gaps_of_prompt",
    "ticking",
]

SAMPLES = 160
PCMA, EVENTS = 8, 101
KEYS = "0123456789*#"
MAGIC = b"\x2a\xd5\x7e\x91"
NOISE = bytes(random.Random(1).choices((0x2A, 0xAA, 0x3F, 0xBF), k=SAMPLES - 8))
"""Loud: recordings of it are not silent."""
SO_TIMESTAMPNS = 35
TIMESPEC = struct.Struct("qq")
HEADER = struct.Struct("!BBHII")
DEAF_BYTES = 4096
STAYS_EVERY_S = 30.0
"""A far end that says nothing lets a packet be heard now and then (RFC 6263): the server gives up who is silent for two
minutes, and between two absences a call may last so long."""
QUIET = b"\xd5" * 160
EAR_BYTES = 1 << 20


@dataclass(frozen=True, slots=True)
class Heard:
    """A packet that came. `at`: loop time; `number`: the speaker's own count, else one of the two below."""

    at: float
    number: int


SERVERS = -1
"""Sound that no far end said: a prompt."""
SILENCE = -2
"""What an engine sends that has nothing to play: one sample, all packet long."""


@dataclass(frozen=True, slots=True)
class Gap:
    """Nothing was heard for `length_s` until `at` (loop time)."""

    at: float
    length_s: float


def gaps_of_prompt(heard: Sequence[Heard], longer_than_s: float) -> Iterator[Gap]:
    """Where a sound that the server plays stood still: between its first packet and its last."""
    for before, after in pairwise(each for each in heard if each.number == SERVERS):
        if after.at - before.at > longer_than_s:
            yield Gap(after.at, after.at - before.at)


def gaps_of_bridge(
    heard: Sequence[Heard], sent: Sequence[float], begin: float, end: float, longer_than_s: float
) -> Iterator[Gap]:
    """Where one side of a bridge, talking from `begin` to `end`, did not hear what the other said at the times `sent`.

    From one packet that came to the next: their distance in speech, and by how much the later one took longer. What is
    missing before the first or after the last is as long as the packets that were sent then.
    """
    known = [(each.at, each.number) for each in heard if 0 <= each.number < len(sent)]
    known = [(at, number) for at, number in known if begin <= sent[number] <= end]
    due = [number for number, at in enumerate(sent) if begin <= at <= end]
    if not due:
        return
    if not known:
        yield Gap(end, FRAME_S * len(due))
        return
    numbers = [number for _, number in known]
    first, last = min(numbers), max(numbers)
    edges = ((known[0][0], FRAME_S * (first - due[0])), (end, FRAME_S * (due[-1] - last)))
    yield from (Gap(at, length) for at, length in edges if length > longer_than_s)
    for (before_at, before), (after_at, after) in pairwise(known):
        length = FRAME_S * (after - before) + (after_at - sent[after]) - (before_at - sent[before])
        if after > before and length > longer_than_s:
            yield Gap(after_at, length)


@dataclass(slots=True, eq=False)
class Sound:
    """One far end's RTP."""

    host: str
    hears: bool
    """Whether what comes is kept; else it is let go in the kernel."""
    speaks: bool
    tone: bytes = b""
    """A packet of sound that is all it says, over and over (`tests.chaos.tones`), else numbered noise. Who says a tone
    is among others who do: what it hears is kept whole."""
    frames: list[tuple[float, bytes]] = field(default_factory=list)
    """What was heard, where it is kept whole: loop time and octets of each packet of 20 ms."""
    heard: list[Heard] = field(default_factory=list)
    sent: list[float] = field(default_factory=list)
    """When each packet of speech left, loop time; its index is its number."""
    remote: tuple[str, int] | None = None
    _socket: socket.socket | None = None
    _sequence: int = 7
    _timestamp: int = 7
    _next_due: float = 0.0
    """When the next packet of speech should leave, loop time."""
    _staying: asyncio.TimerHandle | None = None
    _offset_s: float = 0.0
    """From the wall's time to the loop's."""

    def open(self) -> tuple[str, int]:
        """Listen on a free port; the address."""
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        made.setblocking(False)
        made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, EAR_BYTES if self.hears else DEAF_BYTES)
        made.bind((self.host, 0))
        self._socket = made
        if self.hears:
            made.setsockopt(socket.SOL_SOCKET, SO_TIMESTAMPNS, 1)
            loop = asyncio.get_running_loop()
            self._offset_s = loop.time() - time.time()
            loop.add_reader(made.fileno(), self._read)
        address: tuple[str, int] = made.getsockname()
        return address

    def towards(self, description: str) -> None:
        """Where to speak to: what their description says. From then on a far end that speaks does."""
        self.remote = media_of(description)
        if self.speaks:
            _speaking.add(self)
        elif self._staying is None:
            self._staying = asyncio.get_running_loop().call_later(STAYS_EVERY_S, self._stay)

    def hush(self) -> None:
        """Say no more."""
        _speaking.discard(self)
        if self._staying is not None:
            self._staying.cancel()
            self._staying = None

    def _stay(self) -> None:
        self._send(PCMA, QUIET)
        self._timestamp += SAMPLES
        self._staying = asyncio.get_running_loop().call_later(STAYS_EVERY_S, self._stay)

    def close(self) -> None:
        self.hush()
        if self._socket is not None:
            if self.hears:
                asyncio.get_running_loop().remove_reader(self._socket.fileno())
            self._socket.close()
            self._socket = None

    def press(self, key: str) -> None:
        """A key by RFC 4733, its packets all at once."""
        for duration, end in ((400, 0), (800, 0x80), (800, 0x80), (800, 0x80)):
            self._send(EVENTS, struct.pack("!BBH", KEYS.index(key), end | 10, duration))
        self._timestamp += 800

    def slot(self) -> None:
        """One packet of speech. Where the beat was held up for longer than it makes up for, what was never said is
        silence, and the clock goes on through it (RFC 3550 section 5.1)."""
        number, now = len(self.sent), asyncio.get_running_loop().time()
        if not self.sent:
            self._next_due = now
        missed = int((now - self._next_due) / FRAME_S)
        if missed > LATE_FRAMES:
            self._timestamp += (missed - LATE_FRAMES) * SAMPLES
            self._next_due += (missed - LATE_FRAMES) * FRAME_S
        self._next_due += FRAME_S
        self.sent.append(now)
        self._send(PCMA, self.tone or MAGIC + number.to_bytes(4, "big") + NOISE)
        self._timestamp += SAMPLES

    def longest_pause_s(self) -> float:
        """Between two packets that this far end sent: what a busy machine did to its own speech."""
        return max((b - a for a, b in pairwise(self.sent)), default=0.0)

    def _send(self, kind: int, payload: bytes) -> None:
        if self._socket is None or self.remote is None:
            return
        head = HEADER.pack(0x80, kind, self._sequence & 0xFFFF, self._timestamp & 0xFFFFFFFF, id(self) & 0xFFFFFFFF)
        self._sequence += 1
        with contextlib.suppress(OSError):  # A port that is closed by now.
            self._socket.sendto(head + payload, self.remote)

    def _read(self) -> None:
        assert self._socket is not None
        for _ in range(64):
            try:
                data, about, _, _ = self._socket.recvmsg(2048, 64)
            except OSError:
                return
            if len(data) < HEADER.size or data[1] & 0x7F != PCMA:
                continue
            at = asyncio.get_running_loop().time()
            for level, kind, stamp in about:
                if level == socket.SOL_SOCKET and kind == SO_TIMESTAMPNS:
                    seconds, nanoseconds = TIMESPEC.unpack(stamp[: TIMESPEC.size])
                    at = seconds + nanoseconds / 1e9 + self._offset_s
            payload = data[HEADER.size :]
            if payload.startswith(MAGIC):
                number = int.from_bytes(payload[4:8], "big")
            else:
                number = SILENCE if payload.count(payload[:1]) == len(payload) else SERVERS
            self.heard.append(Heard(at, number))
            if self.tone and len(payload) == SAMPLES:
                self.frames.append((at, payload))


_speaking: set[Sound] = set()


@asynccontextmanager
async def ticking() -> AsyncIterator[None]:
    """While this is entered, every far end that is to speak does, on one beat."""
    try:
        async with on_one_beat(_speaking):
            yield
    finally:
        _speaking.clear()
