"""One thread that writes, in groups, so that no call waits for the disk.

`put` only appends to a queue in memory. The thread takes what has gathered and commits it as one transaction. While the
database is locked, or the disk full, it keeps everything and tries again; past `MAX_PENDING` timeline entries are let
go (counted, and told by `health`), past twice that everything is. A row that the database refuses for what it is (not
for the disk's sake) is dropped alone and logged: it would otherwise hold back all behind it for ever. Rows put within
`together` are committed in one transaction, whatever happens to the process.
"""

import asyncio
import contextlib
import logging
import threading
import time
from collections import deque
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, InvalidStateError
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any

from sqlalchemy import Engine, Insert, PoolProxiedConnection, UpdateBase
from sqlalchemy.engine.interfaces import DBAPICursor

from offhook.storage.prepared import Preparer

__all__ = ["StorageUnavailable", "Writer", "WriterHealth"]

LINGER_S = 0.05
"""How long rows that nobody waits for are gathered; a flush, and so whoever asks, does not wait, and takes them along.
Each group costs a third of a millisecond beside its rows."""
MAX_GROUP = 2000
"""Rows of one transaction."""
MAX_PENDING = 100_000
"""Rows in memory beyond which timeline entries are let go; twice as many, and every row is."""
RETRY_FIRST_S = 0.05
RETRY_MOST_S = 2.0

log = logging.getLogger(__name__)


