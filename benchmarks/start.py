"""From starting `offhook serve` to its line `ready`, on an embedded database: a new one (with its tables to make),
and one that is there.
"""

from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory

from benchmarks.figures import Row
from benchmarks.machine import cores
from benchmarks.serving import running

__all__ = ["measure"]

TIMES = 7
FLOOR = "1.5 s"


def measure(times: int = TIMES) -> list[Row]:
    """Medians of a few starts each."""
    core = cores().served
    new: list[float] = []
    again: list[float] = []
    for _ in range(times):
        with TemporaryDirectory(prefix="offhook-start-") as directory:
            for seconds in (new, again):
                with running(core, Path(directory)) as server:
                    seconds.append(server.ready_s)
    return [
        Row(figure=f"`offhook serve` to `ready`, {what}", floor=FLOOR, here=f"{median(each):.2f} s", how=words(each))
        for what, each in (("new database", new), ("database there", again))
    ]


def words(seconds: list[float]) -> str:
    """Of how many, from the quickest to the slowest."""
    return f"median of {len(seconds)}, {min(seconds):.2f} to {max(seconds):.2f} s"
