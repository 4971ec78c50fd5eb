"""Everything kept, opened together: database, key, directory, records.

One process at a time may open a data directory for writing; a lock file says so, and the kernel lets go of it when the
process dies, however it dies.
"""

import asyncio
import fcntl
import os
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TypeVar

from sqlalchemy import Connection, Engine

from offhook.storage.checkpoints import Checkpoints
from offhook.storage.database import migrate, open_engine
from offhook.storage.deliveries import Deliveries
from offhook.storage.directory import Directory
from offhook.storage.facts import Facts
from offhook.storage.idempotency import IdempotencyKeys
from offhook.storage.keys import ServerKey
from offhook.storage.records import Records
from offhook.storage.signing_keys import SigningKeys
from offhook.storage.writer import Writer

__all__ = ["InUse", "Storage"]

LOCK_FILE = "offhook.lock"
LOOK_AGAIN_S = 0.02
READERS = 4

T = TypeVar("T")


class InUse(Exception):
    """Another process has the data directory open; the text says which and what to do."""


class Storage:
    """`Storage.open(...)`, then `directory` and `records`, then `close()`."""

    def __init__(self, data_dir: Path, engine: Engine, key: ServerKey, lock: int) -> None:
        self.data_dir = data_dir
        self.key = key
        self.writer = Writer(engine)
        self._checkpoints = Checkpoints(engine, lambda: self.writer.health().committed)
        self._engine = engine
        self._lock = lock
        self._readers = ThreadPoolExecutor(READERS, thread_name_prefix="storage-reader")
        with engine.connect() as connection:
            self.directory = Directory(connection, self.writer, key)
            self.signing_keys = SigningKeys(connection, self.writer, key)
        self.records = Records(self.writer)
        self.deliveries = Deliveries(self.writer, self.read)
        self.facts = Facts(self.writer, key)
        self.idempotency = IdempotencyKeys(self.writer)

    @classmethod
    def open(
        cls, data_dir: Path, url: str | None = None, *, durability: str = "process", wait_s: float = 0.0
    ) -> "Storage":
        """Makes the folder and key if need be, migrates, loads.

        `wait_s`: how long to wait, without a word, for a process that is just leaving.
        Raises `InUse`, `offhook.storage.database.DatabaseError`, `offhook.storage.keys.KeyFileError` or `OSError`.
        """
        data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
        lock = _lock(data_dir / LOCK_FILE, wait_s)
        try:
            key = ServerKey.load(data_dir)
            engine = open_engine(url or f"sqlite:///{data_dir / 'offhook.db'}", durability=durability)
            migrate(engine)
            return cls(data_dir, engine, key, lock)
        except BaseException:
            os.close(lock)
            raise

    @property
    def recordings_dir(self) -> Path:
        """Where paths of recordings begin."""
        return self.data_dir / "recordings"

    async def read(self, query: Callable[[Connection], T]) -> T:
        """Runs a query on a reader thread; it sees what was durable when it began."""
        return await asyncio.get_running_loop().run_in_executor(self._readers, self.read_blocking, query)

    def read_blocking(self, query: Callable[[Connection], T]) -> T:
        """Runs a query here and now."""
        with self._engine.connect() as connection:
            return query(connection)

    def close(self) -> None:
        """Writes what is left and lets go of the data directory."""
        self.writer.close()
        self._checkpoints.close()
        self._readers.shutdown()
        self._engine.dispose()
        os.close(self._lock)


def _lock(path: Path, wait_s: float) -> int:
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    until = time.monotonic() + wait_s
    while not _locked(descriptor):
        if time.monotonic() < until:
            time.sleep(LOOK_AGAIN_S)
            continue
        holder = os.read(descriptor, 20).decode(errors="replace").strip() or "unknown"
        os.close(descriptor)
        raise InUse(
            f"{path.parent} is in use by process {holder}; talk to that server, stop it, or choose another data_dir"
        )
    os.ftruncate(descriptor, 0)
    os.write(descriptor, f"{os.getpid()}\n".encode())
    return descriptor


def _locked(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
