"""Watches what no single call can see: how late the loop runs, whether storage can write, which recordings are too old.

When the machine has more than it can carry, or is not well (`wellness.py`), new calls are refused with 503 at the least
cost, so that those that were taken stay good; they are taken again as soon as there is room.
"""

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog

from offhook.runtime.settled_clock import SettledClock
from offhook.runtime.sip_driver import SipDriver
from offhook.runtime.wellness import Ailment, Complaint, Descriptors, Ports, Wellness
from offhook.storage.idempotency import KEEP_KEYS
from offhook.storage.records import expired_recordings
from offhook.storage.store import Storage

__all__ = ["LoadGuard", "Supervisor"]

log = structlog.get_logger(__name__)

TICK_S = 0.02
REFUSE_ABOVE_S = 0.04
"""Smoothed lateness of the loop from which on new calls are refused. A call takes a dozen turns of the loop to be
answered, and SIP repeats after 0.5 s; a loop with room to spare is a few milliseconds late."""
TAKE_BELOW_S = 0.015
COUNTED_AT_MOST_S = 0.1
"""Of one measurement: a single stall (a collection, a neighbour on the same machine) is no overload, several are."""
REFUSE_ABOVE_BYTES = 160 * 1024
"""Of SIP waiting in the kernel, as it counts them: about 125 messages, which is 0.15 s of work. The loop can be on time
in every turn and still be seconds behind what its sockets hold."""
TAKE_BELOW_BYTES = 16 * 1024
SMOOTHING = 0.15
LOOK_EVERY_TICKS = 25
"""Half a second: how often it is asked whether the machine is well, unless it is about not to be."""
HOUSEKEEPING_S = 600.0
RETRY_AFTER_S = 5
UNAVAILABLE = "Service Unavailable"
"""What SIP says of 503 (RFC 3261 section 21.5.4); why stands behind it, since section 7.2 leaves the phrase to us."""


class LoadGuard:
    """Decides whether new calls are taken, from the loop's lateness and from what waits unread. Plain arithmetic."""

    def __init__(self) -> None:
        self.lateness_s = 0.0
        self.waiting_bytes = 0
        self.refusing = False

    def measured(self, late_s: float, waiting_bytes: int = 0) -> bool:
        """Take a measurement; whether the decision changed."""
        self.lateness_s += SMOOTHING * (min(max(0.0, late_s), COUNTED_AT_MOST_S) - self.lateness_s)
        self.waiting_bytes = waiting_bytes
        most_s, most_bytes = (TAKE_BELOW_S, TAKE_BELOW_BYTES) if self.refusing else (REFUSE_ABOVE_S, REFUSE_ABOVE_BYTES)
        refuse = self.lateness_s > most_s or waiting_bytes > most_bytes
        changed = refuse != self.refusing
        self.refusing = refuse
        return changed


