"""What is owed, over real sockets: delivered, tried again, kept in a store, and never held up by another's receiver."""

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web
from tests.support.receivers import LOOPBACK, Receiver, raw_receiver, receiver

from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.delivery import MAX_UNDER_WAY_PER_RECEIVER, Dead, Delivered, DeliveryEvent, Postponed, Turn
from offhook.hooks.errors import HookCause
from offhook.hooks.policy import ELKS, Listed, Steady
from offhook.hooks.request import Purpose, WebhookRequest
from offhook.runtime import outbox as module
from offhook.runtime.keeper import Keeper
from offhook.runtime.outbox import NoStore, Outbox, owed_again
from offhook.runtime.webhooks import HookResult, Webhooks
from offhook.storage.deliveries import LeftOver, Waiting, deliveries_page, delivery_by_id, left_over
from offhook.storage.rows import DeliveryRow
from offhook.storage.store import Storage

SOON = Steady(every_s=0.02)
AT_ONCE = Listed(pauses_s=(0.01, 0.01))
WITHIN_S = 10.0


def owed(name: str, url: str, call: str = "c1", account: str = "u1") -> WebhookRequest:
    params = (("id", name),)
    return WebhookRequest(id=name, purpose=Purpose.OWED, call=call, url=url, params=params, account=account)


class Store(NoStore):
    """A store in memory that remembers what it was told, and says that it is durable when a test lets it."""

    def __init__(self) -> None:
        self.kept: dict[str, DeliveryRow] = {}
        self.told: list[str] = []
        self.slow = False
        self.held: list[Callable[[], None]] = []

    def save(self, row: DeliveryRow) -> None:
        self.told.append(f"{row.state} {row.id} {row.tries}")
        self.kept[row.id] = row

    def when_durable(self, say: Callable[[], None]) -> None:
        self.held.append(say)
        if not self.slow:
            asyncio.get_running_loop().call_soon(self.is_durable)

    def is_durable(self) -> None:
        held, self.held = self.held, []
        for say in held:
            say()

    @property
    def left(self) -> LeftOver:
        """What a new server would read."""
        owed = tuple(row for row in self.kept.values() if row.state == "owed")
        numbers = {"c1": len(self.kept)}
        return LeftOver(owed=owed, known=frozenset(self.kept), numbers=numbers, entries={}, parked={})


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
        outbox.owe(request, ELKS, kind="hangup")
        outbox.owe(request, ELKS, kind="hangup")
        assert len(outbox) == 1
        assert outbox.owes("c1")
        assert await heard.has(1) == [Delivered(request=replace(request, sequence=1), tries=1, status=204)]
        assert len(outbox) == 0
        assert not outbox.owes("c1")
    assert store.told == ["owed a 0", "delivered a 1"]
    assert (store.kept["a"].kind, store.kept["a"].sequence, store.kept["a"].status) == ("hangup", 1, 204)
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
            outbox.owe(owed(name, server.url), AT_ONCE, kind="hangup")
        events = await heard.has(4)
    assert [type(event) for event in events] == [Postponed, Postponed, Delivered, Delivered]
    assert [seen.body for seen in server.seen] == [b"id=a", b"id=a", b"id=a", b"id=b"]


async def test_a_receiver_that_takes_it_in_many_words_is_told_once() -> None:
    heard = Listening()

    async def handle(_: web.Request) -> web.Response:
        return web.Response(text="x" * 200_000)

    async with (
        receiver(handle) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, listener=heard) as outbox,
    ):
        outbox.owe(owed("a", server.url), AT_ONCE, kind="hangup")
        [event] = await heard.has(1)
    assert event == Delivered(request=replace(owed("a", server.url), sequence=1), tries=1, status=200)
    assert len(server.seen) == 1


async def test_dead_after_its_last_try() -> None:
    store, heard = Store(), Listening()
    async with (
        receiver(lambda _: _status(500)) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=store, listener=heard) as outbox,
    ):
        outbox.owe(owed("a", server.url), AT_ONCE, kind="hangup")
        events = await heard.has(3)
    assert isinstance(events[-1], Dead)
    assert store.told == ["owed a 0", "owed a 1", "owed a 2", "dead a 3"]
    dead = store.kept["a"]
    assert (dead.status, dead.next_try) == (500, None)
    assert dead.done is not None
    assert "answered 500" in dead.why
    assert len(server.seen) == 3


