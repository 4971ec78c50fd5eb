"""Who speaks what, and the limits that hold for every engine: length, time, numbers, faults."""

import asyncio
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field

import numpy as np
import pytest
from tests.support.sound_checks import voice

from offhook.flow.verbs import Speech
from offhook.runtime.sound.decode import BadSource
from offhook.runtime.speech import desk as limits
from offhook.runtime.speech.desk import SpeechDesk, spoken_language
from offhook.runtime.speech.provider import MAN, WOMAN, Piece, SpeechFailed, Utterance, Voice
from offhook.setting_values import VoiceRule

SOUND = voice(5, 0.5)


@dataclass
class Engine:
    """An engine that does as it is told."""

    name: str = "espeak"
    languages: tuple[str, ...] = ("en-us", "en-gb", "sv", "pt-br", "nb")
    spoken: list[Utterance] = field(default_factory=list)
    gate: asyncio.Event | None = None
    fault: Exception | None = None
    missing: bool = False
    pieces: int = 1
    at_once: int = 0
    most: int = 0
    closed: bool = False
    left: int = 0

    async def voices(self) -> tuple[Voice, ...]:
        if self.missing:
            raise SpeechFailed(f"{self.name} is not installed")
        return tuple(
            Voice(language=language, name=name, gender=gender)
            for language in self.languages
            for gender, name in ((WOMAN, "w"), (MAN, "m"))
        )

    def identity(self, voice: str) -> str:
        return ""

    async def speak(self, utterance: Utterance) -> AsyncGenerator[Piece]:
        self.spoken.append(utterance)
        self.at_once += 1
        self.most = max(self.most, self.at_once)
        try:
            if self.gate is not None:
                await self.gate.wait()
            if self.fault is not None:
                raise self.fault
            for _ in range(self.pieces):
                yield Piece(rate_hz=8000, samples=SOUND)
        finally:
            self.at_once -= 1
            self.left += 1

    async def close(self) -> None:
        self.closed = True


async def _chosen(desk: SpeechDesk, language: str, voice: str = "") -> tuple[str, str, str, bool]:
    plan = await desk.plan(Speech(text="hello", language=language, voice=voice))
    return plan.provider.name, plan.utterance.language, plan.utterance.voice, bool(plan.warning)


@pytest.mark.parametrize(
    ("language", "voice", "chosen"),
    [
        ("en_US", "", ("espeak", "en-us", "w", False)),
        ("en", "man", ("espeak", "en-us", "m", False)),
        ("en_GB", "women", ("espeak", "en-gb", "w", False)),
        ("en_AU", "male", ("espeak", "en-us", "m", False)),
        ("sv_SE", "woman", ("espeak", "sv", "w", False)),
        ("pt_PT", "", ("espeak", "pt-br", "w", False)),
        ("no", "", ("espeak", "nb", "w", False)),
        ("tlh", "", ("espeak", "en-us", "w", True)),
        ("", "", ("espeak", "en-us", "w", True)),
        ("sv", "Bob", ("espeak", "sv", "w", True)),
    ],
)
async def test_who_speaks(language: str, voice: str, chosen: tuple[str, str, str, bool]) -> None:
    desk = SpeechDesk((Engine(),))
    assert await _chosen(desk, language, voice) == chosen
    await desk.close()


async def test_rules_go_first_and_the_first_that_fits() -> None:
    flite, http = Engine("flite", ("en", "en-us")), Engine("http", ("",))
    desk = SpeechDesk(
        (Engine(), flite, http),
        rules=(
            VoiceRule(language="sv", voice="man", engine="http", name="alloy"),
            VoiceRule(language="en-gb", voice="*", engine="espeak", name=""),
            VoiceRule(language="*", voice="bob", engine="http", name="robert"),
        ),
        preferred={"en": "flite"},
    )
    assert await _chosen(desk, "sv", "man") == ("http", "sv", "alloy", False)
    assert await _chosen(desk, "sv", "woman") == ("espeak", "sv", "w", False)
    assert await _chosen(desk, "en_GB", "man") == ("espeak", "en-gb", "m", False)
    assert await _chosen(desk, "en_US", "man") == ("flite", "en-us", "m", False)
    assert await _chosen(desk, "en_NZ", "") == ("flite", "en", "w", False)
    assert await _chosen(desk, "nb", "Bob") == ("http", "nb", "robert", False)
    await desk.close()


async def test_the_default_voice_is_a_setting() -> None:
    desk = SpeechDesk((Engine(),), voice=MAN, language="sv")
    assert await _chosen(desk, "en") == ("espeak", "en-us", "m", False)
    assert await _chosen(desk, "tlh") == ("espeak", "sv", "m", True)
    await desk.close()


