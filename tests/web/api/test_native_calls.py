"""`/v1/calls`: made, listed, ended, followed."""

import asyncio
import json
from typing import Any
from uuid import UUID

import pytest
from tests.support.asgi import ask
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN, OTHER

from offhook.flow.program import Document
from offhook.flow.view import CallId

BODY = {"account": "Main", "from": "+46100000001", "to": "+46700000002", "voice_start": "https://a.example/"}


async def made(client: Client) -> Any:
    client.world.give("number +46100000001")
    return await client.ok("POST", "/v1/calls", BODY)


async def test_a_call_is_made_and_shown_by_both_ids(client: Client) -> None:
    call = await made(client)
    assert (call["state"], call["owner"], call["ring_timeout_s"]) == ("ongoing", MAIN, 60)
    assert "c" + UUID(call["uuid"]).hex == call["id"]
    for identifier in (call["id"], call["uuid"]):
        assert await client.ok("GET", f"/v1/calls/{identifier}") == call
    assert (await client.ok("GET", "/v1/calls"))["calls"] == [call]
    assert (await client.ok("GET", "/v1/calls", account=OTHER))["calls"] == []
    assert await client.error("GET", f"/v1/calls/{call['id']}", account=OTHER) == (404, "no_call")
    assert client.world.board.orders[0].to == "+46700000002"


async def test_wrong_calls(client: Client) -> None:
    assert await client.error("POST", "/v1/calls", BODY) == (403, "caller_id")
    client.world.give("number +46100000001")
    assert await client.error("POST", "/v1/calls", BODY | {"to": "x"}) == (400, "invalid_number")
    assert await client.error("POST", "/v1/calls", BODY | {"voice_start": "x"}) == (400, "wrong_url")
    assert await client.error("POST", "/v1/calls", BODY | {"dialect": "x"}) == (400, "no_dialect")
    assert await client.error("POST", "/v1/calls", BODY | {"ring_timeout_s": 0}) == (400, "invalid_request")
    client.world.give("full")
    assert await client.error("POST", "/v1/calls", BODY) == (503, "overloaded")
    refused = await ask(
        client.app, "POST", "/v1/calls", json.dumps(BODY).encode(),
        {"authorization": f"Bearer {client.token}", "content-type": "application/json"},
    )  # fmt: skip
    assert refused.headers["retry-after"] == "1"
    client.world.give("balance 0")
    assert await client.error("POST", "/v1/calls", BODY) == (403, "no_credit")


async def test_a_fallback_is_passed_on(client: Client) -> None:
    client.world.give("number +46100000001")
    await client.ok("POST", "/v1/calls", BODY | {"fallback": "https://b.example/"})
    assert client.world.board.orders[-1].fallback == Document(url="https://b.example/")
    await client.ok("POST", "/v1/calls", BODY)
    assert client.world.board.orders[-1].fallback is None
    assert await client.error("POST", "/v1/calls", BODY | {"fallback": "x"}) == (400, "wrong_url")


async def test_hidden_callers(client: Client) -> None:
    assert (await client.ok("POST", "/v1/calls", BODY | {"from": "anonymous"}))["from_number"] == "anonymous"


async def test_where_the_end_is_told_is_a_url_or_nothing(client: Client) -> None:
    """Else it would be found out when the post is owed, and nobody could be told."""
    client.world.give("number +46100000001")
    for wrong in ("somewhere", "ftp://a.example/", "https://a.example/\0"):
        assert await client.error("POST", "/v1/calls", BODY | {"whenhangup": wrong}) == (400, "wrong_url")
    for given, wanted in ((" https://a.example/ ", "https://a.example/"), (" ", None)):
        await client.ok("POST", "/v1/calls", BODY | {"whenhangup": given})
        assert client.world.board.orders[-1].hangup_url == wanted


async def test_hanging_up(client: Client) -> None:
    call = await made(client)
    assert (await client.ok("POST", f"/v1/calls/{call['id']}/hang-up"))["hung_up"] is True
    assert await client.error("POST", f"/v1/calls/{call['id']}/hang-up") == (409, "call_over")
    shown = await client.ok("GET", f"/v1/calls/{call['id']}")
    assert (shown["state"], shown["cause"]) == ("failed", "cancelled")


async def test_the_timeline_is_followed_to_its_end(client: Client) -> None:
    call = await made(client)
    path = f"/v1/calls/{call['id']}/timeline"
    first = await client.ok("GET", path)
    assert [event["kind"] for event in first["events"]] == ["call.created"]
    assert first["over"] is False
    waiting = asyncio.create_task(client.ok("GET", f"{path}?after=1&wait=30"))
    await asyncio.sleep(0)
    await client.world.board.hang_up(CallId(call["id"][1:]))
    async with asyncio.timeout(10):
        last = await waiting
    assert [(event["seq"], event["kind"], event["data"]) for event in last["events"]] == [
        (2, "call.ended", {"cause": "cancelled"})
    ]
    assert last["over"] is True


async def test_waiting_for_nothing_ends_in_time(client: Client) -> None:
    call = await made(client)
    assert (await client.ok("GET", f"/v1/calls/{call['id']}/timeline?after=1&wait=0.01")) == {
        "events": [],
        "next": 1,
        "over": False,
    }


async def test_pages(client: Client) -> None:
    client.world.give("calls 3")
    first = await client.ok("GET", "/v1/calls?limit=2&account=Main")
    second = await client.ok("GET", f"/v1/calls?limit=2&before={first['next']}")
    assert [len(first["calls"]), len(second["calls"]), second["next"]] == [2, 1, None]


async def test_an_answered_call_that_is_over(client: Client) -> None:
    client.world.give("answered-call")
    call = await client.ok("GET", f"/v1/calls/c{0:032x}")
    assert (call["duration_s"], call["cost"], call["legs"][0]["duration"]) == (7, 5700, 3)


@pytest.mark.parametrize(
    ("start", "dialect", "spoken"),
    [
        ("https://app.example", None, "elks"),
        ("https://app.example", "didml", "didml"),
        ('{"play":"sound/beep"}', None, "elks"),
        ("<Response><hangup/></Response>", None, "didml"),
    ],
)
async def test_webhooks_are_in_the_words_of_the_document(
    client: Client, start: str, dialect: str | None, spoken: str
) -> None:
    client.world.give("number +46100000001")
    body = {"from": "+46100000001", "to": "+46700000002", "voice_start": start, "account": "Main", "dialect": dialect}
    await client.ok("POST", "/v1/calls", body)
    assert client.world.board.orders[-1].dialect == spoken


async def test_a_time_without_a_zone_is_utc(client: Client) -> None:
    client.world.give("calls 3")
    listed = await client.ok("GET", "/v1/calls?account=Main&before=2026-01-01T12:00:01.5")
    assert len(listed["calls"]) == 2
