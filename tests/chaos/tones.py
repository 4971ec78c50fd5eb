"""Who of a conference is heard, by tones: each party says one of its own without a pause, whole periods of it in every
packet, so that all its packets are the same octets and any 20 ms of it have the same power.

A mix has no packet numbers. That a party is heard is that its tone is in what comes, frame by frame; the tones are
orthogonal over a frame, so that one says nothing of another.
"""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray
from tests.chaos.sound import FRAME_S, SAMPLES, Gap
from tests.support.sound_checks import ALAW, RATE

__all__ = ["TONES_HZ", "gaps_of_mix", "present", "tone_packet"]

TONES_HZ = (1150, 1850, 2650)
"""Multiples of 50 Hz: whole periods in 20 ms. Above the music of those who wait, and no keys' (ITU-T Q.23)."""
AMPLITUDE = 5000
HEARD_FROM = AMPLITUDE / 2
"""Of a tone's amplitude in a frame. In half a frame it has about half of its own."""
PAUSE_BEFORE_S = 0.3
"""A speaker's pause so long before is why nothing came: what it says waits in a jitter buffer."""
_TIMES = np.arange(SAMPLES) / RATE


def tone_packet(which: int) -> bytes:
    """20 ms of a party's tone, A-law."""
    return ALAW.encode(np.asarray(AMPLITUDE * np.sin(2 * np.pi * TONES_HZ[which] * _TIMES), np.int16))


def present(frames: Sequence[bytes], which: int) -> NDArray[np.bool_]:
    """In which of some frames (A-law, 20 ms each) a party's tone is."""
    samples = ALAW.decode(b"".join(frames)).astype(np.float64).reshape(-1, SAMPLES)
    level = np.abs(samples @ np.exp(-2j * np.pi * TONES_HZ[which] * _TIMES)) * 2 / SAMPLES
    return np.asarray(level >= HEARD_FROM)


def gaps_of_mix(
    heard: Sequence[float], sent: Sequence[float], begin: float, end: float, longer_than_s: float
) -> Iterator[Gap]:
    """Where somebody who was to hear a party from `begin` to `end` did not: between two moments in `heard`, at which a
    frame with its tone came. What the party itself paused for then is not counted: `sent` is when it spoke."""
    if end <= begin:
        return
    marks = [begin, *(at for at in heard if begin < at < end), end]
    # The first frame may be as long after `begin` as a frame is.
    for before, after in pairwise(marks):
        if after - before <= longer_than_s:
            continue
        length = after - before - _paused(sent, before - PAUSE_BEFORE_S, after)
        if length > longer_than_s:
            yield Gap(after, length)


def _paused(sent: Sequence[float], begin: float, end: float) -> float:
    """How much longer than a frame a speaker's longest pause was that ended in a span."""
    return max((b - a - FRAME_S for a, b in pairwise(sent) if begin <= b <= end), default=0.0)
