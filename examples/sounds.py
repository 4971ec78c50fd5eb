"""Stand-ins for recordings of your own: a tune for every name, composed when it is asked for.

Put `sounds.routes` into an application, and `/sounds/NAME.wav` is a tune of about two seconds that no other name has.
"""

import hashlib
import io
import wave

import numpy as np
import numpy.typing as npt
from aiohttp import web

RATE_HZ = 8000
LOWEST_HZ = 330.0
STEPS_OF_AN_OCTAVE = 24
NOTE_S = (0.2, 0.25, 0.3, 0.35)
NOTES = 8


def tune(name: str) -> npt.NDArray[np.int16]:
    """Eight notes, chosen by the name."""
    notes = []
    for byte in hashlib.sha256(name.encode()).digest()[:NOTES]:
        t = np.arange(int(RATE_HZ * NOTE_S[byte >> 6])) / RATE_HZ
        # A bell: it begins within 5 ms, and dies away.
        pitch_hz = LOWEST_HZ * 2 ** ((byte & 63) / STEPS_OF_AN_OCTAVE)
        notes.append(np.sin(2 * np.pi * pitch_hz * t) * np.minimum(t / 0.005, 1) * np.exp(-t / 0.2))
    return (14000 * np.concatenate(notes)).astype(np.int16)


def wav(samples: npt.NDArray[np.int16]) -> bytes:
    """A WAV file: 16 bits, one channel, 8000 Hz."""
    out = io.BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE_HZ)
        file.writeframes(samples.astype("<i2").tobytes())
    return out.getvalue()


async def send(request: web.Request) -> web.Response:
    """The tune of the name in the URL."""
    return web.Response(body=wav(tune(request.match_info["name"])), content_type="audio/wav")


routes = [web.get("/sounds/{name}.wav", send)]
