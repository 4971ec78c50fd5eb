"""Is what was recorded what should have been heard? By correlation: a file of the right length proves nothing.

Reads 16-bit WAV only, and compares at one sample rate. It does not judge quality: sound that stutters is not found.
"""

import io
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from offhook.media.frames import SAMPLE_RATE_HZ, Samples

__all__ = ["Match", "NotHeard", "find", "read_wav"]

SILENCE_POWER = 1.0
"""Mean square below which a stretch counts as silent: a step of 16 bits."""


PIECE_SAMPLES = SAMPLE_RATE_HZ // 2
SLIP_SAMPLES = SAMPLE_RATE_HZ // 10
"""How far a piece may lie from its place: what a jitter buffer adds or takes on a bad day."""

Floats = npt.NDArray[np.float64]


class NotHeard(Exception):
    """There is nothing to listen to; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where a sound is found best."""

    likeness: float
    """0 to 1: normalised correlation. The same sound after G.711 has over 0.98, another sound under 0.3."""
    at_s: float
    """Seconds from the beginning of what was recorded; negative if the sound had begun before."""


def read_wav(source: Path | bytes) -> Samples:
    """A WAV file's samples; the channels of a stereo file are added. Raises `NotHeard`."""
    try:
        with wave.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "rb") as file:
            if file.getsampwidth() != 2 or file.getframerate() != SAMPLE_RATE_HZ:
                raise NotHeard(f"{file.getframerate()} Hz with {file.getsampwidth() * 8} bits; 8000 and 16 are read")
            samples = np.frombuffer(file.readframes(file.getnframes()), dtype="<i2")
            channels = file.getnchannels()
    except (wave.Error, EOFError, OSError) as error:
        raise NotHeard(f"no WAV can be read: {error or 'it ends too early'}") from None
    mixed = samples.reshape(-1, channels).astype(np.int32).sum(axis=1)
    clipped: Samples = np.clip(mixed, -32768, 32767).astype(np.int16)
    return clipped


def find(wanted: Samples, recorded: Samples) -> Match:
    """The place in `recorded` that is most like all of `wanted`. Louder or softer is alike. Raises `NotHeard`.

    A packet that came late shifts what follows it, which nobody hears: so pieces are compared, each near its place.
    """
    if not np.any(wanted):
        raise NotHeard("silence cannot be found")
    if not len(recorded):
        raise NotHeard("nothing was recorded")
    pattern = wanted.astype(np.float64)
    # A recording may begin late or stop early: what is missing there counts as silence, not as another place.
    margin = len(pattern) + SLIP_SAMPLES
    sound = np.pad(recorded.astype(np.float64), margin)
    best = int(np.argmax(_alike(pattern, sound)))
    likeness = total = 0.0
    for start in range(0, len(pattern), PIECE_SAMPLES):
        piece = pattern[start : start + PIECE_SAMPLES]
        energy = float(np.dot(piece, piece))
        first = max(0, best + start - SLIP_SAMPLES)
        near = sound[first : best + start + len(piece) + SLIP_SAMPLES]
        if energy:
            likeness += energy * float(_alike(piece, near).max())
            total += energy
    return Match(likeness=min(1.0, likeness / total), at_s=(best - margin) / SAMPLE_RATE_HZ)


def _alike(pattern: Floats, sound: Floats) -> Floats:
    """Normalised correlation at every place where the pattern fits."""
    size = 1 << int(np.ceil(np.log2(len(sound) + len(pattern))))
    products = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size)), size)
    places = len(sound) - len(pattern) + 1
    sums = np.concatenate(([0.0], np.cumsum(sound * sound)))
    energy = sums[len(pattern) :] - sums[:places]
    heard = energy > SILENCE_POWER * len(pattern)
    alike = np.zeros(places)
    alike[heard] = np.abs(products[:places][heard]) / np.sqrt(energy[heard] * np.dot(pattern, pattern))
    return alike
