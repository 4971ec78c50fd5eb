"""Who asks `/v1`, and which account is meant."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN, OTHER

from offhook.web.api.native_request import NativeError, e164, moment, read_call_id

HEX = "0123456789abcdef0123456789abcdef"


@pytest.mark.parametrize(
    "text", [f"c{HEX}", HEX, HEX.upper(), "01234567-89ab-cdef-0123-456789abcdef", f"urn:uuid:{HEX}"]
)
def test_call_ids(text: str) -> None:
    assert read_call_id(f" {text} ") == HEX


@pytest.mark.parametrize("text", ["", "c", "c" + HEX[2:], HEX + "0", "nonsense"])
def test_what_is_no_call_id(text: str) -> None:
    with pytest.raises(NativeError, match="offhook calls"):
        read_call_id(text)


def test_numbers_and_times() -> None:
    assert e164("+46 10-123", "x") == "+4610123"
    with pytest.raises(NativeError, match="x 'hello' is no number"):
        e164("hello", "x")
    assert moment(None) is None
    assert moment(datetime(2026, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))) == "2026-01-01T00:00:00.000000Z"
    assert moment(datetime(2026, 1, 1, tzinfo=UTC)) == "2026-01-01T00:00:00.000000Z"


async def test_an_account_has_what_is_its_own(client: Client) -> None:
    client.world.give("number +46100000001")
    client.world.give("number +46100000002 other")
    listed = await client.ok("GET", "/v1/numbers", account=OTHER)
    assert [row["number"] for row in listed["numbers"]] == ["+46100000002"]
    assert await client.error("GET", f"/v1/numbers?account={MAIN}", account=OTHER) == (403, "not_yours")
    assert await client.error("GET", "/v1/trunks", account=OTHER) == (403, "operator_only")
    assert await client.error("POST", "/v1/accounts", {"name": "x"}, account=OTHER) == (403, "operator_only")
    own = await client.ok("GET", "/v1/accounts", account=OTHER)
    assert [row["id"] for row in own["accounts"]] == [OTHER]


async def test_which_account_is_meant(client: Client) -> None:
    status, said = await client("GET", "/v1/accounts/-/caller-ids")
    assert (status, said["error"]["name"]) == (400, "which_account")
    assert "(Main, Other)" in said["error"]["message"]
    assert await client.error("GET", "/v1/accounts/nobody/caller-ids") == (404, "no_account")
    await client.ok("GET", "/v1/accounts/Main/caller-ids")
    await client.ok("GET", f"/v1/accounts/{OTHER}/caller-ids")
    await client.ok("POST", "/v1/accounts", {"name": "Main"})
    assert await client.error("GET", "/v1/accounts/Main/caller-ids") == (400, "which_account")


async def test_the_only_account_need_not_be_named(client: Client) -> None:
    directory = client.world.storage.directory
    directory._accounts.clear()
    assert await client.error("GET", "/v1/accounts/-/caller-ids") == (404, "no_account")
    await client.ok("POST", "/v1/accounts", {"name": "One"})
    await client.ok("GET", "/v1/accounts/-/caller-ids")
