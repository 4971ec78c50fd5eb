"""`python -m benchmarks [NAME…]` (all of them without a name) and `python -m benchmarks profile calls [RATE]`.

Prints one table, figures beside floors, and keeps it as benchmarks/results/<date>.json. What each is and how it is
taken: docs/design/performance.md."""

import json
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from benchmarks import calls, durability, latency, media, memory, speech, start
from benchmarks.figures import Row, render
from benchmarks.machine import cores, describe
from benchmarks.profile import profile

BENCHMARKS: dict[str, Callable[[], list[Row]]] = {
    "start": start.measure,
    "media": media.measure,
    "latency": latency.measure,
    "speech": speech.measure,
    "memory": memory.measure,
    "calls": calls.measure,
    "durability": durability.measure,
}
RESULTS = Path(__file__).parent / "results"


def main(arguments: list[str]) -> int:
    if arguments[:1] == ["profile"]:
        print(profile(arguments[1] if len(arguments) > 1 else "calls", *map(int, arguments[2:3])))
        return 0
    unknown = [name for name in arguments if name not in BENCHMARKS]
    if unknown:
        print(
            f"no benchmark {', '.join(unknown)}; there are: {', '.join(BENCHMARKS)}; or: profile calls", file=sys.stderr
        )
        return 2
    machine = describe()
    if not cores().apart:
        print("this machine has one core: generator and server share it, and the figures show that", file=sys.stderr)
    rows: list[Row] = []
    failed = 0
    for name in arguments or list(BENCHMARKS):
        began = time.monotonic()
        print(f"{name} …", file=sys.stderr)
        try:
            rows += BENCHMARKS[name]()
        except (RuntimeError, OSError, ValueError) as error:
            failed += 1
            rows.append(Row(figure=name, floor="", here="not measured", how=" ".join(str(error).split())[:300]))
        print(f"{name}: {time.monotonic() - began:.0f} s", file=sys.stderr)
    print("\n" + ", ".join(f"{name}: {value}" for name, value in machine.items()))
    print("of lateness: median / 99th / 99.9th percentile\n")
    print(render(rows))
    RESULTS.mkdir(exist_ok=True)
    file = RESULTS / f"{datetime.now().astimezone():%Y-%m-%d-%H%M%S}.json"
    file.write_text(json.dumps({"machine": machine, "rows": [row.plain() for row in rows]}, indent=1) + "\n")
    print(f"\nkept in {file}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
