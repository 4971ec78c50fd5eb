"""Migrations make the tables that the program uses, from an empty database and again; settings of SQLite hold."""

import json
from importlib.resources import files
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from offhook.storage.database import MIGRATIONS, DatabaseError, json_text, migrate, open_engine, version
from offhook.storage.migrations import HEAD
from offhook.storage.schema import metadata


def test_migrations_and_tables_agree(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    assert version(engine) is None
    migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    assert version(engine) == HEAD
    engine.dispose()


def test_head_names_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrations_lie_in_the_package() -> None:
    names = {entry.name for entry in files("offhook.storage.migrations").joinpath("versions").iterdir()}
    assert any(name.startswith(f"r{HEAD}_") for name in names)


def test_a_second_start_changes_nothing(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("INSERT INTO caller_ids VALUES ('u', '+46', 1)"))
    migrate(engine)
    with engine.connect() as connection:
        assert connection.execute(text("SELECT count(*) FROM caller_ids")).scalar() == 1
    engine.dispose()


def test_a_newer_database_is_refused(tmp_path: Path) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}")
    migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(DatabaseError, match=r"revision 9999.*start the version that made it"):
        migrate(engine)
    engine.dispose()


@pytest.mark.parametrize(("durability", "synchronous"), [("process", 1), ("power", 2)])
def test_sqlite_is_set_up(tmp_path: Path, durability: str, synchronous: int) -> None:
    engine = open_engine(f"sqlite:///{tmp_path / 'a.db'}", durability=durability)
    with engine.connect() as connection:
        assert connection.execute(text("PRAGMA journal_mode")).scalar() == "wal"
        assert connection.execute(text("PRAGMA synchronous")).scalar() == synchronous
    engine.dispose()


def test_what_is_no_database_is_named(tmp_path: Path) -> None:
    path = tmp_path / "a.db"
    path.write_bytes(b"garbage" * 1000)
    engine = open_engine(f"sqlite:///{path}")
    with pytest.raises(DatabaseError, match=rf"file is not a database\): {path}; .*restore a backup"):
        migrate(engine)
    engine.dispose()


def test_other_databases_are_refused() -> None:
    with pytest.raises(DatabaseError, match="postgresql is not supported yet"):
        open_engine("postgresql+psycopg://host/name")


@given(
    st.recursive(st.none() | st.booleans() | st.integers() | st.text(st.characters()), lambda inner: st.lists(inner))
)
def test_whatever_json_can_say_is_kept(value: object) -> None:
    assert json.loads(json_text(value)) == value


def test_half_a_surrogate_pair_is_kept() -> None:
    assert json.loads(json_text({"body": "\ud800"})) == {"body": "\ud800"}
