"""When this machine was late: bare timers, a process on each core, that note every time they were woken late.

A server that shares its machine with compilers stands still when the machine does. A gap in sound that no bare timer
shows is the server's own.

`python -m tests.chaos.lateness FILE` runs one until SIGTERM, writing lines of `<monotonic seconds> <late seconds>`.
"""

import os
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Lateness", "bare_timers", "read_lateness"]

EVERY_S = 0.01
NOTED_S = 0.02
AROUND_S = 0.25
ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True, slots=True)
class Lateness:
    """What the timers noted: when one was woken (monotonic seconds) and how late (seconds)."""

    noted: Sequence[tuple[float, float]]

    def around(self, at: float, length_s: float) -> float:
        """The most that any timer was late in a span that ended at a moment, or shortly before or after."""
        return max(
            (late for when, late in self.noted if at - length_s - AROUND_S <= when <= at + AROUND_S), default=0.0
        )

    @property
    def worst_s(self) -> float:
        return max((late for _, late in self.noted), default=0.0)


def read_lateness(files: Sequence[Path]) -> Lateness:
    """Of what timers have written so far."""
    noted = []
    for file in files:
        for line in file.read_text().splitlines():
            at, _, late = line.partition(" ")
            if late:
                noted.append((float(at), float(late)))
    return Lateness(sorted(noted))


@contextmanager
def bare_timers(directory: Path) -> Iterator[list[Path]]:
    """One on each core that may be used; yields the files that they write."""
    files, processes = [], []
    try:
        for core in sorted(os.sched_getaffinity(0)):
            file = directory / f"late-{core}"
            file.touch()
            files.append(file)
            command = [sys.executable, "-m", "tests.chaos.lateness", str(file), str(core)]
            processes.append(subprocess.Popen(command, cwd=ROOT))
        yield files
    finally:
        for process in processes:
            process.terminate()
            process.wait()


def main() -> None:
    os.sched_setaffinity(0, {int(sys.argv[2])})
    with Path(sys.argv[1]).open("w", buffering=1) as file:
        due = time.monotonic()
        while True:
            due += EVERY_S
            wait = due - time.monotonic()
            if wait > 0:
                time.sleep(wait)
            late = time.monotonic() - due
            if late > NOTED_S:
                file.write(f"{time.monotonic():.4f} {late:.4f}\n")
                due = time.monotonic()


if __name__ == "__main__":
    main()
