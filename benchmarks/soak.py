"""A telephone exchange looked through for leaks: `python -m benchmarks.soak --minutes 10 --seed 1`.

Starts a server of its own on loopback; calls of every kind come and go by lot, everybody hangs up at any moment, the
application fails, rubbish arrives. After each round everything must be gone: calls, sessions, transactions, timers,
descriptors, memory; every call has ended in the database, everything owed has come once. Ends with 1 if not.
"""

import argparse
import asyncio
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tests.soak.run import Plan, Report, soak

ROUND_S = 60.0
REST_S = 38.0
"""About as long as the server needs to come to rest after a round."""


def main() -> None:
    asked = argparse.ArgumentParser(description=__doc__)
    asked.add_argument("--minutes", type=float, default=10.0, help="about how long it lasts, pauses included")
    asked.add_argument("--seed", type=int, default=1, help="the same seed makes the same calls")
    asked.add_argument("--calls-per-second", type=float, default=8.0)
    asked.add_argument("--keep", type=Path, help="a directory for the server's data, to look at afterwards")
    given = asked.parse_args()
    rounds = max(1, round(given.minutes * 60 / (ROUND_S + REST_S)))
    plan = Plan(seed=given.seed, rounds=rounds, round_s=ROUND_S, calls_per_s=given.calls_per_second)
    with tempfile.TemporaryDirectory(prefix="soak-") as scratch:
        report = asyncio.run(soak(given.keep or Path(scratch), plan, lambda text: print(text, flush=True)))
    show(report)
    sys.exit(1 if report.faults else 0)


def show(report: Report) -> None:
    """Everything, for people."""
    print(f"\nseed {report.plan.seed}: {report.calls} calls")
    for name, count in sorted(report.figures.items()):
        print(f"  {count:7} {name}")
    for process in ("control", "engine"):
        grown = report.growth_kb(process)
        said = "not measured (one round)" if grown is None else f"{grown:+.0f} kB for 1,000 calls"
        print(f"  memory of {process}: {said}")
    print(f"\n{len(report.faults)} faults")
    for fault in report.faults:
        print(f"- {fault}")


if __name__ == "__main__":
    main()
