"""Real peers over real sockets. Where SIPp or baresip is not installed, the tests that need it are skipped by name."""

import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.baresip import BARESIP, MODULES
from tests.support.engine_binary import engine_binary
from tests.support.exchange import Exchange, exchange
from tests.support.house import House, running
from tests.support.sipp import SIPP

from offhook.runtime import supervisor

HERE = Path(__file__).parent
BUILD_AND_TEST_S = 600
"""The first test of a file waits for the media engine to be built, where it is not yet."""

PEERS = {"sipp": SIPP, "baresip": BARESIP and MODULES}
PACKAGES = {"sipp": "sip-tester", "baresip": "baresip-core"}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip by name what needs a peer that is not here: a test marked `interop("sipp")`."""
    for item in items:
        if item.path.is_relative_to(HERE):
            item.add_marker(pytest.mark.timeout(BUILD_AND_TEST_S))
        for mark in item.iter_markers("interop"):
            for peer in mark.args:
                if not PEERS[peer]:
                    item.add_marker(pytest.mark.skip(reason=f"needs {peer}: install Debian's {PACKAGES[peer]}"))


@pytest.fixture(scope="session", autouse=True)
def engine() -> None:
    """The engine of this tree, for every server that a test starts."""
    os.environ["OFFHOOK_MEDIA_BINARY"] = str(engine_binary())


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def ex(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Exchange]:
    """One server for all tests of a file."""
    async with exchange(tmp_path_factory.mktemp("exchange")) as made:
        yield made


@pytest_asyncio.fixture(autouse=True, loop_scope="module")
async def ready(request: pytest.FixtureRequest) -> None:
    """Begin no call while the server refuses new ones, since a machine that tests at full speed makes it late."""
    if "ex" in request.fixturenames:
        made: Exchange = request.getfixturevalue("ex")
        await made.settled()


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    """A server of this process for one test."""
    # Whether calls are refused under load is tried elsewhere; here the machine may be busy.
    monkeypatch.setattr(supervisor, "REFUSE_ABOVE_S", 3600.0)
    async with running() as made:
        yield made
