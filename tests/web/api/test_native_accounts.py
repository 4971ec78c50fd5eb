"""`/v1/accounts`."""

import re

from tests.support.asgi import ask, basic
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN

from offhook.web.verifying import says_code


async def test_an_account_is_made_and_works(client: Client) -> None:
    made = await client.ok("POST", "/v1/accounts", {"name": "Ann", "currency": "EUR"})
    assert re.fullmatch("u[0-9a-f]{32}", made["id"])
    assert (made["name"], made["currency"], made["limited"]) == ("Ann", "EUR", False)
    assert client.world.storage.directory.account_of_api_key(made["api_key"]) is not None
    reply = await ask(client.app, "GET", "/a1/me", headers=basic(made["id"], made["secret"]))
    assert reply.status == 200
    listed = (await client.ok("GET", "/v1/accounts"))["accounts"]
    assert [row["name"] for row in listed] == ["Main", "Other", "Ann"]
    assert "secret" not in listed[2]


async def test_balance(client: Client) -> None:
    changed = await client.ok("PUT", "/v1/accounts/Main/balance", {"amount": 500})
    assert (changed["balance"], changed["limited"]) == (500, True)
    assert client.world.storage.directory.credit_left(MAIN) == 500
    changed = await client.ok("PUT", "/v1/accounts/Main/balance", {"amount": None})
    assert changed["limited"] is False
    assert await client.error("PUT", "/v1/accounts/Main/balance", {}) == (400, "invalid_request")


async def test_caller_ids(client: Client) -> None:
    path = "/v1/accounts/Main/caller-ids"
    assert (await client.ok("POST", path, {"number": "+46 700 000 001"}))["number"] == "+46700000001"
    assert [row["number"] for row in (await client.ok("GET", path, account=MAIN))["caller_ids"]] == ["+46700000001"]
    assert await client.error("POST", path, {"number": "Ann"}) == (400, "invalid_number")
    await client.ok("DELETE", f"{path}/+46700000001")
    assert await client.error("DELETE", f"{path}/+46700000001") == (404, "no_caller_id")


async def test_a_signing_key_is_shown_again_and_exchanged(client: Client) -> None:
    made = await client.ok("POST", "/v1/accounts", {"name": "Ann"})
    shown = await client.ok("GET", "/v1/accounts/Ann/signing-key")
    assert (shown["signing_key"], shown["older"]) == (made["signing_key"], [])
    rotated = await client.ok("POST", "/v1/accounts/Ann/signing-key/rotate")
    assert [key["signing_key"] for key in rotated["older"]] == [made["signing_key"]]
    assert await client.ok("GET", "/v1/accounts/Ann/signing-key") == rotated
    ended = await client.ok("POST", "/v1/accounts/Ann/signing-key/rotate", {"overlap_h": 0})
    assert ended["older"] == []
    for overlap in (-1, 721, "x"):
        body = {"overlap_h": overlap}
        error = await client.error("POST", "/v1/accounts/Ann/signing-key/rotate", body)
        assert error == (400, "invalid_request")


async def test_an_account_sees_its_own_key_and_those_of_its_subaccounts(client: Client) -> None:
    client.world.give("sub")
    sub = client.world.vars["sub"]
    own = await client.ok("GET", "/v1/accounts/-/signing-key", account=MAIN)
    below = await client.ok("GET", f"/v1/accounts/{sub}/signing-key", account=MAIN)
    assert own["account"] == MAIN
    assert below["account"] == sub
    assert own["signing_key"] != below["signing_key"]
    assert await client.ok("GET", "/v1/accounts/-/signing-key", account=sub) == below
    assert await client.error("GET", f"/v1/accounts/{MAIN}/signing-key", account=sub) == (403, "not_yours")
    assert await client.error("GET", f"/v1/accounts/{client.world.vars['other']}/signing-key", account=MAIN) == (
        403,
        "not_yours",
    )


