"""A real database for each test, copied from one that was migrated once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from offhook.storage.store import Storage


@pytest.fixture(scope="session")
def migrated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("migrated") / "data"
    Storage.open(folder).close()
    return folder


@pytest.fixture
def storage(migrated: Path, tmp_path: Path) -> Iterator[Storage]:
    shutil.copytree(migrated, tmp_path / "data")
    opened = Storage.open(tmp_path / "data")
    yield opened
    opened.close()


@pytest.fixture(scope="session", autouse=True)
def _short_tracebacks() -> Iterator[None]:
    """Faults that tests make are logged with a plain traceback: the coloured one takes seconds on a busy machine."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.dev.ConsoleRenderer(colors=False, exception_formatter=structlog.dev.plain_traceback),
        ]
    )
    yield
    structlog.reset_defaults()
