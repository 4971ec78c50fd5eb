"""Rows and tables have the same columns, so that a row can be written and read without a map between them."""

from dataclasses import fields
from datetime import UTC, datetime

import pytest
from sqlalchemy import Table

from offhook.storage import rows, schema

ROWS: list[tuple[type, Table]] = [
    (rows.AccountRow, schema.accounts),
    (rows.CallRow, schema.calls),
    (rows.CallerIdRow, schema.caller_ids),
    (rows.ChargeRow, schema.charges),
    (rows.DeliveryRow, schema.outbox),
    (rows.EventRow, schema.events),
    (rows.FactRow, schema.restore_facts),
    (rows.IdempotencyRow, schema.idempotency_keys),
    (rows.NumberRow, schema.numbers),
    (rows.RecordingRow, schema.recordings),
    (rows.SigningKeyRow, schema.signing_keys),
    (rows.TransactionRow, schema.transactions),
    (rows.TrunkRow, schema.trunks),
]


@pytest.mark.parametrize(("kind", "table"), ROWS)
def test_columns(kind: type, table: Table) -> None:
    assert [field.name for field in fields(kind)] == [column.name for column in table.columns]


def test_no_table_is_without_a_row() -> None:
    assert {table.name for _, table in ROWS} == set(schema.metadata.tables)


def test_columns_of_a_row() -> None:
    row = rows.EventRow(call_id="c", seq=1, at=datetime(2026, 1, 1, tzinfo=UTC), kind="k", data={"a": (1,)})
    assert rows.columns_of(row) == {"call_id": "c", "seq": 1, "at": row.at, "kind": "k", "data": {"a": (1,)}}
    trunk = rows.TrunkRow(id="k", name="n", address="sip:a", prefixes=("+46",), created=row.at)
    assert rows.columns_of(trunk)["prefixes"] == ["+46"]
