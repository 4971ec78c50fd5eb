"""Statements made ready: the same rows arrive as SQLAlchemy's own execution would have written."""

from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, UpdateBase, create_engine, select

from offhook.storage import schema, statements
from offhook.storage.prepared import Preparer
from offhook.storage.rows import CallRow, columns_of

AT = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)


def memory() -> Engine:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    return engine


@pytest.fixture
def engine() -> Engine:
    return memory()


def written(engine: Engine, statement: UpdateBase, *rows: dict[str, Any]) -> int:
    """How many executions it took."""
    executions = list(Preparer(engine.dialect).prepare(statement, rows[0]).executions(rows))
    with engine.begin() as connection:
        for text, values in executions:
            connection.exec_driver_sql(text, tuple(values))
    return len(executions)


def test_times_lists_and_nothing_are_read_as_they_were_given(engine: Engine) -> None:
    row = CallRow(
        id="c1",
        owner="u1",
        direction="outgoing",
        from_number="+1",
        to_number="+2",
        created=AT,
        actions=({"play": "x"},),
    )
    written(engine, statements.SAVE_CALL, columns_of(row))
    with engine.connect() as connection:
        found = connection.execute(select(schema.calls)).one()
    assert (found.id, found.created, found.actions, found.deleted) == ("c1", AT, [{"play": "x"}], None)


def test_a_row_is_replaced_under_its_key(engine: Engine) -> None:
    call = CallRow(id="c1", owner="u1", direction="incoming", from_number="+1", to_number="+2", created=AT)
    written(engine, statements.SAVE_CALL, columns_of(call))
    written(engine, statements.SAVE_CALL, columns_of(call) | {"to_number": "+3"})
    with engine.connect() as connection:
        assert [each.to_number for each in connection.execute(select(schema.calls))] == ["+3"]


def test_what_a_statement_says_itself_needs_no_key_in_the_row(engine: Engine) -> None:
    call = CallRow(id="c1", owner="u1", direction="incoming", from_number="+1", to_number="+2", created=AT)
    written(engine, statements.SAVE_CALL, columns_of(call))
    written(engine, statements.ERASE_CALL, {"of_call": "c1", "at": AT})
    with engine.connect() as connection:
        found = connection.execute(select(schema.calls)).one()
    assert (found.from_number, found.to_number, found.actions, found.deleted) == ("", "", [], AT)


def test_a_statement_is_compiled_once_for_rows_of_the_same_keys(engine: Engine) -> None:
    preparer = Preparer(engine.dialect)
    row = {"of_call": "c1"}
    first = preparer.prepare(statements.DELETE_EVENTS, row)
    assert preparer.prepare(statements.DELETE_EVENTS, {"of_call": "c2"}) is first
    assert [values for _, values in first.executions([row])] == [["c1"]]


@given(count=st.integers(1, 300))
@settings(deadline=None)
def test_many_rows_are_a_few_executions_and_keep_their_order(count: int) -> None:
    engine = memory()
    rows = [{"call_id": "c1", "seq": seq, "at": AT, "kind": "k", "data": {"seq": seq}} for seq in range(1, count + 1)]
    assert written(engine, statements.INSERT_EVENT, *rows) <= count // 64 + 9
    with engine.connect() as connection:
        found = connection.execute(select(schema.events)).all()
    assert [(row.seq, row.data) for row in found] == [(seq, {"seq": seq}) for seq in range(1, count + 1)]


def test_the_last_of_two_rows_with_one_key_stands(engine: Engine) -> None:
    rows = [{"kind": "call", "key": "c1", "version": 1, "sealed": bytes([each])} for each in range(20)]
    written(engine, statements.SAVE_FACT, *rows)
    with engine.connect() as connection:
        assert [row.sealed for row in connection.execute(select(schema.restore_facts))] == [bytes([19])]


def test_what_deletes_takes_many_rows_at_once(engine: Engine) -> None:
    rows = [{"kind": kind, "key": f"c{each}", "version": 1, "sealed": b""} for each in range(30) for kind in ("a", "b")]
    written(engine, statements.SAVE_FACT, *rows)
    gone = [{"of_kind": "a" if each % 2 else "b", "of_key": f"c{each}"} for each in range(20)]
    assert written(engine, statements.DELETE_FACT, *gone) == 2
    with engine.connect() as connection:
        left = {(row.kind, row.key) for row in connection.execute(select(schema.restore_facts))}
    assert left == {(row["kind"], row["key"]) for row in rows} - {(row["of_kind"], row["of_key"]) for row in gone}


def test_what_changes_rows_takes_them_one_by_one(engine: Engine) -> None:
    for name in ("c1", "c2", "c3"):
        call = CallRow(id=name, owner="u1", direction="incoming", from_number="+1", to_number="+2", created=AT)
        written(engine, statements.SAVE_CALL, columns_of(call))
    assert written(engine, statements.ERASE_CALL, *({"of_call": name, "at": AT} for name in ("c1", "c2"))) == 2
    with engine.connect() as connection:
        found = connection.execute(select(schema.calls)).all()
    assert {row.id: row.deleted is not None for row in found} == {"c1": True, "c2": True, "c3": False}


def test_a_value_of_another_type_is_refused(engine: Engine) -> None:
    row = {"of_call": "c1", "at": "yesterday"}
    with pytest.raises(TypeError):
        written(engine, statements.ERASE_CALL, row)
