"""What a peer heard, judged: by correlation with what was played, by the power of single tones, never by size.

Nothing here shares code with the product: G.711 is written out from the tables of ITU-T G.711 a second time.
"""

import wave
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ALAW",
    "RATE",
    "ULAW",
    "Law",
    "Match",
    "Samples",
    "dtmf",
    "find",
    "read_wav",
    "silence",
    "voice",
    "write_wav",
]

RATE = 8000

Samples = NDArray[np.int16]

DTMF_HZ = {
    digit: (low, high)
    for low, row in zip((697, 770, 852, 941), ("123A", "456B", "789C", "*0#D"), strict=True)
    for high, digit in zip((1209, 1336, 1477, 1633), row, strict=True)
}


def _alaw_value(code: int) -> int:
    code ^= 0x55
    exponent, mantissa = (code >> 4) & 7, code & 15
    size = (mantissa << 4) + 8 if exponent == 0 else ((mantissa << 4) + 0x108) << (exponent - 1)
    return size if code & 0x80 else -size


def _ulaw_value(code: int) -> int:
    code = ~code & 0xFF
    size = ((((code & 15) << 3) + 0x84) << ((code >> 4) & 7)) - 0x84
    return -size if code & 0x80 else size


class Law:
    """One of the two laws of G.711: decodes by table, encodes to the nearest value of the table."""

    def __init__(self, name: str, payload_type: int, values: list[int]) -> None:
        self.name = name
        self.payload_type = payload_type
        self.table: Samples = np.array(values, np.int16)
        order = np.argsort(self.table, kind="stable")
        self._codes = order.astype(np.uint8)
        ordered = self.table[order].astype(np.int64)
        self._edges = (ordered[1:] + ordered[:-1]) / 2

    def __repr__(self) -> str:
        return self.name

    def decode(self, payload: bytes) -> Samples:
        """One sample a byte."""
        return self.table[np.frombuffer(payload, np.uint8)]

    def encode(self, samples: Samples) -> bytes:
        """One byte a sample."""
        return self._codes[np.searchsorted(self._edges, samples)].tobytes()


ULAW = Law("PCMU", 0, [_ulaw_value(code) for code in range(256)])
ALAW = Law("PCMA", 8, [_alaw_value(code) for code in range(256)])


def voice(seed: int, seconds: float = 2.0) -> Samples:
    """A sound that resembles no other seed's: tones that change every 80 ms, with the pauses of speech between."""
    chance = np.random.default_rng(seed)
    parts = []
    for _ in range(int(seconds / 0.08) + 1):
        t = np.arange(int(RATE * 0.08)) / RATE
        hz = chance.uniform(250, 3200, 3)
        parts.append(sum(np.sin(2 * np.pi * f * t + p) for f, p in zip(hz, chance.uniform(0, 6, 3), strict=True)))
    return np.asarray(2500 * np.concatenate(parts)[: int(RATE * seconds)], np.int16)


def dtmf(digit: str, seconds: float = 0.12) -> Samples:
    """The two tones of a digit (ITU-T Q.23), each at about -9 dBm0, as sound."""
    t = np.arange(int(RATE * seconds)) / RATE
    low, high = DTMF_HZ[digit]
    return np.asarray(6000 * (np.sin(2 * np.pi * low * t) + np.sin(2 * np.pi * high * t)), np.int16)


def silence(seconds: float) -> Samples:
    """Nothing, for that long."""
    return np.zeros(int(RATE * seconds), np.int16)


@dataclass(frozen=True, slots=True)
class Match:
    """Where a sound was found."""

    likeness: float
    """Normalised correlation, 1.0 for the same sound at any loudness."""
    at_s: float


def find(heard: Samples, wanted: Samples) -> Match:
    """The place in `heard` that resembles all of `wanted` most. What is shorter than `wanted` resembles nothing."""
    if len(heard) < len(wanted):
        return Match(0.0, 0.0)
    a, b = heard.astype(np.float64), wanted.astype(np.float64)
    size = 1 << (len(a) + len(b)).bit_length()
    products = np.fft.irfft(np.fft.rfft(a, size) * np.conj(np.fft.rfft(b, size)), size)[: len(a) - len(b) + 1]
    power = np.concatenate(([0.0], np.cumsum(a * a)))
    norm = np.sqrt((power[len(b) :] - power[: len(a) - len(b) + 1]) * np.dot(b, b))
    score = products / np.maximum(norm, 1e3)
    best = int(np.argmax(score))
    return Match(float(score[best]), best / RATE)


def read_wav(source: Path | str | bytes) -> Samples:
    """A 16-bit 8 kHz WAV; of several channels, the first."""
    import io

    with wave.open(io.BytesIO(source) if isinstance(source, bytes) else str(source), "rb") as file:
        assert (file.getframerate(), file.getsampwidth()) == (RATE, 2), "expected 8 kHz, 16 bit"
        samples = np.frombuffer(file.readframes(file.getnframes()), "<i2")
        return samples[:: file.getnchannels()].astype(np.int16)


def write_wav(path: Path, samples: Samples) -> Path:
    """A 16-bit 8 kHz mono WAV."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return path
