"""`/v1/restart`."""

from tests.support.native_client import Client
from tests.support.rest_cases import MAIN


async def test_a_restart_is_asked_for_by_the_operator_alone(client: Client) -> None:
    assert await client("POST", "/v1/restart") == (202, {"instance": "i0"})
    assert client.world.board.restarts == 1
    assert await client.error("POST", "/v1/restart", account=MAIN) == (403, "operator_only")
    assert client.world.board.restarts == 1