async def _status(status: int) -> web.Response:
    return web.Response(status=status)


async def test_a_url_that_cannot_be_asked_is_a_dead_letter() -> None:
    store, heard = Store(), Listening()
    async with Webhooks(LOOPBACK) as webhooks, Outbox(webhooks, store=store, listener=heard) as outbox:
        outbox.owe(owed("a", "nowhere"), ELKS, kind="hangup")
        (event,) = await heard.has(1)
    assert isinstance(event, Dead)
    assert event.failure.cause is HookCause.URL
    assert heard.results == [None]
    assert store.told == ["owed a 0", "dead a 0"]


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
            outbox.owe(owed(f"slow{number}", slow.url, call=f"c{number}"), ELKS, kind="hangup")
        await slow.has_seen(16)
        for number in range(40):
            outbox.owe(owed(f"quick{number}", quick.url, call=f"c{number}"), ELKS, kind="hangup")
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
                outbox.owe(owed(name, server.url), Listed(pauses_s=(0.05, 0.05)), kind="hangup")
            await heard.has(1)
        assert [row.id for row in store.left.owed] == ["a", "b"]
        again = Listening()
        async with receiver(fine) as server:
            # The same port is not to be had for certain: the receiver has moved.
            for row in store.kept.values():
                row.data["request"]["url"] = server.url
            async with Outbox(webhooks, store=store, left=store.left, listener=again) as outbox:
                events = await again.has(2)
                outbox.owe(owed("c", server.url), ELKS, kind="hangup")
                await again.has(3)
    assert [(event.request.id, event.request.sequence) for event in events] == [("a", 1), ("b", 2), ("c", 3)]
    assert isinstance(events[0], Delivered)
    assert events[0].tries == 2
    assert {row.state for row in store.kept.values()} == {"delivered"}


async def test_what_was_delivered_before_a_restart_is_not_owed_again() -> None:
    store, heard = Store(), Listening()
    async with receiver(fine) as server, Webhooks(LOOPBACK) as webhooks:
        async with Outbox(webhooks, store=store, listener=heard) as outbox:
            outbox.owe(owed("a", server.url), ELKS, kind="hangup")
            await heard.has(1)
        async with Outbox(webhooks, store=store, left=store.left, listener=heard) as outbox:
            outbox.owe(owed("a", server.url), ELKS, kind="hangup")
            outbox.owe(owed("b", server.url), ELKS, kind="hangup")
            await heard.has(2)
    assert [seen.body for seen in server.seen] == [b"id=a", b"id=b"]


async def test_nothing_is_sent_before_it_is_durable() -> None:
    store, heard = Store(), Listening()
    store.slow = True
    async with (
        receiver(fine) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=store, when_durable=store.when_durable, listener=heard) as outbox,
    ):
        outbox.owe(owed("a", server.url), ELKS, kind="hangup")
        outbox.owe(owed("b", server.url, call="c2"), ELKS, kind="hangup")
        outbox.replay(store.kept["a"])
        await asyncio.sleep(0.05)
        assert (server.seen, len(outbox), len(store.held)) == ([], 2, 2)
        assert outbox.owes("c2")
        store.is_durable()
        await heard.has(2)
    assert len(server.seen) == 2


async def test_leaving_waits_for_what_was_owed_a_moment_ago() -> None:
    store = Store()
    store.slow = True
    async with receiver(fine) as server, Webhooks(LOOPBACK) as webhooks:
        outbox = Outbox(webhooks, store=store, when_durable=store.when_durable)
        await outbox.__aenter__()
        outbox.owe(owed("a", server.url), ELKS, kind="hangup")
        leaving = asyncio.ensure_future(outbox.close())
        await asyncio.sleep(0.05)
        assert (server.seen, leaving.done()) == ([], False)
        store.is_durable()
        await leaving
        assert posts(server) == ["a"]


