"""A save replaces every column of a row but its key, and what never changes."""

import pytest
from sqlalchemy import Executable, Table
from sqlalchemy.dialects.sqlite import dialect

from offhook.storage import schema, statements


@pytest.mark.parametrize(
    ("statement", "table", "fixed"),
    [
        (statements.SAVE_ACCOUNT, schema.accounts, ()),
        (statements.SAVE_CALL, schema.calls, ("owner", "created")),
        (statements.SAVE_DELIVERY, schema.outbox, ("call_id", "account", "sequence", "created", "receiver")),
        (statements.SAVE_IDEMPOTENCY_KEY, schema.idempotency_keys, ()),
        (statements.SAVE_NUMBER, schema.numbers, ()),
        (statements.SAVE_SIGNING_KEY, schema.signing_keys, ()),
        (statements.SAVE_TRUNK, schema.trunks, ()),
        (statements.INSERT_RECORDING, schema.recordings, ()),
    ],
)
def test_a_save_replaces_all_but_the_key(statement: Executable, table: Table, fixed: tuple[str, ...]) -> None:
    replaced = str(statement.compile(dialect=dialect())).split("DO UPDATE SET")[1]  # type: ignore[attr-defined]
    for column in table.columns:
        stays = column.primary_key or column.name in fixed
        assert (f" {column.name} = excluded.{column.name}" in replaced) is not stays
