"""Tones have the frequencies and cadence of their country, loop without a seam, and keys mean what the API says."""

import numpy as np
import pytest

from offhook.media.commands import DigitTone
from offhook.media.frames import SAMPLE_RATE_HZ, Samples
from offhook.media.tones import COUNTRIES, KEYS_MAX, TONE_NAMES, digit_tones, tone


def strongest(samples: Samples, count: int) -> list[int]:
    """The strongest frequencies in Hz, to the nearest 2 Hz or so."""
    power = np.abs(np.fft.rfft(samples.astype(np.float64)))
    hz = np.fft.rfftfreq(len(samples), 1 / SAMPLE_RATE_HZ)
    found: list[int] = []
    for index in np.argsort(power)[::-1]:
        if all(abs(hz[index] - known) > 8 for known in found):
            found.append(round(float(hz[index])))
        if len(found) == count:
            break
    return sorted(found)


def sounding_ms(samples: Samples) -> int:
    """How much of it is not silence."""
    frames = samples[: len(samples) // 40 * 40].reshape(-1, 40)
    return int(np.sum(np.abs(frames).max(axis=1) > 200)) * 5


@pytest.mark.parametrize(
    ("name", "frequencies", "on_ms", "period_ms"),
    [
        ("beep", [1000], 400, 400),
        ("dialtone", [425], 1000, 1000),
        ("dialtone/us", [350, 440], 1000, 1000),
        ("ringback", [425], 1000, 5000),
        ("ringback/se", [425], 1000, 6000),
        ("ringback/us", [440, 480], 2000, 6000),
        ("ringback/gb", [400, 450], 800, 3000),
        ("busy", [425], 500, 1000),
        ("busy/us", [480, 620], 500, 1000),
        ("busy/de", [425], 480, 960),
        ("congestion/gb", [400], 625, 1500),
        ("dialtone/it", [425], 800, 2000),
        ("sorry", [392, 494, 587], 1100, 1600),
        ("comfort", [523, 659], 160, 3000),
    ],
)
def test_a_tone_is_that_of_its_country(name: str, frequencies: list[int], on_ms: int, period_ms: int) -> None:
    samples = tone(name)
    assert len(samples) == period_ms * 8
    assert sounding_ms(samples) == pytest.approx(on_ms, abs=25)
    loud = samples[np.abs(samples) > 0] if name.endswith("it") else samples
    assert [abs(a - b) < 6 for a, b in zip(strongest(loud[:16000], len(frequencies)), frequencies, strict=True)] == [
        True
    ] * len(frequencies)


@pytest.mark.parametrize("country", sorted(COUNTRIES))
@pytest.mark.parametrize("kind", [name for name in TONE_NAMES if name not in ("beep", "music", "enter", "exit")])
def test_every_tone_of_every_country_is_whole_packets_and_not_too_loud(kind: str, country: str) -> None:
    samples = tone(f"{kind}/{country}")
    assert len(samples) % 40 == 0
    assert 2000 < int(np.abs(samples.astype(np.int32)).max()) < 12000


@pytest.mark.parametrize("name", ["dialtone", "dialtone/us", "dialtone/gb", "dialtone/fr", "dialtone/au"])
def test_a_steady_tone_loops_without_a_seam(name: str) -> None:
    once = tone(name).astype(np.float64)
    twice = np.concatenate([once, once])
    inside = float(np.abs(np.diff(once)).max())
    assert float(np.abs(np.diff(twice)).max()) <= inside * 1.01


def test_music_is_soft_loops_without_a_seam_and_is_never_silent() -> None:
    once = tone("music").astype(np.float64)
    assert len(once) % 160 == 0, "whole packets, so that the loop has no gap"
    assert 8.0 < len(once) / SAMPLE_RATE_HZ < 15.0
    assert 2000 < float(np.abs(once).max()) < 8000
    inside = float(np.abs(np.diff(once)).max())
    assert float(np.abs(np.diff(np.concatenate([once, once]))).max()) <= inside * 1.01
    seconds = once[: len(once) // 1600 * 1600].reshape(-1, 1600)
    assert float(np.sqrt((seconds**2).mean(axis=1)).min()) > 200


def test_music_is_no_key_to_any_detector() -> None:
    """A key has one tone of 697 to 941 Hz and one of 1209 to 1633 (Q.23): of the second there is nothing."""
    once = tone("music").astype(np.float64)
    power = np.abs(np.fft.rfft(once)) ** 2
    hz = np.fft.rfftfreq(len(once), 1 / SAMPLE_RATE_HZ)
    assert power[(hz > 1180) & (hz < 1700)].sum() < 1e-4 * power.sum()


def test_who_comes_is_heard_going_up_and_who_leaves_going_down() -> None:
    coming, going = tone("enter"), tone("exit")
    half = len(coming) // 2
    assert strongest(coming[:half], 1) < strongest(coming[half:], 1)
    assert strongest(going[:half], 1) > strongest(going[half:], 1)
    assert len(coming) == len(going) < SAMPLE_RATE_HZ / 2


@pytest.mark.parametrize("name", ["siren", "busy/xx", "", "beep/xx"])
def test_an_unknown_tone_says_what_there_is(name: str) -> None:
    with pytest.raises(ValueError, match="there are"):
        tone(name)


def test_keys_and_pauses() -> None:
    assert digit_tones("1pP#a") == (
        DigitTone(digit="1", duration_ms=120, pause_ms=80),
        DigitTone(digit="", duration_ms=0, pause_ms=50),
        DigitTone(digit="", duration_ms=0, pause_ms=500),
        DigitTone(digit="#", duration_ms=120, pause_ms=80),
        DigitTone(digit="A", duration_ms=120, pause_ms=80),
    )
    assert sum(part.pause_ms for part in digit_tones("WWWW")) == 4000
    assert digit_tones("") == ()


def test_what_is_no_key_is_named() -> None:
    with pytest.raises(ValueError, match="'x' is no key"):
        digit_tones("12x")
    with pytest.raises(ValueError, match=str(KEYS_MAX)):
        digit_tones("1" * (KEYS_MAX + 1))
