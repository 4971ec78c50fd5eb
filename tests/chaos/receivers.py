"""Row six: a customer whose receivers fail at random, and calls that all have a fallback.

The application is `tests.support.faulty_application`: of its requests so many are refused, reset, answered 500, met
with silence or with half a body. Those that were refused are taken in the end, when somebody listens where nobody did.
"""

import asyncio
import json
import sqlite3
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from tests.chaos.phones import Dialog, Phones, phones
from tests.chaos.report import Row
from tests.chaos.served import Served, served
from tests.chaos.traffic import CARRIER
from tests.support.faulty_application import Fault, FaultyApplication, Request, faulty_application

__all__ = ["Failing", "receivers"]

CALLER, CALLED = "+4671", "+4673"
OURS = ("+46101234567", "+46101234568")
COMING_IN = 3
"""One call in so many comes in; the API asks for the others."""
FALLBACK = '{"play": "sound/beep"}'
DEAF = (CARRIER, 9)
"""Nobody listens to these calls."""
OVERLOADED = 503
TALK_S = 90.0
SLACK_S = 0.5
"""What a machine that is busy may add to a budget that the server's own clock keeps."""
HEARD_S = 3.0
"""The sounds of a call, its answer and its end, on a machine that is busy."""
POLL_S = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Failing:
    """One run."""

    seed: int
    calls: int
    rate: float
    """Calls a second."""
    share: float = 0.3
    """Of requests that fail."""
    budget_s: float = 10.0
    """For a control webhook."""
    owed_within_s: float = 300.0
    """For what is owed, after the last call."""
    owed_words: str = ""
    """A fragment of the URLs of what is owed: the short run's tries do not wait for 15 s in silence."""


