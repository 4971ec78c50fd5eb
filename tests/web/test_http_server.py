"""The HTTP server answers, stops, and says what to do when its port is taken."""

import asyncio
import contextlib
import socket
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from offhook.web import event_stream, http_server
from offhook.web.event_stream import InPieces, Streams
from offhook.web.http_server import HttpServer, host_port


async def _hello(_: Request) -> PlainTextResponse:
    return PlainTextResponse("hello")


APPLICATION = Starlette(routes=[Route("/", _hello)])


async def test_it_answers_and_stops() -> None:
    server = HttpServer(APPLICATION, "127.0.0.1", 0)
    base = await server.start()
    async with aiohttp.ClientSession() as session:
        async with session.get(base) as answer:
            assert await answer.text() == "hello"
            assert "server" not in answer.headers
        await server.stop()
        with pytest.raises(aiohttp.ClientConnectionError):
            await session.get(base)


async def test_a_taken_port_says_what_to_do() -> None:
    server = HttpServer(APPLICATION, "127.0.0.1", 0)
    base = await server.start()
    with pytest.raises(OSError, match="set http_listen to another port"):
        HttpServer(APPLICATION, "127.0.0.1", int(base.rpartition(":")[2]))
    await server.stop()


async def test_a_request_that_came_while_nobody_was_there_is_answered_by_the_next() -> None:
    first = HttpServer(APPLICATION, "127.0.0.1", 0)
    base = await first.start()
    kept = first.listening.dup()
    await first.stop()
    host, port = kept.getsockname()
    reader, writer = await asyncio.open_connection(host, port)
    writer.write(b"GET / HTTP/1.1\r\nHost: here\r\nConnection: close\r\n\r\n")
    next_one = HttpServer(APPLICATION, host, port, kept=kept)
    assert await next_one.start() == base
    assert (await asyncio.wait_for(reader.read(), DEADLINE_S)).endswith(b"hello")
    writer.close()
    await next_one.stop()


def test_addresses_as_urls_write_them() -> None:
    assert host_port(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert host_port(("::1", 80)) == "[::1]:80"


DEADLINE_S = 5.0
PIECE = b"x" * 64 * 1024


@pytest.fixture
async def place() -> AsyncIterator[tuple[str, int]]:
    server = HttpServer(APPLICATION, "127.0.0.1", 0)
    host, _, port = (await server.start()).removeprefix("http://").rpartition(":")
    yield host, int(port)
    await server.stop()


@asynccontextmanager
async def connected(place: tuple[str, int]) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection(*place)
    yield reader, writer
    writer.transport.abort()


async def write_without_end(writer: asyncio.StreamWriter) -> None:
    while True:
        writer.write(b"X-Filler: " + b"a" * 8192 + b"\r\n")
        await writer.drain()


async def said(reader: asyncio.StreamReader) -> bytes:
    """All until the server closes."""
    async with asyncio.timeout(DEADLINE_S):
        try:
            return await reader.read()
        except ConnectionResetError:
            return b""


async def test_a_head_without_end_is_cut_off(place: tuple[str, int]) -> None:
    async with connected(place) as (_, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n")
        with pytest.raises(ConnectionError):
            await asyncio.wait_for(write_without_end(writer), DEADLINE_S)


@pytest.mark.parametrize("begun", [b"", b"GET / HT", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\nabc"])
async def test_a_request_that_never_ends_is_given_up(begun: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "REQUEST_MAX_S", 0.05)

    async def patient(scope: Scope, receive: Receive, send: Send) -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    server = HttpServer(patient, "127.0.0.1", 0)
    host, _, port = (await server.start()).removeprefix("http://").rpartition(":")
    async with connected((host, int(port))) as (reader, writer):
        writer.write(begun)
        assert await said(reader) == b""
    await server.stop()


async def test_a_second_request_on_a_connection_has_its_own_time_and_head(place: tuple[str, int]) -> None:
    async with connected(place) as (reader, writer):
        for _ in range(20):
            writer.write(b"GET / HTTP/1.1\r\nHost: a\r\nX-Filler: " + b"a" * 8000 + b"\r\n\r\n")
            async with asyncio.timeout(DEADLINE_S):
                assert (await reader.readuntil(b"hello")).startswith(b"HTTP/1.1 200")


async def test_one_connection_too_many_is_let_go(place: tuple[str, int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http_server, "CONNECTIONS_MAX", 1)
    async with connected(place) as (reader, writer):
        writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        await reader.readuntil(b"hello")
        async with connected(place) as (other, _):
            assert await said(other) == b""


async def test_a_reader_that_takes_nothing_costs_little_and_is_let_go(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SEND_WITHIN_S", 0.2)
    made, over = 0, asyncio.Event()

    async def pieces() -> AsyncGenerator[bytes, None]:
        nonlocal made
        try:
            while True:
                made += 1
                yield PIECE
        finally:
            over.set()

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        await InPieces(pieces, media_type="text/event-stream", streams=Streams())(scope, receive, send)

    server = HttpServer(application, "127.0.0.1", 0)
    host, _, port = (await server.start()).removeprefix("http://").rpartition(":")
    reader = socket.socket()
    reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    reader.connect((host, int(port)))
    reader.sendall(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
    async with asyncio.timeout(DEADLINE_S):
        await over.wait()
        reader.setblocking(False)
        with contextlib.suppress(ConnectionResetError):
            while await asyncio.get_running_loop().sock_recv(reader, len(PIECE)):
                pass
    assert made < 200, "the kernel's buffers and one piece, not all there is to say"
    reader.close()
    await server.stop()
