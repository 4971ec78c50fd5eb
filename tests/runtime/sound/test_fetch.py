"""Fetching sound files over real sockets: conditions, freshness, limits, and whom a failure is blamed on."""

import wave
from email.utils import formatdate
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from aiohttp import web
from tests.support.receivers import LOOPBACK, receiver, unused_port

from offhook.flow.verbs import UrlSound
from offhook.media.commands import Codec
from offhook.media.frames import block
from offhook.runtime.sound.cache import SoundCache
from offhook.runtime.sound.decode import BadSource
from offhook.runtime.sound.fetch import FRESH_MAX_S, SOUND_MAX_BYTES, HttpSoundFetcher
from offhook.runtime.sound.library import FetchedSound, SoundLibrary, Unreachable
from offhook.runtime.url_guard import UrlGuard
from offhook.runtime.webhooks import Webhooks

NOW = 1_700_000_000.0


def wav(hertz: int = 440, seconds: float = 1.0) -> bytes:
    samples = (8000 * np.sin(2 * np.pi * hertz * np.arange(int(8000 * seconds)) / 8000)).astype("<i2")
    out = BytesIO()
    with wave.open(out, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(samples.tobytes())
    return out.getvalue()


async def fetched(headers: dict[str, str], *, status: int = 200) -> FetchedSound:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(body=b"sound", status=status, headers={"Date": formatdate(NOW, usegmt=True), **headers})

    async with receiver(handle) as server, Webhooks(LOOPBACK) as webhooks:
        fetcher = HttpSoundFetcher(webhooks, clock=lambda: NOW)
        return await fetcher.get(server.url + "/a.wav?x=1", etag=None, last_modified=None)


async def test_a_file_and_what_to_ask_with_next_time() -> None:
    found = await fetched({"ETag": '"abc"', "Last-Modified": "Sat, 01 Jan 2022 00:00:00 GMT"})
    assert found == FetchedSound(
        content=b"sound", etag='"abc"', last_modified="Sat, 01 Jan 2022 00:00:00 GMT", fresh_s=0.0
    )


async def test_what_is_sent() -> None:
    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=304, headers={"Cache-Control": "max-age=60"})

    async with receiver(handle) as server, Webhooks(LOOPBACK) as webhooks:
        found = await HttpSoundFetcher(webhooks).get(
            server.url.replace("//", "//u:p@") + "/a.wav?x=%2F", etag='W/"1"', last_modified="yesterday"
        )
        (seen,) = server.seen
    assert found == FetchedSound(content=None, fresh_s=60.0)
    assert (seen.method, seen.path, seen.query, seen.body) == ("GET", "/a.wav", "x=%2F", b"")
    assert seen.headers["if-none-match"] == 'W/"1"'
    assert seen.headers["if-modified-since"] == "yesterday"
    assert seen.headers["authorization"].startswith("Basic ")
    assert seen.headers["accept-encoding"] == "identity"


@pytest.mark.parametrize(
    ("headers", "fresh_s"),
    [
        ({}, 0),
        ({"Cache-Control": "max-age=60"}, 60),
        ({"Cache-Control": "public, MAX-AGE=60"}, 60),
        ({"Cache-Control": 'max-age="60"'}, 60),
        ({"Cache-Control": "max-age=60", "Age": "45"}, 15),
        ({"Cache-Control": "max-age=60", "Age": "90"}, 0),
        ({"Cache-Control": "max-age=soon"}, 0),
        ({"Cache-Control": "max-age=-1"}, 0),
        ({"Cache-Control": "max-age=99999999999999999999"}, FRESH_MAX_S),
        ({"Cache-Control": "no-cache, max-age=60"}, 0),
        ({"Cache-Control": "no-store, max-age=60"}, 0),
        ({"Expires": formatdate(NOW + 30, usegmt=True)}, 30),
        ({"Expires": formatdate(NOW - 30, usegmt=True)}, 0),
        ({"Expires": "0"}, 0),
        ({"Expires": formatdate(NOW + 30, usegmt=True), "Cache-Control": "max-age=5"}, 5),
        ({"Expires": formatdate(NOW + 30, usegmt=True), "Date": formatdate(NOW + 10, usegmt=True)}, 20),
        ({"Expires": "Tue, 14 Nov 2023 22:13:50 -0000"}, 30),
    ],
)
async def test_freshness(headers: dict[str, str], fresh_s: float) -> None:
    assert (await fetched(headers)).fresh_s == fresh_s