async def test_what_is_offered_is_what_would_speak() -> None:
    desk = SpeechDesk(
        (Engine(languages=("en-us", "sv")), Engine("flite", missing=True)),
        rules=(VoiceRule(language="sv", voice="anna", engine="espeak", name="f3"),),
    )
    offered = [(each.language, each.voice, each.engine, each.name) for each in await desk.offered()]
    assert offered == [
        ("en-us", "man", "espeak", "m"),
        ("en-us", "woman", "espeak", "w"),
        ("sv", "anna", "espeak", "f3"),
        ("sv", "man", "espeak", "m"),
        ("sv", "woman", "espeak", "w"),
    ]
    await desk.close()


async def test_what_is_read_is_written_out_and_has_a_key_of_its_own() -> None:
    desk = SpeechDesk((Engine(),))
    plans = [
        await desk.plan(Speech(text=text, language=language, voice=voice))
        for text, language, voice in (
            ("Call 070-123 45 67", "en_US", ""),
            ("  Call  070-123 45 67", "en", "woman"),
            ("Call 070-123 45 67", "en_US", "man"),
            ("Call 070-123 45 67", "sv", ""),
            ("Call 070-123 45 68", "en_US", ""),
        )
    ]
    assert plans[0].utterance.text == "Call 0 7 0, 1 2 3, 4 5, 6 7"
    assert plans[0].key == plans[1].key
    assert len({plan.key for plan in plans}) == 4
    await desk.close()


async def test_spoken_sound_comes() -> None:
    engine = Engine(pieces=3)
    desk = SpeechDesk((engine,))
    samples = await desk.speak(await desk.plan(Speech(text="hello")))
    assert samples.dtype == np.int16
    assert 1.4 < len(samples) / 8000 < 1.8
    await desk.close()
    assert engine.closed


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("x" * (limits.SPEECH_MAX_CHARS + 1), "4001 characters is too long"),
        ("... !", "nothing to say"),
        ("", "nothing"),
    ],
)
async def test_texts_that_are_none(text: str, why: str) -> None:
    desk = SpeechDesk((Engine(),))
    with pytest.raises(BadSource, match=why):
        await desk.plan(Speech(text=text))
    await desk.close()


async def test_an_engine_that_is_missing() -> None:
    desk = SpeechDesk((Engine(missing=True),), rules=(VoiceRule(language="sv", voice="*", engine="http", name="x"),))
    with pytest.raises(BadSource, match="espeak is not installed"):
        await desk.plan(Speech(text="hello"))
    with pytest.raises(BadSource, match="there is no engine http"):
        await desk.plan(Speech(text="hej", language="sv"))
    await desk.close()


@pytest.mark.parametrize(
    ("fault", "why"), [(SpeechFailed("out of words"), "out of words"), (ZeroDivisionError(), "espeak failed")]
)
async def test_an_engines_fault_is_the_sounds_alone(fault: Exception, why: str) -> None:
    engine = Engine(fault=fault)
    desk = SpeechDesk((engine,))
    plan = await desk.plan(Speech(text="hello"))
    with pytest.raises(BadSource, match=why):
        await desk.speak(plan)
    engine.fault = None
    assert len(await desk.speak(plan))
    await desk.close()


async def test_silence_is_no_speech() -> None:
    desk = SpeechDesk((Engine(pieces=0),))
    with pytest.raises(BadSource, match="nothing to say"):
        await desk.speak(await desk.plan(Speech(text="hello")))
    await desk.close()


async def test_one_that_goes_on_for_ever_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "SPEECH_MAX_S", 10)
    engine = Engine(pieces=1_000_000)
    desk = SpeechDesk((engine,))
    with pytest.raises(BadSource, match="longer than 10 s"):
        await desk.speak(await desk.plan(Speech(text="hello")))
    assert engine.left == 1
    await desk.close()


async def test_one_that_hangs_is_given_up_and_holds_up_no_other() -> None:
    hangs, works = Engine("http", ("de",), gate=asyncio.Event()), Engine()
    desk = SpeechDesk((works, hangs), preferred={"de": "http"}, timeout_s=0.2)
    plan = await desk.plan(Speech(text="hallo", language="de"))
    stuck = [asyncio.ensure_future(desk.speak(plan)) for _ in range(40)]
    assert len(await desk.speak(await desk.plan(Speech(text="hello"))))
    for outcome in await asyncio.gather(*stuck, return_exceptions=True):
        assert isinstance(outcome, BadSource)
    assert hangs.most == limits.AT_ONCE["http"]
    assert hangs.at_once == 0
    await desk.close()


async def test_no_more_wait_than_can_be_served(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "WAITING_MAX", 3)
    engine = Engine(gate=asyncio.Event())
    desk = SpeechDesk((engine,))
    plan = await desk.plan(Speech(text="hello"))
    waiting = [asyncio.ensure_future(desk.speak(plan)) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(BadSource, match="3 texts wait for espeak"):
        await desk.speak(plan)
    assert engine.gate is not None
    engine.gate.set()
    assert all(len(samples) for samples in await asyncio.gather(*waiting))
    assert len(await desk.speak(plan))
    await desk.close()


def test_names_of_languages() -> None:
    assert [spoken_language(text) for text in ("en_US", " SV-se ", "en", "zh_CN")] == ["en-us", "sv-se", "en-us", "cmn"]
