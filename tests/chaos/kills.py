"""Rows one to three of the table: kill -9 at random moments under calls, of the control process or of both processes,
restarted at once or after a pause.
"""

import asyncio
import random
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import aiohttp
from tests.chaos.judging import END_WITHIN_S, Verdict, judge, unreadable
from tests.chaos.lateness import bare_timers, read_lateness
from tests.chaos.plans import Span
from tests.chaos.report import Row, none_of
from tests.chaos.served import Served, served
from tests.chaos.standing import Absence
from tests.chaos.traffic import DIDML_SHARE, Traffic, traffic

__all__ = ["Killing", "kill"]

BEFORE_S = (0.3, 2.5)
"""Between the line `ready` and the next kill."""
SETTLE_S = 45.0
"""For what is owed and what transactions still wait for, when nobody calls any more."""
POLL_S = 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Killing:
    """One run."""

    seed: int
    kills: int
    rate: float
    """Calls a second."""
    pause_s: float = 0.0
    """Before each restart; while it lasts nobody new calls."""
    both: bool = False
    """The engine dies with its control process."""
    loud_at_once: int = 12
    didml_share: float = DIDML_SHARE
    """How often what begins is a call, or several who meet, that speak didML."""
    span: Span = field(default_factory=Span)
    lead_s: float = 1.5
    """Calls come so long before the first kill, and after each restart that follows a pause."""


