"""What is promised over crashes and failures of others, tried on a real server: `make chaos`, or
`python -m benchmarks.chaos [--only NAME]… [--kills N] [--rate R] [--seed S] [--pause S]`.

Prints each figure beside its bar. If one is missed it keeps the servers' data, says where, and ends with 1. What each
is: docs/design/durability.md. The seed decides the calls, the moments of the kills and what fails; the machine decides
the rest.
"""

import argparse
import asyncio
import os
import random
import shutil
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "src"))
sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.chaos.kills import Killing, kill
from tests.chaos.orphan import orphan
from tests.chaos.plans import Span
from tests.chaos.receivers import Failing, receivers
from tests.chaos.report import Row, render
from tests.chaos.restarts import restarts
from tests.chaos.same_post import same_post

from benchmarks.durability import FALL_BAR, compare

KILLS, AWAY_KILLS, BOTH_KILLS = 200, 5, 20
RATE = 20.0
AWAY_S = 60.0
ORPHAN_S = 5
RESTORED_CALLS, IDLE_TIMES = 500, 7
FAILING_CALLS, FAILING_RATE = 500, 15.0
SAME_TIMES = 200
NICE = 5
"""Far ends and the customer stand in for the world, which does not share the server's processors."""


def tell(text: str) -> None:
    print(text, flush=True)


def killed(at: Path, given: argparse.Namespace) -> list[Row]:
    plan = Killing(seed=given.seed, kills=given.kills or KILLS, rate=given.rate or RATE)
    return asyncio.run(kill(at, plan, tell))


def away(at: Path, given: argparse.Namespace) -> list[Row]:
    pause_s = AWAY_S if given.pause is None else given.pause
    plan = Killing(
        seed=given.seed, kills=given.kills or AWAY_KILLS, rate=given.rate or RATE, pause_s=pause_s, lead_s=6.0,
        span=Span(least_s=pause_s * 0.8 + 5, most_s=pause_s + 15),
    )  # fmt: skip
    return asyncio.run(kill(at, plan, tell))


def both(at: Path, given: argparse.Namespace) -> list[Row]:
    plan = Killing(seed=given.seed, kills=given.kills or BOTH_KILLS, rate=given.rate or RATE, both=True)
    return asyncio.run(kill(at, plan, tell))


def orphaned(at: Path, given: argparse.Namespace) -> list[Row]:
    return asyncio.run(orphan(at, ORPHAN_S, tell))


def restarted(at: Path, given: argparse.Namespace) -> list[Row]:
    return asyncio.run(restarts(at, RESTORED_CALLS, IDLE_TIMES, tell))


def failing(at: Path, given: argparse.Namespace) -> list[Row]:
    plan = Failing(seed=given.seed, calls=FAILING_CALLS, rate=given.rate or FAILING_RATE)
    return asyncio.run(receivers(at, plan, tell))


def same(at: Path, given: argparse.Namespace) -> list[Row]:
    return asyncio.run(same_post(at, given.seed, SAME_TIMES, tell))


def cost(at: Path, given: argparse.Namespace) -> list[Row]:
    tell("the same calls with and without timeline, restore facts and outbox")
    found = compare()
    return [
        Row(
            figure="calls per second, fewer with timeline, restore facts and outbox", bar=f"under {FALL_BAR:.0%}",
            found=f"{found.fall:.0%} ({found.words})", good=found.fall < FALL_BAR,
        )
    ]  # fmt: skip


SCENARIOS: dict[str, Callable[[Path, argparse.Namespace], list[Row]]] = {
    "kill": killed, "away": away, "both": both, "orphan": orphaned, "restart": restarted, "receivers": failing,
    "same-post": same, "cost": cost,
}  # fmt: skip


def main() -> int:
    asked = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    asked.add_argument("--only", action="append", choices=SCENARIOS, help="one scenario; may be repeated")
    asked.add_argument("--kills", type=int, help=f"of kill ({KILLS}), away ({AWAY_KILLS}) and both ({BOTH_KILLS})")
    asked.add_argument("--rate", type=float, help=f"calls a second ({RATE:g}; receivers {FAILING_RATE:g})")
    asked.add_argument("--pause", type=float, help=f"seconds before each restart of `away` ({AWAY_S:g})")
    asked.add_argument("--seed", type=int, help="repeats a run; without one it is drawn and printed")
    asked.add_argument(
        "--keep", type=Path, help="a directory with a short name for the servers' data, to look at them in any case"
    )
    given = asked.parse_args()
    if given.seed is None:
        given.seed = random.SystemRandom().randrange(1, 1_000_000)
    os.nice(NICE)
    missed = 0
    for name in given.only or SCENARIOS:
        tell(f"── {name}, seed {given.seed}")
        began = time.monotonic()
        # The engine's socket lies in the directory, and the kernel takes 107 octets for its name.
        at = Path(tempfile.mkdtemp(prefix="chaos-")) if given.keep is None else given.keep / name
        at.mkdir(parents=True, exist_ok=True)
        rows = SCENARIOS[name](at, given)
        tell(render(rows))
        tell(f"   {time.monotonic() - began:.0f} s\n")
        wrong = sum(not row.good for row in rows)
        if wrong or given.keep is not None:
            tell(f"   the servers' data: {at}")
        else:
            shutil.rmtree(at)
        missed += wrong
    tell(f"{missed} bars missed; repeat with --seed {given.seed}" if missed else "every bar is met")
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
