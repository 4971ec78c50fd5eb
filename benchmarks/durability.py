"""What timelines, restore facts and the outbox cost: the same calls with and without them.

Incoming calls whose flow comes from a webhook, plays a sound, and has a hang-up post owed. The control process is what
limits calls per second, and it has one core; so calls per second are as its processor time for a call, all its threads
counted. That is taken at an even rate below the limit: the limit itself would differ more by chance than by what is
asked, and beyond it, where one commit serves many calls, they cost less.

Two servers stand beside each other and are called by turns, for two seconds each: what a machine that others share
takes from one minute to the next is then taken from both alike.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from benchmarks.application import HERE, application
from benchmarks.calls import HOLD_MS, WARM_RATE, WARM_S
from benchmarks.figures import Row
from benchmarks.machine import cores
from benchmarks.serving import NUMBER, Served, served
from benchmarks.sipp import deaf_ear, offer_calls
from benchmarks.sound import tone_wav

__all__ = ["FALL_BAR", "Cost", "Turn", "compare", "measure"]

RATE = 50
TURN_S = 2.0
ROUNDS = 24
"""The fall that single ones find has a standard deviation of 3.5 %, that of all of them 0.7 %."""
TRIES = 3
"""Of a turn in which calls failed: the machine may be shared."""
FALL_BAR = 0.25


@dataclass(frozen=True, slots=True, kw_only=True)
class Turn:
    """Calls that were offered to one server, and what they took of its control process."""

    calls: int
    cpu_s: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """Turns with and without."""

    on: tuple[Turn, ...]
    off: tuple[Turn, ...]

    @property
    def fall(self) -> float:
        """By how much calls per second are fewer with than without."""
        return 1 - ms_a_call(self.off) / ms_a_call(self.on)

    @property
    def words(self) -> str:
        half = len(self.on) // 2
        halves = (Cost(on=self.on[:half], off=self.off[:half]), Cost(on=self.on[half:], off=self.off[half:]))
        return (
            f"processor time a call: {ms_a_call(self.on):.2f} ms with, {ms_a_call(self.off):.2f} without, in"
            f" {len(self.on)} turns of each; {' and '.join(f'{each.fall:.1%}' for each in halves)} in their halves"
        )


def ms_a_call(turns: tuple[Turn, ...]) -> float:
    """Of all of them together."""
    return sum(turn.cpu_s for turn in turns) * 1000 / sum(turn.calls for turn in turns)


def compare(rounds: int = ROUNDS, seconds: float = TURN_S) -> Cost:
    """So many turns of each. Raises RuntimeError if calls failed."""
    on, off = [], []
    with deaf_ear() as ear, _playing(("offhook",)) as whole, _playing(("benchmarks.undurable",)) as bare:
        for server in (whole, bare):
            offer_calls(cores().load, server.sip, NUMBER, rate=WARM_RATE, seconds=WARM_S, hold_ms=HOLD_MS, ear=ear)
            server.settled()
        for number in range(rounds):
            # Neither is always the one that comes first.
            for server in (whole, bare) if number % 2 == 0 else (bare, whole):
                (on if server is whole else off).append(_turn(server, seconds, ear))
    return Cost(on=tuple(on), off=tuple(off))


def _turn(server: Served, seconds: float, ear: int) -> Turn:
    for _ in range(TRIES):
        before, _ = server.cpu_s()
        outcome = offer_calls(cores().load, server.sip, NUMBER, rate=RATE, seconds=seconds, hold_ms=HOLD_MS, ear=ear)
        server.settled()
        after, _ = server.cpu_s()
        if outcome.ended >= 0.99 * outcome.offered:
            return Turn(calls=outcome.offered, cpu_s=after - before)
    raise RuntimeError(f"only {outcome.ended} of {outcome.offered} calls ended well")


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
