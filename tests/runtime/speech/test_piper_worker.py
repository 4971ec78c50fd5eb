"""The program, as a process, beside a `piper` that the test writes: its protocol, and what it says when it cannot."""

import json
import os
import struct
import subprocess
import sys
from pathlib import Path

from offhook.runtime.speech import piper_worker

STAND_IN = """
class Chunk:
    sample_rate = 16000
    def __init__(self, text): self.audio_int16_bytes = bytes(len(text) * 2)

class PiperVoice:
    @classmethod
    def load(cls, model):
        if "broken" in str(model): raise ValueError("no protobuf")
        return cls()
    def synthesize(self, text):
        if "bad" in text: raise RuntimeError("no phonemes")
        for sentence in text.split(". "): yield Chunk(sentence)
"""


def _ask(folder: Path, model: str, *texts: str) -> list[tuple[bytes, bytes]]:
    requests = b"".join(
        struct.pack("<I", len(each)) + each for each in (json.dumps({"text": t}).encode() for t in texts)
    )
    done = subprocess.run(
        [sys.executable, "-P", "-S", piper_worker.__file__, model],
        input=requests,
        capture_output=True,
        timeout=60,
        check=True,
        env={**os.environ, "PYTHONPATH": str(folder)},
    )
    frames, rest = [], done.stdout
    while rest:
        (size,) = struct.unpack_from("<I", rest)
        frames.append((rest[4:5], rest[5 : 4 + size]))
        rest = rest[4 + size :]
    return frames


def test_each_sentence_is_said_as_it_is_ready(tmp_path: Path) -> None:
    (tmp_path / "piper.py").write_text(STAND_IN)
    frames = _ask(tmp_path, "m.onnx", "Hello. You", "bad", "Again")
    assert [(kind, len(content)) for kind, content in frames if kind != b"f"] == [
        (b"r", 4), (b"s", 10), (b"r", 4), (b"s", 6), (b"e", 0), (b"r", 4), (b"s", 10), (b"e", 0),
    ]  # fmt: skip
    assert frames[0][1] == struct.pack("<I", 16_000)
    assert [content for kind, content in frames if kind == b"f"] == [b"piper could not speak it (no phonemes)"]


def test_a_model_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "piper.py").write_text(STAND_IN)
    ((kind, why),) = _ask(tmp_path, "broken.onnx", "Hello")
    assert (kind, why) == (b"f", b"the piper model broken.onnx cannot be loaded (no protobuf)")


def test_without_piper_it_says_what_to_install(tmp_path: Path) -> None:
    ((kind, why),) = _ask(tmp_path, "m.onnx", "Hello")
    assert kind == b"f"
    assert b"pip install 'offhook[piper]'" in why
