"""One real server and one customer for all cases of this folder; each case gets a line of its own that speaks didML."""

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import Customer, customer
from tests.support.didml_line import DidmlLine
from tests.support.line import Line, line_on
from tests.support.server import Server, server
from tests.support.sound_checks import Samples

from offhook.config import load_settings
from offhook.flow.verbs import Speech
from offhook.runtime.speech.engines import speech_desk

WEBHOOK_TIMEOUT_S = 5.0

Spoken = Callable[[str], Awaitable[Samples]]


@pytest.fixture(scope="session")
def data_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("server")


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def offhook(data_dir: Path) -> AsyncIterator[Server]:
    async with server(data_dir, webhook_timeout_s=str(WEBHOOK_TIMEOUT_S)) as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def application() -> AsyncIterator[Customer]:
    async with customer() as running:
        yield running


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def spoken(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Spoken]:
    """What `offhook say` makes of a text, in the voice that didML has where a document names none."""
    desk = speech_desk(load_settings(data_dir=tmp_path_factory.mktemp("speech")))

    async def say(text: str) -> Samples:
        return await desk.speak(await desk.plan(Speech(text=text, language="en", voice="woman")))

    yield say
    await desk.close()


@pytest_asyncio.fixture(loop_scope="session")
async def line(offhook: Server, application: Customer) -> AsyncIterator[Line]:
    async with line_on(offhook, application, "didml") as made:
        yield made


@pytest_asyncio.fixture(loop_scope="session")
async def did(line: Line) -> DidmlLine:
    return DidmlLine(line)
