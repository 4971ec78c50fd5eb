"""The writer: groups, order, what a flush promises, and what happens when the database will not take it."""

import asyncio
import sqlite3
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, bindparam, delete, select
from sqlalchemy.event import listen

from offhook.storage import schema, statements
from offhook.storage import writer as module
from offhook.storage.database import migrate, open_engine
from offhook.storage.prepared import Prepared
from offhook.storage.rows import CallRow, columns_of
from offhook.storage.writer import StorageUnavailable, Writer

NOW = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.fixture
def engine(tmp_path: Path) -> Iterator[Engine]:
    made = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(made)
    yield made
    made.dispose()


@pytest.fixture
def writer(engine: Engine) -> Iterator[Writer]:
    made = Writer(engine)
    yield made
    made.close()


def event(seq: int, **data: Any) -> dict[str, Any]:
    return {"call_id": "c", "seq": seq, "at": NOW, "kind": "k", "data": data}


def seqs(engine: Engine) -> list[int]:
    with engine.connect() as connection:
        return [row.seq for row in connection.execute(select(schema.events).order_by(schema.events.c.seq))]


async def test_flush_makes_durable_what_came_before_in_few_groups(engine: Engine, writer: Writer) -> None:
    for seq in range(1, 501):
        assert writer.put(statements.INSERT_EVENT, event(seq), appends=True)
    await writer.flush()
    assert seqs(engine) == list(range(1, 501))
    health = writer.health()
    assert (health.pending, health.failing_since, health.dropped, health.committed) == (0, None, 0, 500)
    assert health.groups < 50


async def test_flush_of_nothing_returns_at_once(writer: Writer) -> None:
    await writer.flush(timeout_s=0.0)
    writer.flush_blocking()
    assert writer.health().groups == 0


def test_rows_written_without_a_flush_become_durable_at_close(engine: Engine) -> None:
    writer = Writer(engine)
    writer.put(statements.INSERT_EVENT, event(1), appends=True)
    writer.close()
    assert seqs(engine) == [1]


def test_rows_that_nobody_waits_for_become_durable_after_a_while(engine: Engine, writer: Writer) -> None:
    """While the thread gathers them, and also when it had nothing to do for so long that it sleeps."""
    for seq in (1, 2, 3):
        writer.put(statements.INSERT_EVENT, event(seq), appends=True)
        until(lambda seq=seq: writer.health().committed == seq)  # type: ignore[misc]
        if seq == 2:
            until(lambda: writer._asleep)
    assert seqs(engine) == [1, 2, 3]


