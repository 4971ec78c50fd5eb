"""A sound to play: a tone, as samples and as a WAV file."""

import io
import wave

import numpy as np
import numpy.typing as npt

__all__ = ["tone", "tone_wav"]

RATE_HZ = 8000


def tone(*, seconds: float, hz: float = 440.0) -> npt.NDArray[np.int16]:
    """A sine of half the full scale, 8000 samples a second."""
    at = np.arange(round(seconds * RATE_HZ)) / RATE_HZ
    return (np.sin(2 * np.pi * hz * at) * 16_000).astype(np.int16)


def tone_wav(*, seconds: float, hz: float = 440.0) -> bytes:
    """The same as a file: 16 bits, one channel."""
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE_HZ)
        written.writeframes(tone(seconds=seconds, hz=hz).astype("<i2").tobytes())
    return file.getvalue()