class StorageUnavailable(Exception):
    """Rows could not be made durable in the time given; they are still kept in memory and tried again."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WriterHealth:
    """How writing goes."""

    pending: int
    """Rows not durable yet."""
    failing_since: float | None
    """`time.monotonic()` of the first failure in a row; `None`: all is well."""
    trying_since: float | None
    """`time.monotonic()` at which the rows in hand were first tried, whether the database refuses them or says nothing
    at all; `None`: nothing is in hand."""
    error: str
    """What the database last said."""
    dropped: int
    """Rows let go since the start: there was no room, or the database refused them."""
    committed: int
    groups: int


@dataclass(slots=True)
class _Write:
    statement: UpdateBase
    params: Mapping[str, Any]
    key: str | None
    appends: bool
    more: bool = False
    """The row behind it belongs to the same transaction."""


class Writer:
    """The only thread that writes. Every method may be called from any thread."""

    def __init__(self, engine: Engine, *, max_pending: int = MAX_PENDING) -> None:
        self._engine = engine
        self._driver = engine.dialect.loaded_dbapi
        self._preparer = Preparer(engine.dialect)
        self._max_pending = max_pending
        self._queue: deque[_Write | Future[None]] = deque()
        self._bell: SimpleQueue[None] = SimpleQueue()
        """Wakes the thread; a lock in C, where an event would take a dozen calls in Python to wait for."""
        self._urgent = False
        """Somebody waits for what was put."""
        self._asleep = False
        """There was nothing to do for a while: the first row wakes the thread. While there is, only a flush does."""
        self._closing = False
        self._group: deque[_Write] = deque()
        self._let_go = 0
        self._letting_go = False
        """It was logged that rows are let go in this trouble."""
        self._refused = 0
        self._committed = 0
        self._groups = 0
        self._failing_since: float | None = None
        self._trying_since: float | None = None
        self._error = ""
        self._waiting: list[Future[None]] = []
        self._within = threading.local()
        self._connection: PoolProxiedConnection | None = None
        self._thread = threading.Thread(target=self._run_and_leave, name="storage-writer", daemon=True)
        self._thread.start()

    # ── giving it work ───────────────────────────────────────────────────────────────────────────────────────────────

    def put(
        self, statement: UpdateBase, params: Mapping[str, Any], *, key: str | None = None, appends: bool = False
    ) -> bool:
        """Queues one row; never blocks. False: it was let go for want of room.

        `key`: of the row in its table; the statement writes that whole row, or deletes it, so that within a group the
        last one of a key stands for all.
        `appends`: it only adds to a log; such rows go before the others of their group, and are let go first.
        """
        return self._put([_Write(statement, params, key, appends)], appends)

    def put_all(self, statement: UpdateBase, rows: Iterable[Mapping[str, Any]], *, appends: bool = False) -> bool:
        """The same for many rows without a key."""
        return self._put([_Write(statement, params, None, appends) for params in rows], appends)

    def _put(self, writes: list[_Write], appends: bool) -> bool:
        room = self._max_pending if appends else 2 * self._max_pending
        if len(self._queue) >= room:
            self._let_go += len(writes)
            if not self._letting_go:
                self._letting_go = True
                log.error("rows are let go: %s wait for storage (%s)", len(self._queue), self._error or "no answer")
            return False
        gathered: list[_Write] | None = getattr(self._within, "rows", None)
        if gathered is not None:
            gathered += writes
            return True
        self._queue.extend(writes)
        self._rouse()
        return True

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """What this thread puts within is committed in one transaction: a process that is killed leaves all or none.

        Never wait in it: until it is left its rows are nowhere. Within another one it is part of that.
        """
        if getattr(self._within, "rows", None) is not None:
            yield
            return
        rows: list[_Write] = []
        self._within.rows = rows
        try:
            yield
        finally:
            self._within.rows = None
            for write in rows[:-1]:
                write.more = True
            if rows:
                # One call, so that the writer's thread never sees half of it.
                self._queue.extend(rows)
                self._rouse()

    def flushed(self) -> "Future[None]":
        """Done when everything put before is durable."""
        future: Future[None] = Future()
        self._queue.append(future)
        self._hurry()
        return future

    async def flush(self, timeout_s: float = 5.0) -> None:
        """Waits, without blocking the loop, until everything put before is durable. Raises `StorageUnavailable`."""
        if not self._queue and not self._group:
            return
        try:
            await asyncio.wait_for(asyncio.wrap_future(self.flushed()), timeout_s)
        except TimeoutError:
            raise StorageUnavailable(self._error or f"rows took more than {timeout_s} s to become durable") from None

    def flush_blocking(self, timeout_s: float = 5.0) -> None:
        """The same for code without a loop."""
        try:
            self.flushed().result(timeout_s)
        except TimeoutError:
            raise StorageUnavailable(self._error or f"rows took more than {timeout_s} s to become durable") from None

    def close(self, timeout_s: float = 5.0) -> None:
        """Writes what is left and ends the thread. What cannot be written in time is lost, and logged."""
        self._closing = True
        self._hurry()
        self._thread.join(timeout_s)
        left = len(self._queue) + len(self._group)
        if left:
            log.error("storage closed with rows not written: %s rows, %s", left, self._error or "no time")

    def health(self) -> WriterHealth:
        """How writing goes."""
        return WriterHealth(
            pending=len(self._queue) + len(self._group),
            failing_since=self._failing_since,
            trying_since=self._trying_since,
            error=self._error,
            dropped=self._let_go + self._refused,
            committed=self._committed,
            groups=self._groups,
        )

    def _rouse(self) -> None:
        if self._asleep:
            self._asleep = False
            self._bell.put(None)

    def _hurry(self) -> None:
        # What was put before is taken by the round that was asked for already.
        if not self._urgent:
            self._urgent = True
            self._bell.put(None)

    # ── the thread ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _run_and_leave(self) -> None:
        try:
            self._run()
        finally:
            self._leave()

    def _run(self) -> None:
        pause_s = RETRY_FIRST_S
        while True:
            if not self._group:
                self._wait()
                if self._closing and not self._queue:
                    return
                self._take()
                self._trying_since = time.monotonic()
            try:
                self._commit()
            except Exception as error:
                self._failed(error)
                if self._closing:
                    return
                time.sleep(pause_s)
                pause_s = min(2 * pause_s, RETRY_MOST_S)
                continue
            pause_s = RETRY_FIRST_S
            if self._letting_go:
                self._letting_go = False
                log.error("storage writes again; %s rows were lost since the start", self._let_go)
            self._failing_since, self._trying_since, self._error = None, None, ""
            for future in self._waiting:
                with contextlib.suppress(InvalidStateError):  # whoever waited may have given up meanwhile
                    future.set_result(None)
            self._waiting.clear()

    def _wait(self) -> None:
        """Until somebody flushes, or rows have waited for company long enough."""
        while not (self._urgent or self._closing):
            try:
                self._bell.get(timeout=LINGER_S)
            except Empty:
                if self._queue:
                    return
                self._asleep = True
                if not (self._queue or self._urgent or self._closing):  # else nobody may have seen that it sleeps
                    self._bell.get()
                self._asleep = False

    def _take(self) -> None:
        """A group, and whoever waits for it."""
        self._urgent = False
        while self._queue and (len(self._group) < MAX_GROUP or self._group[-1].more):
            item = self._queue[0]
            if isinstance(item, Future):
                self._waiting.append(item)
            else:
                self._group.append(item)
            self._queue.popleft()  # not before: whoever looks must find it in one of them
        if self._queue:
            self._urgent = True

    def _commit(self) -> None:
        """Makes the group durable; raises with the group, or what is left of it, still in hand."""
        if not self._group:
            return
        try:
            with self._transaction() as cursor:
                for statement, rows in _in_runs(self._group):
                    self._execute(cursor, statement, rows)
        except Exception as error:
            if not self._is_fault_of_a_row(error):
                raise
            log.error("a group of rows was refused (%s); trying them one by one", self._reason(error))
            self._commit_singly()
        else:
            self._committed += len(self._group)
            self._groups += 1
            self._group.clear()

    def _commit_singly(self) -> None:
        """Row by row, but that what was put `together` stays one transaction, less the rows that are refused."""
        while self._group:
            count = next(place for place, write in enumerate(self._group, 1) if not write.more)
            rows = [self._group[place] for place in range(count)]
            while (wrong := self._refused_of(rows)) is not None:
                rows = [row for row in rows if row is not wrong]
                self._refused += 1
            self._committed += len(rows)
            for _ in range(count):
                self._group.popleft()
        self._groups += 1

    def _refused_of(self, rows: list[_Write]) -> _Write | None:
        """Commits the rows, or says which one the database refuses; then none of them is committed."""
        tried: _Write | None = None
        try:
            with self._transaction() as cursor:
                for tried in rows:
                    self._execute(cursor, tried.statement, [tried.params])
        except Exception as error:
            if tried is None or not self._is_fault_of_a_row(error):
                raise
            log.error("a row was refused and dropped: %s", self._reason(error))
            return tried
        return None

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[DBAPICursor]:
        """On the one connection that writes: another would find what it remembers of the database out of date, and read
        it anew for each group. One that has failed is not used again."""
        if self._connection is None:
            self._connection = self._engine.raw_connection()
        try:
            yield self._connection.cursor()
            self._connection.commit()
        except BaseException:
            self._leave()
            raise

    def _leave(self) -> None:
        """Let go of the connection, and of what was not committed on it."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def _execute(self, cursor: DBAPICursor, statement: UpdateBase, rows: Sequence[Mapping[str, Any]]) -> None:
        for text, values in self._preparer.prepare(statement, rows[0]).executions(rows):
            cursor.execute(text, values)

    def _is_fault_of_a_row(self, error: Exception) -> bool:
        """False for what the disk, a lock or a damaged file causes: that is worth another try, a wrong row is not."""
        driver = self._driver
        return not (
            isinstance(error, driver.OperationalError | driver.InternalError) or type(error) is driver.DatabaseError
        )

    def _reason(self, error: Exception) -> str:
        return str(error) if isinstance(error, self._driver.Error) else f"{type(error).__name__}: {error}"

    def _failed(self, error: Exception) -> None:
        self._error = self._reason(error)
        if self._failing_since is None:
            self._failing_since = time.monotonic()
            log.error("storage cannot write (%s); rows are kept in memory and tried again", self._error)


