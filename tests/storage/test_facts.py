"""Restore facts: replaced, deleted, sealed, and one that is damaged costs only itself."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import text, update

from offhook.storage import schema
from offhook.storage.facts import Fact
from offhook.storage.store import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path)
    yield opened
    opened.close()


def fact(key: str, number: int) -> Fact:
    return Fact(kind="call", key=key, version=1, data={"number": number, "odd": "\udcff", "secret": "hush-hush"})


def loaded(storage: Storage) -> dict[str, Fact]:
    storage.writer.flush_blocking()
    return {each.key: each for each in storage.read_blocking(storage.facts.load)}


def test_a_fact_is_replaced_and_deleted(storage: Storage) -> None:
    for number in range(3):
        storage.facts.save(fact("a", number))
        storage.facts.save(fact("b", number))
    assert loaded(storage) == {"a": fact("a", 2), "b": fact("b", 2)}
    storage.facts.delete("call", "a")
    storage.facts.delete("phone", "b")
    assert loaded(storage) == {"b": fact("b", 2)}


def test_a_fact_is_deleted_in_the_transaction_of_what_ends_it(storage: Storage) -> None:
    storage.facts.save(fact("a", 0))
    with storage.facts.together():
        storage.facts.save(fact("a", 1))
        storage.facts.delete("call", "a")
        storage.facts.save(Fact(kind="leaving", key="a", version=1, data={}))
    assert {(each.kind, each.key) for each in loaded(storage).values()} == {("leaving", "a")}


def test_nothing_of_it_can_be_read_in_the_database(storage: Storage) -> None:
    storage.facts.save(fact("a", 1))
    storage.writer.flush_blocking()
    storage.read_blocking(lambda connection: connection.execute(text("PRAGMA wal_checkpoint(FULL)")))
    assert b"hush-hush" not in b"".join(path.read_bytes() for path in storage.data_dir.glob("offhook.db*"))


def test_a_damaged_fact_costs_only_itself(storage: Storage) -> None:
    storage.facts.save(fact("a", 1))
    storage.facts.save(fact("b", 1))
    storage.writer.put(update(schema.restore_facts).where(schema.restore_facts.c.key == "a"), {"sealed": b"no"})
    assert loaded(storage) == {"b": fact("b", 1)}
