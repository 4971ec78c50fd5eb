"""Webhooks of calls over real HTTP: asked within their budget, owed until they arrive, both in the timeline."""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

from aiohttp import web
from tests.support.receivers import LOOPBACK, Receiver, receiver, unused_port

from offhook.call.commands import FetchDocument, OweHangup, OweRecording, RequestId
from offhook.flow.view import CallId, RecordingView
from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.delivery import Delivered, DeliveryEvent
from offhook.hooks.policy import Listed, Steady
from offhook.runtime.hook_desk import HookDesk, new_hook_id
from offhook.runtime.outbox import Outbox
from offhook.runtime.webhooks import HookResult, Webhooks

DEADLINE_S = 5.0
CALL = CallId("c" * 32)
POLICY = AttemptPolicy(budget_s=2.0, shortest_try_s=0.5)


class Desk:
    """A desk on a real client and outbox, and what it entered in the timeline."""

    def __init__(self, client: Webhooks, outbox: Outbox) -> None:
        self.desk = HookDesk(client=client, outbox=outbox, policy=POLICY, delivery=Listed(pauses_s=(0.01, 0.01)))
        self.notes: list[tuple[str, Mapping[str, Any]]] = []

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        self.notes.append((kind, data))


@asynccontextmanager
async def desk() -> AsyncIterator[tuple[Desk, "asyncio.Queue[DeliveryEvent]"]]:
    told: asyncio.Queue[DeliveryEvent] = asyncio.Queue()

    def listen(event: DeliveryEvent, result: HookResult | None) -> None:
        told.put_nowait(event)

    async with Webhooks(LOOPBACK) as client, Outbox(client, listener=listen) as outbox:
        yield Desk(client, outbox), told


def fetch(url: str, method: str = "POST") -> FetchDocument:
    return FetchDocument(request=RequestId(7), url=url, method=method, params=(("from", "+46 70"), ("to", "é")))


def form(here: Receiver, at: int = 0) -> list[tuple[str, str]]:
    return parse_qsl(here.seen[at].body.decode())


async def test_an_answer_comes_with_the_address_it_came_from() -> None:
    async def handler(request: web.Request) -> web.Response:
        if request.path == "/start":
            raise web.HTTPTemporaryRedirect("/moved")
        return web.Response(text='{"hangup":"busy"}')

    async with receiver(handler) as here, desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(f"{here.url}/start"), board.note)
    assert (answer.body, answer.url, answer.detail) == (b'{"hangup":"busy"}', f"{here.url}/moved", "")
    assert form(here) == [("from", "+46 70"), ("to", "é")]
    ((kind, data),) = board.notes
    assert (kind, data["request"], data["bytes"]) == ("hook.tries", 7, 17)
    assert [made["status"] for made in data["tries"]] == [307, 200]
    assert all(made["took_ms"] >= 0 for made in data["tries"])


async def test_a_get_carries_its_parameters_in_the_query() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(text="{}")

    async with receiver(handler) as here, desk() as (board, _):
        await board.desk.ask(CALL, fetch(here.url, "GET"), board.note)
    assert (here.seen[0].method, here.seen[0].body) == ("GET", b"")
    assert "to=%C3%A9" in here.seen[0].query


async def test_a_failure_says_why_and_shows_every_try() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response(status=500)

    async with receiver(handler) as here, desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(here.url), board.note)
    assert answer.body is None
    assert "500" in answer.detail
    (_, data) = board.notes[0]
    assert [made["status"] for made in data["tries"]] == [500, 500]


async def test_a_server_that_is_not_there() -> None:
    async with desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch(f"http://127.0.0.1:{await unused_port()}/"), board.note)
    assert answer.body is None
    assert answer.detail
    (_, data) = board.notes[0]
    assert all("status" not in made and made["why"] for made in data["tries"])


async def test_an_address_that_is_not_allowed_is_never_asked() -> None:
    async with desk() as (board, _):
        answer = await board.desk.ask(CALL, fetch("http://10.0.0.1/"), board.note)
    assert answer.body is None
    assert "10.0.0.1" in answer.detail or "private" in answer.detail


async def test_what_is_owed_is_repeated_until_it_arrives() -> None:
    tries = 0

    async def handler(_: web.Request) -> web.Response:
        nonlocal tries
        tries += 1
        return web.Response(status=500 if tries == 1 else 200)

    async with receiver(handler) as here, desk() as (board, told):
        board.desk.owe(CALL, OweHangup(url=here.url, params=(("state", "success"),)))
        await asyncio.wait_for(told.get(), DEADLINE_S)
        event = await asyncio.wait_for(told.get(), DEADLINE_S)
    assert isinstance(event, Delivered)
    assert (event.request.call, event.tries) == (CALL, 2)
    assert [seen.method for seen in here.seen] == ["POST", "POST"]
    assert form(here, 1) == [("state", "success")]


async def test_a_recording_is_owed_before_the_hangup_that_comes_after_it() -> None:
    async def handler(_: web.Request) -> web.Response:
        return web.Response()

    async with receiver(handler) as here, desk() as (board, told):
        recording = RecordingView(index=0, created=datetime.now(UTC), duration_s=1, wav_url="http://x/r.wav")
        board.desk.owe(CALL, OweRecording(url=f"{here.url}/r", params=(("wav", "x"),), recording=recording))
        board.desk.owe(CALL, OweHangup(url=f"{here.url}/h", params=()))
        for _ in range(2):
            assert isinstance(await asyncio.wait_for(told.get(), DEADLINE_S), Delivered)
    assert [seen.path for seen in here.seen] == ["/r", "/h"]


async def test_without_a_policy_of_its_own_it_is_the_services() -> None:
    async with Webhooks(LOOPBACK) as client, Outbox(client) as outbox:
        assert HookDesk(client=client, outbox=outbox, policy=POLICY)._delivery == Steady()


def test_ids_of_webhooks_are_never_the_same() -> None:
    ids = {new_hook_id() for _ in range(100)}
    assert len(ids) == 100
    assert all(each.startswith("msg_") for each in ids)
