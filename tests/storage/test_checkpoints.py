"""What was committed goes into the database itself, and nobody who commits waits for that."""

import sqlite3
import threading
from pathlib import Path

from sqlalchemy import Engine
from sqlalchemy.event import listen
from sqlalchemy.exc import OperationalError

from offhook.storage.checkpoints import Checkpoints
from offhook.storage.database import migrate, open_engine

DEADLINE_S = 10.0


def opened(at: Path) -> Engine:
    engine = open_engine(f"sqlite:///{at}")
    migrate(engine)
    return engine


def told(engine: Engine, times: int) -> threading.Event:
    """Set when so many checkpoints were asked for."""
    enough, left = threading.Event(), [times]

    def executed(*arguments: object) -> None:
        if "wal_checkpoint" in str(arguments[2]):
            left[0] -= 1
            if left[0] <= 0:
                enough.set()

    listen(engine, "after_cursor_execute", executed)
    return enough


def test_the_log_is_moved_when_rows_were_committed(tmp_path: Path) -> None:
    engine = opened(tmp_path / "a.db")
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE more (x)")
        connection.exec_driver_sql("INSERT INTO more VALUES (1)")
    rows = iter(range(1_000_000))
    moved = told(engine, 1)
    checkpoints = Checkpoints(engine, lambda: next(rows), every_s=0.01)
    try:
        assert moved.wait(DEADLINE_S)
    finally:
        checkpoints.close()
    # Read without its log, which a copy of the file alone has not.
    (tmp_path / "b.db").write_bytes((tmp_path / "a.db").read_bytes())
    with sqlite3.connect(tmp_path / "b.db") as alone:
        assert alone.execute("SELECT x FROM more").fetchall() == [(1,)]
    engine.dispose()


def test_where_nothing_came_there_is_nothing_to_move(tmp_path: Path) -> None:
    engine = opened(tmp_path / "a.db")
    looked, twice = [0], threading.Event()

    def committed() -> int:
        looked[0] += 1
        if looked[0] > 3:
            twice.set()
        return 7

    asked = told(engine, 1)
    checkpoints = Checkpoints(engine, committed, every_s=0.01)
    try:
        assert twice.wait(DEADLINE_S)
    finally:
        checkpoints.close()
    assert not asked.is_set()
    engine.dispose()


def test_a_database_in_trouble_is_tried_again(tmp_path: Path) -> None:
    engine = opened(tmp_path / "a.db")
    rows = iter(range(1_000_000))
    failures = [2]

    def failing(*_: object) -> None:
        if failures[0]:
            failures[0] -= 1
            raise OperationalError("PRAGMA", None, sqlite3.OperationalError("disk I/O error"))

    listen(engine, "begin", failing)
    moved = told(engine, 1)
    checkpoints = Checkpoints(engine, lambda: next(rows), every_s=0.01)
    try:
        assert moved.wait(DEADLINE_S)
    finally:
        checkpoints.close()
    engine.dispose()
