"""What is owed, over real sockets: delivered, tried again, kept in a store, and never held up by another's receiver."""

import asyncio
from collections.abc import Mapping
from typing import Any

import pytest
from aiohttp import web
from tests.support.receivers import LOOPBACK, receiver

from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.delivery import Dead, Delivered, DeliveryEvent, Postponed
from offhook.hooks.errors import HookCause
from offhook.hooks.policy import ELKS, Listed
from offhook.hooks.request import Purpose, WebhookRequest
from offhook.runtime.outbox import NoStore, Outbox
from offhook.runtime.webhooks import HookResult, Webhooks

AT_ONCE = Listed(pauses_s=(0.01, 0.01))
WITHIN_S = 10.0


def owed(name: str, url: str, call: str = "c1") -> WebhookRequest:
    return WebhookRequest(id=name, purpose=Purpose.OWED, call=call, url=url, params=(("id", name),))


class Store:
    """A store in memory that remembers the order of what it was told."""

    def __init__(self) -> None:
        self.kept: dict[str, Mapping[str, Any]] = {}
        self.told: list[str] = []

    def load(self) -> list[Mapping[str, Any]]:
        return list(self.kept.values())

    def save(self, request_id: str, data: Mapping[str, Any]) -> None:
        self.told.append(f"save {request_id}")
        self.kept[request_id] = data

    def delete(self, request_id: str) -> None:
        self.told.append(f"delete {request_id}")
        self.kept.pop(request_id, None)


class Listening:
    """Collects events; a test waits for so many of them."""

    def __init__(self) -> None:
        self.events: list[DeliveryEvent] = []
        self.results: list[HookResult | None] = []
        self._more = asyncio.Event()

    def __call__(self, event: DeliveryEvent, result: HookResult | None) -> None:
        self.events.append(event)
        self.results.append(result)
        self._more.set()

    async def has(self, count: int) -> list[DeliveryEvent]:
        async with asyncio.timeout(WITHIN_S):
            while len(self.events) < count:
                self._more.clear()
                await self._more.wait()
        return self.events


async def fine(_: web.Request) -> web.Response:
    return web.Response(status=204)


async def test_delivered_and_forgotten() -> None:
    store, heard = Store(), Listening()
    async with (
        receiver(fine) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=store, listener=heard) as outbox,
    ):
        request = owed("a", server.url)
        outbox.owe(request, ELKS)
        outbox.owe(request, ELKS)
        assert len(outbox) == 1
        assert outbox.owes("c1")
        assert await heard.has(1) == [Delivered(request=request, tries=1, status=204)]
        assert len(outbox) == 0
        assert not outbox.owes("c1")
    assert store.told == ["save a", "delete a"]
    assert [seen.body for seen in server.seen] == [b"id=a"]
    assert heard.results[0] is not None
    assert heard.results[0].status == 204


async def test_tried_again_until_it_is_taken_and_in_order() -> None:
    statuses = iter([500, 404])
    heard = Listening()

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=next(statuses, 200))

    async with (
        receiver(handle) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, listener=heard) as outbox,
    ):
        for name in ("a", "b"):
            outbox.owe(owed(name, server.url), AT_ONCE)
        events = await heard.has(4)
    assert [type(event) for event in events] == [Postponed, Postponed, Delivered, Delivered]
    assert [seen.body for seen in server.seen] == [b"id=a", b"id=a", b"id=a", b"id=b"]


async def test_dead_after_its_last_try() -> None:
    store, heard = Store(), Listening()
    async with (
        receiver(lambda _: _status(500)) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=store, listener=heard) as outbox,
    ):
        outbox.owe(owed("a", server.url), AT_ONCE)
        events = await heard.has(3)
    assert isinstance(events[-1], Dead)
    assert store.kept == {}
    assert len(server.seen) == 3


async def _status(status: int) -> web.Response:
    return web.Response(status=status)


