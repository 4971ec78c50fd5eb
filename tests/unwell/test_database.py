"""The database is locked for long, slow, or does not answer at all, under calls that run. See docs/howto/unwell.md."""

import asyncio
import os
import sqlite3
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import pytest_asyncio
from tests.restart.outage import tone, wav
from tests.support.asgi import basic
from tests.support.customer import Customer
from tests.support.line import Line, line_on, pairs
from tests.support.server import server
from tests.support.sound_checks import RATE, find, read_wav
from tests.unwell.machine import Disk, served_from
from tests.unwell.running import no_hole, reason, refused_everywhere, somebody_talks

LOCKED_S = 10.0
SLOW_S = 0.8
"""How long each commit has to wait for the other program; less than what is called a failure."""
SLOW_TURNS = 6


@pytest_asyncio.fixture
async def line(app: Customer, tmp_path: Path) -> AsyncIterator[Line]:
    async with server(tmp_path / "data", delivery_retry_s="0.3") as running, line_on(running, app) as made:
        yield made


@pytest_asyncio.fixture
async def on_disk(app: Customer, tmp_path: Path) -> AsyncIterator[tuple[Line, Disk]]:
    if os.geteuid() != 0:
        pytest.skip("a disk is frozen by root alone, so a disk that does not answer was NOT tested")
    async with (
        served_from(tmp_path, "ext4", delivery_retry_s="0.3") as (running, disk),
        line_on(running, app) as line,
    ):
        yield line, disk


@contextmanager
def another_program(line: Line) -> Iterator[sqlite3.Connection]:
    """One that has the database open too."""
    other = sqlite3.connect(line.server.data_dir / "offhook.db", isolation_level=None)
    try:
        yield other
    finally:
        other.close()


async def talks_to_a_menu(line: Line) -> tuple[str, Callable[[], Awaitable[None]]]:
    """A call that waits for a key; and what is done in the middle of the trouble: the key is pressed, the application
    is asked, a sound is fetched that nobody has heard before, and the call ends with a post that is owed.
    """
    fresh = tone(850, 0.5)
    menu = {"ivr": "sound/dialtone", "timeout": 60, "next": line.on("/key", {"play": line.serve("/new", wav(fresh))})}
    call, party = await line.talks(menu, whenhangup=line.on("/end", ""))

    async def press() -> None:
        await party.voice.press("4")
        assert dict(pairs(await line.hook("/key")))["result"] == "4"
        await party.voice.hears(fresh)
        await party.hung_up()
        await line.hook("/end")

    return call, press


async def test_locked(line: Line) -> None:
    call, press = await talks_to_a_menu(line)
    with another_program(line) as other:
        async with somebody_talks(line) as talking:
            other.execute("BEGIN EXCLUSIVE")
            begun = time.monotonic()
            await line.until_unready()
            await refused_everywhere(line, "storage cannot write (database is locked)", "storage cannot write")
            status, why = await under_a_key(line)
            assert (status, "nothing was made" in why) == (503, True), why
            await press()
            await asyncio.sleep(max(0.0, begun + LOCKED_S - time.monotonic()))
            other.execute("ROLLBACK")
            await line.until_ready()
            talking.nobody_missed_anything()
    assert (await under_a_key(line))[0] == 200
    await (await line.rings()).refuse(486)
    await takes_calls_and_has_all(line, call)


async def test_slow(line: Line) -> None:
    """Commits that wait, and succeed: calls are taken all the while, and none waits for the disk longer than 1 s."""
    call, press = await talks_to_a_menu(line)
    with another_program(line) as other:
        async with somebody_talks(line) as talking:

            async def hold() -> None:
                for _ in range(SLOW_TURNS):
                    other.execute("BEGIN EXCLUSIVE")
                    await asyncio.sleep(SLOW_S)
                    other.execute("ROLLBACK")
                    await asyncio.sleep(0.05)

            holding = asyncio.ensure_future(hold())
            _, second = await line.talks({"play": "sound/beep"})
            await second.voice.hears_tone(1000.0)
            await press()
            assert not holding.done()
            assert await reason(line) == "ready"
            await holding
            talking.nobody_missed_anything()
    await takes_calls_and_has_all(line, call)


async def test_not_at_all(on_disk: tuple[Line, Disk]) -> None:
    """The disk answers nobody, and gives no error."""
    line, disk = on_disk
    call, press = await talks_to_a_menu(line)
    recorded, speaker = await line.talks({"record": line.on("/rec", ""), "silencedetection": "no"})
    said = tone(500, 1.0)
    await speaker.voice.say(said)
    async with somebody_talks(line) as talking:
        with disk.frozen():
            # Nobody knows it yet: a call is taken, and waits for the disk a second at the most wherever it does.
            taken, quick = await line.talks({"hangup": "reject"}, whenhangup=line.on("/taken", ""))
            await quick.hung_up()
            await speaker.voice.say(said)
            await line.until_unready()
            await refused_everywhere(line, "storage cannot write (no answer for ", "storage cannot write")
            await press()
            await speaker.hang_up()
        await line.until_ready()
        talking.nobody_missed_anything()
    # What was said while the disk hung waited in the engine's memory.
    heard = read_wav((await line.file(dict(pairs(await line.hook("/rec")))["wav"]))[1])
    assert find(heard[int(0.9 * RATE) :], said).likeness > 0.8
    await line.hook("/taken")
    await takes_calls_and_has_all(line, call, recorded, taken)


async def under_a_key(line: Line) -> tuple[int, str]:
    """The same order under the same key each time."""
    order = {"from": line.number, "to": line.far(), "voice_start": '{"hangup":"reject"}'}
    headers = {"Idempotency-Key": "once", **basic(line.account, line.secret)}
    async with line.server.session.post(f"{line.server.http}/a1/calls", data=order, headers=headers) as answer:
        return answer.status, await answer.text()


async def takes_calls_and_has_all(line: Line, *calls: str) -> None:
    """By itself: new calls are taken, and what happened meanwhile is in the records, each post made once."""
    _, again = await line.talks({"play": "sound/beep"})
    await again.voice.hears_tone(1000.0)
    for call in calls:
        assert (await line.over(call))["state"] == "success"
        assert "call.ended" in await no_hole(line, call)
    assert len(line.got("/end")) == 1
