"""A WAV that comes in any pieces is the same sound; what is none is told so."""

import io
import struct
import wave
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.runtime.speech.provider import SpeechFailed
from offhook.runtime.speech.wav_stream import HEAD_MAX_BYTES, WavStream

SAMPLES = np.arange(-500, 500, dtype=np.int16)


def _wav(rate_hz: int = 16_000, channels: int = 1, width: int = 2) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(channels)
        written.setsampwidth(width)
        written.setframerate(rate_hz)
        written.writeframes(SAMPLES.astype("<i2").tobytes())
    return file.getvalue()


def _read(content: bytes, cuts: list[int]) -> tuple[int, np.ndarray]:  # type: ignore[type-arg]
    stream, parts, rate = WavStream("it"), [], 0
    places = [0, *sorted(min(cut, len(content)) for cut in cuts), len(content)]
    for start, end in pairwise(places):
        piece = stream.feed(content[start:end])
        if piece is not None:
            parts.append(piece.samples)
            rate = piece.rate_hz
    stream.end()
    return rate, np.concatenate(parts)


@given(st.lists(st.integers(0, 2100), max_size=30))
def test_however_it_comes(cuts: list[int]) -> None:
    rate, samples = _read(_wav(), cuts)
    assert rate == 16_000
    assert np.array_equal(samples, SAMPLES)


def test_unknown_parts_are_passed_over_and_sizes_not_believed() -> None:
    plain = _wav(22_050)
    listed = b"LIST" + struct.pack("<I", 5) + b"12345\0"
    whole = plain[:36] + listed + b"data" + struct.pack("<I", 0xFFFFFFFF) + plain[44:]
    rate, samples = _read(whole, [3, 50])
    assert rate == 22_050
    assert np.array_equal(samples, SAMPLES)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        (b"<html>", "no WAV"),
        (b'{"error": 1}', "no WAV"),
        (b"RIFF\0\0\0\0AVI LIST", "no WAV"),
        (_wav(channels=2), "2 channels"),
        (_wav(width=1), "8 bits"),
        (_wav(rate_hz=1000), "1000 Hz"),
        (b"RIFF\0\0\0\0WAVEdata\0\0\0\0", "does not say"),
        (b"RIFF\0\0\0\0WAVEjunk" + struct.pack("<I", 2**31) + bytes(HEAD_MAX_BYTES), "without sound"),
        (b"RIFF\0\0\0\0WAVEfmt ", "no sound"),
        (b"", "no sound"),
    ],
)
def test_what_is_none(content: bytes, why: str) -> None:
    with pytest.raises(SpeechFailed, match=f"it gave .*{why}"):
        _read(content, [])
