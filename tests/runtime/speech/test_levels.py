"""Whoever speaks: 8000 samples a second, one loudness, no long silence around it."""

import numpy as np
import pytest
from tests.support.sound_checks import voice

from offhook.media.frames import Samples
from offhook.runtime.speech.levels import ACTIVE_RMS, PEAK_MAX, telephone_sound
from offhook.runtime.speech.provider import Piece


def _rms(samples: Samples) -> float:
    return float(np.sqrt(np.mean(samples.astype(np.float64) ** 2)))


def _tone(rate_hz: int, seconds: float, size: int, hz: float = 440.0) -> Samples:
    return np.asarray(size * np.sin(2 * np.pi * hz * np.arange(int(rate_hz * seconds)) / rate_hz), np.int16)


@pytest.mark.parametrize("size", [1500, 8000, 30_000])
@pytest.mark.parametrize("rate_hz", [8000, 16_000, 22_050, 24_000])
def test_any_rate_and_loudness_comes_out_the_same(size: int, rate_hz: int) -> None:
    made = telephone_sound([Piece(rate_hz=rate_hz, samples=_tone(rate_hz, 1.0, size))])
    middle = made[1000:7000]
    assert _rms(middle) == pytest.approx(ACTIVE_RMS, rel=0.02)
    power = np.abs(np.fft.rfft(middle * np.hanning(len(middle))))
    assert np.argmax(power) * 8000 / len(middle) == pytest.approx(440, abs=2)


def test_pieces_are_one_sound() -> None:
    """Cut anywhere, it is the same: no click where an engine's pieces meet."""
    whole = _tone(22_050, 1.0, 9000)
    pieces = [Piece(rate_hz=22_050, samples=whole[at : at + 777]) for at in range(0, len(whole), 777)]
    assert np.array_equal(telephone_sound(pieces), telephone_sound([Piece(rate_hz=22_050, samples=whole)]))


def test_silence_around_it_is_cut_or_added() -> None:
    spoken = voice(1, 1.0)
    for before, after in ((0.0, 0.0), (2.0, 3.0)):
        silent = [np.zeros(int(8000 * seconds), np.int16) for seconds in (before, after)]
        made = telephone_sound([Piece(rate_hz=8000, samples=np.concatenate([silent[0], spoken, silent[1]]))])
        assert len(made) / 8000 == pytest.approx(1.2, abs=0.06)
        assert not np.any(made[-1000:])


def test_peaks_are_not_cut_off() -> None:
    spiky = np.zeros(8000, np.int16)
    spiky[::400] = 20_000
    assert np.max(np.abs(telephone_sound([Piece(rate_hz=8000, samples=spiky)]))) <= PEAK_MAX


def test_the_faint_stays_faint() -> None:
    made = telephone_sound([Piece(rate_hz=8000, samples=_tone(8000, 1.0, 20))])
    assert np.max(made) <= 20 * 8


@pytest.mark.parametrize("pieces", [[], [Piece(rate_hz=16_000, samples=np.zeros(0, np.int16))]])
def test_nothing_stays_nothing(pieces: list[Piece]) -> None:
    assert len(telephone_sound(pieces)) == 0


def test_silence_alone_is_nothing() -> None:
    assert len(telephone_sound([Piece(rate_hz=8000, samples=np.zeros(8000, np.int16))])) == 0
