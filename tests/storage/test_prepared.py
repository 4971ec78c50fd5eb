"""Statements made ready: the same rows arrive as SQLAlchemy's own execution would have written."""

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import Engine, UpdateBase, create_engine, select

from offhook.storage import schema, statements
from offhook.storage.prepared import Preparer
from offhook.storage.rows import CallRow, columns_of

AT = datetime(2026, 11, 21, 8, 0, 0, 123456, tzinfo=UTC)


@pytest.fixture
def engine() -> Engine:
    engine = create_engine("sqlite://")
    schema.metadata.create_all(engine)
    return engine


def written(engine: Engine, statement: UpdateBase, row: dict[str, Any]) -> None:
    prepared = Preparer(engine.dialect).prepare(statement, row)
    with engine.begin() as connection:
        connection.exec_driver_sql(prepared.text, prepared.values(row))


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
    assert first.values(row) == ("c1",)


def test_a_value_of_another_type_is_refused(engine: Engine) -> None:
    row = {"of_call": "c1", "at": "yesterday"}
    with pytest.raises(TypeError):
        Preparer(engine.dialect).prepare(statements.ERASE_CALL, row).values(row)
