"""What is owed and what was asked for once, over kill -9 of a real server: nothing missing, nothing under two ids.

The moments of the kills are random; a failure prints its seed, and `OFFHOOK_TEST_SEED` repeats it.
"""

import asyncio
import os
import random
import signal
import sys
from collections import Counter
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, web
from sqlalchemy import select
from standardwebhooks import Webhook
from tests.support.ports import free_port
from tests.support.server import ACCOUNT, AS_ACCOUNT, Server, server
from tests.support.sip_party import Party, party

from offhook.runtime.sip_driver import now
from offhook.sip import events as sip
from offhook.storage import schema
from offhook.storage.store import Storage

pytestmark = [pytest.mark.native, pytest.mark.timeout(300)]

WITHIN_S = 30.0
CALLS = 12
KILLS = 4
RETRY_S = 0.5
POLL_S = 0.05
FAR = "+46700000001"


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("OFFHOOK_TEST_SEED", random.randrange(2**32)))


class Post:
    """One request that came in."""

    def __init__(self, body: bytes, headers: dict[str, str]) -> None:
        self.body = body
        self.headers = headers

    @property
    def id(self) -> str:
        return self.headers["webhook-id"]


@asynccontextmanager
async def listening(port: int, status: Callable[[], int] = lambda: 200) -> AsyncIterator[list[Post]]:
    """A customer's application on a port that is its own, and what it took."""
    taken: list[Post] = []

    async def take(request: web.Request) -> web.Response:
        said = status()
        post = Post(await request.read(), {name.lower(): value for name, value in request.headers.items()})
        if said == 200:
            taken.append(post)
        return web.Response(status=said)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", take)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", port).start()
    try:
        yield taken
    finally:
        await runner.cleanup()


def settings() -> dict[str, str]:
    first = free_port() & ~1
    return {"rtp_ports": f"{first}-{first + 200}", "delivery_retry_s": str(RETRY_S)}


async def trunk(here: Server, far: Party) -> None:
    body = {"name": "carrier", "address": f"sip:127.0.0.1:{far.address[1]}", "prefixes": ["+46"]}
    status, said = await here.v1("POST", "/trunks", body)
    assert status == 200, said


async def call(here: Server, hook: str) -> tuple[int, Any]:
    return await here.a1("POST", "/calls", from_="+46101000001", to=FAR, voice_start="{}", whenhangup=hook)


async def killed(here: Server) -> None:
    here.process.send_signal(signal.SIGKILL)
    await here.process.wait()


