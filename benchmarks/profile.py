"""Where the control process spends its time: `python -m benchmarks profile calls [RATE]`.

Runs the server under cProfile while calls come at a rate, and prints the shares of rooms and of functions. Watching
every function costs as much again and favours long functions: these are shares to find hot spots by, no figures."""

import os
import pstats
import signal
import tempfile
import time
from collections import Counter
from pathlib import Path

from benchmarks.calls import playing, run
from benchmarks.sipp import deaf_ear

__all__ = ["profile", "report", "room_of"]

WARM_S = 2.0
RUN_S = 10.0
DEFAULT_RATE = 60
SHOWN = 60

Place = tuple[str, int, str]
"""File, line, function."""
Timing = tuple[int, int, float, float]
"""Calls that began no recursion, all calls, seconds by itself, seconds with what it calls."""


def profile(what: str, rate: int = DEFAULT_RATE) -> str:
    """Profile a load; there is only `calls`. Returns a report."""
    if what != "calls":
        raise ValueError(f"no profile of {what}; there is: calls")
    with tempfile.TemporaryDirectory(prefix="offhook-profile-") as directory:
        kept = Path(directory, "kept")
        with playing(module=("benchmarks.profiled", str(kept))) as server, deaf_ear() as ear:
            run(server, rate, WARM_S, ear)
            os.kill(server.pid, signal.SIGUSR1)
            tried = run(server, rate, RUN_S, ear)
            os.kill(server.pid, signal.SIGUSR2)
            while not kept.exists() or not kept.stat().st_size:
                time.sleep(0.1)
        stats = pstats.Stats(str(kept)).stats  # type: ignore[attr-defined]
        return report({place: timing[:4] for place, timing in stats.items()}, tried.outcome.offered)


def room_of(file: str) -> str:
    """The part of the program that a file belongs to: a room of ours, a library, or what is built in."""
    parts = Path(file).parts
    if "site-packages" in parts:
        return parts[parts.index("site-packages") + 1]
    if "offhook" in parts:
        return "/".join(parts[parts.index("offhook") : parts.index("offhook") + 2])
    return "built in" if file == "~" else f"python/{Path(file).stem}"


def report(timings: dict[Place, Timing], calls: int) -> str:
    """Microseconds a call, by room, by function itself and by function with what it calls; waiting is left out."""
    busy = {place: timing for place, timing in timings.items() if "epoll" not in place[2] and "uvloop" not in place[2]}
    rooms: Counter[str] = Counter()
    for place, timing in busy.items():
        rooms[room_of(place[0])] += round(timing[2] * 1e6 / calls)
    text = [f"{calls} calls; microseconds for each", "", "by room"]
    text += [f"{us:7}  {room}" for room, us in rooms.most_common(25)]
    for title, column in (("by itself", 2), ("with what it calls", 3)):
        ordered = sorted(busy.items(), key=lambda item: -item[1][column])
        text += ["", f"{title} (times a call)"]
        text += [
            f"{timing[column] * 1e6 / calls:7.0f}  {timing[1] / calls:6.1f}  {_short(place)}"
            for place, timing in ordered[:SHOWN]
        ]
    return "\n".join(text)


def _short(place: Place) -> str:
    file, line, function = place
    return function if file == "~" else f"{'/'.join(Path(file).parts[-2:])}:{line} {function}"
