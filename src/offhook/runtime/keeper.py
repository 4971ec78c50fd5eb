"""Sees that what a server would have to know to go on is durable before the world depends on it.

Whatever lives tells the keeper that it has changed. `touch`: its facts are written within `LINGER_S`, once for all that
happened meanwhile. `hurry`: they are written now, with whatever else is in a hurry, and what is said to the world
through `hold` (a SIP message that the far end will not let us say twice) waits for that. `drop`: it is over, which is
written within `PATIENT_S`. Events of the media engine are acknowledged when the facts that they led to are durable;
until then the engine would tell the next server again.

It knows neither calls nor SIP. Where the disk does not take facts for `HOLD_MOST_S`, the world goes on without: running
calls are worth more than the promise to survive a crash that has not come.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Protocol

import structlog

from offhook.storage.facts import Fact, Facts
from offhook.storage.writer import Writer

__all__ = ["Keeper", "Kept"]

log = structlog.get_logger(__name__)

LINGER_S = 0.25
"""How old the facts of something that is in no hurry may be: what is over by then needs none."""
SWEEP_S = 0.05
"""What comes due within this is written along."""
AWAITED_AFTER_S = 0.03
"""Whoever waits for facts that nothing else makes hurry by then, makes them hurry: a call that is placed has its INVITE
ready before, and one commit is enough for both."""
GAP_S = 0.005
"""On average at least this lies between two commits for those in a hurry, so that many calls share one: each costs half
a millisecond of the loop's time beside its rows."""
BURST = 8
"""So many may follow each other at once: a call by itself needs two or three before its INVITE or answer leaves."""
PATIENT_S = 0.04
"""How long what ends waits for the commit of something that begins: a BYE is answered and a post is sent so much later,
and where there are many calls each costs one commit and not two."""
HOLD_MOST_S = 1.0
"""Beyond this nothing waits for the disk any more."""


class Kept(Protocol):
    """Something that lives and whose facts are kept."""

    def facts(self) -> Fact | None:
        """As it stands now; `None`: there is nothing to be kept of it (any more)."""


