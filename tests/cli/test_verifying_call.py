"""`offhook account caller-id add` with a real server, and a real call whose far end hears the code."""

import asyncio
import sys
from asyncio.subprocess import PIPE
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import customer
from tests.support.line import ALIKE, Line, line_on
from tests.support.server import server
from tests.support.sound_checks import Samples, find

from offhook.config import load_settings
from offhook.runtime.speech.engines import speech_desk
from offhook.web.verifying import code_text

pytestmark = [pytest.mark.native, pytest.mark.timeout(120)]

CODE = "008970"
WITHIN_S = 40.0
"""The code is said twice, and a command takes a second to start."""
BY_CHANCE = (
    "import offhook.cli.account as account; from offhook.cli import main;"
    f" account.secrets.randbelow = lambda _: {int(CODE)}; main()"
)
"""The command, which makes this code of chance."""


@pytest_asyncio.fixture
async def line(tmp_path: Path) -> AsyncIterator[Line]:
    async with server(tmp_path / "data") as running, customer() as app, line_on(running, app) as made:
        yield made


async def command(line: Line, words: Sequence[str]) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", BY_CHANCE, "account", "caller-id", *words, "--account", line.account),
        env=line.server.environment, cwd=line.server.data_dir, stdin=PIPE, stdout=PIPE, stderr=PIPE,
    )  # fmt: skip


async def spoken(code: str) -> Samples:
    """What speech makes of it."""
    desk = speech_desk(load_settings())
    try:
        return await desk.speak(await desk.plan(code_text(code, "en")))
    finally:
        await desk.close()


async def test_whoever_answers_hears_the_code_and_nobody_can_read_it(line: Line) -> None:
    right, wrong = await spoken(CODE), await spoken("123456")
    adding = await command(line, ("add", line.far()))
    party = await line.rings()
    await party.pick_up()
    assert await party.voice.hears(right, within_s=WITHIN_S) > ALIKE
    assert find(party.voice.sound(), wrong).likeness < ALIKE, "another code would not have passed"
    await party.hung_up(WITHIN_S)
    out, err = await asyncio.wait_for(adding.communicate(f"{CODE}\n".encode()), WITHIN_S)
    assert adding.returncode == 0, err
    assert f"{line.far()} may be shown by" in out.decode()
    _, listed = await line.server.v1("GET", f"/accounts/{line.account}/caller-ids")
    assert [row["number"] for row in listed["caller_ids"]] == [line.far()]
    _, calls = await line.server.v1("GET", f"/calls?account={line.account}")
    (call,) = calls["calls"]
    _, known = await line.server.v1("GET", f"/calls/{call['id']}/export")
    for written in (err.decode(), str(known), line.server.log_path.read_text()):
        assert CODE not in written
        assert " ".join(CODE[:3]) not in written
    assert call["actions"] == [{"play": "…", "result": "ok"}]


async def test_a_code_that_was_recorded_counts_for_nothing(line: Line) -> None:
    adding = await command(line, ("add", line.far()))
    party = await line.rings()
    await party.pick_up()
    _, calls = await line.server.v1("GET", f"/calls?account={line.account}")
    await line.noted(calls["calls"][0]["id"], "verb.begun")
    status, said = await line.server.v1("POST", f"/calls/{calls['calls'][0]['id']}", {"record": "start"})
    assert status == 200, said
    _, err = await asyncio.wait_for(adding.communicate(f"{CODE}\n".encode()), WITHIN_S)
    assert (adding.returncode, "had the call recorded" in err.decode()) == (1, True)
    _, listed = await line.server.v1("GET", f"/accounts/{line.account}/caller-ids")
    assert listed["caller_ids"] == []


async def test_without_a_trunk_it_says_what_to_do(line: Line) -> None:
    adding = await command(line, ("add", "+4915112345678"))
    _, err = await asyncio.wait_for(adding.communicate(), WITHIN_S)
    assert adding.returncode == 1
    assert "no trunk takes it" in err.decode()
    assert "offhook trunk add" in err.decode()
