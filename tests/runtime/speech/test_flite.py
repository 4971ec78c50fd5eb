"""Debian's flite where it is installed (the tests that need it say so when it is not), and what it reads."""

import shutil
from contextlib import aclosing
from pathlib import Path

import numpy as np
import pytest

from offhook.runtime.speech.flite import OTHER_VOICES, VOICES, Flite, to_ascii
from offhook.runtime.speech.provider import SpeechFailed, Utterance

installed = pytest.mark.skipif(shutil.which("flite") is None, reason="flite is not installed: apt install flite")


async def _spoken(flite: Flite, text: str, voice: str = "slt") -> tuple[int, np.ndarray]:  # type: ignore[type-arg]
    async with aclosing(flite.speak(Utterance(text=text, language="en", voice=voice))) as pieces:
        got = [piece async for piece in pieces]
    return got[0].rate_hz, np.concatenate([piece.samples for piece in got])


def _program(folder: Path, script: str) -> str:
    program = folder / "flite"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    return str(program)


@installed
@pytest.mark.parametrize("voice", [*VOICES.values(), *OTHER_VOICES])
async def test_every_voice_speaks(voice: str) -> None:
    rate_hz, samples = await _spoken(Flite(), "Thank you for calling.", voice)
    assert 0.8 < len(samples) / rate_hz < 3
    assert np.max(np.abs(samples)) > 3000


@installed
async def test_a_text_is_never_an_option() -> None:
    _, plain = await _spoken(Flite(), "five")
    _, hyphen = await _spoken(Flite(), "-5 and --version; $(reboot) `id` 'x")
    assert len(hyphen) > len(plain)


@installed
async def test_leaving_in_the_middle_ends_it() -> None:
    utterance = Utterance(text="a long text. " * 200, language="en", voice="slt")
    async with aclosing(Flite().speak(utterance)) as pieces:
        assert (await anext(pieces)).rate_hz == 16_000


async def test_without_the_program() -> None:
    flite = Flite("no-such-flite")
    assert not flite.available
    for asked in (flite.voices(), _spoken(flite, "hello")):
        with pytest.raises(SpeechFailed, match="apt install flite"):
            await asked


@pytest.mark.parametrize(
    ("script", "why"),
    [("exit 3", "status 3"), ("exit 0", "no sound"), ("echo Segmentation fault", "no WAV")],
)
async def test_a_program_that_fails(tmp_path: Path, script: str, why: str) -> None:
    with pytest.raises(SpeechFailed, match=why):
        await _spoken(Flite(_program(tmp_path, script)), "hello")


async def test_a_program_that_cannot_run(tmp_path: Path) -> None:
    program = tmp_path / "flite"
    program.write_bytes(b"\x7fELFnothing")
    program.chmod(0o755)
    with pytest.raises(SpeechFailed, match="cannot be started"):
        await _spoken(Flite(str(program)), "hello")


@pytest.mark.parametrize(
    ("text", "ascii_"),
    [
        ("naïve café — “hello”…", 'naive cafe - "hello"...'),
        ("Ærø, Łódź, Straße", "Aero, Lodz, Strasse"),
        ("日本 5 €", "   5  euros "),
        ("it's 8 9 70", "it's 8 9 70"),
    ],
)
def test_only_letters_that_it_knows(text: str, ascii_: str) -> None:
    assert to_ascii(text) == ascii_
