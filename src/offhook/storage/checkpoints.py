"""Moves what was committed from SQLite's log into the database itself, on a thread of its own.

SQLite would do it within the commit that makes the log long, with the disk's time for it: twenty milliseconds and more,
now and then, that a call waits for. A passive checkpoint hinders neither writers nor readers. What it cannot move yet,
or a disk that is full, it leaves for the next time: nothing depends on it but the length of the log.
"""

import logging
import threading
from collections.abc import Callable

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError

__all__ = ["Checkpoints"]

EVERY_S = 2.0

log = logging.getLogger(__name__)


class Checkpoints:
    """Begins at once; `close` before the engine is disposed of."""

    def __init__(self, engine: Engine, committed: Callable[[], int], *, every_s: float = EVERY_S) -> None:
        """`committed`: how many rows there were in all; without new ones there is nothing to do."""
        self._engine = engine
        self._committed = committed
        self._every_s = every_s
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name="storage-checkpoints", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._closing.set()
        self._thread.join()

    def _run(self) -> None:
        done = self._committed()
        while not self._closing.wait(self._every_s):
            now = self._committed()
            if now == done:
                continue
            try:
                with self._engine.connect() as connection:
                    connection.exec_driver_sql("PRAGMA wal_checkpoint(PASSIVE)")
            except SQLAlchemyError as error:
                # The writer meets the same trouble, and tells of it.
                log.debug("no checkpoint: %s", error)
                continue
            done = now