@asynccontextmanager
async def busy() -> AsyncIterator[Party]:
    """A far end that takes no call, so that each is over at once."""

    def refuse(event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            far.endpoint.reject(event.session, 486, now())
            far.driver.pump()

    async with party(hears=refuse) as far:
        yield far


async def until(done: Callable[[], Any]) -> Any:
    """What `done` gives as soon as it is something."""
    async with asyncio.timeout(WITHIN_S):
        while True:
            if found := await done():
                return found
            await asyncio.sleep(POLL_S)


async def test_what_a_receiver_refused_is_delivered_after_a_kill_under_the_same_ids(folder: Path) -> None:
    port = free_port()
    async with busy() as far:
        async with server(folder, **settings()) as here:
            await trunk(here, far)
            made = [await call(here, f"http://127.0.0.1:{port}/end") for _ in range(CALLS)]
            calls = {said["id"] for status, said in made if status == 200}
            assert len(calls) == CALLS

            async def refused() -> dict[str, Any]:
                _, page = await here.v1("GET", "/deliveries?state=owed&limit=100")
                return {row["call"]: row for row in page["deliveries"] if row["tries"] >= 1}

            async def all_refused() -> dict[str, Any] | None:
                rows = await refused()
                return rows if rows.keys() == calls else None

            rows = await until(all_refused)
            assert all("connection was refused" in row["why"] for row in rows.values())
            _, key = await here.v1("GET", f"/accounts/{ACCOUNT}/signing-key")
            await killed(here)
        async with listening(port) as taken, server(folder, **settings()) as here:

            async def all_taken() -> bool:
                return len({post.id for post in taken}) == CALLS

            await until(all_taken)

            async def all_delivered() -> list[Any] | None:
                _, page = await here.v1("GET", "/deliveries?state=delivered&limit=100")
                return page["deliveries"] if len(page["deliveries"]) == CALLS else None

            delivered = await until(all_delivered)
            (some, *_) = calls
            _, timeline = await here.v1("GET", f"/calls/{some}/timeline")
            assert await here.stop() == 0
    assert {post.id for post in taken} == {row["id"] for row in rows.values()} == {row["id"] for row in delivered}
    assert {post.headers["offhook-sequence"] for post in taken} == {"1"}
    assert all(row["tries"] > rows[row["call"]]["tries"] for row in delivered), "tries are counted on"
    for post in taken:
        Webhook(key["signing_key"]).verify(post.body, post.headers, json_parse=False)
    kinds = [event["kind"] for event in timeline["events"]]
    assert kinds[-1] == "hook.delivered", "the timeline of a call that was over goes on"
    assert [event["seq"] for event in timeline["events"]] == list(range(1, len(kinds) + 1))


async def test_at_any_moment_both_are_there_the_entry_and_what_is_owed_or_neither(folder: Path, seed: int) -> None:
    sys.stdout.write(f"OFFHOOK_TEST_SEED={seed}\n")
    chance = random.Random(seed)
    port = free_port()

    def status() -> int:
        return 500 if chance.random() < 0.3 else 200

    async with busy() as far, listening(port, status) as taken:
        for round_ in range(KILLS):
            async with server(folder, **settings()) as here:
                if not round_:
                    await trunk(here, far)
                hook = f"http://127.0.0.1:{port}/end"
                calling = [asyncio.ensure_future(call(here, hook)) for _ in range(CALLS)]
                await asyncio.sleep(chance.uniform(0.02, 0.4))
                await killed(here)
                # Some were not answered: their caller hears of the end of the connection.
                for outcome in await asyncio.gather(*calling, return_exceptions=True):
                    assert not isinstance(outcome, BaseException) or isinstance(outcome, ClientError | OSError)
        async with server(folder, **settings()) as here:

            async def nothing_owed() -> bool:
                _, page = await here.v1("GET", "/deliveries?state=owed")
                return not page["deliveries"]

            await until(nothing_owed)
            assert await here.stop() == 0
    storage = Storage.open(folder)
    with storage._engine.connect() as connection:
        events = connection.execute(select(schema.events.c.call_id).where(schema.events.c.kind == "hook.owed"))
        entries = Counter(row.call_id for row in events)
        outbox = list(connection.execute(select(schema.outbox)))
        ongoing = connection.execute(select(schema.calls.c.id).where(schema.calls.c.state == "ongoing")).all()
    storage.close()
    assert entries, "calls came to their end before the kills"
    assert set(entries.values()) == {1}, "none is owed twice"
    assert {row.call_id for row in outbox} == entries.keys(), "both, or neither"
    assert {row.state for row in outbox} == {"delivered"}
    assert {post.id for post in taken} == {row.id for row in outbox} == {f"msg_{call}_hangup" for call in entries}
    assert ongoing == []


async def test_a_call_asked_for_under_a_key_is_placed_once_over_a_kill(folder: Path) -> None:
    invited: Counter[str] = Counter()
    ringing = asyncio.Event()

    def rings(event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            invited[str(event.session)] += 1
            ringing.set()

    async def ask(here: Server) -> tuple[dict[str, Any], str | None]:
        form = {"from": "+46101000001", "to": FAR, "voice_start": '{"play":"sound/beep"}'}
        headers = {**AS_ACCOUNT, "Idempotency-Key": "order-1138"}
        async with here.session.post(f"{here.http}/a1/calls", headers=headers, data=form) as answer:
            assert answer.status == 200, await answer.text()
            return await answer.json(), answer.headers.get("Idempotency-Replayed")

    async with party(hears=rings) as far:
        async with server(folder, **settings()) as here:
            await trunk(here, far)
            asking = [asyncio.ensure_future(ask(here)) for _ in range(5)]
            await asyncio.wait_for(ringing.wait(), WITHIN_S)
            await killed(here)
            answers = await asyncio.gather(*asking, return_exceptions=True)
        heard = [answer for answer in answers if not isinstance(answer, BaseException)]
        assert all(isinstance(answer, tuple | ClientError | OSError) for answer in answers)
        async with server(folder, **settings()) as here:
            again, replayed = await ask(here)
            once_more, _ = await ask(here)
            status, said = await here.a1("GET", f"/calls/{again['id']}")
            assert await here.stop() == 0
    assert replayed == "true"
    assert once_more == again
    assert {answer["id"] for answer, _ in heard} <= {again["id"]}, "whoever was answered was told the same call"
    assert (status, said["id"]) == (200, again["id"])
    assert datetime.fromisoformat(again["created"]).replace(tzinfo=UTC) <= datetime.now(UTC)
    assert len(invited) == 1, "the far end was called once"
