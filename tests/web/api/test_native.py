"""`/v1` as a whole: its description, its errors, its status."""

import logging

import pytest
from tests.support.asgi import ask
from tests.support.native_client import Client

from offhook.storage.writer import StorageUnavailable


async def test_describes_itself(client: Client) -> None:
    described = await client.ok("GET", "/openapi.json")
    for path, methods in described["paths"].items():
        for method, route in methods.items():
            assert route["description"], f"{method} {path}"
    assert {"/v1/accounts", "/v1/trunks", "/v1/numbers", "/v1/phones", "/v1/calls", "/v1/status"} <= set(
        described["paths"]
    )


async def test_status(client: Client) -> None:
    await client.world.storage.writer.flush()
    found = await client.ok("GET", "/v1/status")
    assert found["not_ready"] is None
    assert found["storage"] == {"pending": 0, "failing": False, "error": "", "dropped": 0}
    assert found["server"] == {"calls": 0, "instance": "i0"}


async def test_errors_are_json(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    assert await client.error("GET", "/v1/nothing") == (404, "not_found")
    assert await client.error("PATCH", "/v1/accounts") == (405, "method_not_allowed")
    assert await client.error("POST", "/v1/accounts", {"name": ""}) == (400, "invalid_request")
    _, value = await client("POST", "/v1/accounts", {"currency": "kr"})
    assert value["error"]["message"] == "name: Field required; currency: String should match pattern '^[A-Z]{3}$'"


async def test_faults_are_logged_and_not_shown(client: Client, caplog: pytest.LogCaptureFixture) -> None:
    client.world.give("dev")
    client.app = client.world.app()
    client.world.board.broken = True
    body = {"from": "+46100000001", "to": "+46700000002", "voice_start": "https://a.example/"}
    with caplog.at_level(logging.ERROR), pytest.raises(RuntimeError, match="a fault of ours"):
        # Starlette answers 500 and raises again, for the HTTP server to log.
        await client("POST", "/v1/calls", body | {"account": "Main"})


async def test_a_change_that_is_not_stored_in_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(_timeout_s: float = 5.0) -> None:
        raise StorageUnavailable("database or disk is full")

    monkeypatch.setattr(client.world.storage.writer, "flush", unavailable)
    assert await client.error("POST", "/v1/accounts", {"name": "x"}) == (503, "storage_unavailable")
    assert (await client.ok("GET", "/v1/calls"))["calls"] == []


async def test_nobody_is_let_in(client: Client) -> None:
    reply = await ask(client.app, "GET", "/v1/accounts")
    assert (reply.status, reply.headers["www-authenticate"].split()[0]) == (401, "Basic")


async def test_a_wrong_method_is_told_the_right_ones(client: Client) -> None:
    """RFC 9110 section 15.5.6."""
    reply = await ask(client.app, "PATCH", "/v1/status", headers={"authorization": f"Bearer {client.token}"})
    assert (reply.status, reply.headers["allow"]) == (405, "GET")
