"""What tests need that kill a server and start it again: sounds, an ear for gaps, the kill itself."""

import asyncio
import itertools
import time
from typing import Any

import numpy as np
from tests.support.line import Line, Party
from tests.support.sound_checks import RATE, Samples

__all__ = ["BEAT_S", "GAP_MOST_S", "Ear", "killed_and_started", "tone", "until", "wav"]

GAP_MOST_S = 0.1
BEAT_S = 0.02
OUTAGE_S = 0.5


def tone(hz: float, seconds: float) -> Samples:
    return (8000 * np.sin(2 * np.pi * hz * np.arange(int(RATE * seconds)) / RATE)).astype(np.int16)


def wav(sound: Samples) -> bytes:
    data = sound.astype("<i2").tobytes()
    head = b"RIFF" + (36 + len(data)).to_bytes(4, "little") + b"WAVEfmt \x10\0\0\0\x01\0\x01\0"
    rate = RATE.to_bytes(4, "little") + (2 * RATE).to_bytes(4, "little") + b"\x02\0\x10\0data"
    return head + rate + len(data).to_bytes(4, "little") + data


class Ear:
    """Notes when packets of sound come to a voice."""

    def __init__(self, party: Party) -> None:
        self.times: list[float] = []
        self._take = party.voice.datagram_received
        party.voice.datagram_received = self._heard  # type: ignore[method-assign]

    def _heard(self, data: bytes, addr: tuple[str, int]) -> None:
        self.times.append(time.monotonic())
        self._take(data, addr)

    def longest_gap_s(self, since: float) -> float:
        """Between two packets, from a moment on to now."""
        times = [since, *(at for at in self.times if at >= since), time.monotonic()]
        return max(b - a for a, b in itertools.pairwise(times))


async def until(what: Any, within_s: float = 10.0) -> None:
    """Wait until a condition holds."""
    deadline = time.monotonic() + within_s
    while not what():
        assert time.monotonic() < deadline, "it never came to be"
        await asyncio.sleep(BEAT_S)


async def killed_and_started(line: Line, outage_s: float = OUTAGE_S) -> float:
    """kill -9, a while of nothing, and another process. Returns how long its start took."""
    await line.server.kill()
    await asyncio.sleep(outage_s)
    return await line.server.start()