async def test_it_goes_with_the_commit_of_what_caused_it(storage: Storage) -> None:
    keeper, heard = Keeper(storage.facts, storage.writer, asyncio.get_running_loop()), Listening()
    async with (
        receiver(fine) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=storage.deliveries, when_durable=keeper.when_durable, listener=heard) as outbox,
    ):
        groups = storage.writer.health().groups
        with storage.writer.together():
            outbox.owe(owed("a", server.url), ELKS, kind="hangup")
            keeper.drop("call", "c1")
        held = asyncio.Event()
        keeper.hold(held.set)
        await held.wait()
        assert storage.writer.health().groups == groups + 1
        await heard.has(1)
    assert (await stored(storage, "a")).state == "delivered"
    keeper.close()


async def test_a_row_that_cannot_be_read_costs_nobody_else_theirs() -> None:
    store, heard = Store(), Listening()
    async with receiver(fine) as server, Webhooks(LOOPBACK) as webhooks:
        async with Outbox(webhooks, store=store, when_durable=store.when_durable) as outbox:
            store.slow = True
            outbox.owe(owed("a", server.url), ELKS, kind="hangup")
            outbox.owe(owed("b", server.url), ELKS, kind="hangup")
            kept = dict(store.kept)
            store.is_durable()
        left = LeftOver(
            owed=(replace(kept["a"], data={"v": 9}), kept["b"]), known=frozenset(), numbers={}, entries={}, parked={}
        )
        async with Outbox(webhooks, store=store, left=left, listener=heard):
            (event,) = await heard.has(1)
    assert event.request.id == "b"


async def test_a_dead_letter_is_owed_again_under_its_id() -> None:
    answers = iter([500, 500, 500])
    store, heard = Store(), Listening()

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=next(answers, 200))

    async with (
        receiver(handle) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=store, listener=heard) as outbox,
    ):
        outbox.owe(owed("a", server.url), AT_ONCE, kind="hangup")
        await heard.has(3)
        assert owed_again(store.kept["a"], datetime.now(UTC)).done is None
        outbox.replay(store.kept["a"])
        events = await heard.has(4)
    assert isinstance(events[3], Delivered)
    assert (events[3].request.id, events[3].request.sequence, events[3].tries) == ("a", 1, 4)
    assert (store.kept["a"].state, store.kept["a"].why) == ("delivered", "")


async def test_what_waits_for_its_next_try_is_tried_when_it_is_replayed() -> None:
    answers = iter([500])
    store, heard = Store(), Listening()

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=next(answers, 200))

    async with (
        receiver(handle) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=store, listener=heard) as outbox,
    ):
        outbox.owe(owed("a", server.url), ELKS, kind="hangup")
        await heard.has(1)
        outbox.replay(store.kept["a"])
        events = await heard.has(2)
    assert isinstance(events[1], Delivered)


async def test_a_replay_says_what_it_comes_to() -> None:
    go, busy = asyncio.Event(), False
    store, heard = Store(), Listening()

    async def handle(_: web.Request) -> web.Response:
        if busy:
            await go.wait()
        return web.Response()

    async with (
        receiver(handle) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=store, when_durable=store.when_durable, listener=heard) as outbox,
    ):
        for name in ("a", "b"):
            outbox.owe(owed(name, server.url), ELKS, kind="hangup")
        await heard.has(2)
        assert await outbox.replay_one(store.kept["a"]) is Turn.NOW
        await heard.has(3)
        busy, store.slow = True, True
        first, second = (asyncio.ensure_future(outbox.replay_one(store.kept[name])) for name in ("a", "b"))
        await asyncio.sleep(0.05)
        assert not first.done(), "what is not durable is not sent"
        store.is_durable()
        store.slow = False
        assert (await first, await second) == (Turn.NOW, Turn.EARLIER)
        assert await outbox.replay_one(store.kept["b"]) is Turn.EARLIER, "asking again changes nothing"
        for number in range(MAX_UNDER_WAY_PER_RECEIVER - 1):
            outbox.owe(owed(f"o{number}", server.url, call=f"d{number}"), ELKS, kind="hangup")
        await server.has_seen(3 + MAX_UNDER_WAY_PER_RECEIVER)
        outbox.owe(owed("late", server.url, call="e"), ELKS, kind="hangup")
        assert await outbox.replay_one(store.kept["late"]) is Turn.OTHERS
        go.set()
        await heard.has(3 + 2 + MAX_UNDER_WAY_PER_RECEIVER)


