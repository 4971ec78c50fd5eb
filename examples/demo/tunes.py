"""The demo's sounds, composed here: short tunes that resemble nothing but themselves."""

import wave
from pathlib import Path

import numpy as np
import numpy.typing as npt

__all__ = ["ANSWER", "COLLEAGUE", "MENU", "compose", "silence", "write_wav"]

RATE_HZ = 8000
LOUDNESS = 9000
DYING_S = 0.25
"""In which a note falls to a third."""

Tune = tuple[tuple[str, float], ...]
"""Notes and their lengths in seconds."""

MENU: Tune = (("G4", 0.25), ("C5", 0.25), ("E5", 0.25), ("G5", 0.5), ("E5", 0.25), ("G5", 0.8))
COLLEAGUE: Tune = (
    *(("A5", 0.3), ("F5", 0.3), ("D5", 0.45), ("F5", 0.15), ("B4", 0.6)),
    *(("D5", 0.3), ("E5", 0.3), ("C5", 0.9)),
)
ANSWER: Tune = (("E4", 0.2), ("A4", 0.2), ("C5", 0.4), ("B4", 0.2), ("A4", 0.5))

SEMITONES = {"C": -9, "D": -7, "E": -5, "F": -4, "G": -2, "A": 0, "B": 2}


def compose(tune: Tune) -> npt.NDArray[np.int16]:
    """The samples of a tune, 8000 a second."""
    return np.concatenate([_note(name, seconds) for name, seconds in tune])


def silence(seconds: float) -> npt.NDArray[np.int16]:
    """Nothing, for so long."""
    return np.zeros(int(RATE_HZ * seconds), dtype=np.int16)


def _note(name: str, seconds: float) -> npt.NDArray[np.int16]:
    pitch_hz = 440.0 * 2 ** (SEMITONES[name[0]] / 12 + int(name[1]) - 4)
    t = np.arange(int(RATE_HZ * seconds)) / RATE_HZ
    sound = sum(np.sin(2 * np.pi * pitch_hz * part * t) / part**2 for part in (1, 2, 3))
    # A note begins within 5 ms and dies away like a bell's, so that it neither clicks nor drones.
    shape = np.minimum(t / 0.005, 1.0) * np.exp(-t / DYING_S)
    return (LOUDNESS * sound * shape).astype(np.int16)


def write_wav(path: Path, samples: npt.NDArray[np.int16]) -> None:
    """16 bits, one channel."""
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
