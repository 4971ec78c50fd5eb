"""Servers on machines in trouble, each of its own kind and with a server of its own."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import Customer, customer
from tests.support.engine_binary import engine_binary

HERE = Path(__file__).parent
BUILD_AND_TEST_S = 600


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first test waits for the media engine to be built, where it is not yet."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.native)
            item.add_marker(pytest.mark.timeout(BUILD_AND_TEST_S))


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """The engine of this tree, for every server that a test starts."""
    os.environ["OFFHOOK_MEDIA_BINARY"] = str(engine_binary())


@pytest_asyncio.fixture
async def app() -> AsyncIterator[Customer]:
    """The customer's web application; it lives on another machine, as it were."""
    async with customer() as made:
        yield made
