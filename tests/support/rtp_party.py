"""A peer that speaks RTP and RFC 4733 as it likes: on time, with digits in the awkward ways of the field, keeping all
it hears with the time it came. What SIPp and baresip do badly. It knows nothing of SIP; a test gives it addresses.

A plan of what to send is a list of slots of 20 ms, each the packets of that moment, so that everything can be
joined, cut and repeated: `peer.say(*spoken(sound), *pressed("5"), *spoken(silence(1)))`.
"""

import asyncio
import contextlib
import os
import random
import select
import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from tests.support.ports import free_rtp_port
from tests.support.sound_checks import ALAW, RATE, ULAW, Law, Samples

__all__ = ["EVENT_TYPE", "Packet", "Planned", "RtpPeer", "Slot", "overlapping", "pressed", "rtp_peer", "spoken"]

SLOT_S = 0.02
SLOT_TICKS = 160
EVENT_TYPE = 101
URGENT_NICE = -15
KEYS = "0123456789*#ABCD"
JUMP_TICKS = 10 * RATE
"""A timestamp that moves further than this begins a new sound."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Planned:
    """A packet to be sent."""

    payload: bytes
    payload_type: int
    marker: bool = False
    back_ticks: int = 0
    """How long before its slot its timestamp lies (an event's packets all carry the event's begin)."""


Slot = list[Planned]


@dataclass(frozen=True, slots=True, kw_only=True)
class Packet:
    """A packet that came."""

    at: float
    """Monotonic seconds."""
    source: tuple[str, int]
    payload_type: int
    marker: bool
    sequence: int
    timestamp: int
    ssrc: int
    payload: bytes


def spoken(samples: Samples, law: Law = ALAW) -> list[Slot]:
    """A sound, 160 samples a packet; the last one is filled with silence."""
    filled = np.concatenate((samples, np.zeros(-len(samples) % SLOT_TICKS, np.int16)))
    return [
        [Planned(payload=law.encode(filled[start : start + SLOT_TICKS]), payload_type=law.payload_type)]
        for start in range(0, len(filled), SLOT_TICKS)
    ]


def _event(digit: str, *, end: bool, ticks: int, back: int, marker: bool, payload_type: int) -> Planned:
    payload = struct.pack("!BBH", KEYS.index(digit), (0x80 if end else 0) | 10, min(ticks, 0xFFFF))
    return Planned(payload=payload, payload_type=payload_type, marker=marker, back_ticks=back)


def pressed(
    digit: str,
    *,
    slots: int = 5,
    marker: bool = True,
    ends: int = 3,
    lost: frozenset[int] | set[int] = frozenset(),
    gap_slots: int = 3,
    payload_type: int = EVENT_TYPE,
) -> list[Slot]:
    """A key held for `slots` × 20 ms (RFC 4733 section 2.5.1), if wanted without marker bit, with fewer than three end
    packets (or none), with updates lost; then nothing for `gap_slots`."""
    plan: list[Slot] = []
    for index in range(slots):
        wanted = index not in lost
        packet = _event(
            digit, end=False, ticks=(index + 1) * SLOT_TICKS, back=index * SLOT_TICKS,
            marker=marker and index == 0, payload_type=payload_type,
        )  # fmt: skip
        plan.append([packet] if wanted else [])
    last = _event(
        digit, end=True, ticks=slots * SLOT_TICKS, back=(slots - 1) * SLOT_TICKS,
        marker=False, payload_type=payload_type,
    )  # fmt: skip
    plan[-1].extend([last] * ends)
    return plan + [[] for _ in range(gap_slots)]


def overlapping(first: str, second: str, payload_type: int = EVENT_TYPE) -> list[Slot]:
    """A second key begins while packets of the first, its end among them, still come: two begins, mixed order."""
    a = pressed(first, slots=6, gap_slots=0, payload_type=payload_type)
    b = pressed(second, slots=6, gap_slots=0, payload_type=payload_type)
    shift = 4
    length = shift + len(b)
    joined: list[Slot] = [[] for _ in range(length)]
    for index, slot in enumerate(a):
        joined[index].extend(slot)
    for index, slot in enumerate(b):
        joined[index + shift].extend(slot)
    return [*joined, [], [], []]


@dataclass(slots=True)
class RtpPeer:
    """One socket, one thread. Sends the plan as soon as it knows where to; then silence if it is `lively`."""

    host: str
    port: int
    law: Law
    lively: bool
    """Between plans, send silence as a phone does; else send nothing."""
    remote: tuple[str, int] | None = None
    """Where to send. None: to where the first packet comes from."""
    packets: list[Packet] = field(default_factory=list)
    _plan: list[Slot] = field(default_factory=list)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _stop: threading.Event = field(default_factory=threading.Event)
    _sequence: int = field(default_factory=lambda: random.SystemRandom().randrange(60_000))
    _timestamp: int = field(default_factory=lambda: random.SystemRandom().randrange(1 << 32))
    _ssrc: int = field(default_factory=lambda: random.SystemRandom().randrange(1 << 32))

    def say(self, *slots: Slot) -> None:
        """Adds to what is to be sent."""
        with self._lock:
            self._plan.extend(slots)

    async def said(self, within_s: float = 15.0) -> None:
        """Waits until all of the plan is sent."""
        await self._until(lambda: not self._plan, within_s, "the plan was not sent")

    def audio(self, since: float = 0.0) -> list[Packet]:
        """The packets of sound that came after a moment."""
        return [p for p in list(self.packets) if p.at >= since and p.payload_type in (0, 8)]

    def heard(self, since: float = 0.0) -> Samples:
        """What came, each packet at its timestamp, gaps silent; a new source goes where its time of arrival puts it."""
        placed: list[tuple[int, Samples]] = []
        base, first, last = 0, None, None
        for packet in self.audio(since):
            if first is None or packet.ssrc != first.ssrc or abs(packet.timestamp - last.timestamp) > JUMP_TICKS:
                base = 0 if not placed else max(
                    int((packet.at - self.audio(since)[0].at) * RATE), placed[-1][0] + len(placed[-1][1])
                )  # fmt: skip
                first = packet
            law = ULAW if packet.payload_type == ULAW.payload_type else ALAW
            placed.append((base + packet.timestamp - first.timestamp, law.decode(packet.payload)))
            last = packet
        begin = min((at for at, _ in placed), default=0)
        end = max((at + len(samples) for at, samples in placed), default=0)
        sound = np.zeros(end - begin, np.int16)
        for at, samples in placed:
            sound[at - begin : at - begin + len(samples)] = samples
        return sound

    def digits(self, payload_type: int = EVENT_TYPE) -> str:
        """The keys that came by RFC 4733: an event is what has one source and one timestamp."""
        seen: dict[tuple[int, int], str] = {}
        for packet in list(self.packets):
            if packet.payload_type == payload_type and len(packet.payload) >= 4:
                seen.setdefault((packet.ssrc, packet.timestamp), KEYS[packet.payload[0] & 15])
        return "".join(seen.values())

    async def hears(self, seconds: float, since: float = 0.0, within_s: float = 15.0) -> Samples:
        """Waits until so much sound has come after a moment; answers all of it."""
        wanted = int(seconds / SLOT_S)
        await self._until(lambda: len(self.audio(since)) >= wanted, within_s, f"did not hear {seconds} s of sound")
        return self.heard(since)

    async def hears_digits(self, count: int, within_s: float = 10.0) -> str:
        """Waits for so many keys."""
        await self._until(lambda: len(self.digits()) >= count, within_s, f"did not get {count} keys")
        return self.digits()

    async def _until(self, done: Callable[[], bool], within_s: float, failure: str) -> None:
        deadline = time.monotonic() + within_s
        while not done():
            if time.monotonic() > deadline:
                sources = {packet.source for packet in self.packets}
                raise AssertionError(
                    f"{failure} within {within_s} s; {len(self.packets)} packets came from {sources}, "
                    f"{len(self._plan)} slots wait to be sent to {self.remote}"
                )
            await asyncio.sleep(SLOT_S / 4)

    def _run(self, rtp: socket.socket, rtcp: socket.socket) -> None:
        with contextlib.suppress(PermissionError):
            # A busy machine is no reason for a peer to speak late; without the right to this it does what it can.
            os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), URGENT_NICE)
        due = time.monotonic()
        while not self._stop.is_set():
            ready, _, _ = select.select([rtp, rtcp], [], [], max(0.0, due - time.monotonic()))
            if rtcp in ready:
                rtcp.recv(2048)
            if rtp in ready:
                data, source = rtp.recvfrom(2048)
                self._take(data, source)
            if time.monotonic() >= due:
                self._send_slot(rtp)
                due += SLOT_S

    def _take(self, data: bytes, source: tuple[str, int]) -> None:
        if len(data) < 12 or data[0] >> 6 != 2:
            return
        flags, kind, sequence, timestamp, ssrc = struct.unpack_from("!BBHII", data)
        skip = 12 + 4 * (flags & 15)
        self.packets.append(
            Packet(
                at=time.monotonic(), source=source, payload_type=kind & 0x7F, marker=bool(kind & 0x80),
                sequence=sequence, timestamp=timestamp, ssrc=ssrc, payload=data[skip:],
            )
        )  # fmt: skip
        if self.remote is None:
            self.remote = source

    def _send_slot(self, rtp: socket.socket) -> None:
        if self.remote is None:
            return
        with self._lock:
            slot = self._plan.pop(0) if self._plan else None
        if slot is None:
            slot = spoken(np.zeros(SLOT_TICKS, np.int16), self.law)[0] if self.lively else []
        for planned in slot:
            header = struct.pack(
                "!BBHII",
                0x80,
                (0x80 if planned.marker else 0) | planned.payload_type,
                self._sequence & 0xFFFF,
                (self._timestamp - planned.back_ticks) & 0xFFFFFFFF,
                self._ssrc,
            )
            self._sequence += 1
            rtp.sendto(header + planned.payload, self.remote)
        self._timestamp += SLOT_TICKS


@contextmanager
def rtp_peer(
    law: Law = ALAW, *, host: str = "127.0.0.1", remote: tuple[str, int] | None = None, lively: bool = True
) -> Iterator[RtpPeer]:
    """A peer on a free even port, its RTCP port beside it."""
    port = free_rtp_port(host)
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtp,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as rtcp,
    ):
        rtp.bind((host, port))
        rtcp.bind((host, port + 1))
        peer = RtpPeer(host, port, law, lively, remote)
        thread = threading.Thread(target=peer._run, args=(rtp, rtcp), name=f"rtp-peer-{port}", daemon=True)
        thread.start()
        try:
            yield peer
        finally:
            peer._stop.set()
            thread.join(2.0)