class Supervisor:
    """Runs for as long as the server does."""

    def __init__(
        self,
        *,
        driver: SipDriver,
        storage: Storage,
        loop: asyncio.AbstractEventLoop,
        keep_deliveries: timedelta,
        descriptors: Callable[[], Descriptors | None] | None = None,
        ports: Callable[[], Ports] | None = None,
    ) -> None:
        """`keep_deliveries`: how long posts that are done can still be looked at. `ports`: those of sound.
        `descriptors`: of the process that has the fewest left."""
        self.load = LoadGuard()
        self.wellness = Wellness(storage.writer, descriptors, ports)
        self.unwell: Complaint | None = None
        """Why the machine is not well enough for new calls."""
        self.draining = False
        self.on_clock_set: Callable[[], None] = lambda: None
        """Told when the wall clock was set: what is kept by it must be kept anew."""
        self._clock = SettledClock(time.monotonic(), time.time())
        self._ticks = 0
        self._refusing: str | None = None
        """What far ends are told."""
        self._driver = driver
        self._storage = storage
        self._loop = loop
        self._keep_deliveries = keep_deliveries
        self._due = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._housekeeping: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to watch."""
        self._schedule()
        self._housekeeping = self._loop.create_task(self._keep_house())

    def stop(self) -> None:
        """Watch no more."""
        if self._timer is not None:
            self._timer.cancel()
        if self._housekeeping is not None:
            self._housekeeping.cancel()

    def drain(self) -> None:
        """From now on no new calls, for good."""
        self.draining = True
        self._follow()

    def why_refusing(self) -> str | None:
        """Why new calls are refused, in words for people; `None`: they are taken."""
        if self.draining:
            return "the server is stopping"
        # Of ports it is known at every moment: two calls that are ordered at once may want the last pair.
        unwell = self.unwell or self.wellness.short_of_ports()
        if unwell is not None:
            return unwell.sentence
        if self.load.refusing:
            return (
                f"the server has more calls than it can carry (its loop runs {self.load.lateness_s:.2f} s late, "
                f"{self.load.waiting_bytes} octets of SIP wait)"
            )
        return None

    def _for_far_ends(self) -> str | None:
        """The same in a few words that anybody may know."""
        if self.draining:
            return "stopping"
        if self.unwell is not None:
            return self.unwell.ailment.value
        return "too many calls" if self.load.refusing else None

    def _schedule(self) -> None:
        self._due = time.monotonic() + TICK_S
        self._timer = self._loop.call_later(TICK_S, self._tick)

    def _tick(self) -> None:
        now = time.monotonic()
        try:
            self._measure(now)
        except Exception:
            # Whoever cannot look now looks again: a server that never takes calls again would need a hand.
            log.exception("supervisor.fault")
        self._schedule()

    def _measure(self, now: float) -> None:
        changed = self.load.measured(now - self._due, self._driver.sockets.waiting_bytes())
        if changed and not self.draining:
            log.warning(
                "load.refusing" if self.load.refusing else "load.taking",
                late_s=round(self.load.lateness_s, 3),
                waiting_bytes=self.load.waiting_bytes,
            )
        if self._ticks % LOOK_EVERY_TICKS == 0 or self.wellness.closely or self._ports_changed():
            self._look(now)
        self._ticks += 1
        self._follow()

    def _ports_changed(self) -> bool:
        """Whether ports have gone, or come back, since it was looked: a few calls are enough for that."""
        gone = self.unwell is not None and self.unwell.ailment is Ailment.PORTS
        return (self.unwell is None or gone) and (self.wellness.short_of_ports() is not None) is not gone

    def _look(self, now: float) -> None:
        self._look_at_the_clock(now)
        unwell, before = self.wellness.complaint(now), self.unwell
        if (unwell and unwell.ailment) is not (before and before.ailment):
            told = unwell or before
            log.warning("machine.well" if unwell is None else "machine.unwell", why=told and told.sentence)
        self.unwell = unwell

    def _look_at_the_clock(self, now: float) -> None:
        if jump := self._clock.looked(now, time.time()):
            log.warning("clock.set", by_s=round(jump, 1))
            self.on_clock_set()

    def _follow(self) -> None:
        """Let the endpoint refuse new calls, or take them, as it was decided."""
        refusing = self._for_far_ends()
        if refusing == self._refusing:
            return
        self._refusing = refusing
        if refusing is None:
            self._driver.endpoint.take_new()
        else:
            self._driver.endpoint.refuse_new(reason=f"{UNAVAILABLE}: {refusing}", retry_after_s=RETRY_AFTER_S)

    async def _keep_house(self) -> None:
        while True:
            try:
                await self.remove_expired()
            except Exception:
                log.exception("housekeeping.fault")
            await asyncio.sleep(HOUSEKEEPING_S)

    async def remove_expired(self) -> int:
        """Delete posts, keys and recordings that are too old, of these the file first. Returns how many recordings."""
        now = time.monotonic()
        self._look_at_the_clock(now)
        at = datetime.fromtimestamp(self._clock.surely(now), UTC)
        self._storage.deliveries.forget_done(at - self._keep_deliveries)
        self._storage.deliveries.forget_erased(at - timedelta(seconds=2 * HOUSEKEEPING_S))
        self._storage.idempotency.forget_before(at - KEEP_KEYS)
        rows = await self._storage.read(lambda connection: expired_recordings(connection, at))
        removed = 0
        for row in rows:
            path = Path(self._storage.recordings_dir, row.path)
            try:
                await asyncio.to_thread(path.unlink, missing_ok=True)
            except OSError as error:
                # Its row stays, so that it is tried again; the others go.
                log.warning("housekeeping.recording", path=str(path), why=error.strerror)
                continue
            self._storage.records.forget_recording(row)
            removed += 1
        return removed
