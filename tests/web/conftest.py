"""A web on a real storage, with a switchboard that takes orders (`tests/support/board.py`)."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.native_client import Client
from tests.support.rest_cases import World

from offhook.storage.store import Storage


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    storage = Storage.open(tmp_path / "data")
    yield World(storage)
    storage.close()


@pytest.fixture
def client(world: World) -> Client:
    return Client(world)
