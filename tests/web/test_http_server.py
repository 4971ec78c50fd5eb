"""The HTTP server answers, stops, and says what to do when its port is taken."""

import aiohttp
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

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


def test_addresses_as_urls_write_them() -> None:
    assert host_port(("127.0.0.1", 80)) == "127.0.0.1:80"
    assert host_port(("::1", 80)) == "[::1]:80"
