"""What is owed, in a real database: what a new server goes on with, lists, replays, and how long it is kept."""

from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from offhook.storage.deliveries import (
    deliveries_of,
    deliveries_page,
    deliveries_since,
    delivery_by_id,
    last_entries,
    left_over,
)
from offhook.storage.rows import CallRow, DeliveryRow, EventRow
from offhook.storage.store import Storage

T0 = datetime(2026, 1, 1, 12, tzinfo=UTC)
LIVE, OVER = "a" * 32, "b" * 32


def delivery(number: int, *, call: str = OVER, second: float | None = None, **more: Any) -> DeliveryRow:
    created = T0 + timedelta(seconds=number if second is None else second)
    return DeliveryRow(
        **{"id": f"msg_{number}", "call_id": call, "account": "u1", "kind": "hangup", "sequence": number,
           "created": created, "data": {"n": number}, **more}
    )  # fmt: skip


def call(storage: Storage, call_id: str, state: str) -> None:
    storage.records.save_call(
        CallRow(id=call_id, owner="u1", direction="outgoing", from_number="", to_number="", created=T0, state=state)
    )


def done(number: int, state: str, **more: Any) -> DeliveryRow:
    return delivery(number, state=state, done=T0 + timedelta(hours=number), **more)


async def saved(storage: Storage, *rows: DeliveryRow) -> None:
    for row in rows:
        storage.deliveries.save(row)
    await storage.deliveries.flush(5.0)


async def test_what_a_new_server_goes_on_with(storage: Storage) -> None:
    call(storage, LIVE, "ongoing")
    call(storage, OVER, "success")
    for seq in (1, 2, 3):
        storage.records.append_event(EventRow(call_id=OVER, seq=seq, at=T0, kind="k"))
    await saved(
        storage,
        delivery(3, second=5),
        delivery(2, second=5),
        done(1, "delivered"),
        done(7, "dead", call=LIVE),
        done(8, "delivered", call=LIVE),
    )
    left = await storage.read(lambda connection: left_over(connection, 10))
    assert [row.id for row in left.owed] == ["msg_2", "msg_3"]
    assert left.owed[0] == delivery(2, second=5)
    assert left.known == {"msg_7", "msg_8"}
    assert left.parked == {}
    assert left.numbers == {LIVE: 8}
    assert left.entries == {OVER: 3}
    assert await storage.read(lambda connection: last_entries(connection, [OVER, LIVE])) == {OVER: 3}


async def test_of_one_receiver_so_many_are_taken_and_the_rest_counted(storage: Storage) -> None:
    await saved(
        storage,
        *(delivery(n, receiver="http://a:80") for n in (1, 3, 5)),
        delivery(2, receiver="http://b:80"),
        delivery(4, receiver="http://a:80", account="u2"),
        done(6, "dead", receiver="http://a:80"),
    )
    left = await storage.read(lambda connection: left_over(connection, 2))
    assert [row.sequence for row in left.owed] == [1, 2, 3, 4]
    assert left.parked == {("u1", "http://a:80"): 1}
    storage.records.append_event(EventRow(call_id=OVER, seq=7, at=T0, kind="k"))
    await storage.writer.flush()
    waiting = await storage.deliveries.waiting("u1", "http://a:80", 2)
    assert [row.sequence for row in waiting.rows] == [1, 3]
    assert waiting.entries == {OVER: 7}


async def test_last_entries_of_many_calls(storage: Storage) -> None:
    calls = [f"{n:032x}" for n in range(1200)]
    for name in calls:
        storage.records.append_event(EventRow(call_id=name, seq=1, at=T0, kind="k"))
    await storage.writer.flush()
    assert await storage.read(lambda connection: last_entries(connection, calls)) == dict.fromkeys(calls, 1)


async def test_a_delivery_is_replaced_as_it_goes_on(storage: Storage) -> None:
    await saved(storage, delivery(1), delivery(1, tries=1, why="refused"), done(1, "delivered", status=204))
    row = await storage.read(lambda connection: delivery_by_id(connection, "msg_1"))
    assert row == done(1, "delivered", status=204)
    assert await storage.read(lambda connection: delivery_by_id(connection, "msg_2")) is None


