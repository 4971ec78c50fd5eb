"""Idempotency keys as rows: what was asked under each, and what was answered. What that means is the web's.

A row and its removal go through the one writer in the order in which they were put; reads see what is durable.
"""

from datetime import datetime, timedelta

from sqlalchemy import Connection, select

from offhook.storage import schema, statements
from offhook.storage.rows import IdempotencyRow, columns_of
from offhook.storage.writer import Writer

__all__ = ["KEEP_KEYS", "IdempotencyKeys", "idempotency_key"]

KEEP_KEYS = timedelta(hours=24)
"""How long a key is remembered."""


class IdempotencyKeys:
    """The writes."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def save(self, row: IdempotencyRow) -> None:
        """A key as it stands."""
        self._writer.put(statements.SAVE_IDEMPOTENCY_KEY, columns_of(row))

    def forget(self, row: IdempotencyRow) -> None:
        """As if it had never been used."""
        self._writer.put(statements.DELETE_IDEMPOTENCY_KEY, {"of_owner": row.owner, "of_key": row.key})

    def forget_before(self, time: datetime) -> None:
        """Removes those that are too old."""
        self._writer.put(statements.DELETE_IDEMPOTENCY_KEYS_BEFORE, {"before": time})

    async def flush(self, timeout_s: float) -> None:
        """Waits until all of it is durable. Raises `offhook.storage.writer.StorageUnavailable`."""
        await self._writer.flush(timeout_s)


def idempotency_key(connection: Connection, owner: str, key: str) -> IdempotencyRow | None:
    """What is known of a key, however old."""
    table = schema.idempotency_keys
    row = connection.execute(select(table).where(table.c.owner == owner, table.c.key == key)).first()
    return None if row is None else IdempotencyRow(**row._mapping)