async def test_another_account_at_the_same_receiver_does_not_wait() -> None:
    hang = asyncio.Event()
    heard = Listening()

    async def handle(request: web.Request) -> web.Response:
        if b"quick" not in await request.read():
            await hang.wait()
        return web.Response()

    async with (
        receiver(handle) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, listener=heard, drain_s=0.0) as outbox,
    ):
        for number in range(40):
            outbox.owe(owed(f"slow{number}", server.url, call=f"c{number}"), ELKS, kind="hangup")
        await server.has_seen(16)
        outbox.owe(owed("quick", server.url, call="d", account="u2"), ELKS, kind="hangup")
        assert [event.request.id for event in await heard.has(1)] == ["quick"]
        hang.set()


async def test_a_receiver_that_drips_is_given_up_by_the_clock() -> None:
    heard = Listening()

    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)

    policy = AttemptPolicy(budget_s=0.3, shortest_try_s=0.3, retries=0)
    async with (
        raw_receiver(drip) as url,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, listener=heard, policy=policy) as outbox,
    ):
        outbox.owe(owed("a", url), ELKS, kind="hangup")
        (event,) = await heard.has(1)
    assert isinstance(event, Postponed)
    assert event.failure.cause is HookCause.TIMEOUT


async def test_with_the_real_store_it_goes_on_after_a_restart(storage: Storage) -> None:
    heard = Listening()
    async with receiver(lambda _: _status(500)) as server, Webhooks(LOOPBACK) as webhooks:
        async with Outbox(webhooks, store=storage.deliveries, listener=heard) as outbox:
            with storage.writer.together():
                outbox.owe(owed("a", server.url), ELKS, kind="hangup")
            await heard.has(1)
        await storage.writer.flush()
        left = await storage.read(lambda connection: left_over(connection, 10))
        assert [(row.id, row.tries, row.sequence) for row in left.owed] == [("a", 1, 1)]
        async with (
            receiver(fine) as server,
            Outbox(webhooks, store=storage.deliveries, left=left, listener=heard) as outbox,
        ):
            left.owed[0].data["request"]["url"] = server.url
            outbox.replay(left.owed[0])
            assert len(outbox) == 1
    await storage.writer.flush()
    row = await storage.read(lambda connection: delivery_by_id(connection, "a"))
    assert row is not None


async def test_a_listener_that_fails_stops_nothing() -> None:
    heard = Listening()

    def listener(event: DeliveryEvent, result: HookResult | None) -> None:
        heard(event, result)
        raise RuntimeError("no")

    async with receiver(fine) as server, Webhooks(LOOPBACK) as webhooks, Outbox(webhooks, listener=listener) as outbox:
        for name in ("a", "b"):
            outbox.owe(owed(name, server.url), ELKS, kind="hangup")
        assert len(await heard.has(2)) == 2


async def test_a_fault_of_ours_is_tried_again() -> None:
    class Broken:
        async def perform(self, request: WebhookRequest, policy: AttemptPolicy | None = None) -> HookResult:
            raise ZeroDivisionError

    heard = Listening()
    async with Outbox(Broken(), listener=heard) as outbox:
        outbox.owe(owed("a", "http://127.0.0.1/"), AT_ONCE, kind="hangup")
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
            outbox.owe(owed("a", server.url), ELKS, kind="hangup")
            await server.has_seen(1)
        hang.set()
    assert [row.id for row in store.left.owed] == ["a"]


# ── more than is held in memory ──────────────────────────────────────────────────────────────────────────────────────


def posts(server: Receiver) -> list[str]:
    return [seen.body.decode().removeprefix("id=") for seen in server.seen]


