"""Is what was recorded what should have been heard? By correlation: a file of the right length proves nothing.

Reads 16-bit WAV only, and compares at one sample rate. It does not judge quality: sound that stutters is not found.
"""

import io
import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from offhook.media.frames import SAMPLE_RATE_HZ, Samples

__all__ = ["Match", "NotHeard", "find", "read_wav"]

SILENCE_POWER = 1.0
"""Mean square below which a stretch counts as silent: a step of 16 bits."""


class NotHeard(Exception):
    """There is nothing to listen to; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
    """Where a sound is found best."""

    likeness: float
    """0 to 1: normalised correlation. The same sound after G.711 has over 0.98, another sound under 0.3."""
    at_s: float
    """Seconds from the beginning of what was recorded."""


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
    """The place in `recorded` that is most like all of `wanted`. Louder or softer is alike. Raises `NotHeard`."""
    if not len(wanted) or not np.any(wanted):
        raise NotHeard("silence cannot be found")
    if not len(recorded):
        raise NotHeard("nothing was recorded")
    pattern = wanted.astype(np.float64)
    sound = recorded.astype(np.float64)
    if len(sound) < len(pattern):
        sound = np.pad(sound, (0, len(pattern) - len(sound)))
    size = 1 << int(np.ceil(np.log2(len(sound) + len(pattern))))
    products = np.fft.irfft(np.fft.rfft(sound, size) * np.conj(np.fft.rfft(pattern, size)), size)
    places = len(sound) - len(pattern) + 1
    sums = np.concatenate(([0.0], np.cumsum(sound * sound)))
    energy = sums[len(pattern) :] - sums[:places]
    heard = energy > SILENCE_POWER * len(pattern)
    if not heard.any():
        return Match(likeness=0.0, at_s=0.0)
    alike = np.zeros(places)
    alike[heard] = np.abs(products[:places][heard]) / np.sqrt(energy[heard] * np.dot(pattern, pattern))
    best = int(np.argmax(alike))
    return Match(likeness=float(min(1.0, alike[best])), at_s=best / SAMPLE_RATE_HZ)
