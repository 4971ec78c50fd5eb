"""A speech service, by a real HTTP server on loopback: what is asked, how its sound is taken, how it fails."""

import asyncio
import io
import logging
import wave
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from aiohttp import web
from structlog.testing import capture_logs
from tests.support.sound_checks import voice

from offhook.flow.verbs import Speech
from offhook.runtime.sound.decode import BadSource
from offhook.runtime.speech.desk import SpeechDesk
from offhook.runtime.speech.http_service import HttpSpeech
from offhook.runtime.speech.provider import SpeechFailed, Utterance

KEY = "sk-very-secret-key"
SOUND = voice(3, 1.0)
ASKED = Utterance(text="Hello you", language="en-us", voice="alloy")


def _wav(rate_hz: int = 24_000) -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(rate_hz)
        written.writeframes(SOUND.astype("<i2").tobytes())
    return file.getvalue()


Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@dataclass
class Service:
    """The service, in a test's hands."""

    url: str = ""
    answer: Answer | None = None
    bodies: list[dict[str, Any]] = field(default_factory=list)
    keys: list[str | None] = field(default_factory=list)
    hung: asyncio.Event = field(default_factory=asyncio.Event)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        self.keys.append(request.headers.get("Authorization"))
        if self.answer is not None:
            return await self.answer(request)
        response = web.StreamResponse(headers={"Content-Type": "audio/wav"})
        await response.prepare(request)
        content = _wav()
        for at in range(0, len(content), 1001):
            await response.write(content[at : at + 1001])
        await response.write_eof()
        return response

    async def hang(self, _: web.Request) -> web.StreamResponse:
        self.hung.set()
        await self.go_on.wait()
        return web.Response(body=_wav())


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    made = Service()
    app = web.Application()
    app.router.add_post("/v1/audio/speech", made.handle)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{runner.addresses[0][1]}/v1/audio/speech"
    yield made
    made.go_on.set()
    await runner.cleanup()


@pytest.fixture
async def engine(service: Service) -> AsyncIterator[HttpSpeech]:
    made = HttpSpeech(service.url, key=KEY, model="tts-1", voices=("alloy",))
    yield made
    await made.close()


async def _spoken(engine: HttpSpeech) -> tuple[int, np.ndarray]:  # type: ignore[type-arg]
    async with asyncio.timeout(20), aclosing(engine.speak(ASKED)) as pieces:
        got = [piece async for piece in pieces]
    return got[0].rate_hz, np.concatenate([piece.samples for piece in got])


async def test_what_is_asked_and_what_comes(engine: HttpSpeech, service: Service) -> None:
    rate_hz, samples = await _spoken(engine)
    assert rate_hz == 24_000
    assert np.array_equal(samples, SOUND)
    assert service.bodies == [{"model": "tts-1", "input": "Hello you", "voice": "alloy", "response_format": "wav"}]
    assert service.keys == [f"Bearer {KEY}"]


async def test_its_voices_speak_everything(engine: HttpSpeech) -> None:
    (offered,) = await engine.voices()
    assert (offered.language, offered.name) == ("", "alloy")


async def test_a_refusal_is_told_without_the_key(engine: HttpSpeech, service: Service) -> None:
    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"error": {"message": f"Incorrect API key provided: {KEY}"}}, status=401)

    service.answer = refuse
    with capture_logs() as logs, pytest.raises(SpeechFailed, match=r"answered 401: .*Incorrect API key") as failed:
        await _spoken(engine)
    assert KEY not in str(failed.value)
    assert KEY not in str(logs)
    assert KEY not in engine.identity("alloy")


async def test_no_key_is_sent_where_none_is_set(service: Service) -> None:
    engine = HttpSpeech(service.url, model="m")
    await _spoken(engine)
    await engine.close()
    assert service.keys == [None]


async def test_a_redirect_is_not_followed_with_the_key(engine: HttpSpeech, service: Service) -> None:
    async def away(_: web.Request) -> web.Response:
        return web.Response(status=307, headers={"Location": service.url})

    service.answer = away
    with pytest.raises(SpeechFailed, match="answered 307"):
        await _spoken(engine)
    assert len(service.bodies) == 1


async def test_an_answer_that_is_no_sound(engine: HttpSpeech, service: Service) -> None:
    async def page(_: web.Request) -> web.Response:
        return web.Response(text="<html>", content_type="text/html")

    service.answer = page
    with pytest.raises(SpeechFailed, match="no WAV"):
        await _spoken(engine)


async def test_an_answer_that_breaks_off(engine: HttpSpeech, service: Service) -> None:
    async def broken(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": "100000"})
        await response.prepare(request)
        await response.write(_wav()[:2000])
        assert request.transport is not None
        request.transport.close()
        return response

    service.answer = broken
    with pytest.raises(SpeechFailed, match="broke off"):
        await _spoken(engine)


async def test_a_service_that_is_away() -> None:
    engine = HttpSpeech("http://127.0.0.1:1/v1/audio/speech")
    with pytest.raises(SpeechFailed, match="cannot be reached"):
        await _spoken(engine)
    await engine.close()


async def test_no_service_is_set() -> None:
    with pytest.raises(SpeechFailed, match="set speech_url"):
        await _spoken(HttpSpeech(None))


async def test_a_service_that_hangs_is_given_up(engine: HttpSpeech, service: Service) -> None:
    service.answer = service.hang
    desk = SpeechDesk((engine,), timeout_s=0.3)
    plan = await desk.plan(Speech(text="hello"))
    with pytest.raises(BadSource, match=r"http did not speak it within 0\.3 s"):
        await desk.speak(plan)
    assert service.hung.is_set()
    await desk.close()


async def test_nothing_logs_the_key(engine: HttpSpeech, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    await _spoken(engine)
    assert KEY not in caplog.text
