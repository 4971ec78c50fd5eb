"""Calls that run while the machine becomes unwell: somebody talks, somebody hears a prompt, somebody is recorded."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from tests.restart.outage import GAP_MOST_S, Ear, tone, until, wav
from tests.support.line import Line, Party
from tests.support.sound_checks import Samples

__all__ = ["Talking", "no_hole", "reason", "refused_everywhere", "somebody_talks", "wav"]

SPOKEN_S = 60.0
SETTLED_PACKETS = 20


@dataclass(slots=True)
class Talking:
    """Two people in a bridge, of whom one speaks all the time."""

    caller: Party
    called: Party
    ear: Ear
    since: float

    def heard_all(self) -> float:
        """The longest gap since they talk; it must be none."""
        gap = self.ear.longest_gap_s(self.since)
        assert gap < GAP_MOST_S, f"{gap:.3f} s without sound in a bridge"
        return gap


@asynccontextmanager
async def somebody_talks(line: Line, **start: str) -> AsyncIterator[Talking]:
    """An incoming call that is passed on, for as long as the block lasts."""
    caller = await line.calls_in({"connect": line.far(9), **start})
    called = await line.rings()
    await called.pick_up()
    await caller.answered()
    ear = Ear(called)
    speaking = asyncio.ensure_future(caller.voice.say(_long()))
    try:
        await until(lambda: len(ear.times) > SETTLED_PACKETS)
        yield Talking(caller, called, ear, ear.times[-1])
    finally:
        speaking.cancel()


async def reason(line: Line) -> str:
    """What `/readyz` says."""
    async with line.server.session.get(f"{line.server.http}/readyz") as answer:
        return await answer.text()


async def refused_everywhere(line: Line, why: str) -> None:
    """A new call is refused in every language, each with the reason: `/a1`, `/v1`, SIP."""
    assert why in await reason(line)
    status, said = await line.a1("POST", "/calls", from_=line.number, to=line.far(), voice_start='{"hangup":"reject"}')
    assert (status, why in said) == (503, True), said
    order = {"account": line.account, "from": line.number, "to": line.far(), "voice_start": '{"hangup":"reject"}'}
    status, said = await line.server.v1("POST", "/calls", order)
    assert (status, why in said["error"]["message"]) == (503, True), said
    refusal = await line.peer.invite(line.number, (await line.voice()).sdp).refused(503)
    assert int(refusal["Retry-After"]) > 0


async def no_hole(line: Line, call: str) -> list[str]:
    """The kinds of a call's timeline, which is numbered without a gap, and in which what was owed was delivered."""
    events = await line.timeline(call)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["kind"] for event in events]
    assert kinds.count("hook.owed") + kinds.count("recording.owed") == kinds.count("hook.delivered")
    return kinds


def _long() -> Samples:
    return tone(440, SPOKEN_S)
