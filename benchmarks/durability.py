"""What timelines, restore facts and the outbox cost: the same calls with and without them.

Incoming calls whose flow comes from a webhook, plays a sound, and has a hang-up post owed. The control process is what
limits calls per second, and it has one core; so calls per second are as its processor time for a call, all its threads
counted. That is taken at an even rate below the limit, in turns with and without, since a machine that others share is
not the same from one minute to the next; the limit itself would differ more by chance than by what is asked.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import median

from benchmarks.application import HERE, application
from benchmarks.calls import HOLD_MS, WARM_RATE, WARM_S
from benchmarks.figures import Row
from benchmarks.machine import cores
from benchmarks.serving import NUMBER, Served, served
from benchmarks.sipp import deaf_ear, offer_calls
from benchmarks.sound import tone_wav

__all__ = ["Cost", "compare", "measure"]

RATE = 50
RUN_S = 8.0
TURNS = 5
"""One turn differs by a twentieth from the next on a machine that others share."""
TRIES = 3
"""Of a turn in which calls failed: the machine may be shared."""
FALL_BAR = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Processor time of the control process for a call, milliseconds, each turn's."""

    on_ms: tuple[float, ...]
    off_ms: tuple[float, ...]

    @property
    def fall(self) -> float:
        """By how much calls per second are fewer with than without."""
        return 1 - median(self.off_ms) / median(self.on_ms)

    @property
    def words(self) -> str:
        turns = "; ".join(f"{on:.2f} with, {off:.2f} without" for on, off in zip(self.on_ms, self.off_ms, strict=True))
        return f"processor time a call, ms, in {len(self.on_ms)} turns: {turns}"


def compare(turns: int = TURNS, seconds: float = RUN_S) -> Cost:
    """So many turns of each. Raises RuntimeError if calls failed."""
    with deaf_ear() as ear:
        each = [(_one(("offhook",), seconds, ear), _one(("benchmarks.undurable",), seconds, ear)) for _ in range(turns)]
    return Cost(on_ms=tuple(on for on, _ in each), off_ms=tuple(off for _, off in each))


def _one(module: tuple[str, ...], seconds: float, ear: int) -> float:
    with _playing(module) as server:
        sip, core = server.sip, cores().load
        offer_calls(core, sip, NUMBER, rate=WARM_RATE, seconds=WARM_S, hold_ms=HOLD_MS, ear=ear)
        server.settled()
        for _ in range(TRIES):
            before, _ = server.cpu_s()
            outcome = offer_calls(core, sip, NUMBER, rate=RATE, seconds=seconds, hold_ms=HOLD_MS, ear=ear)
            server.settled()
            after, _ = server.cpu_s()
            if outcome.ended >= 0.99 * outcome.offered:
                return (after - before) * 1000 / outcome.offered
    raise RuntimeError(f"{' '.join(module)}: only {outcome.ended} of {outcome.offered} calls ended well")


@contextmanager
def _playing(module: tuple[str, ...]) -> Iterator[Served]:
    start = {"play": f"{HERE}/sound.wav", "whenhangup": f"{HERE}/bye"}
    answers = {"/sound.wav": tone_wav(seconds=30), "/start": start, "/bye": {}}
    with (
        application(cores().load, answers) as base,
        served(cores().served, voice_start=f"{base}/start", module=module) as server,
    ):
        yield server


def measure() -> list[Row]:
    """For the table of all benchmarks."""
    cost = compare()
    return [
        Row(
            figure="calls per second, fewer with timeline, restore facts and outbox", floor=f"under {FALL_BAR:.0%}",
            here=f"{cost.fall:.0%}", how=cost.words,
        )
    ]  # fmt: skip
