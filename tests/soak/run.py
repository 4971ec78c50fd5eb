"""One soak: a real `offhook serve --dev`, rounds of calls by lot, and a look at what is left after each.

A round ends when its calls have, and then waits until the server is at rest: transactions and timers live up to 64*T1
(RFC 3261 table 4) after the last message, twice that where nobody answered a BYE.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tests.soak.application import CALLEES, Application, application
from tests.soak.invariants import Burden, burden, in_the_books, in_the_logs, left_over
from tests.soak.lines import Line, line, ticking
from tests.soak.parties import CARRIER, Callees, Caller, rubbish, unruly_connections
from tests.support.ports import rtp_range
from tests.support.server import Server, server

__all__ = ["Measured", "Plan", "Report", "soak"]

NUMBER = "+46101234567"
LONGEST_SCRIPT_S = 60.0
AT_REST_WITHIN_S = 110.0
ASK_EVERY_S = 0.25
RTP_PORTS = 1600
MORE_DESCRIPTORS = 24
"""Connections kept alive and databases opened by threads that had no work before."""
MEMORY_PER_1000_CALLS_KB = 6_000
CALLS_TO_JUDGE_MEMORY = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much of it."""

    seed: int
    rounds: int
    round_s: float
    calls_per_s: float
    at_once: int = 60
    patient: bool = False
    """No party that never answers a BYE or says ACK: a round rests after 64*T1 once."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Measured:
    """Both processes, at rest after so many calls."""

    calls: int
    control: Burden
    engine: Burden


@dataclass(slots=True)
class Report:
    """What was done, found and measured."""

    plan: Plan
    calls: int = 0
    figures: Counter[str] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    measured: list[Measured] = field(default_factory=list)
    rested_s: list[float] = field(default_factory=list)

    def growth_kb(self, process: str) -> float | None:
        """Kilobytes of resident memory for 1,000 calls, from the end of the first round; None: there was but one."""
        if len(self.measured) < 3:
            return None
        first, last = self.measured[1], self.measured[-1]
        grown: int = getattr(last, process).memory_kb - getattr(first, process).memory_kb
        return grown * 1000 / max(1, last.calls - first.calls)


@dataclass(slots=True)
class _Soak:
    plan: Plan
    report: Report
    server: Server
    app: Application
    line: Line
    caller: Caller
    callees: Callees

    async def round(self, number: int) -> None:
        """Calls for a while, then rest."""
        chance = random.Random(f"{self.plan.seed}/round/{number}")
        loop = asyncio.get_running_loop()
        until = loop.time() + self.plan.round_s
        room = asyncio.Semaphore(self.plan.at_once)
        noise = [
            asyncio.ensure_future(each(self.server.sip[way], self.plan.seed * 1000 + number, 3.0, self.report.figures))
            for each, way in ((rubbish, "udp"), (unruly_connections, "tcp"))
        ]
        scripts: set[asyncio.Task[None]] = set()
        while loop.time() < until:
            async with room:
                pass
            self.report.calls += 1
            index = self.report.calls
            script = self.caller.call(self.line, index) if chance.random() < 0.6 else self.order(index)
            scripts.add(asyncio.ensure_future(self.watched(script, room, index)))
            await asyncio.sleep(chance.expovariate(self.plan.calls_per_s))
        for each in noise:
            each.cancel()
        ended = await asyncio.gather(*noise, return_exceptions=True)
        self.report.faults += [f"noise: {e!r}" for e in ended if not isinstance(e, asyncio.CancelledError)]
        await asyncio.gather(*scripts)

    async def watched(self, script: Coroutine[Any, Any, None], room: asyncio.Semaphore, index: int) -> None:
        """A script within its bounds; one that fails is a find."""
        async with room:
            try:
                await asyncio.wait_for(script, LONGEST_SCRIPT_S)
            except Exception as error:
                self.report.faults.append(f"script {index}: {type(error).__name__}: {error}")

    async def order(self, index: int) -> None:
        """A call by the API, hung up by the API now and then."""
        chance = random.Random(f"{self.plan.seed}/order/{index}")
        to = f"{CALLEES}9{index:06d}"
        fields = {"from_": "+46101000000", "to": to, "timeout": chance.choice((2, 4, 6))}
        wants_hangup = chance.random() < 0.8
        if wants_hangup:
            fields["whenhangup"] = f"{self.app.url}/bye/{to}"
        try:
            status, made = await self.server.a1("POST", "/calls", voice_start=f"{self.app.url}/start", **fields)
        except aiohttp.ClientConnectionError:
            # An idle connection closed from one side while the other began to use it (RFC 9112 section 9.5); a POST is
            # not repeated, since nobody knows whether it was taken.
            self.report.figures["orders whose connection was just closed"] += 1
            return
        if status == 503:
            # More than this machine carries at the moment: refusing is what it should do.
            self.report.figures["orders refused for load"] += 1
            return
        if status != 200:
            self.report.faults.append(f"POST /a1/calls: {status} {made}")
            return
        if chance.random() < 0.2:
            await asyncio.sleep(chance.choice((0.0, 0.01, chance.uniform(0, 4))))
            status, said = await self.server.v1("POST", f"/calls/{made['id']}/hang-up")
            self.report.figures[f"hang-ups by the API: {status}"] += 1
            if status not in (200, 409):
                self.report.faults.append(f"hang-up: {status} {said}")

    async def rest(self) -> None:
        """Wait until nothing is held any longer, or say what is."""
        began = time.monotonic()
        while True:
            _, status = await self.server.v1("GET", "/status")
            found = left_over(status)
            if not found and not self.line.tasks:
                break
            if time.monotonic() - began > AT_REST_WITHIN_S:
                self.report.faults.append(f"left over after {AT_REST_WITHIN_S} s: {', '.join(found)}")
                break
            await asyncio.sleep(ASK_EVERY_S)
        self.report.rested_s.append(time.monotonic() - began)
        self.measure(status["server"]["media_pid"])

    def measure(self, engine: int) -> None:
        """Look at both processes."""
        found = Measured(calls=self.report.calls, control=burden(self.server.process.pid), engine=burden(engine))
        self.report.measured.append(found)


@asynccontextmanager
async def _prepared(directory: Path, report: Report) -> AsyncIterator[_Soak]:
    plan = report.plan
    callees = Callees(plan.seed, figures=report.figures)
    async with (
        application(plan.seed) as app,
        server(
            directory / "server", rtp_ports=rtp_range(RTP_PORTS), delivery_retry_s="1",
            webhook_timeout_s="2",
        ) as running,
        line(running.sip["udp"], CARRIER, callees.answer) as here,
        ticking(),
    ):  # fmt: skip
        trunk = {"name": "carrier", "address": f"sip:{CARRIER}:{here.port}", "prefixes": [CALLEES]}
        for path, body in (
            ("/trunks", trunk | {"from_addresses": [f"{CARRIER}/32"]}),
            ("/numbers", {"number": NUMBER, "trunk": "carrier", "voice_start": f"{app.url}/start"}),
        ):
            status, made = await running.v1("POST", path, body)
            assert status < 300, f"{path}: {status} {made}"
        caller = Caller(NUMBER, running.sip["tcp"], plan.seed, plan.patient, report.figures)
        yield _Soak(plan, report, running, app, here, caller, callees)


async def soak(directory: Path, plan: Plan, tell: Callable[[str], None] = lambda _: None) -> Report:
    """Run it. Everything that does not hold is in `faults` of the report, in words."""
    report = Report(plan)
    async with _prepared(directory, report) as made:
        await made.rest()
        for number in range(plan.rounds):
            await made.round(number)
            await made.rest()
            last = report.measured[-1]
            tell(
                f"round {number + 1}: {report.calls} calls, at rest after {report.rested_s[-1]:.0f} s; control "
                f"{last.control.memory_kb} kB, {last.control.descriptors} fds; engine {last.engine.memory_kb} kB, "
                f"{last.engine.descriptors} fds; {len(report.faults)} faults"
            )
        status = await made.server.stop()
        if status != 0:
            report.faults.append(f"the server ended with {status}")
        report.faults += made.app.faults
        report.figures += made.app.asked
        report.faults += in_the_books(made.server.data_dir, made.app)
        report.faults += in_the_logs(made.server.data_dir)
    report.faults += [f"{name}: {count} times" for name, count in report.figures.items() if name.startswith("FAULT")]
    report.faults += list(_grown(report))
    return report


def _grown(report: Report) -> list[str]:
    """Descriptors and memory that did not come back."""
    found = []
    before, after = report.measured[0], report.measured[-1]
    for process in ("control", "engine"):
        more = getattr(after, process).descriptors - getattr(before, process).descriptors
        if more > MORE_DESCRIPTORS:
            found.append(f"{process} holds {more} descriptors more")
        grown = report.growth_kb(process)
        judged = after.calls - report.measured[min(1, len(report.measured) - 1)].calls
        if grown is not None and judged >= CALLS_TO_JUDGE_MEMORY and grown > MEMORY_PER_1000_CALLS_KB:
            found.append(f"{process} grows by {grown:.0f} kB for 1,000 calls")
    return found
