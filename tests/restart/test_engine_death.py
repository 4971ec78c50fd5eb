"""The media engine alone dies under a bridge: another makes its session again on the same ports, and what the two far
ends say to each other is missing for a second at most.
"""

import asyncio
import os
import signal
from pathlib import Path

from tests.chaos.lateness import bare_timers, read_lateness
from tests.chaos.sound import Sound, gaps_of_bridge, ticking
from tests.restart.outage import until
from tests.support.line import CALLER, Line
from tests.support.sip_peer import sdp
from tests.support.sound_checks import ALAW

HOST = "127.0.0.1"
GAP_MOST_S = 1.5
"""The promise is a second; half of one is for the start of a process on a machine that others keep busy. What a bare
timer was late at that time comes on top."""
PACKETS = 50
ON_THE_WAY_S = 0.4
"""What was said so shortly before the end may still be in a jitter buffer."""


async def test_a_bridge_goes_on_over_another_engine_on_the_same_ports(line: Line, tmp_path: Path) -> None:
    loop = asyncio.get_running_loop()
    a, b = (Sound(host=HOST, hears=True, speaks=True) for _ in range(2))
    with bare_timers(tmp_path) as timers:
        try:
            async with ticking():
                await line.runs({"connect": line.far(), "whenhangup": line.on("/over", "")})
                first = line.peer.invite(line.number, sdp(*a.open(), ALAW), from_=CALLER)
                second = await line.peer.called()
                assert second.first is not None
                b.towards(second.first.body)
                await second.answer(sdp(*b.open(), ALAW))
                a.towards((await first.accepted()).body)
                await until(lambda: all(_numbered(each) > PACKETS for each in (a, b)))
                begin, engine = loop.time(), line.server.engine_pid
                os.kill(engine, signal.SIGKILL)
                killed = loop.time()
                for ear, mouth in ((a, b), (b, a)):
                    await until(lambda ear=ear, mouth=mouth: _said_after(ear, mouth, killed) > PACKETS)
                end = loop.time() - ON_THE_WAY_S
                gaps = [
                    max(gaps_of_bridge(ear.heard, mouth.sent, begin, end, 0.0), key=lambda gap: gap.length_s)
                    for ear, mouth in ((a, b), (b, a))
                ]
            assert line.server.engine_pid != engine
        finally:
            a.close()
            b.close()
        late = read_lateness(timers)
    for gap in gaps:
        assert gap.length_s < GAP_MOST_S + late.around(gap.at, gap.length_s)
    # Both went on sending to the ports they knew, and were heard: nobody was told of others.
    assert line.peer.came("INVITE") == []
    await first.bye()
    await second.ended()
    await line.hook("/over")
    assert len(line.got("/over")) == 1


def _numbered(ear: Sound) -> int:
    """How many packets came that the other far end said."""
    return sum(each.number >= 0 for each in ear.heard)


def _said_after(ear: Sound, mouth: Sound, moment: float) -> int:
    """How many of those had been said after a moment."""
    return sum(each.number >= 0 and mouth.sent[each.number] > moment for each in ear.heard)
