"""espeak-ng as an engine: its voices and its sound, by the real library in its process."""

import importlib.util
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from offhook.runtime.speech.espeak import VARIANTS, Espeak
from offhook.runtime.speech.provider import SpeechFailed, Utterance


@pytest.fixture
async def espeak() -> AsyncIterator[Espeak]:
    made = Espeak()
    yield made
    await made.close()


async def _spoken(espeak: Espeak, text: str, language: str = "en-us", voice: str = "f5") -> np.ndarray:  # type: ignore[type-arg]
    utterance = Utterance(text=text, language=language, voice=voice)
    async with aclosing(espeak.speak(utterance)) as pieces:
        got = [piece async for piece in pieces]
    assert {piece.rate_hz for piece in got} == {22_050}
    return np.concatenate([piece.samples for piece in got])


async def test_two_voices_for_each_language(espeak: Espeak) -> None:
    voices = await espeak.voices()
    assert {voice.gender for voice in voices if voice.language == "sv"} == {"man", "woman"}
    assert len(voices) > 200


async def test_a_longer_text_is_longer(espeak: Espeak) -> None:
    short, long = await _spoken(espeak, "One."), await _spoken(espeak, "One, and two, and three, and four, and five.")
    assert 0.2 < len(short) / 22_050 < 1.5
    assert len(long) > 2 * len(short)
    assert np.max(np.abs(short)) > 3000


async def test_a_man_is_lower_than_a_woman(espeak: Espeak) -> None:
    def pitch_hz(samples: np.ndarray) -> float:  # type: ignore[type-arg]
        lags = np.correlate(samples[:9000].astype(float), samples[:9000].astype(float), "full")[8999:]
        return 22_050 / (70 + int(np.argmax(lags[70:300])))

    high, low = [await _spoken(espeak, "Ah, ah, ah.", voice=VARIANTS[gender]) for gender in ("woman", "man")]
    assert pitch_hz(high) > 1.2 * pitch_hz(low)


async def test_without_the_wheel(espeak: Espeak, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    with pytest.raises(SpeechFailed, match="pip install espeakng-loader"):
        await espeak.voices()


async def test_a_broken_wheel(espeak: Espeak, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "__init__.py").touch()
    spec = importlib.util.spec_from_file_location("espeakng_loader", tmp_path / "__init__.py")
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: spec)
    with pytest.raises(SpeechFailed, match="holds no libespeak-ng"):
        await espeak.voices()
