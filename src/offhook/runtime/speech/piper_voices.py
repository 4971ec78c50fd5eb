"""piper: better voices, from a model file that the operator supplies (`voice.onnx` with its `voice.onnx.json`).

Needs the extra `offhook[piper]`. Each model has a process of its own, since a model stays in memory.
"""

import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import numpy as np

from offhook.runtime.speech.provider import Piece, SpeechFailed, Utterance, Voice
from offhook.runtime.speech.worker import Workers

__all__ = ["Piper"]

WORKERS_PER_MODEL = 1
"""Its runtime takes every core it finds; a second process would only take them from the first."""
PROGRAM = Path(__file__).with_name("piper_worker.py")


class Piper:
    """A voice is the path of a model."""

    name = "piper"

    def __init__(self, models: tuple[str, ...], python: str = sys.executable) -> None:
        """`models`: those that settings name. `python`: the interpreter that has piper."""
        self._models = models
        self._python = python
        self._workers: dict[str, Workers] = {}

    async def voices(self) -> tuple[Voice, ...]:
        """The models; whatever a text is in, it is spoken as the model does."""
        return tuple(Voice(language="", name=model) for model in self._models)

    def identity(self, voice: str) -> str:
        """When the model was last changed."""
        try:
            return str(Path(voice).stat().st_mtime_ns)
        except OSError:
            return ""

    async def speak(self, utterance: Utterance) -> AsyncGenerator[Piece]:
        """Most models make 22,050 samples a second, the small ones 16,000."""
        model = Path(utterance.voice)
        for path in (model, Path(f"{model}.json")):
            if not path.is_file():
                raise SpeechFailed(f"the piper model needs {path}, which is not there")
        workers = self._workers.get(utterance.voice)
        if workers is None:
            workers = Workers("piper", (self._python, "-I", str(PROGRAM), str(model)), WORKERS_PER_MODEL)
            self._workers[utterance.voice] = workers
        rate_hz = 0
        async with aclosing(workers.ask({"text": utterance.text})) as frames:
            async for kind, content in frames:
                if kind == b"r":
                    (rate_hz,) = struct.unpack("<I", content)
                elif kind == b"s":
                    yield Piece(rate_hz=rate_hz, samples=np.frombuffer(content, "<i2").astype(np.int16))

    async def close(self) -> None:
        for workers in self._workers.values():
            await workers.close()
        self._workers.clear()
