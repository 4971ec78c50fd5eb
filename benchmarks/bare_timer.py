"""How late a process that does nothing is woken, on the core it is pinned to: what any latency here is to be
compared with.

Runs until SIGTERM, then prints its lateness as JSON, in milliseconds."""

import json
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict

from benchmarks.figures import Spread, spread
from benchmarks.machine import pinned

__all__ = ["BareTimer", "bare_timer"]

EVERY_S = 0.01


class BareTimer:
    """A bare timer while it runs; its lateness once it is over."""

    def __init__(self, core: int) -> None:
        self.late: Spread | None = None
        self._process = subprocess.Popen(
            pinned(core, sys.executable, "-m", "benchmarks.bare_timer"), stdout=subprocess.PIPE, text=True
        )

    def stop(self) -> None:
        """End it and read what it says."""
        self._process.send_signal(signal.SIGTERM)
        said, _ = self._process.communicate(timeout=10)
        self.late = Spread(**json.loads(said))

    @property
    def words(self) -> str:
        late = self.late
        return "" if late is None else f"{late.median:.2f} / {late.p99:.2f} / {late.p999:.2f} ms"


@contextmanager
def bare_timer(core: int) -> Iterator[BareTimer]:
    """A bare timer on a core for as long as the block lasts."""
    timer = BareTimer(core)
    try:
        yield timer
    finally:
        timer.stop()


def main() -> None:
    ended = []
    signal.signal(signal.SIGTERM, lambda *_: ended.append(True))
    late_ms: list[float] = []
    due = time.monotonic()
    while not ended or not late_ms:
        due += EVERY_S
        wait = due - time.monotonic()
        if wait > 0:
            time.sleep(wait)
        if not ended or not late_ms:
            late_ms.append((time.monotonic() - due) * 1000)
    print(json.dumps(asdict(spread(late_ms))))


if __name__ == "__main__":
    main()
