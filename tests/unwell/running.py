"""Calls that run while the machine becomes unwell: two people talk, somebody hears a prompt. What they hear is measured
as the chaos suite does, so that a gap is the server's and not the machine's that the test runs on.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.chaos.lateness import bare_timers, read_lateness
from tests.chaos.sound import Gap, Sound, gaps_of_bridge, gaps_of_prompt, ticking
from tests.restart.outage import GAP_MOST_S, until
from tests.support.line import Line
from tests.support.sip_peer import Talk, sdp
from tests.support.sound_checks import ALAW

__all__ = ["Talking", "no_hole", "reason", "refused_everywhere", "somebody_talks"]

SETTLED_PACKETS = 20
BEGUN_WITHIN_S = 20.0
UNDER_WAY_S = 0.3
"""What was said so lately may still be on its way."""


@dataclass(slots=True)
class Talking:
    """Two people in a bridge who both speak all the time, and whoever else listens."""

    caller: Talk
    called: Talk
    mouths: tuple[Sound, Sound]
    timers: list[Path]
    since: float = 0.0
    listeners: list[Sound] = field(default_factory=list)

    async def listens(self, line: Line, start: str, **fields: str) -> tuple[str, Talk]:
        """One more call, to somebody who hears a prompt from then on."""
        made = await line.place(voice_start=start, **fields)
        talk, ear = await line.peer.called(), Sound("127.0.0.1", hears=True, speaks=False)
        assert talk.first is not None
        await talk.answer(sdp(*ear.open(), ALAW))
        ear.towards(talk.first.body)
        await until(lambda: len(ear.heard) > SETTLED_PACKETS)
        self.listeners.append(ear)
        return made["id"], talk

    def nobody_missed_anything(self) -> None:
        """From the beginning to now: no gap in the bridge either way, and none in a prompt."""
        now = asyncio.get_running_loop().time()
        for mouth, ear in (self.mouths, self.mouths[::-1]):
            self._judged("a bridge", gaps_of_bridge(ear.heard, mouth.sent, self.since, now - UNDER_WAY_S, GAP_MOST_S))
        for ear in self.listeners:
            assert now - ear.heard[-1].at < 1.0, "a prompt has stopped"
            self._judged("a prompt", gaps_of_prompt(ear.heard, GAP_MOST_S))

    def _judged(self, where: str, gaps: Iterable[Gap]) -> None:
        late = read_lateness(self.timers)
        ours = [gap for gap in gaps if gap.length_s > GAP_MOST_S + late.around(gap.at, gap.length_s)]
        assert ours == [], f"gaps in {where}"


@asynccontextmanager
async def somebody_talks(line: Line, **start: str) -> AsyncIterator[Talking]:
    """An incoming call that is passed on, for as long as the block lasts; then its caller hangs up."""
    await line.runs({"connect": line.far(9), **start})
    mouths = Sound("127.0.0.1", hears=True, speaks=True), Sound("127.0.0.1", hears=True, speaks=True)
    with TemporaryDirectory() as folder, bare_timers(Path(folder)) as timers:
        async with ticking():
            caller, called = await _begun(line, sdp(*mouths[0].open(), ALAW))
            assert called.first is not None
            await called.answer(sdp(*mouths[1].open(), ALAW))
            mouths[1].towards(called.first.body)
            mouths[0].towards((await caller.accepted()).body)
            talking = Talking(caller, called, mouths, timers)
            try:
                await until(lambda: all(len(each.heard) > SETTLED_PACKETS for each in mouths))
                talking.since = asyncio.get_running_loop().time()
                yield talking
            finally:
                for each in (*mouths, *talking.listeners):
                    each.close()
            await caller.bye()
            await called.ended()


async def _begun(line: Line, offer: str) -> tuple[Talk, Talk]:
    """A call to our number, and the one that it is passed on as. A server on a machine that others keep busy refuses
    for a while, as it should.
    """
    async with asyncio.timeout(BEGUN_WITHIN_S):
        while True:
            await line.until_ready()
            caller = line.peer.invite(line.number, offer)
            heard = await line.peer.receive("INVITE", 503)
            if heard.method == "INVITE":
                line.peer.waiting.insert(0, heard)
                return caller, await line.peer.called()
            caller.refuse_ack(heard)
            await asyncio.sleep(0.2)


async def reason(line: Line) -> str:
    """What `/readyz` says."""
    async with line.server.session.get(f"{line.server.http}/readyz") as answer:
        return await answer.text()


async def refused_everywhere(line: Line, why: str, in_sip: str) -> None:
    """A new call is refused in every language, each with the reason: `/a1`, `/v1`, SIP."""
    assert why in await reason(line)
    status, said = await line.a1("POST", "/calls", from_=line.number, to=line.far(), voice_start='{"hangup":"reject"}')
    assert (status, why in said) == (503, True), said
    order = {"account": line.account, "from": line.number, "to": line.far(), "voice_start": '{"hangup":"reject"}'}
    status, said = await line.server.v1("POST", "/calls", order)
    assert (status, why in said["error"]["message"]) == (503, True), said
    refusal = await line.peer.invite(line.number, (await line.voice()).sdp).refused(503)
    assert refusal.start == f"SIP/2.0 503 Service Unavailable: {in_sip}"
    assert int(refusal["Retry-After"]) > 0


async def no_hole(line: Line, call: str) -> list[str]:
    """The kinds of a call's timeline, which is numbered without a gap, and in which what was owed was delivered."""
    events = await line.timeline(call)
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    kinds = [event["kind"] for event in events]
    assert kinds.count("hook.owed") + kinds.count("recording.owed") == kinds.count("hook.delivered")
    return kinds