class Keeper:
    """One for the whole server, on its loop."""

    def __init__(self, facts: Facts, writer: Writer, loop: asyncio.AbstractEventLoop) -> None:
        self._facts = facts
        self._writer = writer
        self._loop = loop
        self.acknowledge: Callable[[int], None] = lambda _: None
        """Tells the media engine that an event, and those before it, need not be told again."""
        self._touched: dict[Kept, tuple[float, int]] = {}
        """Since when its facts are old, loop time, and the last event of the engine before; the oldest first."""
        self._hurried: dict[Kept, None] = {}
        self._ahead: dict[Kept, None] = {}
        self._unflushed = False
        """Rows were put, and nobody waits for them yet."""
        self._awaited: dict[Kept, asyncio.Future[None]] = {}
        self._held: list[Callable[[], None]] = []
        self._leaving: list[Callable[[], None]] = []
        """Held for the commit under way."""
        self._flying: Future[None] | None = None
        self._overdue: asyncio.TimerHandle | None = None
        self._pressing = False
        """Rows were put that somebody is in a hurry for."""
        self._patient_until: float | None = None
        """When what was put without haste is to be committed, loop time; `None`: nothing was."""
        self._next: asyncio.TimerHandle | asyncio.Handle | None = None
        self._next_at = 0.0
        self._begun: deque[float] = deque(maxlen=BURST)
        """When the last commits for those in a hurry began."""
        self._sweeping: asyncio.TimerHandle | None = None
        self._stuck = False
        self._heard = 0
        self._acknowledged = 0
        self._closed = False

    # ── what lives says ──────────────────────────────────────────────────────────────────────────────────────────

    def touch(self, kept: Kept) -> None:
        """It has changed; its facts may be a moment old."""
        if kept not in self._touched:
            self._touched[kept] = (self._loop.time(), self._heard)
            self._sweep_soon()

    def hurry(self, kept: Kept) -> None:
        """It has changed, and what is held from now on depends on that."""
        self._touched.pop(kept, None)
        self._hurried[kept] = None
        self._arm()

    def ahead(self, kept: Kept) -> None:
        """It has changed, and goes ahead of whatever is written next: a room is never older than the calls in it."""
        self._ahead[kept] = None
        self._arm()

    def write(self, fact: Fact, *, hurried: bool = True) -> None:
        """Put facts at once, for a caller that writes what belongs to them within `Writer.together`; what is held from
        now on depends on them. Not `hurried`: they go with the next commit, which whatever is held makes hurry."""
        self._take_ahead()
        self._facts.save(fact)
        self._unflushed = True
        if hurried:
            self._pressing = True
            self._arm()

    def drop(self, kind: str, key: str) -> None:
        """It is over: the same for a deletion, which waits for company."""
        self._facts.delete(kind, key)
        self._unflushed = True
        self._commit_in_time()

    def forget(self, kept: Kept) -> None:
        """It is over, and its facts were dropped."""
        self._touched.pop(kept, None)
        self._hurried.pop(kept, None)
        self._ahead.pop(kept, None)
        self._await_no_more(kept)

    def hold(self, say: Callable[[], None], *, patient: bool = False) -> None:
        """Say it when all that was in a hurry until now is durable: at once, if nothing is. `patient`: it ends
        something, and may wait for company."""
        waits = bool(self._ahead or self._hurried or self._unflushed)
        if self._stuck or not (waits or self._flying is not None):
            say()
            return
        self._held.append(say)
        if waits and not patient:
            self._pressing = True
            self._arm()
        elif self._unflushed:
            self._commit_in_time()

    def when_durable(self, say: Callable[[], None]) -> None:
        """Say it, never within this turn, when all rows that were put until its end are durable; they need not be
        facts."""
        if self._stuck or self._closed:
            self._loop.call_soon(say)
            return
        self._unflushed = True
        self._held.append(say)
        self._commit_in_time()

    def heard(self, number: int) -> None:
        """An event of the media engine was dealt with."""
        self._heard = number
        self._sweep_soon()

    async def durable(self, kept: Kept) -> None:
        """Wait until its facts are durable for once: with the next commit that has them, and not long after now. Where
        the disk does not take them nobody waits longer than `HOLD_MOST_S`."""
        waiting = self._awaited.setdefault(kept, self._loop.create_future())
        hurry = self._loop.call_later(AWAITED_AFTER_S, self.hurry, kept)
        try:
            await asyncio.wait_for(asyncio.shield(waiting), AWAITED_AFTER_S + HOLD_MOST_S)
        except TimeoutError:
            log.warning("facts.not_awaited")
        finally:
            hurry.cancel()
            if self._awaited.get(kept) is waiting:  # and not that of somebody who came later
                del self._awaited[kept]

    def _await_no_more(self, kept: Kept) -> None:
        if (waiting := self._awaited.pop(kept, None)) is not None:
            self._held.append(lambda: None if waiting.done() else waiting.set_result(None))

    def flush(self) -> None:
        """Put the facts of everything that has changed. Nothing is waited for."""
        with self._facts.together():
            self._take_hurried()
            while self._touched:
                self._take(dict.fromkeys(self._touched))

    def close(self) -> None:
        """Say what is held, and nothing more is kept."""
        self._closed = True
        for handle in (self._overdue, self._next, self._sweeping):
            if handle is not None:
                handle.cancel()
        self._release()

    # ── writing ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _take(self, waiting: dict[Kept, None]) -> bool:
        """For one transaction: calls and the room they are in are of one moment. False: all of them are over."""
        put = False
        with self._facts.together():
            while waiting:
                kept = next(iter(waiting))
                del waiting[kept]
                fact, failed = None, False
                try:
                    fact = kept.facts()
                except Exception:
                    # One that cannot be exported keeps its older facts; the others must not suffer.
                    log.exception("facts.fault", what=type(kept).__name__)
                    failed = True
                # All that has come to pass until now is in these, what came of telling them included.
                self._touched.pop(kept, None)
                self._hurried.pop(kept, None)
                if failed:
                    continue
                if fact is not None:
                    self._facts.save(fact)
                    self._unflushed = put = True
                self._await_no_more(kept)
        return put

    def _take_ahead(self) -> None:
        if self._take(self._ahead):
            self._pressing = True

    def _take_hurried(self) -> None:
        self._take_ahead()
        if self._take(self._hurried):
            self._pressing = True

    def _sweep_soon(self) -> None:
        if self._sweeping is None and not self._closed:
            since = next((since for since, _ in self._touched.values()), self._loop.time())
            self._sweeping = self._loop.call_later(max(since + LINGER_S - self._loop.time(), 0.0), self._sweep)

    def _sweep(self) -> None:
        self._sweeping = None
        with self._facts.together():
            self._take_hurried()
            soon = self._loop.time() + SWEEP_S
            self._take({kept: None for kept, (since, _) in self._touched.items() if since + LINGER_S <= soon})
        if self._unflushed:
            self._commit_in_time()
        elif self._flying is None:
            self._acknowledge(self._covered())
        if self._touched:
            self._sweep_soon()

    def _covered(self) -> int:
        """The last event of the engine all of whose consequences are put."""
        return next((before for _, before in self._touched.values()), self._heard)

    def _commit_in_time(self) -> None:
        if self._patient_until is None:
            self._patient_until = self._loop.time() + PATIENT_S
            self._arm()

    def _due(self) -> float | None:
        """When the next commit is to be made, loop time."""
        return 0.0 if self._ahead or self._hurried or self._pressing else self._patient_until

    def _arm(self) -> None:
        due = self._due()
        if due is None or self._flying is not None or self._closed:
            return
        at = max(due, self._begun[0] + BURST * GAP_S) if len(self._begun) == BURST else due
        if self._next is not None:
            if self._next_at <= at:
                return
            self._next.cancel()
        wait_s = at - self._loop.time()
        self._next_at = at
        # Never in this turn: what else happens in it is worth the same commit.
        self._next = self._loop.call_later(wait_s, self._commit) if wait_s > 0 else self._loop.call_soon(self._commit)

    def _commit(self) -> None:
        # An export may make others hurry: they come with this commit, and arm no other.
        with self._facts.together():
            self._take_hurried()
        self._next = None
        if (self._due() or 0.0) > self._loop.time():
            # What was in a hurry is over.
            self._arm()
            return
        covered = self._covered()
        self._unflushed, self._pressing, self._patient_until = False, False, None
        self._begun.append(self._loop.time())
        self._leaving, self._held = self._leaving + self._held, []
        self._flying = flying = self._writer.flushed()
        self._overdue = self._loop.call_later(HOLD_MOST_S, self._late)
        flying.add_done_callback(lambda _: self._tell_loop(covered))

    def _tell_loop(self, covered: int) -> None:
        # From the writer's thread; a loop that is closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._committed, covered)

    def _committed(self, covered: int) -> None:
        if self._closed:
            return
        self._flying = None
        if self._overdue is not None:
            self._overdue.cancel()
            self._overdue = None
        if self._stuck:
            self._stuck = False
            log.warning("facts.durable_again")
        self._acknowledge(covered)
        leaving, self._leaving = self._leaving, []
        _say(leaving)
        if self._due() is not None:
            self._arm()
        else:
            held, self._held = self._held, []
            _say(held)

    def _late(self) -> None:
        """The disk does not take it now."""
        self._overdue = None
        self._stuck = True
        log.error("facts.not_durable", within_s=HOLD_MOST_S, held=len(self._leaving) + len(self._held))
        self._release()

    def _release(self) -> None:
        waiting, self._leaving, self._held = self._leaving + self._held, [], []
        _say(waiting)

    def _acknowledge(self, number: int) -> None:
        if number > self._acknowledged:
            self._acknowledged = number
            self.acknowledge(number)


def _say(waiting: list[Callable[[], None]]) -> None:
    for say in waiting:
        try:
            say()
        except Exception:
            log.exception("facts.held.fault")
