"""Opening and closing: one process at a time, nothing left open after a failure."""

import stat
import threading
from pathlib import Path

import pytest

from offhook.storage.database import DatabaseError
from offhook.storage.store import InUse, Storage


def test_one_at_a_time(tmp_path: Path) -> None:
    first = Storage.open(tmp_path / "d")
    with pytest.raises(InUse, match=r"in use by process \d+; talk to that server"):
        Storage.open(tmp_path / "d")
    first.close()
    Storage.open(tmp_path / "d").close()


def test_a_process_that_is_leaving_is_waited_for(tmp_path: Path) -> None:
    first = Storage.open(tmp_path / "d")
    leaving = threading.Timer(0.1, first.close)
    leaving.start()
    Storage.open(tmp_path / "d", wait_s=20.0).close()
    leaving.join()


def test_the_folder_is_private(storage: Storage) -> None:
    assert stat.S_IMODE(storage.data_dir.stat().st_mode) == 0o700
    assert storage.recordings_dir == storage.data_dir / "recordings"


def test_a_failure_lets_go_of_the_lock(tmp_path: Path) -> None:
    with pytest.raises(DatabaseError):
        Storage.open(tmp_path / "d", "postgresql+psycopg://h/n")
    Storage.open(tmp_path / "d").close()


async def test_reads_run_on_a_thread(storage: Storage) -> None:
    assert await storage.read(lambda connection: connection.exec_driver_sql("SELECT 1").scalar()) == 1