class _Run:
    """Everybody outside the server, and what they saw."""

    def __init__(self, plan: Failing, here: Served, far: Phones, app: FaultyApplication) -> None:
        self.plan, self.here, self.far, self.app = plan, here, far, app
        self.answered: dict[str, Dialog] = {}
        """Calls that were answered, by their far end's number."""
        self.placed: set[str] = set()
        self.busy = 0

    def document(self, request: Request) -> str:
        """A call in two steps, each asked for, that is to be told when it is over."""
        if request.path == "/start":
            number = request.fields["from" if request.fields["direction"] == "incoming" else "to"]
            return json.dumps({"play": "sound/beep", "next": self.app.at("/next"), "whenhangup": self.bye(number)})
        return json.dumps({"play": "sound/beep"})

    def bye(self, number: str) -> str:
        """Where a call's end is to be told."""
        return self.app.at(f"/bye/{number}") + self.plan.owed_words

    async def calls(self) -> None:
        """All of them, at an even rate."""
        scripts = []
        for index in range(1, self.plan.calls + 1):
            scripts.append(asyncio.ensure_future(self._ordered(index) if index % COMING_IN else self._incoming(index)))
            await asyncio.sleep(1 / self.plan.rate)
        await asyncio.gather(*scripts)

    async def answering(self, dialog: Dialog) -> None:
        """Somebody is called by the server, answers and listens."""
        assert dialog.talk.first is not None
        dialog.describe(DEAF)
        if await dialog.pick_up():
            self.answered[dialog.talk.first.uri.partition(":")[2].partition("@")[0]] = dialog
            await dialog.until_over(TALK_S)

    async def _incoming(self, index: int) -> None:
        """Somebody calls one of our two numbers; for one of them nobody listens."""
        from_ = f"{CALLER}{index:07d}"
        dialog = self.far.calling(OURS[index // COMING_IN % 2], from_, DEAF)
        status = await dialog.place()
        self.busy += status == OVERLOADED
        if status != OVERLOADED:
            self.placed.add(from_)
        if status == 200:
            self.answered[from_] = dialog
            await dialog.until_over(TALK_S)

    async def _ordered(self, index: int) -> None:
        """The customer asks for a call."""
        to = f"{CALLED}{index:07d}"
        fields = {"voice_start": self.app.at("/start"), "fallback": FALLBACK, "whenhangup": self.bye(to)}
        status, made, _ = await self.here.a1("POST", "/calls", None, from_="+46101000000", to=to, **fields)
        self.busy += status == OVERLOADED
        if status != OVERLOADED:
            assert status == 200, f"POST /a1/calls: {status} {made}"
            self.placed.add(to)

    async def settled(self, within_s: float) -> dict[str, int]:
        """Wait until no call goes on and nothing is owed; what is left if that does not come."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while True:
            counts = await self.here.counts()
            left = {name: int(counts[name]) for name in ("calls", "owed_webhooks") if counts[name]}
            if not left or loop.time() > until:
                return left
            await asyncio.sleep(POLL_S)


async def receivers(directory: Path, plan: Failing, tell: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Make the calls, wait for all that is owed, and look at the books."""
    tell(f"{plan.calls} calls at {plan.rate:g}/s; {plan.share:.0%} of the requests to their application fail")
    made: list[_Run] = []

    async def answering(dialog: Dialog) -> None:
        await made[0].answering(dialog)

    async with (
        served(directory / "server", webhook_timeout_s=str(plan.budget_s), delivery_retry_s="1") as here,
        phones(here.sip, CARRIER, answering) as far,
        faulty_application(lambda request: made[0].document(request), seed=plan.seed, rate=plan.share) as app,
    ):
        run = _Run(plan, here, far, app)
        made.append(run)
        trunk = {"name": "carrier", "address": f"sip:{CARRIER}:{far.port}", "prefixes": [CALLED]}
        await here.v1("POST", "/trunks", trunk | {"from_addresses": [f"{CARRIER}/32"]})
        for number, base in zip(OURS, (app.url, app.refusing_url), strict=True):
            ours = {"number": number, "trunk": "carrier", "voice_start": f"{base}/start", "fallback": FALLBACK}
            await here.v1("POST", "/numbers", ours)
        await run.calls()
        tell(f"  {len(run.placed)} calls made; waiting for what is owed")
        # Those who refused are there in the end.
        back = await asyncio.start_server(app.serve, "127.0.0.1", urlsplit(app.refusing_url).port)
        async with back:
            left = await run.settled(plan.owed_within_s)
        await here.stop()
        return _rows(run, left)


def _rows(run: _Run, left: dict[str, int]) -> list[Row]:
    (path,) = run.here.data_dir.glob("*.db")
    with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as database:
        calls = database.execute("select id, direction, from_number, to_number, state, cause from calls").fetchall()
        asked = database.execute("select call_id, data from events where kind = 'hook.tries'").fetchall()
        diverted = database.execute("select count(*) from events where kind = 'hook.fallback'").fetchone()[0]
        posts = database.execute("select id, call_id, state, tries from outbox").fetchall()
    database.close()
    dropped = [
        f"call {identifier} {direction} is {state}, {cause}"
        for identifier, direction, from_, to, state, cause in calls
        if state != "success" or (from_ if direction == "incoming" else to) not in run.answered
    ]
    if len(calls) != len(run.placed):
        dropped.append(f"{len(run.placed)} calls were made, {len(calls)} are known")
    late, longest_s = _over_budget(asked, run.plan.budget_s)
    lasted = {number: dialog.over_at - dialog.begun_at for number, dialog in run.answered.items() if dialog.over}
    most_s = 2 * run.plan.budget_s + HEARD_S
    late += [f"the call of {number} lasted {each:.1f} s" for number, each in lasted.items() if each > most_s]
    taken = {request.path.rpartition("/")[2] for request in run.app.requests if request.fault is None}
    number_of = {each[0]: each[2] if each[1] == "incoming" else each[3] for each in calls}
    undelivered = [f"{each[0]} is {each[2]} after {each[3]} tries" for each in posts if each[2] != "delivered"]
    undelivered += [f"{each[0]} was never taken" for each in posts if number_of[each[1]] not in taken]
    undelivered += [f"the end of {to} was never told" for to in sorted(run.placed - taken) if to.startswith(CALLED)]
    undelivered += [f"{count} {name} after {run.plan.owed_within_s:.0f} s" for name, count in left.items()]
    failed = ", ".join(f"{run.app.failed(fault)} {fault.value}" for fault in Fault)
    return [
        Row(
            figure=f"deliveries not made in the end; {len(run.app.requests)} requests, of which failed: {failed}",
            bar="0",
            found=f"{len(undelivered)} of {len(posts)}; {max((each[3] for each in posts), default=0)} tries at most",
            good=not undelivered and bool(posts), faults=tuple(undelivered),
        ),
        Row(
            figure="control webhooks beyond their budget", bar=f"0 over {run.plan.budget_s:g} s",
            found=f"{len(late)} of {len(asked)}; longest {longest_s:.2f} s; the longest call, of two such webhooks, "
            f"lasted {max(lasted.values(), default=0.0):.1f} s at its far end (bar {most_s:g} s)",
            good=not late and bool(asked) and bool(lasted), faults=tuple(late),
        ),
        Row(
            figure="calls with a fallback that were dropped", bar="0",
            found=f"{len(dropped)} of {len(calls)}; {diverted} times a fallback went on, {run.busy} refused for load",
            good=not dropped and diverted > 0, faults=tuple(dropped),
        ),
    ]  # fmt: skip


def _over_budget(asked: list[tuple[str, str]], budget_s: float) -> tuple[list[str], float]:
    late, longest_s = [], 0.0
    for call, data in asked:
        took_s = max((each["after_ms"] + each["took_ms"] for each in json.loads(data)["tries"]), default=0.0) / 1000
        longest_s = max(longest_s, took_s)
        if took_s > budget_s + SLACK_S:
            late.append(f"call {call} waited {took_s:.2f} s for a document")
    return late, longest_s
