"""espeak-ng, from the wheel `espeakng-loader`: a hundred languages, always there, spoken in processes of their own.

The wheel's package is found and never imported: what is under the GPL is loaded by `espeak_worker.py` alone.
"""

import importlib.util
import json
import struct
import sys
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

import numpy as np

from offhook.runtime.speech.provider import MAN, WOMAN, Piece, SpeechFailed, Utterance, Voice
from offhook.runtime.speech.worker import Workers

__all__ = ["Espeak"]

WORKERS = 2
"""Twelve seconds of speech take one of them about 30 ms."""
WHEEL = "espeakng_loader"
VARIANTS = {WOMAN: "f5", MAN: "m1"}
"""Of espeak-ng's variants those that a recogniser understood best over 8000 Hz."""
PROGRAM = Path(__file__).with_name("espeak_worker.py")


class Espeak:
    """The engine of every language that no other was chosen for."""

    name = "espeak"

    def __init__(self, workers: Workers | None = None) -> None:
        """`workers`: other ones, where a test has reason to."""
        self._given = workers
        self._workers: Workers | None = workers
        self._voices: tuple[Voice, ...] = ()

    async def voices(self) -> tuple[Voice, ...]:
        """Two for each language of the library."""
        if not self._voices:
            async with aclosing(self._started().ask({"list": True})) as frames:
                async for kind, content in frames:
                    if kind == b"v":
                        self._voices = _voices(json.loads(content))
        return self._voices

    def identity(self, voice: str) -> str:
        return ""

    async def speak(self, utterance: Utterance) -> AsyncGenerator[Piece]:
        """22,050 samples a second."""
        request = {"text": utterance.text, "language": utterance.language, "variant": utterance.voice}
        rate_hz = 0
        async with aclosing(self._started().ask(request)) as frames:
            async for kind, content in frames:
                if kind == b"r":
                    (rate_hz,) = struct.unpack("<I", content)
                elif kind == b"s":
                    yield Piece(rate_hz=rate_hz, samples=np.frombuffer(content, "<i2").astype(np.int16))

    async def close(self) -> None:
        if self._workers is not None:
            await self._workers.close()
            self._workers = self._given

    def _started(self) -> Workers:
        if self._workers is None:
            library, data = _wheel()
            # -I -S: nothing of ours and no site-packages, so that it starts in a moment and has nothing of the server.
            command = (sys.executable, "-I", "-S", str(PROGRAM), library, data)
            self._workers = Workers("espeak-ng", command, WORKERS)
        return self._workers


def _voices(languages: list[str]) -> tuple[Voice, ...]:
    return tuple(
        Voice(language=language, name=variant, gender=gender)
        for language in languages
        for gender, variant in VARIANTS.items()
    )


def _wheel() -> tuple[str, str]:
    """Where its library and its data lie. Raises `SpeechFailed`."""
    found = importlib.util.find_spec(WHEEL)
    if found is None or found.origin is None:
        raise SpeechFailed("espeak-ng is not installed; install it with: pip install espeakng-loader")
    folder = Path(found.origin).parent
    library = next((path for path in sorted(folder.glob("libespeak-ng*")) if path.suffix in (".so", ".dylib")), None)
    if library is None:
        raise SpeechFailed(f"{folder} holds no libespeak-ng; install it again with: pip install espeakng-loader")
    return str(library), str(folder / "espeak-ng-data")
