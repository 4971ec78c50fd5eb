"""Calls, their timelines, recordings and money: writes into the queue, reads in pages.

The paging is that of 46elks: newest first; `before` and `after` are exclusive bounds on the time of creation; a page
names the time to go on from. Rows of one microsecond are never parted by a page, so none is lost between two.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Table, select

from offhook.storage import schema, statements
from offhook.storage.rows import CallRow, ChargeRow, EventRow, RecordingRow, TransactionRow, columns_of
from offhook.storage.writer import Writer

__all__ = [
    "NumberedEntry",
    "Page",
    "Records",
    "call_by_id",
    "calls_page",
    "charges_page",
    "events_after",
    "expired_recordings",
]
__all__ += [
    "newest_first",
    "page_of",
    "recording_by_id",
    "recordings_of",
    "recordings_page",
    "tombstone",
    "transactions_page",
]
__all__ += ["unfinished_calls", "unfinished_ids"]

MAX_PAGE = 100
NumberedEntry = tuple[int, datetime, str, Mapping[str, Any]]
"""Of a timeline: its number, when it happened, its kind, its data."""
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Rows, newest first, and the time to go on from; `None` when these are the last."""

    rows: tuple[T, ...]
    next: datetime | None


class Records:
    """The writes. None of them waits."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def save_call(self, row: CallRow) -> None:
        """Replaces the call's projection."""
        self._writer.put(statements.SAVE_CALL, columns_of(row), key=row.id)

    def append_event(self, row: EventRow) -> None:
        """Adds to the timeline; let go first when there is no more room in memory."""
        self.note_events(row.call_id, [(row.seq, row.at, row.kind, row.data)])

    def note_events(self, call_id: str, entries: Iterable[NumberedEntry]) -> None:
        """The same for many at once, without a row made of each, which would cost a third as much again. Their data
        must not change later."""
        self._writer.put_all(
            statements.INSERT_EVENT,
            [{"call_id": call_id, "seq": seq, "at": at, "kind": kind, "data": data} for seq, at, kind, data in entries],
            appends=True,
        )

    def save_recording(self, row: RecordingRow) -> None:
        """Keeps a finished recording's row; its file is the media engine's."""
        self._writer.put(statements.INSERT_RECORDING, columns_of(row), key=f"{row.call_id}-{row.number}")

    def forget_recording(self, row: RecordingRow) -> None:
        """Removes the row of an expired recording."""
        self._writer.put(statements.DELETE_RECORDING, {"of_call": row.call_id, "of_number": row.number})

    def erase_call(self, call_id: str, at: datetime) -> None:
        """What a customer deletes: parties, actions, timeline and posts that were made go; a tombstone stays for the
        accounts."""
        self._writer.put(statements.ERASE_CALL, {"of_call": call_id, "at": at})
        self._writer.put(statements.DELETE_EVENTS, {"of_call": call_id})
        self._writer.put(statements.DELETE_DELIVERIES_OF_CALL, {"of_call": call_id})


# ── reads ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def page_of(rows: Sequence[T], times: Sequence[datetime], limit: int) -> Page[T]:
    """A page of rows already in order, newest first."""
    end = min(max(limit, 1), MAX_PAGE)
    while end < len(rows) and times[end] == times[end - 1]:
        end += 1
    return Page(tuple(rows[:end]), times[end - 1] if end < len(rows) else None)


def newest_first(
    connection: Connection,
    table: Table,
    conditions: Sequence[Any],
    before: datetime | None,
    after: datetime | None,
    limit: int,
) -> tuple[Sequence[Row[Any]], datetime | None]:
    """A page of a table that has `created`, and the time to go on from."""
    limit = min(max(limit, 1), MAX_PAGE)
    created = table.c.created
    query = select(table).where(*conditions)
    bounded = query
    if before is not None:
        bounded = bounded.where(created < before)
    if after is not None:
        bounded = bounded.where(created > after)
    rows = list(connection.execute(bounded.order_by(created.desc()).limit(limit + 1)))
    if len(rows) <= limit:
        return rows, None
    last = rows[limit - 1].created
    if rows[limit].created == last:
        newer = [row for row in rows if row.created > last]
        rows = newer + list(connection.execute(query.where(created == last)))
        more = connection.execute(bounded.where(created < last).limit(1)).first()
        return rows, last if more is not None else None
    return rows[:limit], last


