"""One real server and one customer for all cases of this folder; each case gets a line of its own that speaks didML."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import Customer, customer
from tests.support.line import Line, line_on
from tests.support.server import Server, server


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def offhook(data_dir: Path) -> AsyncIterator[Server]:
    async with server(data_dir) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def application() -> AsyncIterator[Customer]:
    async with customer() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def line(offhook: Server, application: Customer) -> AsyncIterator[Line]:
    async with line_on(offhook, application, "didml") as made:
        yield made
