"""How many calls the media engine carries on one core: hearing a played file, bridged, and in conferences of 3, 10 and
100 parties who all speak at once.

The far ends are `native/examples/media_load.rs` on the other core: 50 packets a second each way on every leg, PCMA,
20 ms. Arrival is timed by the kernel. Played and mixed: a packet's time is its stream's own beat, set by the earliest.
Bridged: from leaving the one far end to arriving at the other, with keys pressed by RFC 4733 all the while. Loss is
both ways together."""

import json
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

from benchmarks.bare_timer import bare_timer
from benchmarks.engine import Engine, engine, find_program
from benchmarks.figures import Row, highest
from benchmarks.machine import cores, cpu_s, pinned, rss_kb
from benchmarks.sound import tone
from offhook.media.commands import Bridge, JoinMix, MixId, Play, PlaybackId, SessionId
from offhook.media.events import Digit
from offhook.media.frames import prepare

__all__ = ["Carried", "measure"]

RUN_S = 15
WARM_S = 3
"""As the generator has it: sound flows, nothing counts."""
SOUND_S = 30
MOST_LOSS = 0.001
MOST_LATE_MS = 5.0
"""For 99.9 % of packets."""
SIZES = {"mixed in threes": 3, "mixed in tens": 10, "mixed in hundreds": 100}
"""Parties of one conference."""
FLOORS = {"played": 1000, "bridged": 600} | dict.fromkeys(SIZES, 600)
MOST = {"played": 4000, "bridged": 2500} | dict.fromkeys(SIZES, 4000)
TITLES = {
    "played": "calls hearing a played file at once, 50 packets/s in each",
    "bridged": "bridged calls at once, keys seen",
    "mixed in threes": "parties in conferences of 3, all speaking",
    "mixed in tens": "parties in conferences of 10, all speaking",
    "mixed in hundreds": "parties in conferences of 100, all speaking",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A number of calls, tried."""

    calls: int
    report: Mapping[str, Any]
    """The generator's."""
    inbound: int
    """Packets that the engine counted in."""
    digits: int
    cpu: float
    """Share of the core, 0 to 1, with a connection that only listens."""
    memory_kb: int
    """That the engine has grown by, for each call."""
    timer: str
    mixed: bool = False

    @property
    def loss(self) -> float:
        """Of all that should have arrived anywhere; a leg that stayed silent lost everything."""
        report = self.report
        lost = report["wanted"] - report["came"] + max(0, report["sent"] - self.inbound)
        return 1.0 if report["silent"] else float(lost / (report["wanted"] + report["sent"]))

    @property
    def unmixed(self) -> float:
        """Of what came, what was silence though others spoke: only a conference counts it."""
        return float(self.report["silent_packets"] / max(1, self.report["came"])) if self.mixed else 0.0

    @property
    def good(self) -> bool:
        return max(self.loss, self.unmixed) < MOST_LOSS and self.report["late_ms"]["p999"] <= MOST_LATE_MS

    @property
    def words(self) -> str:
        late, own = self.report["late_ms"], self.report["own_late_ms"]
        keys = f", {self.digits} of {self.report['keys']} keys seen" if self.report["keys"] else ""
        silence = f", silence in {self.unmixed:.3%}" if self.mixed else ""
        return (
            f"loss {self.loss:.3%}, late {late['median']:.2f} / {late['p99']:.2f} / {late['p999']:.2f} ms, "
            f"{self.cpu:.0%} of the core, {self.memory_kb} KB a call{keys}{silence}; "
            f"bare timer {self.timer}, the generator's own {own['p999']:.2f} ms"
        )


def measure(kinds: tuple[str, ...] = tuple(FLOORS), seconds: int = RUN_S) -> list[Row]:
    """The floor's number of calls, and the highest number that keeps the line."""
    load = find_program("media_load", example=True)
    rows = []
    for kind in kinds:
        seen: dict[int, Carried] = {}

        def passes(calls: int, kind: str = kind, seen: dict[int, Carried] = seen) -> bool:
            tried = carry(load, kind, calls, seconds)
            print(f"  {calls} {kind}: {tried.words}", file=sys.stderr)
            if calls not in seen or tried.good:
                seen[calls] = tried
            return tried.good

        top = highest(passes, first=FLOORS[kind], most=MOST[kind])
        rows.append(
            Row(figure=TITLES[kind], floor=f"{FLOORS[kind]:,}", here=f"{top:,}", how=seen[top].words if top else "")
        )
        if top != FLOORS[kind] and FLOORS[kind] in seen:
            rows.append(Row(figure=f"… with {FLOORS[kind]:,}", floor="", here="", how=seen[FLOORS[kind]].words))
    return rows


def carry(load: Path, kind: str, calls: int, seconds: int) -> Carried:
    """Carry so many calls for so long, in an engine of their own."""
    where = cores()
    with TemporaryDirectory(prefix="offhook-sound-") as directory, engine(where.served) as media:
        sound = Path(directory, "tone.frames")
        sound.write_bytes(prepare(np.asarray(tone(seconds=SOUND_S))))
        command = pinned(where.load, load, kind.split()[0], str(seconds))
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as generator:
            assert generator.stdin is not None
            assert generator.stdout is not None
            far = ("127.0.0.1", int(generator.stdout.readline()))
            empty_kb = rss_kb(media.pid)
            local = begin(media, kind, calls, far, sound)
            generator.stdin.write("".join(f"{host}:{port}\n" for host, port in local.values()) + "\n")
            generator.stdin.close()
            with bare_timer(where.served) as timer:
                began, used = time.monotonic(), cpu_s(media.pid)
                media.listen(lambda: time.monotonic() - began > WARM_S + seconds)
                share = (cpu_s(media.pid) - used) / (time.monotonic() - began)
            report = json.loads(generator.stdout.readline())
        grown_kb = rss_kb(media.pid) - empty_kb
        counted = media.statistics(list(local))
    return Carried(
        calls=calls,
        report=report,
        inbound=sum(each.statistics.packets_received for each in counted),
        digits=sum(isinstance(each, Digit) for each in media.heard),
        cpu=share,
        memory_kb=grown_kb // calls,
        timer=timer.words,
        mixed=kind in SIZES,
    )


def begin(media: Engine, kind: str, calls: int, far: tuple[str, int], sound: Path) -> dict[SessionId, tuple[str, int]]:
    """Open the sessions of so many calls and let them sound."""
    local = media.open(2 * calls if kind == "bridged" else calls)
    ids = list(local)
    for each in ids:
        media.agree(each, far)
    if kind == "played":
        for each in ids:
            play = Play(session=each, playback=PlaybackId(each), files=(str(sound),), repeat=0, gap_ms=0, start_ms=0)
            media.say(play)
    elif kind in SIZES:
        for place, each in enumerate(ids):
            media.say(JoinMix(mix=MixId(1 + place // SIZES[kind]), session=each))
    else:
        for one, other in zip(ids[::2], ids[1::2], strict=True):
            media.say(Bridge(a=one, b=other))
    return local
