"""A server of its own for each test, since each kills it."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import Customer, customer
from tests.support.engine_binary import engine_binary
from tests.support.line import Line, line_on
from tests.support.server import server

HERE = Path(__file__).parent
BUILD_AND_TEST_S = 600
ENGINE_WAITS_S = "30"
"""Beyond what a start takes on a machine that others keep busy."""


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the media engine to be built, where it is not yet."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(BUILD_AND_TEST_S))


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """The engine of this tree, for every server that a test starts."""
    os.environ["OFFHOOK_MEDIA_BINARY"] = str(engine_binary())


@pytest_asyncio.fixture
async def app() -> AsyncIterator[Customer]:
    """The customer's web application."""
    async with customer() as made:
        yield made


@pytest_asyncio.fixture
async def line(app: Customer, tmp_path: Path) -> AsyncIterator[Line]:
    """One corner of a server that may be killed."""
    async with server(tmp_path / "data", engine_orphan_s=ENGINE_WAITS_S) as running, line_on(running, app) as made:
        yield made


@pytest_asyncio.fixture
async def didml(line: Line, app: Customer) -> AsyncIterator[Line]:
    """Another corner of the same server, whose number speaks didML."""
    async with line_on(line.server, app, "didml") as made:
        yield made
