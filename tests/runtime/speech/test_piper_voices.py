"""Model files as an engine: by a program that stands in for the interpreter, and by piper itself where it is."""

import sys
from collections.abc import AsyncIterator
from contextlib import aclosing
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from tests.support.piper_model import write_model

from offhook.runtime.speech.piper_voices import Piper
from offhook.runtime.speech.provider import Piece, SpeechFailed, Utterance

PROGRAM = """#!{python}
import struct, sys
stream = sys.stdin.buffer
def say(kind, content=b""):
    sys.stdout.buffer.write(struct.pack("<I", len(content) + 1) + kind + content)
    sys.stdout.buffer.flush()
while len(head := stream.read(4)) == 4:
    asked = stream.read(struct.unpack("<I", head)[0])
    say(b"r", struct.pack("<I", 16000)); say(b"s", bytes(2 * len(sys.argv[-1]))); say(b"e")
"""


@pytest.fixture
async def stood_in(tmp_path: Path) -> AsyncIterator[Piper]:
    program = tmp_path / "python"
    program.write_text(PROGRAM.format(python=sys.executable))
    program.chmod(0o755)
    for name in ("a.onnx", "longer.onnx"):
        (tmp_path / name).touch()
        (tmp_path / f"{name}.json").touch()
    made = Piper((str(tmp_path / "a.onnx"), str(tmp_path / "longer.onnx")), python=str(program))
    yield made
    await made.close()


async def _spoken(piper: Piper, model: Path, text: str = "Hello there.") -> list[Piece]:
    async with aclosing(piper.speak(Utterance(text=text, language="en", voice=str(model)))) as pieces:
        return [piece async for piece in pieces]


async def test_each_model_has_its_process(stood_in: Piper, tmp_path: Path) -> None:
    for model in (tmp_path / "a.onnx", tmp_path / "longer.onnx", tmp_path / "a.onnx"):
        (piece,) = await _spoken(stood_in, model)
        assert (piece.rate_hz, len(piece.samples)) == (16_000, len(str(model)))
    assert [voice.name for voice in await stood_in.voices()] == [
        str(tmp_path / "a.onnx"),
        str(tmp_path / "longer.onnx"),
    ]


async def test_another_model_under_the_same_name_is_another_voice(stood_in: Piper, tmp_path: Path) -> None:
    model = tmp_path / "a.onnx"
    before = stood_in.identity(str(model))
    import os

    os.utime(model, ns=(1, 1))
    assert stood_in.identity(str(model)) != before
    assert stood_in.identity("nowhere") == ""


@pytest.mark.parametrize("name", ["none.onnx", "alone.onnx"])
async def test_a_file_that_is_missing_is_named(stood_in: Piper, tmp_path: Path, name: str) -> None:
    (tmp_path / "alone.onnx").touch()
    with pytest.raises(SpeechFailed, match=rf"needs .*{name}"):
        await _spoken(stood_in, tmp_path / name)


@pytest.mark.skipif(find_spec("piper") is None, reason="piper is not installed: pip install 'offhook[piper]'")
async def test_piper_itself(tmp_path: Path) -> None:
    """With a model that the test makes: it has a model's form and hums for as long as there are phonemes."""
    model = write_model(tmp_path / "hum.onnx")
    piper = Piper((str(model),))
    short, long = await _spoken(piper, model, "One."), await _spoken(piper, model, "One, two, three, four, five, six.")
    assert {piece.rate_hz for piece in short + long} == {22_050}
    assert sum(len(piece.samples) for piece in long) > 2 * sum(len(piece.samples) for piece in short)
    assert np.max(np.abs(short[0].samples)) > 1000
    (tmp_path / "hum.onnx").write_bytes(b"no model")
    await piper.close()
    with pytest.raises(SpeechFailed, match="cannot be loaded"):
        await _spoken(piper, model)
    await piper.close()
