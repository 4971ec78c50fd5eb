"""What engines say, made fit for a telephone: 8000 samples a second, equally loud whoever speaks, silence cut short.

Loudness is that of active speech (ITU-T P.56 in spirit: the quiet parts do not count), so that a louder engine does not
drown the next one. Runs in a thread; it takes about a millisecond for a second of sound.
"""

from collections.abc import Sequence
from itertools import groupby

import av
import numpy as np
from av.audio.resampler import AudioResampler

from offhook.media.frames import SAMPLE_RATE_HZ, Samples
from offhook.runtime.speech.provider import Piece

__all__ = ["telephone_sound"]

ACTIVE_RMS = 3277
"""Twenty decibels below full scale: as loud as telephone prompts are recorded, with room for peaks."""
PEAK_MAX = 29_000
GAIN_MAX = 8.0
"""What is quieter than an eighth is meant to be."""
WINDOW = SAMPLE_RATE_HZ // 50
QUIET_SHARE = 0.05
"""Windows below this share of the loudest are pauses."""
SILENCE_BEFORE_MS, SILENCE_AFTER_MS = 20, 200
"""Of what an engine adds around a text so much is left: the caller hears it at once, and sentences stay apart."""


def telephone_sound(pieces: Sequence[Piece]) -> Samples:
    """One sound of the pieces; empty if nothing in them can be heard."""
    parts = [
        _resampled(np.concatenate([piece.samples for piece in group]), rate_hz)
        for rate_hz, group in groupby(pieces, key=lambda piece: piece.rate_hz)
    ]
    samples = np.concatenate(parts) if parts else np.zeros(0, np.int16)
    return _level(samples)


def _resampled(samples: Samples, rate_hz: int) -> Samples:
    if rate_hz == SAMPLE_RATE_HZ or not len(samples):
        return samples
    frame = av.AudioFrame.from_ndarray(samples.reshape(1, -1), format="s16", layout="mono")
    frame.sample_rate = rate_hz
    resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    made = [*resampler.resample(frame), *resampler.resample(None)]
    if not made:
        return np.zeros(0, np.int16)
    return np.concatenate([np.asarray(part.to_ndarray(), np.int16).reshape(-1) for part in made])


def _level(samples: Samples) -> Samples:
    if not len(samples):
        return samples
    padded = np.zeros(-(-len(samples) // WINDOW) * WINDOW, np.float64)
    padded[: len(samples)] = samples
    power = np.mean(padded.reshape(-1, WINDOW) ** 2, axis=1)
    active = power > np.max(power) * QUIET_SHARE**2
    if not np.any(active):
        return np.zeros(0, np.int16)
    peak = float(np.max(np.abs(padded)))
    gain = min(ACTIVE_RMS / float(np.sqrt(np.mean(power[active]))), PEAK_MAX / peak, GAIN_MAX)
    heard = np.flatnonzero(active)
    first = max(int(heard[0]) * WINDOW - SILENCE_BEFORE_MS * SAMPLE_RATE_HZ // 1000, 0)
    last = (int(heard[-1]) + 1) * WINDOW + SILENCE_AFTER_MS * SAMPLE_RATE_HZ // 1000
    # What the engine gave is cut, and silence is added where it gave less: two texts in a row are never run together.
    kept = np.zeros(last - first, np.float64)
    part = padded[first:last]
    kept[: len(part)] = part
    return np.asarray(np.round(kept * gain), np.int16)
