"""`/v1/deliveries`: lists, one, replays; whose they are; bad input."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN, OTHER

from offhook.hooks.delivery import Turn, plain_delivery
from offhook.hooks.policy import ELKS
from offhook.hooks.request import Params, Purpose, WebhookRequest
from offhook.storage.deliveries import delivery_by_id
from offhook.storage.rows import DeliveryRow
from offhook.web.api import native_deliveries as module

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
CALL = "c" * 32


def keep(
    client: Client,
    number: int,
    state: str = "owed",
    *,
    account: str = MAIN,
    call: str = CALL,
    params: Params = (("state", "success"),),
) -> str:
    """A delivery owed at noon and so many seconds."""
    url = "https://user:secret@app.example/hook?key=secret"
    request = WebhookRequest(
        id=f"msg_{number}", purpose=Purpose.OWED, call=call, url=url, account=account, params=params
    )
    at = T0 + timedelta(seconds=number)
    client.world.storage.deliveries.save(
        DeliveryRow(
            id=request.id, call_id=call, account=account, kind="hangup", sequence=number, created=at, state=state,
            tries=2, done=None if state == "owed" else at, next_try=at if state == "owed" else None, status=500,
            why="" if state == "delivered" else "The web server answered 500", data=plain_delivery(request, ELKS, 0.0),
        )
    )  # fmt: skip
    return request.id


async def ids(client: Client, query: str = "", **more: Any) -> list[str]:
    found = await client.ok("GET", f"/v1/deliveries{query}", **more)
    return [row["id"] for row in found["deliveries"]]


async def test_one_is_shown_with_what_it_says_and_without_secrets(client: Client) -> None:
    name = keep(client, 1, "dead")
    shown = await client.ok("GET", f"/v1/deliveries/{name}")
    assert shown == {
        "id": "msg_1",
        "call": "c" + CALL,
        "account": MAIN,
        "kind": "hangup",
        "sequence": 1,
        "method": "POST",
        "url": "https://…@app.example/hook?key=…",
        "state": "dead",
        "tries": 2,
        "created": "2026-01-01T12:00:01.000000Z",
        "next_try": None,
        "done": "2026-01-01T12:00:01.000000Z",
        "status": 500,
        "why": "The web server answered 500",
        "params": [["state", "success"]],
    }
    (listed,) = (await client.ok("GET", "/v1/deliveries"))["deliveries"]
    assert listed == {key: value for key, value in shown.items() if key != "params"}
    keep(client, 2, call="")
    assert (await client.ok("GET", "/v1/deliveries/msg_2"))["call"] is None


async def test_keys_are_shown_unless_they_are_to_be_masked_and_are_owed_in_any_case(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = (("actions", '[{"ivr": "https://a.example/", "result": "4111"}]'), ("Digits", "4111"), ("state", "success"))
    name = keep(client, 1, params=said)
    target = f"/v1/deliveries/{name}"
    assert (await client.ok("GET", target))["params"] == [list(pair) for pair in said]
    monkeypatch.setenv("OFFHOOK_MASK_DIGITS", "true")
    masked = Client(client.world)
    assert "4111" not in str(await masked.ok("GET", target))
    assert (await masked.ok("GET", target))["params"][1:] == [["Digits", "…"], ["state", "success"]]
    row = await client.world.storage.read(lambda connection: delivery_by_id(connection, name))
    assert row is not None
    assert row.data["request"]["params"] == [list(pair) for pair in said]


async def test_lists_are_filtered_and_paged(client: Client) -> None:
    for number, state in enumerate(["owed", "dead", "delivered", "dead"], 1):
        keep(client, number, state)
    keep(client, 5, account=OTHER, call="d" * 32)
    assert await ids(client) == ["msg_5", "msg_4", "msg_3", "msg_2", "msg_1"]
    assert await ids(client, "?account=Main") == ["msg_4", "msg_3", "msg_2", "msg_1"]
    assert await ids(client, "?state=dead") == ["msg_4", "msg_2"]
    assert await ids(client, f"?call=c{'d' * 32}") == ["msg_5"]
    assert await ids(client, "?since=2026-01-01T12:00:04Z") == ["msg_5", "msg_4"]
    assert await ids(client, "?since=2026-01-01T12:00:04") == ["msg_5", "msg_4"], "without a zone it is UTC"
    page = await client.ok("GET", "/v1/deliveries?limit=2")
    assert await ids(client, f"?before={page['next']}") == ["msg_3", "msg_2", "msg_1"]


async def test_an_account_sees_and_replays_its_own_only(client: Client) -> None:
    keep(client, 1)
    keep(client, 2, "dead", account=OTHER)
    assert await ids(client, account=MAIN) == ["msg_1"]
    assert await client.error("GET", "/v1/deliveries/msg_2", account=MAIN) == (404, "no_delivery")
    assert await client.error("POST", "/v1/deliveries/msg_2/replay", account=MAIN) == (404, "no_delivery")
    assert await client.error("GET", "/v1/deliveries?account=Other", account=MAIN) == (403, "not_yours")
    replayed = await client.ok("POST", "/v1/deliveries/replay?since=2026-01-01T00:00:00Z", account=MAIN)
    assert replayed == {"replayed": 1, "next": None}
    assert client.world.board.replayed == ["msg_1"]


async def test_one_is_replayed(client: Client) -> None:
    keep(client, 1, "dead")
    answer = await client.ok("POST", "/v1/deliveries/msg_1/replay")
    assert answer == {"id": "msg_1", "was": "dead", "replayed": True, "tried_now": True, "waits_for": None}
    shown = await client.ok("GET", "/v1/deliveries/msg_1")
    assert (shown["state"], shown["tries"], shown["done"]) == ("owed", 2, None)
    assert (await client.ok("POST", "/v1/deliveries/msg_1/replay"))["replayed"] is False
    for client.world.board.turn in (Turn.EARLIER, Turn.OTHERS):
        answer = await client.ok("POST", "/v1/deliveries/msg_1/replay")
        assert (answer["tried_now"], answer["waits_for"]) == (False, client.world.board.turn.value)


async def test_all_since_a_time_oldest_first(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    for number, state in enumerate(["dead", "delivered", "dead", "owed", "delivered"], 1):
        keep(client, number, state)
    route = "/v1/deliveries/replay"
    assert await client.ok("POST", f"{route}?since=2026-01-01T12:00:02Z&state=dead") == {"replayed": 1, "next": None}
    assert await client.ok("POST", f"{route}?since=2026-01-01T12:00:02Z") == {"replayed": 4, "next": None}
    assert client.world.board.replayed == ["msg_3", "msg_2", "msg_3", "msg_4", "msg_5"]
    assert (await client.ok("POST", f"{route}?since=2026-01-01T00:00:00Z&call=c{'d' * 32}"))["replayed"] == 0
    monkeypatch.setattr(module, "REPLAY_MAX", 0)
    assert await client.ok("POST", f"{route}?since=2026-01-01T12:00:02Z") == {
        "replayed": 0,
        "next": "2026-01-01T12:00:02.000000Z",
    }


@pytest.mark.parametrize(
    ("method", "target", "error"),
    [
        ("GET", "/v1/deliveries/msg_9", (404, "no_delivery")),
        ("POST", "/v1/deliveries/msg_9/replay", (404, "no_delivery")),
        ("POST", "/v1/deliveries/replay", (400, "invalid_request")),
        ("POST", "/v1/deliveries/replay?since=yesterday", (400, "invalid_request")),
        ("POST", "/v1/deliveries/replay?since=2026-01-01T00:00:00Z&state=lost", (400, "invalid_request")),
        ("GET", "/v1/deliveries?state=lost", (400, "invalid_request")),
        ("GET", "/v1/deliveries?limit=0", (400, "invalid_request")),
        ("GET", "/v1/deliveries?call=x", (404, "no_call")),
        ("GET", "/v1/deliveries?account=Nobody", (404, "no_account")),
    ],
)
async def test_bad_input(client: Client, method: str, target: str, error: tuple[int, str]) -> None:
    assert await client.error(method, target) == error
