"""`/v1/trunks`, `/v1/numbers`, `/v1/phones`."""

import pytest
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN, OTHER

TRUNK = {"name": "carrier", "address": "sip:sip.example.com:5070;transport=tcp", "prefixes": ["+46"]}


async def test_a_trunk(client: Client) -> None:
    full = {"username": "me", "password": "pw", "register": True, "from_addresses": ["192.0.2.7", "2001:db8::/32"]}
    made = await client.ok("POST", "/v1/trunks", TRUNK | full)
    assert made["register"] is True
    assert made["from_addresses"] == ["192.0.2.7/32", "2001:db8::/32"]
    assert "password" not in made
    row = client.world.storage.directory.trunk("carrier")
    assert row is not None
    assert client.world.storage.directory.trunk_password(row) == "pw"
    assert client.world.board.directory_changes == 1
    assert (await client.ok("GET", "/v1/trunks"))["trunks"] == [made]
    assert await client.error("POST", "/v1/trunks", TRUNK) == (409, "trunk_exists")
    await client.ok("DELETE", "/v1/trunks/carrier")
    assert await client.error("DELETE", "/v1/trunks/carrier") == (404, "no_trunk")


@pytest.mark.parametrize(
    ("wrong", "name"),
    [
        ({"address": "sip.example.com"}, "invalid_address"),
        ({"address": "sip:a b"}, "invalid_address"),
        ({"address": "sip:a;transport=ws"}, "invalid_address"),
        ({"prefixes": ["46"]}, "invalid_prefix"),
        ({"from_addresses": ["carrier.example"]}, "invalid_network"),
        ({"register": True}, "no_username"),
    ],
)
async def test_a_wrong_trunk(client: Client, wrong: dict[str, object], name: str) -> None:
    assert await client.error("POST", "/v1/trunks", TRUNK | wrong) == (400, name)


async def test_a_number(client: Client) -> None:
    await client.ok("POST", "/v1/trunks", TRUNK)
    body = {"number": "+46 10 123 45 67", "trunk": "carrier", "account": "Main", "voice_start": '{"hangup":"busy"}'}
    made = await client.ok("POST", "/v1/numbers", body)
    assert (made["number"], made["country"], made["category"], made["account"]) == ("+46101234567", "se", "fixed", MAIN)
    mobile = await client.ok("POST", "/v1/numbers", {"number": "+46701234567", "trunk": "carrier", "free": True})
    assert (mobile["category"], mobile["account"], mobile["free"]) == ("mobile", None, True)
    assert [row["number"] for row in (await client.ok("GET", "/v1/numbers"))["numbers"]] == [
        "+46101234567",
        "+46701234567",
    ]
    assert await client.error("POST", "/v1/numbers", body) == (409, "number_exists")
    await client.ok("DELETE", "/v1/numbers/+46701234567")
    assert client.world.storage.directory.number("+46701234567") is None
    assert await client.error("DELETE", "/v1/numbers/+46701234567") == (404, "no_number")


async def test_a_phone_can_be_set_up_again(client: Client) -> None:
    made = await client.ok("POST", "/v1/phones", {"number": "+4600100", "account": "Main"})
    assert len(made["secret"]) >= 32
    assert (made["username"], made["domain"]) == ("4600100", "127.0.0.1")
    assert await client.ok("GET", "/v1/phones/+4600100") == made
    assert await client.ok("GET", "/v1/phones/4600100", account=MAIN) == made


async def test_no_such_phone(client: Client) -> None:
    await client.ok("POST", "/v1/trunks", TRUNK)
    await client.ok("POST", "/v1/numbers", {"number": "+46101234567", "trunk": "carrier", "account": "Main"})
    for number in ("+46101234567", "+4600999"):
        assert await client.error("GET", f"/v1/phones/{number}") == (404, "no_phone")


async def test_another_accounts_phone(client: Client) -> None:
    await client.ok("POST", "/v1/phones", {"number": "+4600100", "account": "Main"})
    assert await client.error("GET", "/v1/phones/+4600100", account=OTHER) == (404, "no_phone")


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ({"number": "hello"}, (400, "invalid_number")),
        ({"number": "+46001234567"}, (400, "phone_number")),
        ({"trunk": "none"}, (404, "no_trunk")),
        ({"voice_start": "hello"}, (400, "wrong_url")),
        ({"voice_start": "{}x"}, (400, "broken_document")),
        ({"dialect": "klingon"}, (400, "no_dialect")),
        ({"method": "PUT"}, (400, "invalid_request")),
    ],
)
async def test_a_wrong_number(client: Client, wrong: dict[str, object], expected: tuple[int, str]) -> None:
    await client.ok("POST", "/v1/trunks", TRUNK)
    body = {"number": "+46101234567", "trunk": "carrier", "account": "Main"}
    assert await client.error("POST", "/v1/numbers", body | wrong) == expected


async def test_a_number_outside_every_plan_has_no_country(client: Client) -> None:
    await client.ok("POST", "/v1/trunks", TRUNK)
    made = await client.ok("POST", "/v1/numbers", {"number": "+99912345", "trunk": "carrier", "free": True})
    assert (made["country"], made["category"]) == ("", "fixed")


async def test_a_phone(client: Client) -> None:
    made = await client.ok("POST", "/v1/phones", {"account": "Main", "name": "desk"})
    assert made["number"] == "+" + made["username"]
    assert made["domain"] == "127.0.0.1"
    row = client.world.storage.directory.phone(made["username"])
    assert row is not None
    assert client.world.storage.directory.phone_secret(row) == made["secret"]
    own = await client.ok("POST", "/v1/phones", {"number": "+46001234567"}, account=MAIN)
    assert own["account"] == MAIN
    assert await client.error("POST", "/v1/phones", {"number": "+46001234567"}, account=MAIN) == (409, "number_exists")
    wrong = {"number": "+46101234567", "account": "Main"}
    assert await client.error("POST", "/v1/phones", wrong) == (400, "invalid_number")


async def test_a_fallback_of_a_number(client: Client) -> None:
    await client.ok("POST", "/v1/trunks", TRUNK)
    body = {"number": "+46101234567", "trunk": "carrier", "account": "Main", "fallback": "https://b.example/"}
    assert (await client.ok("POST", "/v1/numbers", body))["fallback"] == "https://b.example/"
    path = "/v1/numbers/+46101234567/fallback"
    assert (await client.ok("PUT", path, {"fallback": '{"hangup":"busy"}'}, account=MAIN))["fallback"]
    assert (await client.ok("PUT", path, {"fallback": "  "}))["fallback"] == ""
    assert await client.error("PUT", path, {"fallback": "https://b.example/"}, account=OTHER) == (404, "no_number")
    assert await client.error("PUT", "/v1/numbers/+46101234568/fallback", {"fallback": ""}) == (404, "no_number")
    assert await client.error("PUT", path, {"fallback": "what?"}) == (400, "wrong_url")
    wrong = body | {"number": "+46101234569", "fallback": "what?"}
    assert await client.error("POST", "/v1/numbers", wrong) == (400, "wrong_url")
