"""Accounts over REST: what must be durable when 200 is answered. The answers are in tests/conformance/elks/rest."""

from tests.support.asgi import ask, basic
from tests.support.rest_cases import MAIN, SECRET, World

from offhook.storage.schema import accounts


async def test_an_answered_change_is_in_the_database(world: World) -> None:
    reply = await ask(world.app(), "POST", "/a1/subaccounts", {"name": "Branch"}, basic(MAIN, SECRET))
    assert reply.status == 200
    names = world.storage.read_blocking(lambda connection: [row.name for row in connection.execute(accounts.select())])
    assert "Branch" in names


async def test_no_secret_is_stored_in_clear(world: World) -> None:
    form = {"name": "Branch", "secret": "a secret of one's own"}
    await ask(world.app(), "POST", "/a1/subaccounts", form, basic(MAIN, SECRET))
    for path in world.storage.data_dir.iterdir():
        assert b"a secret of one" not in path.read_bytes(), path
