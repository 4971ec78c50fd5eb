"""What the customer's application of these cases answers: didML documents and sound files."""

import io
import wave
from typing import Any

from aiohttp import web
from tests.support.sound_checks import RATE, Samples

__all__ = ["status", "wav", "xml"]


def xml(document: str, content_type: str = "text/xml") -> Any:
    """What stands inside `<Response>`, as an answer."""
    return lambda _: web.Response(text=f"<Response>{document}</Response>", content_type=content_type)


def status(code: int) -> Any:
    """An answer with nothing but a status."""
    return lambda _: web.Response(status=code)


def wav(samples: Samples) -> bytes:
    """A WAV file."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()
