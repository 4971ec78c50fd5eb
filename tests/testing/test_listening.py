"""What was recorded is compared with what should be heard: found where it is, not found where it is not."""

import io
import wave
from pathlib import Path

import numpy as np
import pytest

from offhook.media.frames import SAMPLE_RATE_HZ, Samples
from offhook.testing.listening import NotHeard, find, read_wav


def sweep(first_hz: float, last_hz: float, seconds: float = 1.0) -> Samples:
    t = np.arange(int(SAMPLE_RATE_HZ * seconds)) / SAMPLE_RATE_HZ
    wave_ = np.sin(2 * np.pi * (first_hz + (last_hz - first_hz) * t / (2 * seconds)) * t)
    return (9000 * wave_).astype(np.int16)


def wav(samples: Samples, *, channels: int = 1, rate: int = SAMPLE_RATE_HZ, width: int = 2) -> bytes:
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(width)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return out.getvalue()


def silence(seconds: float) -> Samples:
    return np.zeros(int(SAMPLE_RATE_HZ * seconds), dtype=np.int16)


def test_a_sound_is_found_where_it_is() -> None:
    wanted = sweep(300, 900)
    found = find(wanted, np.concatenate([silence(0.5), wanted, silence(1.0)]))
    assert found.likeness > 0.999
    assert found.at_s == 0.5


def test_softer_is_alike() -> None:
    wanted = sweep(300, 900)
    assert find(wanted, (wanted // 8).astype(np.int16)).likeness > 0.99


def test_another_sound_is_not_found() -> None:
    assert find(sweep(300, 900), np.concatenate([silence(0.2), sweep(1200, 500, 2.0)])).likeness < 0.3


def test_noise_is_not_found() -> None:
    noise = np.random.default_rng(1).integers(-5000, 5000, SAMPLE_RATE_HZ * 3).astype(np.int16)
    assert find(sweep(300, 900), noise).likeness < 0.3


def test_half_of_a_sound_is_half_found() -> None:
    wanted = sweep(300, 900)
    found = find(wanted, wanted[: SAMPLE_RATE_HZ // 2])
    assert 0.45 < found.likeness < 0.65


def test_a_packet_that_came_late_changes_nothing() -> None:
    wanted = sweep(300, 900, 2.0)
    recorded = np.concatenate([silence(0.2), wanted[:8000], silence(0.02), wanted[8000:]])
    assert find(wanted, recorded).likeness > 0.98


def test_another_order_is_another_sound() -> None:
    wanted = sweep(300, 900, 2.0)
    assert find(wanted, np.concatenate([wanted[8000:], wanted[:8000]])).likeness < 0.7


@pytest.mark.parametrize(("first", "last", "at_s"), [(0, -400, 0.5), (4400, None, -0.05)])
def test_an_end_that_was_cut_off_is_missed_and_no_more(first: int, last: int | None, at_s: float) -> None:
    wanted = sweep(300, 900)
    recorded = np.concatenate([silence(0.5), wanted])[first:last]
    found = find(wanted, recorded)
    assert 0.95 < found.likeness < 0.99
    assert found.at_s == at_s


def test_nothing_is_found_in_silence() -> None:
    assert find(sweep(300, 900), silence(3.0)).likeness == 0.0


@pytest.mark.parametrize(("wanted", "recorded"), [(silence(1), sweep(300, 900)), (sweep(300, 900), silence(0))])
def test_what_cannot_be_compared(wanted: Samples, recorded: Samples) -> None:
    with pytest.raises(NotHeard):
        find(wanted, recorded)


def test_wav_is_read(tmp_path: Path) -> None:
    wanted = sweep(300, 900)
    assert np.array_equal(read_wav(wav(wanted)), wanted)
    (tmp_path / "a.wav").write_bytes(wav(wanted))
    assert np.array_equal(read_wav(tmp_path / "a.wav"), wanted)


def test_channels_are_added() -> None:
    left = np.array([1, 30000, -5], dtype=np.int16)
    right = np.array([2, 30000, 5], dtype=np.int16)
    assert read_wav(wav(np.stack([left, right], axis=1), channels=2)).tolist() == [3, 32767, 0]


@pytest.mark.parametrize(
    "content", [b"", b"RIFF", b"not a sound at all", wav(silence(0.1), rate=16000), wav(silence(0.1), width=1)]
)
def test_what_is_no_such_wav(content: bytes) -> None:
    with pytest.raises(NotHeard):
        read_wav(content)


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(NotHeard):
        read_wav(tmp_path / "none.wav")
