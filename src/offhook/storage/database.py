"""Opening the database and bringing it to today's schema.

SQLite in WAL mode; `NORMAL` means that a killed process loses nothing and a power cut may lose the last moments, `FULL`
that neither loses anything. Alembic is loaded only when there is something to migrate: it takes longer than all the
rest.
"""

import json
import sqlite3
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import Engine, create_engine, event, exc, inspect, text
from sqlalchemy.engine import make_url

from offhook.storage.migrations import HEAD

__all__ = ["DatabaseError", "json_text", "migrate", "open_engine", "version"]

BUSY_TIMEOUT_MS = 2000
"""How long one try waits for another process's lock; the writer tries again after it."""
LOG_MOST_PAGES = 40_000
"""Of 4 KiB; a log that has grown so long is moved by whoever commits, should `checkpoints` not have come to it."""
MIGRATIONS = Path(__file__).parent / "migrations"


class DatabaseError(Exception):
    """The database cannot be used; the text says what to do."""


def open_engine(url: str, *, durability: str = "process") -> Engine:
    """An engine with the settings of this program. `durability`: `process` or `power`."""
    if make_url(url).get_backend_name() != "sqlite":
        raise DatabaseError(f"{make_url(url).get_backend_name()} is not supported yet; use sqlite:///PATH")
    synchronous = "FULL" if durability == "power" else "NORMAL"
    engine = create_engine(
        url, connect_args={"check_same_thread": False, "timeout": BUSY_TIMEOUT_MS / 1000}, json_serializer=json_text
    )

    @event.listens_for(engine, "connect")
    def _prepare(connection: Any, _record: Any) -> None:
        assert isinstance(connection, sqlite3.Connection)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute(f"PRAGMA synchronous={synchronous}")
        connection.execute(f"PRAGMA wal_autocheckpoint={LOG_MOST_PAGES}")
        connection.execute("PRAGMA temp_store=MEMORY")

    return engine


def json_text(value: Any) -> str:
    """As a JSON column keeps it. What a customer sent may hold half a surrogate pair or a number of any size, which
    only the slower way can say."""
    try:
        return orjson.dumps(value).decode()
    except TypeError:
        return json.dumps(value, separators=(",", ":"))


def version(engine: Engine) -> str | None:
    """The revision a database is at; `None` for an empty one."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def migrate(engine: Engine) -> None:
    """Brings the schema to `HEAD`. Raises `DatabaseError` for one that cannot be read, or is of a newer program."""
    try:
        found = version(engine)
    except exc.DatabaseError as error:
        raise DatabaseError(
            f"the database cannot be read ({error.orig}): {engine.url.database};"
            " end whatever else has it open and look at its disk, or restore a backup"
        ) from None
    if found == HEAD:
        return
    from alembic import command
    from alembic.config import Config
    from alembic.util import CommandError

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS).replace("%", "%%"))
    config.attributes["engine"] = engine
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise DatabaseError(
            f"the database is at revision {found}, which this version does not know (it knows {HEAD});"
            f" start the version that made it, or restore a backup ({error})"
        ) from None