async def kill(directory: Path, plan: Killing, tell: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Run it; the rows say what was found."""
    name = "both processes" if plan.both else "the control process"
    tell(f"kill -9 of {name}, {plan.kills} times, {plan.rate:g} calls/s, {plan.pause_s:g} s before each restart")
    with bare_timers(directory) as timers:
        async with served(
            directory / "server", delivery_retry_s="1", webhook_timeout_s="10",
            # What is heard while the customer is waited for would be taken for the prompt.
            engine_orphan_s=str(round(plan.pause_s) + 60), comfort_sound="none",
        ) as here:  # fmt: skip
            patience_s = 30.0 + 2 * plan.pause_s
            async with traffic(
                here, seed=plan.seed, span=plan.span, loud_at_once=plan.loud_at_once, patience_s=patience_s,
                didml_share=plan.didml_share,
            ) as run:  # fmt: skip
                done = _Kills(plan, here, run, tell)
                await done.all()
                tell(f"  {len(run.lives)} calls; waiting for the last of them")
                await done.come_to_rest()
                late = read_lateness(timers)
                await here.stop()
                verdict = judge(run, done.absences, late, here.data_dir)
                for words in done.faults:
                    verdict.fault(*words)
                return _rows(plan, done, verdict, late.worst_s, here.ready_after)


class _Kills:
    """The run as it goes."""

    def __init__(self, plan: Killing, here: Served, run: Traffic, tell: Callable[[str], None]) -> None:
        self.plan, self.here, self.run, self.tell = plan, here, run, tell
        self.absences: list[Absence] = []
        self.faults: list[tuple[str, str]] = []
        self.terminal_s: list[float] = []
        """After each restart, until no call of before was still going on."""
        self._chance = random.Random(f"{plan.seed}/kills")
        self._looked = 0.0

    async def all(self) -> None:
        plan = self.plan
        calls: asyncio.Task[None] | None = None
        if not plan.pause_s:
            calls = asyncio.ensure_future(self.run.offer(plan.rate, 1e9))
        await asyncio.sleep(0 if plan.pause_s else plan.lead_s)
        for number in range(1, plan.kills + 1):
            if plan.pause_s:
                await self.run.offer(plan.rate, plan.lead_s)
            await asyncio.sleep(self._chance.uniform(*BEFORE_S))
            await self.one(number)
        if calls is not None:
            calls.cancel()
            await asyncio.gather(calls, return_exceptions=True)

    async def one(self, number: int) -> None:
        """One kill, and the restart."""
        loop = asyncio.get_running_loop()
        at = loop.time()
        await self.here.kill(engine=self.plan.both)
        # Far ends go on meanwhile: what they are late with would be found wanting in the server.
        directory, since = self.here.data_dir / "recordings", self._looked
        self._looked = time.time()
        for words in await asyncio.to_thread(unreadable, directory, now_wall=self._looked, since=since):
            self.faults.append(("recordings unreadable", f"at kill {number}: {words}"))
        killed = datetime.now(UTC)
        if self.plan.pause_s:
            await asyncio.sleep(self.plan.pause_s)
        await self.here.start()
        self.absences.append(Absence(at, loop.time()))
        if self.plan.both:
            await self.terminal(killed)
        if number % 10 == 0 or self.plan.kills < 10:
            self.tell(
                f"  kill {number}: ready after {self.here.ready_after[-1]:.2f} s, {len(self.run.lives)} calls so far"
            )

    async def terminal(self, killed: datetime) -> None:
        """Wait until no call of before the kill goes on, as the server tells it. Who had no word by then may be a new
        call."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        while loop.time() - began < 3 * END_WITHIN_S:
            _, found, _ = await self.here.a1("GET", "/calls", limit=200)
            left = [
                call
                for call in found["data"]
                if call["state"] == "ongoing" and datetime.fromisoformat(call["created"]).replace(tzinfo=UTC) < killed
            ]
            if not left:
                break
            await asyncio.sleep(POLL_S)
        else:
            self.faults.append(("not terminal", f"{len(left)} calls go on {loop.time() - began:.0f} s after a restart"))
        self.terminal_s.append(loop.time() - began)
        if self.terminal_s[-1] > END_WITHIN_S:
            self.faults.append(("not terminal", f"it took {self.terminal_s[-1]:.1f} s"))

    async def come_to_rest(self) -> None:
        """Wait until every party is done and the server holds nothing of any call."""
        loop = asyncio.get_running_loop()
        if not await self.run.rest(self.run.patience_s + self.plan.span.most_s + SETTLE_S):
            self.faults.append(("left over", f"{len(self.run.phones.tasks)} far ends still wait for something"))
        until = loop.time() + SETTLE_S
        left: dict[str, int] = {}
        while loop.time() < until:
            try:
                counts = await self.here.counts()
                left = {each: counts[each] for each in ("calls", "legs", "media_sessions", "owed_webhooks")}
                left |= counts["rooms"]
                if not any(left.values()):
                    return
            except (aiohttp.ClientError, TimeoutError, OSError) as error:
                self.faults.append(("left over", f"the server does not answer: {error!r}"))
                return
            await asyncio.sleep(10 * POLL_S)
        self.faults.append(("left over", f"at the server, {SETTLE_S:.0f} s after the last call: {left}"))


def _rows(plan: Killing, done: _Kills, verdict: Verdict, worst_late_s: float, ready: list[float]) -> list[Row]:
    faults = verdict.faults
    on = faults.get("did not go on", ())
    about = (
        f"{plan.kills} kills under {verdict.calls} calls ({verdict.unsettled} in set-up at a kill, {verdict.away} "
        f"lost while away, {verdict.busy} refused for load)"
    )
    rows = []
    if plan.both:
        slow = tuple(faults.get("not terminal", ()))
        longest = max(done.terminal_s, default=0.0)
        rows.append(
            Row(
                figure=f"calls terminal after the restart; {about}", bar=f"{END_WITHIN_S:.0f} s",
                found=f"{longest:.2f} s at most", good=not slow, faults=slow,
            )
        )  # fmt: skip
    else:
        rows.append(
            Row(
                figure=f"established calls that go on; {about}", bar="all",
                found=f"{verdict.went_on} of {verdict.settled}", good=not on and verdict.settled > 0, faults=tuple(on),
            )
        )  # fmt: skip
        heard = Row(
            figure="gaps over 100 ms in a bridge, a room or a running prompt", bar="0",
            found=f"{len(faults.get('gaps', ()))} in {verdict.listened} legs listened to; longest "
            f"{verdict.worst_gap_s * 1000:.0f} ms; {verdict.machine_gaps} more that a bare timer shows too (up to "
            f"{worst_late_s * 1000:.0f} ms late)",
            good=not faults.get("gaps") and verdict.listened > 0, faults=tuple(faults.get("gaps", ())),
        )  # fmt: skip
        rows.append(heard)
    missing = tuple(faults.get("webhooks missing", ()))
    rows += [
        Row(
            figure="owed webhooks missing", bar="0", found=f"{len(missing)} of {verdict.owed}",
            good=not missing and verdict.owed > 0, faults=missing,
        ),
        none_of("webhooks under two ids", "two ids", faults),
        none_of("dialogs, calls or rooms left over at either end", "left over", faults),
        none_of("recordings unreadable", "recordings unreadable", faults),
        none_of("timelines with a hole or without an end", "timelines", faults),
    ]  # fmt: skip
    if not plan.both:
        rows.append(none_of("calls that no kill touched and that went wrong", "went wrong", faults))
    slowest = max(ready[1:], default=0.0)
    rows.append(Row(figure="restart to `ready`, slowest", bar="printed only", found=f"{slowest:.2f} s", good=True))
    return rows