def calls_page(
    connection: Connection,
    owner: str | None,
    *,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: int = MAX_PAGE,
) -> Page[CallRow]:
    """The calls of an owner; of everybody for `None`. Deleted ones are left out."""
    conditions: list[ColumnElement[bool]] = [schema.calls.c.deleted.is_(None)]
    if owner is not None:
        conditions.append(schema.calls.c.owner == owner)
    rows, following = newest_first(connection, schema.calls, conditions, before, after, limit)
    return Page(tuple(_call(row) for row in rows), following)


def call_by_id(connection: Connection, call_id: str) -> CallRow | None:
    """A call that was not deleted."""
    query = select(schema.calls).where(schema.calls.c.id == call_id, schema.calls.c.deleted.is_(None))
    row = connection.execute(query).first()
    return None if row is None else _call(row)


def tombstone(connection: Connection, call_id: str) -> CallRow | None:
    """What is left of a call that was deleted."""
    query = select(schema.calls).where(schema.calls.c.id == call_id, schema.calls.c.deleted.is_not(None))
    row = connection.execute(query).first()
    return None if row is None else _call(row)


def unfinished_calls(connection: Connection) -> list[CallRow]:
    """Calls that were going on when the last server of this database died."""
    return [_call(row) for row in connection.execute(select(schema.calls).where(schema.calls.c.state == "ongoing"))]


def unfinished_ids(connection: Connection) -> frozenset[str]:
    """Which calls are going on, by their rows."""
    return frozenset(connection.execute(select(schema.calls.c.id).where(schema.calls.c.state == "ongoing")).scalars())


def _call(row: Row[Any]) -> CallRow:
    values = dict(row._mapping)
    for name in ("actions", "legs", "recordings"):
        values[name] = tuple(values[name])
    return CallRow(**values)


def events_after(connection: Connection, call_id: str, after: int = 0, limit: int = 1000) -> list[EventRow]:
    """The timeline from a sequence number on, oldest first."""
    table = schema.events
    query = select(table).where(table.c.call_id == call_id, table.c.seq > after).order_by(table.c.seq).limit(limit)
    return [EventRow(**row._mapping) for row in connection.execute(query)]


def recordings_page(
    connection: Connection,
    owner: str,
    now: datetime,
    *,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: int = MAX_PAGE,
) -> Page[RecordingRow]:
    """The recordings of an owner that are still kept."""
    conditions = [schema.recordings.c.owner == owner, schema.recordings.c.expires > now]
    rows, following = newest_first(connection, schema.recordings, conditions, before, after, limit)
    return Page(tuple(RecordingRow(**row._mapping) for row in rows), following)


def recordings_of(connection: Connection, call_id: str, now: datetime) -> list[RecordingRow]:
    """The recordings of a call that are still kept, in order."""
    table = schema.recordings
    query = select(table).where(table.c.call_id == call_id, table.c.expires > now).order_by(table.c.number)
    return [RecordingRow(**row._mapping) for row in connection.execute(query)]


def recording_by_id(connection: Connection, call_id: str, number: int, now: datetime) -> RecordingRow | None:
    """A recording that is still kept."""
    table = schema.recordings
    query = select(table).where(table.c.call_id == call_id, table.c.number == number, table.c.expires > now)
    row = connection.execute(query).first()
    return None if row is None else RecordingRow(**row._mapping)


def expired_recordings(connection: Connection, now: datetime, limit: int = 1000) -> list[RecordingRow]:
    """Recordings whose files are to go."""
    query = select(schema.recordings).where(schema.recordings.c.expires <= now).limit(limit)
    return [RecordingRow(**row._mapping) for row in connection.execute(query)]


def charges_page(
    connection: Connection,
    account: str,
    *,
    subaccount: str | None = None,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: int = MAX_PAGE,
) -> Page[ChargeRow]:
    """What an account was charged, its subaccounts' share included; or that of one subaccount."""
    conditions = [schema.charges.c.account == account]
    if subaccount is not None:
        conditions.append(schema.charges.c.subaccount == subaccount)
    rows, following = newest_first(connection, schema.charges, conditions, before, after, limit)
    return Page(tuple(ChargeRow(**row._mapping) for row in rows), following)


def transactions_page(
    connection: Connection,
    account: str,
    *,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: int = MAX_PAGE,
) -> Page[TransactionRow]:
    """Money put into an account."""
    conditions = [schema.transactions.c.account == account]
    rows, following = newest_first(connection, schema.transactions, conditions, before, after, limit)
    return Page(tuple(TransactionRow(**row._mapping) for row in rows), following)