async def test_lists_are_newest_first_and_filtered(storage: Storage) -> None:
    await saved(
        storage, delivery(1), done(2, "dead"), delivery(3, call=LIVE), delivery(4, account="u2"), done(5, "delivered")
    )

    async def ids(account: str | None, **more: Any) -> list[str]:
        page = await storage.read(lambda connection: deliveries_page(connection, account, **more))
        return [row.id.removeprefix("msg_") for row in page.rows]

    assert await ids("u1") == ["5", "3", "2", "1"]
    assert await ids(None) == ["5", "4", "3", "2", "1"]
    assert await ids("u1", state="dead") == ["2"]
    assert await ids("u1", call=LIVE) == ["3"]
    assert await ids("u1", since=T0 + timedelta(seconds=3)) == ["5", "3"]
    page = await storage.read(lambda connection: deliveries_page(connection, None, limit=2))
    assert page.next == T0 + timedelta(seconds=4)
    assert await ids(None, before=page.next) == ["3", "2", "1"]


async def test_those_of_a_call_come_in_order_page_by_page_whatever_became_of_them(storage: Storage) -> None:
    await saved(
        storage,
        *(delivery(number, state=state) for number, state in ((3, "owed"), (1, "dead"), (2, "delivered"))),
        delivery(4, sequence=3),
        delivery(5, call=LIVE),
    )
    found: list[DeliveryRow] = []
    for _ in range(5):
        last = found[-1] if found else None
        found += await storage.read(partial(deliveries_of, call=OVER, after=last, limit=1))
    assert [(row.id, row.sequence) for row in found] == [
        (delivery(number).id, sequence) for number, sequence in ((1, 1), (2, 2), (3, 3), (4, 3))
    ]


async def test_replays_go_from_the_oldest_on_and_lose_none(storage: Storage) -> None:
    rows = [done(n, "dead" if n % 2 else "delivered", second=n // 3) for n in range(12)]
    await saved(storage, *rows, delivery(20))

    async def walk(limit: int, **more: Any) -> list[int]:
        found: list[int] = []
        since: datetime | None = T0
        while since is not None:
            at = since
            page, since = await storage.read(
                lambda connection, at=at: deliveries_since(connection, "u1", at, limit=limit, **more)
            )
            found += [row.sequence for row in page]
        return found

    for limit in (1, 2, 3, 5, 100):
        assert await walk(limit, states=("dead", "delivered")) == list(range(12))
    assert await walk(2, states=("dead",)) == [1, 3, 5, 7, 9, 11]
    assert await walk(100) == [*range(12), 20]
    assert await walk(5, call=LIVE) == []


async def test_what_is_done_is_forgotten_after_a_time_and_what_is_owed_never(storage: Storage) -> None:
    await saved(storage, delivery(1), done(2, "dead"), done(3, "delivered"))
    storage.deliveries.forget_done(T0 + timedelta(hours=2, seconds=1))
    await storage.deliveries.flush(5.0)
    page = await storage.read(lambda connection: deliveries_page(connection, None))
    assert [row.id for row in page.rows] == ["msg_3", "msg_1"]


async def test_a_call_that_is_erased_takes_what_was_posted_with_it(storage: Storage) -> None:
    call(storage, OVER, "success")
    await saved(storage, delivery(1), done(2, "delivered"))
    storage.records.erase_call(OVER, T0)
    await storage.deliveries.flush(5.0)
    page = await storage.read(lambda connection: deliveries_page(connection, None))
    assert [row.id for row in page.rows] == ["msg_1"], "what is owed is still owed"


async def test_what_was_still_owed_to_an_erased_call_goes_when_it_is_done(storage: Storage) -> None:
    call(storage, OVER, "success")
    call(storage, LIVE, "success")
    await saved(storage, delivery(1), delivery(2), delivery(3, call=LIVE))
    storage.records.erase_call(OVER, T0)
    await saved(storage, done(1, "delivered"), done(3, "delivered", call=LIVE))
    storage.deliveries.forget_erased(T0)
    await storage.deliveries.flush(5.0)
    page = await storage.read(lambda connection: deliveries_page(connection, None))
    assert [row.id for row in page.rows] == ["msg_3", "msg_2"]


async def test_together_is_the_writers(storage: Storage) -> None:
    with storage.deliveries.together():
        storage.deliveries.save(delivery(1))
        assert storage.writer.health().pending == 0
    await storage.deliveries.flush(5.0)
    assert await storage.read(lambda connection: delivery_by_id(connection, "msg_1")) == delivery(1)