async def test_a_flush_takes_along_all_that_is_there(writer: Writer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER_S", 60.0)
    with writer.together():
        writer.put_all(statements.INSERT_EVENT, [event(1), event(2)], appends=True)
    first = writer.flushed()
    writer.put(statements.INSERT_EVENT, event(3), appends=True)
    second = writer.flushed()
    for future in (first, second):
        await asyncio.wait_for(asyncio.wrap_future(future), 5)
    assert writer.health().committed == 3
    assert writer.health().groups <= 2


def test_no_flush_is_forgotten_however_many_come_at_once(
    engine: Engine, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER_S", 60.0)

    def flush_often(thread: int) -> None:
        for number in range(100):
            writer.put(statements.INSERT_EVENT, event(1000 * thread + number), appends=True)
            writer.flush_blocking(10)

    threads = [threading.Thread(target=flush_often, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert len(seqs(engine)) == 800
    assert writer._bell.qsize() <= 1


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 5
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


def caller_id(number: str) -> dict[str, Any]:
    return {"account": "u", "number": number, "created": NOW}


async def test_order_holds_between_statements_and_the_last_of_a_key_stands(engine: Engine, writer: Writer) -> None:
    trunk = {"id": "k", "name": "t", "address": "sip:a", "username": "", "sealed_password": None, "register": False}
    trunk |= {"prefixes": [], "from_addresses": [], "created": NOW}
    writer.put(statements.INSERT_CALLER_ID, caller_id("+1"))
    writer.put(statements.SAVE_TRUNK, trunk, key="k")
    writer.put(statements.DELETE_CALLER_ID, {"of_account": "u", "of_number": "+1"})
    writer.put(statements.SAVE_TRUNK, trunk | {"address": "sip:b"}, key="k")
    writer.put(statements.INSERT_CALLER_ID, caller_id("+2"))
    await writer.flush()
    with engine.connect() as connection:
        assert [row.number for row in connection.execute(select(schema.caller_ids))] == ["+2"]
        assert [row.address for row in connection.execute(select(schema.trunks))] == ["sip:b"]


async def test_rows_of_many_calls_are_a_few_statements(
    engine: Engine, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """At each statement the writer's thread waits for its turn, which a busy loop makes long."""
    executed: list[str] = []
    execute = Prepared.executions

    def counted(self: Prepared, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
        for text, values in execute(self, rows):
            executed.append(text.split(" (")[0].split(" WHERE")[0])
            yield text, values

    monkeypatch.setattr(Prepared, "executions", counted)
    with writer.together():
        for each in range(16):
            fact = {"kind": "call", "key": f"c{each}", "version": 1, "sealed": b""}
            call = CallRow(id=f"c{each}", owner="u", direction="incoming", from_number="", to_number="", created=NOW)
            writer.put(statements.SAVE_FACT, fact, key=f"call c{each}")
            writer.put(statements.INSERT_EVENT, event(each), appends=True)
            writer.put(statements.SAVE_CALL, columns_of(call), key=f"c{each}")
            writer.put(statements.DELETE_FACT, {"of_kind": "call", "of_key": f"d{each}"}, key=f"call d{each}")
    await writer.flush()
    assert executed == [
        "INSERT INTO events", "INSERT INTO restore_facts", "INSERT INTO calls", "DELETE FROM restore_facts"
    ]  # fmt: skip


@given(st.lists(st.tuples(st.sampled_from(("save", "delete", "bar")), st.integers(0, 3)), max_size=30))
@settings(deadline=None, max_examples=60)
def test_a_group_does_what_its_rows_do_one_after_another(doings: list[tuple[str, int]]) -> None:
    """`bar` is a deletion that names no key, and which nothing may pass."""
    with tempfile.TemporaryDirectory() as directory:
        engine = open_engine(f"sqlite:///{directory}/a.db")
        schema.metadata.create_all(engine)
        assert _versions(engine, doings) == _wanted(doings)
        engine.dispose()


def _wanted(doings: list[tuple[str, int]]) -> dict[str, int]:
    left: dict[str, int] = {}
    for place, (doing, key) in enumerate(doings):
        match doing:
            case "save":
                left[str(key)] = place
            case "delete":
                left.pop(str(key), None)
            case _:
                left = {each: version for each, version in left.items() if version >= place - 3}
    return left


def _versions(engine: Engine, doings: list[tuple[str, int]]) -> dict[str, int]:
    writer = Writer(engine)
    bar = delete(schema.restore_facts).where(schema.restore_facts.c.version < bindparam("below"))
    with writer.together():
        for place, (doing, key) in enumerate(doings):
            match doing:
                case "save":
                    fact = {"kind": "k", "key": str(key), "version": place, "sealed": b""}
                    writer.put(statements.SAVE_FACT, fact, key=f"k {key}")
                case "delete":
                    writer.put(statements.DELETE_FACT, {"of_kind": "k", "of_key": str(key)}, key=f"k {key}")
                case _:
                    writer.put(bar, {"below": place - 3})
    writer.flush_blocking()
    with engine.connect() as connection:
        found = {row.key: row.version for row in connection.execute(select(schema.restore_facts))}
    writer.close()
    return found


async def test_a_wrong_row_is_dropped_alone(engine: Engine, writer: Writer, caplog: pytest.LogCaptureFixture) -> None:
    writer.put(statements.INSERT_EVENT, event(1), appends=True)
    writer.put(statements.INSERT_EVENT, event(1), appends=True)
    writer.put(statements.INSERT_EVENT, event(2, unwritable=object()), appends=True)
    writer.put(statements.INSERT_EVENT, event(3), appends=True)
    await writer.flush()
    assert seqs(engine) == [1, 3]
    assert writer.health().dropped == 2
    assert writer.health().failing_since is None
    assert "UNIQUE constraint failed" in caplog.text


async def test_a_locked_database_loses_nothing(engine: Engine, writer: Writer, tmp_path: Path) -> None:
    other = sqlite3.connect(tmp_path / "a.db", isolation_level=None)
    other.execute("BEGIN EXCLUSIVE")
    writer.put(statements.INSERT_EVENT, event(1), appends=True)
    with pytest.raises(StorageUnavailable):
        await writer.flush(timeout_s=0.05)
    failing = asyncio.get_running_loop().run_in_executor(None, _until_failing, writer)
    await asyncio.wait_for(failing, 20)
    health = writer.health()
    assert "locked" in health.error
    assert health.pending >= 1
    assert health.trying_since is not None
    assert health.failing_since is not None
    assert health.trying_since < health.failing_since
    other.execute("COMMIT")
    other.close()
    await writer.flush(timeout_s=20)
    assert seqs(engine) == [1]
    assert (writer.health().failing_since, writer.health().trying_since) == (None, None)


async def test_a_database_that_says_nothing_is_known_by_the_time_it_takes(engine: Engine, writer: Writer) -> None:
    asked, answers = threading.Event(), threading.Event()

    def silent(statement: str) -> None:
        if statement == "COMMIT":
            asked.set()
            assert answers.wait(20)

    listen(engine, "checkout", lambda connection, *_: connection.set_trace_callback(silent))
    before = time.monotonic()
    writer.put(statements.INSERT_EVENT, event(1), appends=True)
    assert await asyncio.to_thread(asked.wait, 20)
    health = writer.health()
    assert (health.failing_since, health.error, health.pending) == (None, "", 1)
    assert health.trying_since is not None
    assert before <= health.trying_since <= time.monotonic()
    answers.set()
    await writer.flush(timeout_s=20)
    assert writer.health().trying_since is None


def _until_failing(writer: Writer) -> None:
    poll = threading.Event()
    while writer.health().failing_since is None:
        poll.wait(0.01)


async def test_a_full_disk_keeps_rows_up_to_a_bound_and_lets_timeline_entries_go_first(
    engine: Engine, caplog: pytest.LogCaptureFixture
) -> None:
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1")  # of this connection only; the pool hands it out again
    writer = Writer(engine, max_pending=10)
    data = "x" * 5000
    for seq in range(1, 11):
        writer.put(statements.INSERT_EVENT, event(seq, data=data), appends=True)
    await asyncio.wait_for(asyncio.get_running_loop().run_in_executor(None, _until_failing, writer), 20)
    assert "full" in writer.health().error
    kept = sum(writer.put(statements.INSERT_EVENT, event(seq), appends=True) for seq in range(100, 120))
    assert kept <= 10
    assert writer.put(statements.INSERT_CALLER_ID, caller_id("+1"))
    room = sum(writer.put(statements.INSERT_CALLER_ID, caller_id(f"+{n}")) for n in range(2, 40))
    assert room < 20
    assert writer.health().dropped > 0
    assert caplog.text.count("rows are let go") == 1, "said once, however many they are"
    with engine.connect() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    await writer.flush(timeout_s=20)
    assert set(range(1, 11)) <= set(seqs(engine))
    assert f"{writer.health().dropped} rows were lost" in caplog.text
    writer.close()


# ── together ─────────────────────────────────────────────────────────────────────────────────────────────────────────


def committed(engine: Engine) -> list[int]:
    """How many rows each transaction wrote, as they are committed."""
    sizes: list[int] = []

    def watch(connection: sqlite3.Connection, *_: Any) -> None:
        before = connection.total_changes

        def said(statement: str) -> None:
            if statement == "COMMIT":
                sizes.append(connection.total_changes - before)

        connection.set_trace_callback(said)

    listen(engine, "checkout", watch)
    return sizes


async def test_what_is_put_together_is_one_transaction_however_large(
    engine: Engine, writer: Writer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_GROUP", 3)
    sizes = committed(engine)
    with writer.together():
        for seq in range(1, 6):
            with writer.together():
                writer.put(statements.INSERT_EVENT, event(seq), appends=True)
        writer.put(statements.INSERT_CALLER_ID, caller_id("+1"))
        # Nothing of it is on its way yet: a crash here leaves none.
        assert writer.health().pending == 0
    await writer.flush()
    assert [size for size in sizes if size] == [6]


async def test_an_error_within_leaves_what_was_put(engine: Engine, writer: Writer) -> None:
    def fails() -> None:
        with writer.together():
            writer.put(statements.INSERT_EVENT, event(1), appends=True)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fails()
    with writer.together():
        pass
    writer.put(statements.INSERT_EVENT, event(2), appends=True)
    await writer.flush()
    assert seqs(engine) == [1, 2]


async def test_other_threads_are_not_part_of_it(engine: Engine, writer: Writer) -> None:
    with writer.together():
        writer.put(statements.INSERT_EVENT, event(1), appends=True)
        other = threading.Thread(target=lambda: writer.put(statements.INSERT_EVENT, event(2), appends=True))
        other.start()
        other.join()
        writer.flush_blocking()
        assert seqs(engine) == [2]
    await writer.flush()
    assert seqs(engine) == [1, 2]


async def test_a_wrong_row_among_others_is_dropped_and_they_stay_one_transaction(
    engine: Engine, writer: Writer
) -> None:
    writer.put(statements.INSERT_EVENT, event(1), appends=True)
    await writer.flush()
    sizes = committed(engine)
    with writer.together():
        writer.put(statements.INSERT_EVENT, event(2), appends=True)
        writer.put(statements.INSERT_EVENT, event(1), appends=True)
        writer.put(statements.INSERT_EVENT, event(3, unwritable=object()), appends=True)
        writer.put(statements.INSERT_CALLER_ID, caller_id("+1"))
    writer.put(statements.INSERT_EVENT, event(4), appends=True)
    await writer.flush()
    assert seqs(engine) == [1, 2, 4]
    assert writer.health().dropped == 2
    assert 2 in sizes