def _in_runs(group: Iterable[_Write]) -> list[tuple[UpdateBase, list[Mapping[str, Any]]]]:
    """Statements with the rows each is executed for, as few as order allows.

    No row depends on another but through a statement that changes rows it does not name by a key: what came before such
    a one is executed before it, and what comes behind, behind. Whatever else has one statement is executed together.
    """
    appended: dict[int, tuple[UpdateBase, list[Mapping[str, Any]]]] = {}
    runs: list[tuple[UpdateBase, list[Mapping[str, Any]]]] = []
    open_runs: dict[int, list[Mapping[str, Any]]] = {}
    last: dict[tuple[Any, str], int] = {}
    for place, write in enumerate(group):
        if write.key is not None:
            last[write.statement.table, write.key] = place
    for place, write in enumerate(group):
        if write.appends:
            appended.setdefault(id(write.statement), (write.statement, []))[1].append(write.params)
            continue
        if write.key is None and not isinstance(write.statement, Insert):
            open_runs.clear()
            runs.append((write.statement, [write.params]))
            continue
        if write.key is not None and last[write.statement.table, write.key] != place:
            continue
        rows = open_runs.get(id(write.statement))
        if rows is None:
            rows = open_runs[id(write.statement)] = []
            runs.append((write.statement, rows))
        rows.append(write.params)
    return [*appended.values(), *runs]