async def test_a_url_that_cannot_be_asked_is_dead_and_never_saved() -> None:
    store, heard = Store(), Listening()
    async with Webhooks(LOOPBACK) as webhooks, Outbox(webhooks, store=store, listener=heard) as outbox:
        outbox.owe(owed("a", "nowhere"), ELKS)
        (event,) = await heard.has(1)
    assert isinstance(event, Dead)
    assert event.failure.cause is HookCause.URL
    assert heard.results == [None]
    assert "save a" not in store.told


async def test_a_receiver_that_hangs_holds_up_nobody_else() -> None:
    hang = asyncio.Event()
    heard = Listening()

    async def never(_: web.Request) -> web.Response:
        await hang.wait()
        return web.Response()

    async with (
        receiver(never) as slow,
        receiver(fine) as quick,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, listener=heard, drain_s=0.0) as outbox,
    ):
        for number in range(40):
            outbox.owe(owed(f"slow{number}", slow.url, call=f"c{number}"), ELKS)
        await slow.has_seen(16)
        for number in range(40):
            outbox.owe(owed(f"quick{number}", quick.url, call=f"c{number}"), ELKS)
        events = await heard.has(40)
        assert {event.request.id for event in events} == {f"quick{number}" for number in range(40)}
        # The receiver that hangs has its share of connections and no more.
        assert len(slow.seen) == 16
        hang.set()


async def test_what_is_in_the_store_goes_on_in_its_order() -> None:
    store, heard = Store(), Listening()
    async with Webhooks(LOOPBACK) as webhooks:
        async with receiver(lambda _: _status(500)) as server, Outbox(webhooks, store=store, listener=heard) as outbox:
            for name in ("a", "b"):
                outbox.owe(owed(name, server.url), Listed(pauses_s=(0.05, 0.05)))
            await heard.has(1)
        assert list(store.kept) == ["a", "b"]
        again = Listening()
        async with receiver(fine) as server:
            # The same port is not to be had for certain: the receiver has moved.
            for data in store.kept.values():
                data["request"]["url"] = server.url
            async with Outbox(webhooks, store=store, listener=again):
                events = await again.has(2)
    assert [event.request.id for event in events] == ["a", "b"]
    assert isinstance(events[0], Delivered)
    assert events[0].tries == 2
    assert store.kept == {}


async def test_a_listener_that_fails_stops_nothing() -> None:
    heard = Listening()

    def listener(event: DeliveryEvent, result: HookResult | None) -> None:
        heard(event, result)
        raise RuntimeError("no")

    async with receiver(fine) as server, Webhooks(LOOPBACK) as webhooks, Outbox(webhooks, listener=listener) as outbox:
        for name in ("a", "b"):
            outbox.owe(owed(name, server.url), ELKS)
        assert len(await heard.has(2)) == 2


async def test_a_fault_of_ours_is_tried_again() -> None:
    class Broken:
        async def perform(self, request: WebhookRequest, policy: AttemptPolicy | None = None) -> HookResult:
            raise ZeroDivisionError

    heard = Listening()
    async with Outbox(Broken(), listener=heard) as outbox:
        outbox.owe(owed("a", "http://127.0.0.1/"), AT_ONCE)
        events = await heard.has(3)
    assert isinstance(events[-1], Dead)
    assert "ZeroDivisionError" in events[-1].failure.sentence


async def test_leaving_lets_go_of_what_hangs_and_keeps_it() -> None:
    store = Store()
    hang = asyncio.Event()

    async def never(_: web.Request) -> web.Response:
        await hang.wait()
        return web.Response()

    async with receiver(never) as server, Webhooks(LOOPBACK) as webhooks:
        async with Outbox(webhooks, store=store, drain_s=0.05) as outbox:
            outbox.owe(owed("a", server.url), ELKS)
            await server.has_seen(1)
        hang.set()
    assert list(store.kept) == ["a"]


def test_no_store_keeps_nothing() -> None:
    store = NoStore()
    store.save("a", {})
    store.delete("a")
    assert store.load() == []


pytestmark = pytest.mark.timeout(60)
