"""Incoming calls a second with their flow from a webhook, and what happens beyond what one core carries.

SIPp calls our number; the flow is asked from a web application on kept-alive connections and plays a sound; the
caller hangs up after `HOLD_MS`. Control process and media engine share one core, generator and application the other.
The generator is shown against SIPp itself first: what it cannot do there, no server can be blamed for."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.application import HERE, application
from benchmarks.bare_timer import bare_timer
from benchmarks.figures import Row, highest, spread
from benchmarks.machine import cores
from benchmarks.serving import NUMBER, Served, served
from benchmarks.sipp import Outcome, callee, deaf_ear, offer_calls
from benchmarks.sound import tone_wav

__all__ = ["measure", "overload", "playing"]

HOLD_MS = 200
FLOOR = 200
FIRST_RATE = 100
MOST_RATE = 1600
GENERATOR_RATE = 800
RUN_S = 10.0
WARM_RATE, WARM_S = 50, 3.0
BUSY_TIMES = (2, 3)
"""How far beyond the highest rate the overload is."""
OVERLOAD_S = 20.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """One rate, tried."""

    rate: int
    outcome: Outcome
    control_ms: float
    """Processor time of the control process for each call offered."""
    engine_ms: float
    left: int
    """Calls that the server still has when all should be over."""

    @property
    def good(self) -> bool:
        return self.outcome.clean and not self.left and self.outcome.rate >= 0.97 * self.rate

    @property
    def words(self) -> str:
        outcome = self.outcome
        answer = spread(outcome.answer_ms) if outcome.answer_ms else None
        times = "" if answer is None else f"answer {answer.median:.0f} / {answer.p99:.0f} ms, "
        return (
            f"{outcome.ended} of {outcome.offered} calls clean, {outcome.refused} refused, "
            f"{outcome.retransmissions} retransmissions, {times}"
            + (f"{self.left} left over, " if self.left else "")
            + f"CPU per call: control {self.control_ms:.2f} ms, engine {self.engine_ms:.2f} ms"
        )


@contextmanager
def playing(module: tuple[str, ...] = ("offhook",)) -> Iterator[Served]:
    """A server whose number plays a sound that a web application asks for."""
    where = cores()
    answers = {"/sound.wav": tone_wav(seconds=30), "/start": {"play": f"{HERE}/sound.wav"}}
    with (
        application(where.load, answers) as base,
        served(where.served, voice_start=f"{base}/start", module=module) as server,
    ):
        yield server


def run(server: Served, rate: int, seconds: float, ear: int) -> Run:
    """Offer calls at a rate and say what it took."""
    control, engine = server.cpu_s()
    outcome = offer_calls(cores().load, server.sip, NUMBER, rate=rate, seconds=seconds, hold_ms=HOLD_MS, ear=ear)
    control_after, engine_after = server.cpu_s()
    tried = Run(
        rate=rate,
        outcome=outcome,
        control_ms=(control_after - control) * 1000 / outcome.offered,
        engine_ms=(engine_after - engine) * 1000 / outcome.offered,
        left=server.settled(),
    )
    print(f"  {rate} calls/s: {tried.words}", file=sys.stderr)
    return tried


def measure(seconds: float = RUN_S) -> list[Row]:
    """The highest rate without a retransmission, and what is done with two and three times as much."""
    best: dict[int, Run] = {}
    with playing() as server, deaf_ear() as ear:
        run(server, WARM_RATE, WARM_S, ear)

        def passes(rate: int) -> bool:
            tried = run(server, rate, seconds, ear)
            if tried.good:
                best[rate] = tried
            return tried.good

        with bare_timer(cores().load) as timer:
            top = highest(passes, first=FIRST_RATE, most=MOST_RATE)
        here = f"{top}/s" if top else f"under {FIRST_RATE}/s"
        rows = [
            generator(seconds, ear),
            Row(
                figure="incoming calls a second, flow from a webhook, no retransmission",
                floor=f"{FLOOR}/s",
                here=here,
                how=f"{best[top].words}; bare timer {timer.words}" if top else "",
            ),
        ]
        return rows + overload(server, max(top, FIRST_RATE), ear)


def generator(seconds: float, ear: int) -> Row:
    """The generator against a SIPp that answers."""
    where = cores()
    with callee(where.served, ear) as port:
        outcome = offer_calls(
            where.load, ("127.0.0.1", port), NUMBER, rate=GENERATOR_RATE, seconds=seconds, hold_ms=HOLD_MS, ear=ear
        )
    return Row(
        figure="the generator alone, against SIPp",
        floor="",
        here=f"{outcome.rate:.0f}/s",
        how=f"{outcome.ended} of {outcome.offered} calls clean, {outcome.retransmissions} retransmissions",
    )


def overload(server: Served, top: int, ear: int) -> list[Row]:
    """What happens to those accepted, and to the others, beyond the highest rate.

    The bare timer runs beside the generator: one that is starved itself reads answers late and repeats its requests,
    which looks like a server that answers late."""
    rows = []
    for times in BUSY_TIMES:
        with bare_timer(cores().load) as timer:
            tried = run(server, top * times, OVERLOAD_S, ear)
        outcome = tried.outcome
        accepted = outcome.offered - outcome.refused
        good = outcome.ended / accepted if accepted else 0.0
        answer = spread(outcome.answer_ms) if outcome.answer_ms else None
        refusal = spread(outcome.refusal_ms) if outcome.refusal_ms else None
        rows.append(
            Row(
                figure=f"{times} times as many ({top * times}/s)",
                floor="503, accepted ones stay good",
                here=f"{outcome.refused / outcome.offered:.0%} refused; {good:.2%} of the accepted good",
                how=f"accepted {outcome.answered / OVERLOAD_S:.0f}/s, answered in "
                + ("-" if answer is None else f"{answer.median:.0f} / {answer.p99:.0f} ms")
                + ", refused in "
                + ("-" if refusal is None else f"{refusal.median:.0f} / {refusal.p99:.0f} ms")
                + f", {outcome.retransmissions / outcome.offered:.2f} retransmissions a call; "
                + f"bare timer beside the generator {timer.words}",
            )
        )
    return rows
