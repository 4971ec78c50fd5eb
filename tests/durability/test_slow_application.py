"""A web application that is silent once for longer than its try, on a real server: only an account that asks for it has
it asked again, since it may have acted all the same.
"""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.asgi import basic
from tests.support.customer import Hook, customer
from tests.support.line import Line, line_on
from tests.support.server import server

pytestmark = [pytest.mark.native, pytest.mark.timeout(120)]

BUDGET_S = 4.4
"""A try has half of that, and two seconds at the least: there is time for two."""


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    async with (
        server(tmp_path / "data", webhook_timeout_s=str(BUDGET_S), comfort_sound="none", apology="none") as running,
        customer() as application,
        line_on(running, application) as made,
    ):
        yield made


def silent_once(line: Line, path: str) -> str:
    async def silent(_: Hook) -> str:
        await asyncio.Event().wait()
        raise AssertionError

    return line.on(path, silent, {"play": "sound/beep"})


async def wants(line: Line, retry_timeouts: bool) -> None:
    """The account itself says so."""
    async with line.server.session.put(
        f"{line.server.http}/v1/accounts/{line.account}/webhooks",
        json={"retry_timeouts": retry_timeouts},
        headers=basic(line.account, line.secret),
    ) as answer:
        assert (answer.status, (await answer.json())["retry_timeouts"]) == (200, retry_timeouts)


async def test_a_time_out_is_tried_again_where_the_account_asks(line: Line) -> None:
    ended, _ = await line.talks(silent_once(line, "/ends"))
    assert (await line.noted(ended, "call.ended"))["cause"] == "hook_failed"
    assert len(line.got("/ends")) == 1, "it is not asked again by itself"

    fallback = line.on("/fallback", {"play": "sound/beep"})
    fell_back, party = await line.talks(silent_once(line, "/falls-back"), fallback=fallback)
    await party.voice.hears_tone(1000.0)
    assert (await line.hook("/fallback")).fields["failed_why"] == "hook_timeout"
    assert (await line.over(fell_back))["state"] == "success"
    assert len(line.got("/falls-back")) == 1

    await wants(line, True)
    went_on, party = await line.talks(silent_once(line, "/goes-on"), fallback=fallback)
    await party.voice.hears_tone(1000.0)
    tries = (await line.noted(went_on, "hook.tries"))["tries"]
    assert ["status" in made for made in tries] == [False, True]
    assert (await line.over(went_on))["state"] == "success"
    first, second = line.got("/goes-on")
    assert first.headers["webhook-id"] == second.headers["webhook-id"], "the application can tell that it is the same"
    assert len(line.got("/fallback")) == 1

    await wants(line, False)
    ended, _ = await line.talks(silent_once(line, "/ends-again"))
    assert (await line.noted(ended, "call.ended"))["cause"] == "hook_failed"
    assert len(line.got("/ends-again")) == 1
