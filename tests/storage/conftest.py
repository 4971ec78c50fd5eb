"""A real database in a folder of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from offhook.storage.store import Storage


@pytest.fixture
def storage(tmp_path: Path) -> Iterator[Storage]:
    opened = Storage.open(tmp_path / "data")
    yield opened
    opened.close()
