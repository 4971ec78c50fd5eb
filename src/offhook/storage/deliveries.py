"""What is owed to customers, as rows: written with the timeline entry that caused it, kept a while when it is done.

Knows nothing of tries and receivers: those are data to it.
"""

from collections.abc import Awaitable, Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Protocol, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, func, select, tuple_

from offhook.storage import schema, statements
from offhook.storage.records import MAX_PAGE, Page, newest_first
from offhook.storage.rows import DeliveryRow, columns_of
from offhook.storage.writer import Writer

__all__ = ["DEAD", "DELIVERED", "OWED", "Deliveries", "LeftOver", "Waiting", "deliveries_page", "deliveries_since"]
__all__ += ["deliveries_of", "delivery_by_id", "entries_of_unfinished", "last_entries", "left_over"]

OWED, DELIVERED, DEAD = "owed", "delivered", "dead"
REPLAY_PAGE = 1000
CALLS_AT_ONCE = 500
"""Names in one query; SQLite has a limit."""

T = TypeVar("T")


class Read(Protocol):
    """`Storage.read`."""

    def __call__(self, query: Callable[[Connection], T]) -> Awaitable[T]: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LeftOver:
    """What the last server of this database left."""

    owed: tuple[DeliveryRow, ...]
    """In the order in which it was owed; of one account to one receiver so many as are held in memory."""
    known: frozenset[str]
    """Ids of all posts of calls that were still going on, whatever became of them: they are not owed again."""
    numbers: Mapping[str, int]
    """The last sequence number of every call that was still going on."""
    entries: Mapping[str, int]
    """The number of the last timeline entry of every call in `owed`."""
    parked: Mapping[tuple[str, str], int]
    """How many more are owed, by account and receiver."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Waiting:
    """What is owed by an account's calls to one receiver."""

    rows: tuple[DeliveryRow, ...]
    """The oldest first."""
    entries: Mapping[str, int]
    """The number of the last timeline entry of each of their calls."""


class Deliveries:
    """The writes. None of them waits."""

    def __init__(self, writer: Writer, read: Read) -> None:
        self._writer = writer
        self._read = read

    def save(self, row: DeliveryRow) -> None:
        """A delivery as it stands."""
        self._writer.put(statements.SAVE_DELIVERY, columns_of(row), key=row.id)

    def forget_done(self, before: datetime) -> None:
        """Removes what was delivered or given up before then."""
        self._writer.put(statements.DELETE_DELIVERIES_DONE_BEFORE, {"before": before})

    def forget_erased(self, since: datetime) -> None:
        """Removes what was delivered or given up since then of calls that their customers have deleted."""
        self._writer.put(statements.DELETE_DELIVERIES_OF_ERASED_CALLS, {"since": since})

    def together(self) -> AbstractContextManager[None]:
        """What is written within is one transaction."""
        return self._writer.together()

    async def flush(self, timeout_s: float) -> None:
        """Waits until all of it is durable. Raises `offhook.storage.writer.StorageUnavailable`."""
        await self._writer.flush(timeout_s)

    async def waiting(self, account: str, receiver: str, limit: int) -> Waiting:
        """What is owed to a receiver, as far as it is durable, the oldest first."""
        return await self._read(partial(_waiting, account=account, receiver=receiver, limit=limit))


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def left_over(connection: Connection, most: int) -> LeftOver:
    """What a new server goes on with: of one account to one receiver at most so many."""
    table = schema.outbox
    pairs = connection.execute(
        select(table.c.account, table.c.receiver, func.count())
        .where(table.c.state == OWED)
        .group_by(table.c.account, table.c.receiver)
    ).all()
    owed: list[DeliveryRow] = []
    for account, receiver, _ in pairs:
        owed += _oldest(connection, account, receiver, most)
    owed.sort(key=lambda row: (row.created, row.sequence))
    of_live_calls = table.c.call_id.in_(select(schema.calls.c.id).where(schema.calls.c.state == "ongoing"))
    known = connection.execute(select(table.c.id).where(of_live_calls))
    numbers = connection.execute(
        select(table.c.call_id, func.max(table.c.sequence)).where(of_live_calls).group_by(table.c.call_id)
    )
    return LeftOver(
        owed=tuple(owed),
        known=frozenset(row.id for row in known),
        numbers={row[0]: row[1] for row in numbers},
        entries=last_entries(connection, {row.call_id for row in owed}),
        parked={(account, receiver): count - most for account, receiver, count in pairs if count > most},
    )