async def test_what_a_receiver_that_is_down_is_owed_waits_in_the_store(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "HELD_MOST", 4)
    down, heard = True, Listening()
    remembered: dict[str, int] = {}

    async def handle(_: web.Request) -> web.Response:
        return web.Response(status=500 if down else 200)

    async with (
        receiver(handle) as server,
        receiver(fine) as other,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=storage.deliveries, listener=heard, remember=remembered.update) as outbox,
    ):
        for number in range(30):
            # Two of each call, so that there is an order to keep.
            outbox.owe(owed(f"p{number:02}", server.url, call=f"c{number // 2}"), SOON, kind="hangup")
        assert (len(outbox), len(outbox._rows)) == (30, 4)
        outbox.owe(owed("x", other.url), SOON, kind="hangup")
        await other.has_seen(1)
        await server.has_seen(8)
        assert set(posts(server)) <= {"p00", "p01", "p02", "p03"}, "the others are not even in memory"
        row_of = await stored(storage, "p20")
        assert (row_of.state, await outbox.replay_one(row_of)) == ("owed", Turn.OTHERS), "it waits in the store"
        down = False
        async with asyncio.timeout(WITHIN_S):
            while len(outbox):
                await heard.has(len(heard.events) + 1)
                assert len(outbox._rows) <= 4
    delivered = [event.request.id for event in heard.events if isinstance(event, Delivered) and event.request.id != "x"]
    assert sorted(delivered) == [f"p{number:02}" for number in range(30)], "each once"
    for call in range(15):
        assert delivered.index(f"p{2 * call:02}") < delivered.index(f"p{2 * call + 1:02}")
    assert (outbox._held, outbox._parked, outbox._refills) == (Counter(), Counter(), {})


async def test_what_waits_in_the_store_outlives_a_restart(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_MOST", 4)
    heard = Listening()
    async with receiver(lambda _: _status(500)) as server, Webhooks(LOOPBACK) as webhooks:
        async with Outbox(webhooks, store=storage.deliveries) as outbox:
            for number in range(11):
                outbox.owe(owed(f"p{number:02}", server.url, call=f"c{number}"), SOON, kind="hangup")
        await storage.writer.flush()
        left = await storage.read(lambda connection: left_over(connection, 4))
        assert (len(left.owed), sum(left.parked.values())) == (4, 7)
        monkeypatch.setitem(globals(), "_status", _fine_status)
        async with Outbox(webhooks, store=storage.deliveries, left=left, listener=heard) as outbox:
            assert len(outbox) == 11
            async with asyncio.timeout(WITHIN_S):
                while len(outbox):
                    await heard.has(len(heard.events) + 1)
    await storage.writer.flush()
    page = await storage.read(lambda connection: deliveries_page(connection, None, state="delivered"))
    assert len(page.rows) == 11


async def test_a_store_that_cannot_be_read_is_asked_again(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HELD_MOST", 1)
    monkeypatch.setattr(module, "REFILL_AGAIN_S", 0.01)
    heard, waiting, asked = Listening(), storage.deliveries.waiting, 0

    async def ill_at_first(account: str, receiver: str, limit: int) -> Waiting:
        nonlocal asked
        asked += 1
        if asked == 1:
            raise OSError("no such disk")
        return await waiting(account, receiver, limit)

    monkeypatch.setattr(storage.deliveries, "waiting", ill_at_first)
    async with (
        receiver(fine) as server,
        Webhooks(LOOPBACK) as webhooks,
        Outbox(webhooks, store=storage.deliveries, listener=heard) as outbox,
    ):
        for number in range(3):
            outbox.owe(owed(f"p{number}", server.url), SOON, kind="hangup")
        await heard.has(3)
        assert posts(server) == ["p0", "p1", "p2"]


async def stored(storage: Storage, name: str) -> DeliveryRow:
    await storage.writer.flush()
    row = await storage.read(lambda connection: delivery_by_id(connection, name))
    assert row is not None
    return row


async def _fine_status(_: int) -> web.Response:
    return web.Response()


async def test_no_store_keeps_nothing_and_never_waits() -> None:
    async with receiver(fine) as server, Webhooks(LOOPBACK) as webhooks, Outbox(webhooks) as outbox:
        outbox.owe(owed("a", server.url), ELKS, kind="hangup")
        await server.has_seen(1)


pytestmark = pytest.mark.timeout(60)
