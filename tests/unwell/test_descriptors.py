"""No file descriptors are left: the limit is small, and calls and connections want more. See docs/howto/unwell.md."""

import asyncio
import contextlib
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.restart.outage import tone, wav
from tests.support.customer import Customer
from tests.support.line import Line, Party, line_on, pairs
from tests.support.server import server
from tests.unwell.running import no_hole, refused_everywhere, somebody_talks

LIMIT = 160
ORDERED_MOST = 100
"""More than a limit so low can carry."""


@pytest_asyncio.fixture
async def line(app: Customer, tmp_path: Path) -> AsyncIterator[Line]:
    few = ("prlimit", f"--nofile={LIMIT}:{LIMIT}")
    async with (
        server(tmp_path / "data", started_by=few, delivery_retry_s="0.3") as running,
        line_on(running, app) as made,
    ):
        assert resource.prlimit(running.process.pid, resource.RLIMIT_NOFILE) == (LIMIT, LIMIT)
        yield made


async def test_calls_want_more_than_there_are(line: Line) -> None:
    """Each leg has two sockets in the media engine; the server refuses before the engine has none left."""
    long = json.dumps({"play": line.serve("/long.wav", wav(tone(700, 40.0)))})
    order = {"from_": line.number, "voice_start": long, "whenhangup": line.on("/end", "")}
    taken: list[str] = []
    running: list[Party] = []
    async with somebody_talks(line) as talking:
        for _ in range(ORDERED_MOST):
            status, answer = await line.a1("POST", "/calls", to=line.far(), **order)
            if status == 503:
                break
            assert status == 200, answer
            taken.append(answer["id"])
            party = await line.rings()
            await party.pick_up()
            running.append(party)
        assert status == 503, "it was never too much"
        why = f"of {LIMIT} file descriptors are left; raise the limit (ulimit -n)"
        await refused_everywhere(line, why, "no file descriptors left")
        # None of those that were taken came to grief.
        for call in taken:
            assert (await line.call(call))["state"] == "ongoing"
        talking.nobody_missed_anything()
        for party in running:
            await party.hang_up()
        await line.until_ready()
        for call in taken:
            assert (await line.over(call))["state"] == "success"
            await no_hole(line, call)
        made, again = await line.talks({"play": "sound/beep"})
        await again.voice.hears_tone(1000.0)
        await again.hung_up()
        await line.over(made)
        talking.nobody_missed_anything()
    await line.hook("/end", len(taken))
    assert len({dict(pairs(hook))["id"] for hook in line.got("/end")}) == len(taken) == len(line.got("/end"))


async def test_connections_want_more_than_there_are(line: Line) -> None:
    """Whoever opens connections and says nothing costs no running call its webhooks."""
    menu = {"ivr": "sound/dialtone", "timeout": 60, "next": line.on("/key", {"hangup": "reject"})}
    call, party = await line.talks(menu, whenhangup=line.on("/end", ""))
    async with somebody_talks(line) as talking:
        async with contextlib.AsyncExitStack() as idle:
            for host, port in [line.server.sip["tcp"], _address(line.server.http)] * LIMIT:
                with contextlib.suppress(OSError):
                    _, writer = await asyncio.open_connection(host, port)
                    idle.callback(writer.close)
            await party.voice.press("4")
            assert dict(pairs(await line.hook("/key")))["result"] == "4"
            await party.hung_up()
            await line.hook("/end")
            talking.nobody_missed_anything()
        await line.until_ready()
        made, again = await line.talks({"play": "sound/beep"})
        await again.voice.hears_tone(1000.0)
        await again.hung_up()
        await line.over(made)
        talking.nobody_missed_anything()
    await no_hole(line, call)


def _address(url: str) -> tuple[str, int]:
    host, _, port = url.removeprefix("http://").partition(":")
    return host, int(port)
