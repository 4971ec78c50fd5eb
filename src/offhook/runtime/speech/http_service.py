"""A speech service by HTTP in the form of OpenAI's `POST /v1/audio/speech`, which many services and programs speak.

Its address is the operator's setting, so that the guard for customers' URLs does not stand here. The key goes into the
Authorization header and nowhere else: no log, no error and no cache key has it. Redirects are not followed with it.
"""

from collections.abc import AsyncGenerator

import aiohttp

from offhook.runtime.speech.provider import Piece, SpeechFailed, Utterance, Voice
from offhook.runtime.speech.wav_stream import WavStream

__all__ = ["HttpSpeech"]

RESPONSE_FORMAT = "wav"
"""The only one that says its rate; `pcm` is 24,000 a second with one service and something else with the next."""
PIECE_BYTES = 32 * 1024
CONNECT_S = 3.0
ERROR_MAX_BYTES = 300


class HttpSpeech:
    """A voice is a name that the service knows."""

    name = "http"

    def __init__(self, url: str | None, *, key: str = "", model: str = "", voices: tuple[str, ...] = ()) -> None:
        """`url`: of the service's speech method, whole. `voices`: those that settings name."""
        self._url = url
        self._key = key
        self._model = model
        self._voices = voices
        self._session: aiohttp.ClientSession | None = None

    async def voices(self) -> tuple[Voice, ...]:
        """Whatever a text is in, such a service speaks it."""
        return tuple(Voice(language="", name=name) for name in self._voices)

    def identity(self, voice: str) -> str:
        return f"{self._url} {self._model}"

    async def speak(self, utterance: Utterance) -> AsyncGenerator[Piece]:
        """At the rate that the service says, as it arrives."""
        if self._url is None:
            raise SpeechFailed("no speech service is set; set speech_url to its address")
        body = {
            "model": self._model,
            "input": utterance.text,
            "voice": utterance.voice,
            "response_format": RESPONSE_FORMAT,
        }
        headers = {"Authorization": f"Bearer {self._key}"} if self._key else {}
        try:
            async with self._opened().post(self._url, json=body, headers=headers, allow_redirects=False) as answer:
                if answer.status != 200:
                    said = (await answer.content.read(ERROR_MAX_BYTES)).decode(errors="replace")
                    raise SpeechFailed(f"the speech service answered {answer.status}: {self._masked(said)}")
                wav = WavStream("the speech service")
                async for content in answer.content.iter_chunked(PIECE_BYTES):
                    if (piece := wav.feed(content)) is not None:
                        yield piece
                wav.end()
        except aiohttp.ClientConnectorError as error:
            raise SpeechFailed(f"the speech service cannot be reached ({error.os_error.strerror})") from None
        except (aiohttp.ClientError, aiohttp.InvalidURL) as error:
            raise SpeechFailed(f"the speech service broke off ({type(error).__name__})") from None

    async def close(self) -> None:
        if self._session is not None:
            await self._session.close()
            self._session = None

    def _opened(self) -> aiohttp.ClientSession:
        if self._session is None:
            # The whole time is the desk's to bound; a connection that does not stand soon never will.
            timeout = aiohttp.ClientTimeout(total=None, sock_connect=CONNECT_S)
            self._session = aiohttp.ClientSession(timeout=timeout, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    def _masked(self, text: str) -> str:
        """What a service says of a wrong key may hold the key."""
        shown = text.replace(self._key, "…") if self._key else text
        return " ".join(shown.split())
