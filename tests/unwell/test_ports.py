"""No RTP ports are left: few are configured, and calls have them all. See docs/howto/unwell.md."""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.restart.outage import tone, wav
from tests.support.customer import Customer
from tests.support.line import Line, line_on
from tests.support.ports import free_port
from tests.support.server import server
from tests.unwell.running import no_hole, reason, refused_everywhere, somebody_talks

PAIRS = 4
REST_S = 5.0
"""What the engine lets a pair rest at the least: late sound of an ended call is never heard in the next."""


@pytest_asyncio.fixture
async def line(app: Customer, tmp_path: Path) -> AsyncIterator[Line]:
    first = free_port() & ~1
    async with (
        server(tmp_path / "data", rtp_ports=f"{first}-{first + 2 * PAIRS - 1}") as running,
        line_on(running, app) as made,
    ):
        yield made


async def test_no_ports(line: Line) -> None:
    long = {"play": line.serve("/long.wav", wav(tone(700, 40.0)))}
    async with somebody_talks(line) as talking:
        _, third = await line.talks(long)
        # Two that are ordered at once want the last pair: one has it, the other is told.
        order = {"from_": line.number, "to": line.far(), "voice_start": json.dumps(long)}
        answers = await asyncio.gather(*(line.a1("POST", "/calls", **order) for _ in range(2)))
        assert sorted(status for status, _ in answers) == [200, 503], answers
        fourth = await line.rings()
        await fourth.pick_up()
        await line.until_unready()
        why = f"{PAIRS} of {PAIRS} pairs of RTP ports are in use or rest; widen rtp_ports"
        await refused_everywhere(line, why, "no RTP ports left")
        talking.nobody_missed_anything()

        await third.hang_up()
        ended = time.monotonic()
        assert "rest" in await reason(line)
        await line.until_ready()
        assert time.monotonic() - ended > REST_S - 0.5
        # Whoever is taken has ports.
        made, fifth = await line.talks({"play": "sound/beep"})
        await fifth.voice.hears_tone(1000.0)
        await fifth.hung_up()
        await line.over(made)
        assert "leg.media_lost" not in await no_hole(line, made)
        talking.nobody_missed_anything()