def _oldest(connection: Connection, account: str, receiver: str, limit: int) -> tuple[DeliveryRow, ...]:
    table = schema.outbox
    whose = (table.c.state == OWED, table.c.account == account, table.c.receiver == receiver)
    query = select(table).where(*whose).order_by(table.c.created, table.c.sequence).limit(limit)
    return tuple(map(_delivery, connection.execute(query)))


def _waiting(connection: Connection, *, account: str, receiver: str, limit: int) -> Waiting:
    rows = _oldest(connection, account, receiver, limit)
    return Waiting(rows=rows, entries=last_entries(connection, {row.call_id for row in rows}))


def entries_of_unfinished(connection: Connection) -> dict[str, int]:
    """The number of the last timeline entry of every call that was going on when the last server died."""
    return last_entries(connection, select(schema.calls.c.id).where(schema.calls.c.state == "ongoing"))


def last_entries(connection: Connection, calls: Select[tuple[str]] | Iterable[str]) -> dict[str, int]:
    """The number of the last timeline entry of each call."""
    table = schema.events
    query = select(table.c.call_id, func.max(table.c.seq)).group_by(table.c.call_id)
    if isinstance(calls, Select):
        return {row[0]: row[1] for row in connection.execute(query.where(table.c.call_id.in_(calls)))}
    wanted, found = list(calls), {}
    for start in range(0, len(wanted), CALLS_AT_ONCE):
        some = query.where(table.c.call_id.in_(wanted[start : start + CALLS_AT_ONCE]))
        found.update({row[0]: row[1] for row in connection.execute(some)})
    return found


def delivery_by_id(connection: Connection, delivery_id: str) -> DeliveryRow | None:
    """One, whatever became of it."""
    row = connection.execute(select(schema.outbox).where(schema.outbox.c.id == delivery_id)).first()
    return None if row is None else _delivery(row)


def deliveries_of(
    connection: Connection, call: str, after: DeliveryRow | None = None, limit: int = MAX_PAGE
) -> tuple[DeliveryRow, ...]:
    """What was owed to a call, whatever became of it, in order; after one of them, or from the first on."""
    table = schema.outbox
    query = select(table).where(table.c.call_id == call).order_by(table.c.sequence, table.c.id).limit(limit)
    if after is not None:
        query = query.where(tuple_(table.c.sequence, table.c.id) > tuple_(after.sequence, after.id))
    return tuple(map(_delivery, connection.execute(query)))


def deliveries_page(
    connection: Connection,
    account: str | None,
    *,
    state: str | None = None,
    call: str | None = None,
    since: datetime | None = None,
    before: datetime | None = None,
    limit: int = MAX_PAGE,
) -> Page[DeliveryRow]:
    """An account's (of `None`: everybody's), newest first; `since` is inclusive."""
    conditions = _conditions(account, [] if state is None else [state], call, since)
    rows, following = newest_first(connection, schema.outbox, conditions, before, None, limit)
    return Page(tuple(map(_delivery, rows)), following)


def deliveries_since(
    connection: Connection,
    account: str | None,
    since: datetime,
    *,
    states: Iterable[str] = (),
    call: str | None = None,
    limit: int = REPLAY_PAGE,
) -> tuple[tuple[DeliveryRow, ...], datetime | None]:
    """Oldest first from a time on, and the time to go on from, if there are more; those of one microsecond together."""
    table = schema.outbox
    conditions = _conditions(account, list(states), call, since)
    query = select(table).where(*conditions).order_by(table.c.created, table.c.sequence)
    rows = list(connection.execute(query.limit(limit + 1)))
    if len(rows) <= limit:
        return tuple(map(_delivery, rows)), None
    following = rows[limit].created
    whole = [row for row in rows if row.created < following]
    if not whole:
        whole = list(connection.execute(query.where(table.c.created == following)))
        following = connection.execute(
            select(func.min(table.c.created)).where(*conditions, table.c.created > following)
        ).scalar()
    return tuple(map(_delivery, whole)), following


def _conditions(
    account: str | None, states: list[str], call: str | None, since: datetime | None
) -> list[ColumnElement[bool]]:
    table = schema.outbox
    conditions: list[ColumnElement[bool]] = []
    if account is not None:
        conditions.append(table.c.account == account)
    if states:
        conditions.append(table.c.state.in_(states))
    if call is not None:
        conditions.append(table.c.call_id == call)
    if since is not None:
        conditions.append(table.c.created >= since)
    return conditions


def _delivery(row: Row[Any]) -> DeliveryRow:
    return DeliveryRow(**row._mapping)
