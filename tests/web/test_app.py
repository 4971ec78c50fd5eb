"""One application for all of HTTP: what goes where, health and readiness, and a real server around it."""

import asyncio
import socket
from typing import Any

import aiohttp
import uvicorn
from tests.support.asgi import ask
from tests.support.rest_cases import MAIN, SECRET, World

from offhook.web.http import MAX_BODY_BYTES


async def test_health(world: World) -> None:
    reply = await ask(world.app(), "GET", "/healthz")
    assert (reply.status, reply.text) == (200, "ok")


async def test_readiness_says_why_not(world: World) -> None:
    app = world.app()
    assert (await ask(app, "GET", "/readyz")).status == 200
    world.board.reason = "the media engine does not run"
    reply = await ask(app, "GET", "/readyz")
    assert (reply.status, reply.text) == (503, "the media engine does not run")


async def test_everything_else_is_for_v1_and_answers_json(world: World) -> None:
    reply = await ask(world.app(), "GET", "/nothing")
    assert (reply.status, reply.headers["content-type"]) == (404, "application/json")


async def test_bodies_are_limited_before_anybody_is_asked_who_he_is(world: World) -> None:
    app = world.app()
    await app.warm()
    big = b"x" * (MAX_BODY_BYTES + 1)
    for headers in ({}, {"content-length": "1", "content-type": "application/json"}):
        reply = await ask(app, "POST", "/v1/accounts", big, headers)
        assert reply.status == 413, reply
        assert b"too_large" in reply.body


async def test_other_protocols_are_let_be(world: World) -> None:
    async def silent(*_: Any) -> None:
        raise AssertionError

    await world.app()({"type": "lifespan"}, silent, silent)


async def test_over_a_real_server(world: World) -> None:
    """Credentials in the URL, keep-alive, a length on every answer, literal 200."""
    listening = socket.create_server(("127.0.0.1", 0))
    port = listening.getsockname()[1]
    server = uvicorn.Server(uvicorn.Config(world.app(), log_config=None, lifespan="off", server_header=False))
    serving = asyncio.create_task(server.serve([listening]))
    try:
        async with asyncio.timeout(30), aiohttp.ClientSession() as client:
            base = f"http://{MAIN}:{SECRET}@127.0.0.1:{port}/a1"
            world.give("number +46100000001")
            form = {"from": "+46100000001", "to": "+46700000002", "voice_start": "https://app.example/"}
            async with client.post(f"{base}/calls", data=form) as answer:
                assert (answer.status, answer.reason) == (200, "OK")
                assert "Content-Length" in answer.headers
                identifier = (await answer.json())["id"]
            async with client.get(f"{base}/calls/{identifier}") as answer:
                assert (await answer.json())["state"] == "ongoing"
            world.give("recording 0")
            name = f"c{0:032x}-r0.wav"
            async with client.get(f"{base}/recordings/{name}", headers={"Range": "bytes=4-"}) as answer:
                assert (answer.status, len(await answer.read())) == (206, 12)
            async with client.head(f"{base}/me") as answer:
                assert (answer.status, await answer.read()) == (200, b"")
            async with client.get(f"http://127.0.0.1:{port}/a1/me") as answer:
                assert answer.status == 401
                assert answer.headers["WWW-Authenticate"] == 'Basic realm="46elks API"'
    finally:
        server.should_exit = True
        await serving
        listening.close()
