"""A real database for each test, copied from one that was migrated once."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

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
