"""One real server and one customer for all cases of this folder; each case gets a line of its own on them."""

import csv
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import Customer, customer
from tests.support.line import Line, line_on
from tests.support.server import Server, server

WEBHOOK_TIMEOUT_S = 2.5
RETRY_S = 0.3
PRICES = (("+4679", 1000, 6000),)
"""Only numbers that begin so cost something: set-up, and each minute begun."""


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def offhook(data_dir: Path) -> AsyncIterator[Server]:
    prices = data_dir / "prices.csv"
    with prices.open("w", newline="") as file:
        csv.writer(file).writerows(PRICES)
    settings = {
        "webhook_timeout_s": str(WEBHOOK_TIMEOUT_S),
        "delivery_retry_s": str(RETRY_S),
        "price_list": str(prices),
    }
    async with server(data_dir, **settings) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def application() -> AsyncIterator[Customer]:
    async with customer() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def line(offhook: Server, application: Customer) -> AsyncIterator[Line]:
    async with line_on(offhook, application) as made:
        yield made
