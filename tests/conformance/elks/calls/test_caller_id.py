"""Whose number a `connect` may show, on a server as customers run it: `--dev` would let everybody show any."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio
from tests.conformance.elks.calls.conftest import WEBHOOK_TIMEOUT_S
from tests.support.customer import Customer
from tests.support.line import CALLER, Line, Party, line_on, pairs
from tests.support.server import Server, server
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")

LOOPBACK = "127.0.0.0/8"
VERIFIED, STRANGER = "+46812345678", "+46887654321"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def strict(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Server]:
    settings = {"webhook_timeout_s": str(WEBHOOK_TIMEOUT_S), "webhook_allow": LOOPBACK, "sip_allow": LOOPBACK}
    async with server(tmp_path_factory.mktemp("strict"), dev=False, **settings) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def corner(strict: Server, application: Customer) -> AsyncIterator[Line]:
    async with line_on(strict, application) as made:
        yield made


async def verified(line: Line, number: str) -> None:
    """Let the account show a number that is its own elsewhere."""
    status, answer = await line.server.v1("POST", f"/accounts/{line.account}/caller-ids", {"number": number})
    assert status == 200, answer


def shown(party: Party) -> str:
    """The user part of the From that the far end sees."""
    return party.invite["From"].partition("<sip:")[2].partition("@")[0]


@topic("connect")
async def test_caller_id_of_nobody(corner: Line) -> None:
    """A `callerid` that is neither theirs, nor of the account, nor verified: `failed`, `notallowed`, nobody rings."""
    start = {"connect": corner.far(), "callerid": STRANGER, "failed": corner.on("/failed", {"hangup": "busy"})}
    a = await corner.calls_in(start)
    fields = dict(pairs(await corner.hook("/failed")))
    assert (fields["result"], fields["why"]) == ("failed", "notallowed")
    await a.talk.refused(486)
    assert corner.peer.came("INVITE") == []


@topic("connect")
async def test_caller_id_of_another_account(corner: Line) -> None:
    """A number of another account, and one verified for another, are nobody's here."""
    async with line_on(corner.server, corner.app) as other:
        await verified(other, VERIFIED)
        for number in (other.number, VERIFIED):
            failed = corner.on("/failed", {"hangup": "busy"})
            a = await corner.calls_in({"connect": corner.far(), "callerid": number, "failed": failed})
            await a.talk.refused(486)
            assert dict(pairs(corner.got("/failed")[-1]))["why"] == "notallowed"
    assert len(corner.got("/failed")) == 2
    assert corner.peer.came("INVITE") == []


@topic("connect")
async def test_caller_ids_that_may_be_shown(corner: Line) -> None:
    """The original caller's number may be passed on by name; so may one of the account, and a verified one."""
    await verified(corner, VERIFIED)
    for number in (CALLER, corner.number, VERIFIED):
        a = await corner.calls_in({"connect": corner.far(), "callerid": number})
        b = await corner.rings()
        assert shown(b) == number
        await b.refuse(486)
        await a.talk.refused(486)


@topic("connect")
async def test_caller_id_of_the_called_party(corner: Line) -> None:
    """In an outgoing call the number of whom was called may be shown, and a stranger's may not."""
    failed = {"connect": corner.far(3), "callerid": STRANGER, "next": corner.on("/next", {})}
    _, a = await corner.talks({"connect": corner.far(2), "callerid": corner.far(1), "busy": failed})
    b = await corner.rings()
    assert shown(b) == corner.far(1)
    await b.refuse(486)
    fields = dict(pairs(await corner.hook("/next")))
    assert (fields["result"], fields["why"]) == ("failed", "notallowed")
    await a.hung_up()
    assert corner.peer.came("INVITE") == []
