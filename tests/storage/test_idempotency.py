"""Idempotency keys in a real database."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from offhook.storage.idempotency import idempotency_key
from offhook.storage.rows import IdempotencyRow
from offhook.storage.store import Storage

T0 = datetime(2026, 1, 1, tzinfo=UTC)
ROW = IdempotencyRow(owner="u1", key="k", fingerprint=b"f", call_id="c" * 32, created=T0)


async def known(storage: Storage, owner: str = "u1") -> IdempotencyRow | None:
    await storage.idempotency.flush(5.0)
    return await storage.read(lambda connection: idempotency_key(connection, owner, "k"))


async def test_a_key_is_kept_for_its_owner_and_then_with_its_answer(storage: Storage) -> None:
    storage.idempotency.save(ROW)
    assert await known(storage) == ROW
    assert await known(storage, "u2") is None
    done = replace(ROW, status=200, content_type="application/json", sealed_body=b"sealed")
    storage.idempotency.save(done)
    assert await known(storage) == done


async def test_a_key_is_forgotten_on_request_and_with_age(storage: Storage) -> None:
    storage.idempotency.save(ROW)
    storage.idempotency.forget(ROW)
    assert await known(storage) is None
    storage.idempotency.save(ROW)
    storage.idempotency.forget_before(T0)
    assert await known(storage) == ROW
    storage.idempotency.forget_before(T0 + timedelta(seconds=1))
    assert await known(storage) is None