async def test_how_often_what_is_owed_is_tried(client: Client) -> None:
    path = "/v1/accounts/Main/delivery"
    changed = await client.ok("PUT", path, {"policy": {"kind": "growing", "first_s": 5}})
    assert changed["delivery"] == {
        "kind": "growing", "first_s": 5, "factor": 2, "longest_s": 21_600, "for_s": 259_200, "jitter": 0.25,
    }  # fmt: skip
    policy = {"kind": "listed", "pauses_s": []}
    assert (await client.ok("PUT", path, {"policy": policy}, account=MAIN))["delivery"] == policy
    assert client.world.storage.directory.delivery_of(MAIN) == policy
    for wrong in (
        {},
        {"policy": {"kind": "never"}},
        {"policy": {"kind": "steady", "every_s": 0}},
        {"policy": {"kind": "steady", "pauses_s": [1]}},
        {"policy": {"kind": "listed", "pauses_s": [1] * 101}},
        {"policy": {"kind": "growing", "factor": 0.5}},
    ):
        assert await client.error("PUT", path, wrong) == (400, "invalid_request"), wrong
    assert (await client.ok("PUT", path, {"policy": None}))["delivery"] is None
    assert await client.error("PUT", "/v1/accounts/Other/delivery", {"policy": None}, account=MAIN) == (
        403,
        "not_yours",
    )


async def test_what_calls_go_on_with_where_a_web_application_fails(client: Client) -> None:
    path = "/v1/accounts/Main/fallback"
    assert (await client.ok("PUT", path, {"fallback": " https://b.example/ "}))["fallback"] == "https://b.example/"
    row = client.world.storage.directory.account(MAIN)
    assert row is not None
    assert row.fallback == "https://b.example/"
    own = f"/v1/accounts/{MAIN}/fallback"
    assert (await client.ok("PUT", own, {"fallback": '{"hangup":"busy"}'}, account=MAIN))["fallback"] == (
        '{"hangup":"busy"}'
    )
    assert (await client.ok("PUT", path, {"fallback": ""}))["fallback"] == ""
    assert await client.error("PUT", path, {"fallback": "what?"}) == (400, "wrong_url")
    assert await client.error("PUT", path, {"fallback": '{"play": 1}'}) == (400, "wrong_type")
    assert await client.error("PUT", path, {}) == (400, "invalid_request")
    assert await client.error("PUT", "/v1/accounts/Other/fallback", {"fallback": ""}, account=MAIN) == (
        403,
        "not_yours",
    )


async def test_what_an_account_relies_on(client: Client) -> None:
    path, twice = "/v1/accounts/Main/quirks", {"quirks": ["CallDurartion", "CallDurartion"]}
    assert (await client.ok("PUT", path, twice))["quirks"] == ["CallDurartion"]
    row = client.world.storage.directory.account(MAIN)
    assert row is not None
    assert row.quirks == ("CallDurartion",)
    assert await client.error("PUT", path, {"quirks": ["Durrration"]}) == (400, "no_quirk")
    assert (await client.ok("PUT", path, {"quirks": []}))["quirks"] == []


async def test_a_number_is_called_and_told_a_code(client: Client) -> None:
    path, wanted = "/v1/accounts/Main/caller-ids/calls", {"number": "+46 70 123 45 67", "code": "008970"}
    call = await client.ok("POST", path, wanted)
    (order,) = client.world.board.orders
    assert (order.owner, order.from_, order.to) == (MAIN, "anonymous", "+46701234567")
    assert order.start == says_code("008970", "en")
    assert (call["to_number"], call["state"]) == ("+46701234567", "ongoing")
    assert "008970" not in str(call)
    assert await client.error("POST", path, {**wanted, "code": "12"}) == (400, "invalid_request")
    assert await client.error("POST", path, {**wanted, "number": "hello"}) == (400, "invalid_number")
    assert await client.error("POST", path, wanted, account=MAIN) == (403, "operator_only")
    client.world.board.full = True
    assert await client.error("POST", path, wanted) == (503, "overloaded")


async def test_how_its_applications_are_asked(client: Client) -> None:
    path = f"/v1/accounts/{MAIN}/webhooks"
    assert (await client.ok("PUT", path, {"retry_timeouts": True}, account=MAIN))["retry_timeouts"] is True
    row = client.world.storage.directory.account(MAIN)
    assert row is not None
    assert row.retry_timeouts
    assert (await client.ok("PUT", path, {"retry_timeouts": False}))["retry_timeouts"] is False
    assert await client.error("PUT", path, {}) == (400, "invalid_request")
    assert await client.error("PUT", "/v1/accounts/Other/webhooks", {"retry_timeouts": True}, account=MAIN) == (
        403,
        "not_yours",
    )
