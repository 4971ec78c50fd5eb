"""The writes, made once: each is compiled once, and the writer groups by their identity."""

from collections.abc import Collection
from typing import Any

from sqlalchemy import Table, UpdateBase, bindparam, delete, exists, insert, update
from sqlalchemy.dialects.sqlite import insert as sqlite_insert

from offhook.storage import schema

__all__ = [
    "DELETE_CALLER_ID",
    "DELETE_DELIVERIES_DONE_BEFORE",
    "DELETE_DELIVERIES_OF_CALL",
    "DELETE_DELIVERIES_OF_ERASED_CALLS",
    "DELETE_EVENTS",
    "DELETE_FACT",
    "DELETE_IDEMPOTENCY_KEY",
    "DELETE_IDEMPOTENCY_KEYS_BEFORE",
    "DELETE_NUMBER",
    "DELETE_RECORDING",
    "DELETE_SIGNING_KEY",
    "DELETE_TRUNK",
    "ERASE_CALL",
    "INSERT_CALLER_ID",
    "INSERT_CHARGE",
    "INSERT_EVENT",
    "INSERT_RECORDING",
    "INSERT_TRANSACTION",
    "SAVE_ACCOUNT",
    "SAVE_CALL",
    "SAVE_DELIVERY",
    "SAVE_FACT",
    "SAVE_IDEMPOTENCY_KEY",
    "SAVE_NUMBER",
    "SAVE_SIGNING_KEY",
    "SAVE_TRUNK",
]


def _save(table: Table, *, fixed: Collection[str] = ()) -> UpdateBase:
    """Inserts a whole row, or replaces the one with its primary key. Columns that are `fixed` never change once there
    is a row: their indexes are not written again."""
    statement = sqlite_insert(table)
    keys = [column.name for column in table.primary_key]
    changed: dict[str, Any] = {
        column.name: statement.excluded[column.name]
        for column in table.columns
        if column.name not in keys and column.name not in fixed
    }
    return statement.on_conflict_do_update(index_elements=keys, set_=changed)


SAVE_ACCOUNT = _save(schema.accounts)
SAVE_CALL = _save(schema.calls, fixed=("owner", "created"))
SAVE_DELIVERY = _save(schema.outbox, fixed=("call_id", "account", "sequence", "created", "receiver"))
SAVE_FACT = _save(schema.restore_facts)
SAVE_IDEMPOTENCY_KEY = _save(schema.idempotency_keys)
SAVE_NUMBER = _save(schema.numbers)
SAVE_SIGNING_KEY = _save(schema.signing_keys)
SAVE_TRUNK = _save(schema.trunks)
INSERT_CALLER_ID = sqlite_insert(schema.caller_ids).on_conflict_do_nothing()
INSERT_EVENT = insert(schema.events)
INSERT_CHARGE = insert(schema.charges)
INSERT_RECORDING = _save(schema.recordings)
INSERT_TRANSACTION = insert(schema.transactions)

DELETE_CALLER_ID = delete(schema.caller_ids).where(
    schema.caller_ids.c.account == bindparam("of_account"), schema.caller_ids.c.number == bindparam("of_number")
)
DELETE_IDEMPOTENCY_KEY = delete(schema.idempotency_keys).where(
    schema.idempotency_keys.c.owner == bindparam("of_owner"), schema.idempotency_keys.c.key == bindparam("of_key")
)
DELETE_IDEMPOTENCY_KEYS_BEFORE = delete(schema.idempotency_keys).where(
    schema.idempotency_keys.c.created < bindparam("before")
)
DELETE_NUMBER = delete(schema.numbers).where(schema.numbers.c.id == bindparam("of_id"))
DELETE_TRUNK = delete(schema.trunks).where(schema.trunks.c.id == bindparam("of_id"))
DELETE_EVENTS = delete(schema.events).where(schema.events.c.call_id == bindparam("of_call"))
DELETE_DELIVERIES_DONE_BEFORE = delete(schema.outbox).where(schema.outbox.c.done < bindparam("before"))
DELETE_DELIVERIES_OF_ERASED_CALLS = delete(schema.outbox).where(
    schema.outbox.c.done >= bindparam("since"),
    exists().where(schema.calls.c.id == schema.outbox.c.call_id, schema.calls.c.deleted.is_not(None)),
)
DELETE_DELIVERIES_OF_CALL = delete(schema.outbox).where(
    schema.outbox.c.call_id == bindparam("of_call"), schema.outbox.c.done.is_not(None)
)
DELETE_FACT = delete(schema.restore_facts).where(
    schema.restore_facts.c.kind == bindparam("of_kind"), schema.restore_facts.c.key == bindparam("of_key")
)
DELETE_RECORDING = delete(schema.recordings).where(
    schema.recordings.c.call_id == bindparam("of_call"), schema.recordings.c.number == bindparam("of_number")
)
DELETE_SIGNING_KEY = delete(schema.signing_keys).where(
    schema.signing_keys.c.account == bindparam("of_account"), schema.signing_keys.c.number == bindparam("of_number")
)
ERASE_CALL = (
    update(schema.calls)
    .where(schema.calls.c.id == bindparam("of_call"))
    .values(deleted=bindparam("at"), from_number="", to_number="", actions=[], legs=[])
)