async def test_no_store_is_remembered_by_nothing() -> None:
    found = await fetched({"Cache-Control": "no-store", "ETag": '"1"'})
    assert found == FetchedSound(content=b"sound")


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirects_are_followed(status: int) -> None:
    async def handle(asked: web.Request) -> web.Response:
        if asked.path == "/there.wav":
            return web.Response(body=b"sound")
        return web.Response(status=status, headers={"Location": "/there.wav"})

    async with receiver(handle) as server, Webhooks(LOOPBACK) as webhooks:
        found = await HttpSoundFetcher(webhooks).get(server.url + "/here", etag=None, last_modified=None)
    assert found.content == b"sound"


@pytest.mark.parametrize(("status", "away"), [(404, False), (403, False), (304, False), (500, True), (503, True)])
async def test_statuses(status: int, away: bool) -> None:
    with pytest.raises(BadSource, match=str(status)) as bad:
        await fetched({}, status=status)
    assert isinstance(bad.value, Unreachable) is away


async def test_a_server_that_is_away() -> None:
    async with Webhooks(LOOPBACK) as webhooks:
        with pytest.raises(Unreachable, match="refused"):
            await HttpSoundFetcher(webhooks).get(
                f"http://127.0.0.1:{await unused_port()}/a.wav", etag=None, last_modified=None
            )


@pytest.mark.parametrize("url", ["http://127.0.0.1/a.wav", "http://169.254.169.254/latest/", "file:///etc/passwd", "x"])
async def test_what_the_guard_or_sense_forbids_is_no_sound(url: str) -> None:
    async with Webhooks(UrlGuard()) as webhooks:
        with pytest.raises(BadSource) as bad:
            await HttpSoundFetcher(webhooks).get(url, etag=None, last_modified=None)
    assert not isinstance(bad.value, Unreachable)


async def test_a_file_that_is_too_large() -> None:
    async def handle(asked: web.Request) -> web.StreamResponse:
        response = web.StreamResponse(headers={"Content-Length": str(SOUND_MAX_BYTES + 1)})
        await response.prepare(asked)
        return response

    async with receiver(handle) as server, Webhooks(LOOPBACK) as webhooks:
        with pytest.raises(BadSource, match="20480 KiB"):
            await HttpSoundFetcher(webhooks).get(server.url, etag=None, last_modified=None)


async def test_with_the_library_a_sound_is_fetched_decoded_revalidated_and_outlives_its_server(tmp_path: Path) -> None:
    statuses: list[int] = []

    async def handle(asked: web.Request) -> web.Response:
        status = 304 if asked.headers.get("If-None-Match") == '"1"' else 200
        statuses.append(status)
        return web.Response(status=status, body=wav() if status == 200 else None, headers={"ETag": '"1"'})

    async with Webhooks(LOOPBACK) as webhooks:
        library = SoundLibrary(SoundCache(tmp_path), HttpSoundFetcher(webhooks))
        async with receiver(handle) as server:
            sound = UrlSound(url=server.url + "/a.wav")
            first = await library.prepare(sound)
            second = await library.prepare(sound)
        third = await library.prepare(sound)
        await library.close()
    assert statuses == [200, 304]
    assert first == second == third
    assert first.duration_ms == 1000
    assert len(block(first.path.read_bytes(), Codec.PCMA)) == 8000
