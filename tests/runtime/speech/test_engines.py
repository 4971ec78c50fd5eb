"""The engines of a server are those of its settings."""

import shutil
from pathlib import Path

import pytest
from tests.support.listener import understood
from tests.support.sound_checks import ULAW

from offhook.config import load_settings
from offhook.flow.verbs import Speech
from offhook.media.commands import Codec
from offhook.media.frames import encode
from offhook.runtime.sound.decode import BadSource
from offhook.runtime.speech.engines import speech_desk


async def test_without_settings_every_language_is_spoken(tmp_path: Path) -> None:
    desk = speech_desk(load_settings(data_dir=tmp_path))
    english = await desk.plan(Speech(text="Hello", language="en_US"))
    assert english.provider.name == ("flite" if shutil.which("flite") else "espeak")
    swedish = await desk.plan(Speech(text="Hej", language="sv_SE", voice="man"))
    assert (swedish.provider.name, swedish.warning) == ("espeak", "")
    for plan in (english, swedish):
        assert 0.2 < len(await desk.speak(plan)) / 8000 < 2
    await desk.close()


async def test_flite_is_left_out_where_it_is_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    desk = speech_desk(load_settings(data_dir=tmp_path))
    assert (await desk.plan(Speech(text="Hello", language="en_US"))).provider.name == "espeak"
    await desk.close()


async def test_settings_decide(tmp_path: Path) -> None:
    desk = speech_desk(
        load_settings(data_dir=tmp_path, speech_voices=["sv=http:alloy", f"en=piper:{tmp_path}/no.onnx"])
    )
    swedish = await desk.plan(Speech(text="Hej", language="sv_SE"))
    assert (swedish.provider.name, swedish.utterance.voice) == ("http", "alloy")
    with pytest.raises(BadSource, match="set speech_url"):
        await desk.speak(swedish)
    english = await desk.plan(Speech(text="Hello", language="en"))
    with pytest.raises(BadSource, match=r"needs .*no\.onnx, which is not there"):
        await desk.speak(english)
    await desk.close()


@pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed: apt install flite")
@pytest.mark.parametrize(
    ("voice", "text", "heard"),
    [
        ("woman", "Your pin is 8 9 70", "your pin is eight nine seventy"),
        ("man", "Your pin is 8 9 70", "your pin is eight nine seventy"),
        ("man", "Your pin is 1 2 3 4", "your pin is one two three four"),
        ("man", "Your pin is 7 0 4 3", "your pin is seven zero four three"),
    ],
)
async def test_a_recogniser_understands_it_over_the_telephone(
    tmp_path: Path, voice: str, text: str, heard: str
) -> None:
    """Through G.711 and back, as a callee has it. (No recogniser was found that understands espeak-ng this well.)"""
    desk = speech_desk(load_settings(data_dir=tmp_path))
    samples = await desk.speak(await desk.plan(Speech(text=text, language="en_US", voice=voice)))
    await desk.close()
    assert understood(ULAW.decode(encode(samples, Codec.PCMU)), "your pin is", tmp_path) == heard
