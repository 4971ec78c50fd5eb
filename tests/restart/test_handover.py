"""`offhook restart` under a real call: the same process id, another server, and nothing of it is heard."""

import asyncio
import json
import sys

from tests.restart.outage import GAP_MOST_S, Ear, tone, until, wav
from tests.support.line import Line


async def offhook(line: Line, *words: str) -> bytes:
    """What a command says; it must go well."""
    running = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "offhook", *words),
        env=line.server.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    said, wrong = await running.communicate()
    assert running.returncode == 0, wrong.decode()
    return said


async def test_an_upgrade_under_a_prompt(line: Line) -> None:
    first, second = tone(440, 8.0), tone(700, 1.0)
    _, party = await line.talks(
        {"play": line.serve("/a.wav", wav(first)), "next": {"play": line.serve("/b.wav", wav(second))}},
        whenhangup=line.on("/over", ""),
    )
    ear = Ear(party)
    await until(lambda: len(ear.times) > 20)
    since = ear.times[-1]
    before = line.server.process.pid
    said, _ = await asyncio.gather(offhook(line, "restart", "--json"), line.server.replaced())
    done = json.loads(said)
    assert (done["calls_before"], done["calls"]) == (1, 1)
    assert line.server.process.pid == before
    await party.voice.hears(second)
    assert ear.longest_gap_s(since) < GAP_MOST_S
    assert await party.hung_up()
    await line.hook("/over")
    assert len(line.got("/over")) == 1
