"""What is owed to customers, sent until it is delivered: the machine of `hooks/delivery.py` with a clock and a wire.

Keeps nothing on disk itself: an `OutboxStore` may stand behind it. Decides nothing about when and in which order.
"""

import asyncio
import random
import time
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext, suppress
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import Any, Protocol, assert_never

import structlog

from offhook.hooks.attempt import OWED, AttemptPolicy
from offhook.hooks.delivery import (
    Dead,
    Delivered,
    Deliveries,
    DeliveryEvent,
    Now,
    Postponed,
    Send,
    Turn,
    plain_delivery,
    revived,
)
from offhook.hooks.errors import HookCause, HookFailure, WrongHookUrl
from offhook.hooks.policy import DeliveryPolicy
from offhook.hooks.request import WebhookRequest, receiver
from offhook.runtime.webhooks import HookResult
from offhook.storage import deliveries as state
from offhook.storage.deliveries import LeftOver, Waiting
from offhook.storage.rows import DeliveryRow

__all__ = ["HELD_MOST", "NoStore", "Outbox", "OutboxStore", "Performer", "owed_again"]

STORED_WITHIN_S = 2.0
"""How long the store may take before what waits in it is read."""
HELD_MOST = 1000
"""Posts of one account to one receiver that are held in memory; more wait in the store, behind them."""
REFILL_AGAIN_S = 1.0
"""When what waits in the store is asked for once more, if it could not be read."""

log = structlog.get_logger(__name__)

_Pair = tuple[str, str]
"""Account and receiver."""


class Performer(Protocol):
    """What sends: `Webhooks`."""

    async def perform(self, request: WebhookRequest, policy: AttemptPolicy = ...) -> HookResult: ...


class OutboxStore(Protocol):
    """Keeps deliveries over a restart: `offhook.storage.deliveries.Deliveries`."""

    def save(self, row: DeliveryRow) -> None:
        """Keeps it as it stands, in place of what there is under its id. Returns at once."""

    async def flush(self, timeout_s: float) -> None:
        """Waits until what was saved is durable. Raises `StorageUnavailable`."""

    async def waiting(self, account: str, receiver: str, limit: int) -> Waiting:
        """What is owed to a receiver, as far as it is durable, the oldest first."""

    def together(self) -> AbstractContextManager[None]:
        """What is written within is one transaction."""


class NoStore:
    """Keeps nothing: what is owed is lost with the process."""

    def save(self, row: DeliveryRow) -> None:
        """Nothing is kept."""

    async def flush(self, timeout_s: float) -> None:
        """Nothing is waited for."""

    async def waiting(self, account: str, receiver: str, limit: int) -> Waiting:
        """There is nothing."""
        return Waiting(rows=(), entries={})

    def together(self) -> AbstractContextManager[None]:
        """Nothing is written."""
        return nullcontext()


Listener = Callable[[DeliveryEvent, HookResult | None], None]
WhenDurable = Callable[[Callable[[], None]], None]
"""`Keeper.when_durable`."""


class Outbox:
    """Owes deliveries until they are made. One for the whole process, on its event loop.

        async with Outbox(webhooks, store=store, when_durable=keeper.when_durable, listener=write_timeline) as outbox:
            outbox.owe(request, ELKS, kind="hangup")

    `owe` returns at once, having put a row into the store: whoever calls it within `Writer.together` has that row in
    the transaction of what caused it. It is sent when that is durable: with the commit that the end of its call waits
    for too. Where the disk does not take it in time it is sent all the same; its id is made from its call, so that
    nobody is told under two ids.

    Of one account to one receiver `HELD_MOST` are held in memory. What is more waits in the store and is taken up, the
    oldest first, as those are done: a receiver may be down for days, and costs no more than that.

    Each send is a task of its own, so a receiver that hangs holds up only its own lane (its call) and at most its share
    of its account's connections; everybody else's sends go when they are due. `listener` hears every `Delivered`,
    `Postponed` and `Dead` with the result of the try (None where no try was made).

    On leaving, what is under way gets `drain_s` to end; the rest stays in the store, for the next one to go on with
    (`left`).
    """

    def __init__(
        self,
        webhooks: Performer,
        *,
        store: OutboxStore | None = None,
        when_durable: WhenDurable | None = None,
        left: LeftOver | None = None,
        listener: Listener | None = None,
        remember: Callable[[Mapping[str, int]], None] = lambda _: None,
        policy: AttemptPolicy = OWED,
        drain_s: float = 2.0,
    ) -> None:
        """`when_durable` says when what was put into the store until now is durable; without it nothing is waited for.
        `remember` is told where the timelines of calls end whose posts are taken up from the store."""
        self._webhooks = webhooks
        self._store: OutboxStore = NoStore() if store is None else store
        self._when_durable = _soon if when_durable is None else when_durable
        self._left = left
        self._listener = listener
        self._policy = policy
        self._drain_s = drain_s
        self._machine = Deliveries()
        self._rows: dict[str, DeliveryRow] = {}
        """What is owed, as it was saved last."""
        self._held: Counter[_Pair] = Counter()
        self._parked: Counter[_Pair] = Counter() if left is None else Counter(left.parked)
        """How many more are owed, in the store only."""
        self._refills: dict[_Pair, set[str]] = {}
        """Receivers whose posts are being read, and which of them were done since."""
        self._remember = remember
        self._known: frozenset[str] = frozenset() if left is None else left.known
        self._numbers: dict[str, int] = {} if left is None else dict(left.numbers)
        """How many posts every call has been owed."""
        self._entering: dict[str, DeliveryRow] = {}
        """What is not durable yet."""
        self._admitted = asyncio.Event()
        """Told to whoever waits for what has just entered; never left set."""
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._open = False

    async def __aenter__(self) -> "Outbox":
        self._open = True
        now = _now()
        for row in () if self._left is None else self._left.owed:
            self._hold(row)
            self._take_up(row, now)
        self._left = None
        self._machine.handle_timer(now)
        self._drain(None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Sends nothing new but what was owed a moment ago; waits `drain_s` for what is under way, then lets go."""
        while self._entering:
            await self._admitted.wait()
        self._open = False
        self._cancel_timer()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=self._drain_s)
            for task in late:
                task.cancel()
                with suppress(asyncio.CancelledError):
                    await task

    def __len__(self) -> int:
        """How many are owed."""
        return len(self._rows) + self._parked.total()

    def owes(self, call: str) -> bool:
        """Whether anything is owed for a call."""
        return self._machine.owes(call) or any(row.call_id == call for row in self._entering.values())

    def owe(self, request: WebhookRequest, policy: DeliveryPolicy, *, kind: str) -> None:
        """Takes a delivery on, and numbers it. A request whose id is owed already, or was, changes nothing."""
        if request.id in self._rows or request.id in self._known:
            return
        if request.call:
            self._numbers[request.call] = self._numbers.get(request.call, 0) + 1
            request = replace(request, sequence=self._numbers[request.call])
        wall = time.time()
        row = DeliveryRow(
            id=request.id,
            call_id=request.call,
            account=request.account,
            kind=kind,
            sequence=request.sequence,
            created=datetime.fromtimestamp(wall, UTC),
            next_try=datetime.fromtimestamp(wall, UTC),
            data=plain_delivery(request, policy, wall),
            receiver=_receiver_of(request.url),
        )
        self._owe_row(row)

    def call_over(self, call: str) -> None:
        """Nothing more will be owed to the call."""
        self._numbers.pop(call, None)

    def replay(self, row: DeliveryRow) -> None:
        """Owes what was delivered or given up once more, under its id; what is still owed is tried without waiting."""
        if row.id in self._rows:
            if row.id in self._machine:
                self._machine.hurry(row.id, _now())
                self._drain(None)
            return
        if row.state != state.OWED:  # one that is owed, and not held, waits in the store for its turn
            self._owe_row(owed_again(row, datetime.now(UTC)))

    async def replay_one(self, row: DeliveryRow) -> Turn:
        """The same, and what it comes to: waits until it is durable, as it is not sent before that."""
        self.replay(row)
        held = row.id in self._rows
        while row.id in self._entering:
            await self._admitted.wait()
        if row.id in self._machine:
            return self._machine.turn(row.id)
        # In the store, or of another version (`_take_up`); else it was held, and its try is over already.
        return Turn.NOW if held and row.id not in self._rows else Turn.OTHERS

    # --- within -------------------------------------------------------------------------------------------------

    async def _send(self, send: Send) -> None:
        request = send.request
        result: HookResult | None = None
        try:
            result = await self._webhooks.perform(request, self._policy)
            failure = result.failure
            if failure is not None and failure.cause is HookCause.TOO_LARGE:
                # Its status took the post; what else it says is nothing to us.
                result, failure = replace(result, status=result.tries[-1].status), None
        except Exception as error:
            # A fault of ours: the delivery is tried again like any other, and its lane is not stuck for ever.
            log.exception("outbox.send.failed", request=request.id)
            failure = HookFailure(cause=HookCause.BROKEN, detail=f"internal error: {type(error).__name__}")
        now = _now()
        if failure is None:
            assert result is not None
            assert result.status is not None
            self._machine.delivered(request.id, result.status, now)
        else:
            # Chance spreads returning deliveries over time; nobody gains by guessing it.
            self._machine.failed(request.id, failure, now, random.random())
        self._drain(result)

    def _drain(self, result: HookResult | None) -> None:
        while (event := self._machine.poll_event()) is not None:
            with self._store.together():
                self._note(event)
                self._tell(event, result)
        while self._open and (send := self._machine.poll()) is not None:
            self._begin(self._send(send))
        self._set_timer()

    def _note(self, event: DeliveryEvent) -> None:
        row, now = self._rows[event.request.id], _now()
        at = datetime.fromtimestamp(now.wall, UTC)
        match event:
            case Delivered():
                self._let_go(row)
                done = replace(row, state=state.DELIVERED, done=at, status=event.status, why="")
            case Dead():
                self._let_go(row)
                done = replace(row, state=state.DEAD, done=at, status=event.failure.status, why=event.failure.sentence)
            case Postponed():
                self._keep(
                    replace(
                        row,
                        tries=event.tries,
                        next_try=datetime.fromtimestamp(event.next_wall, UTC),
                        status=event.failure.status,
                        why=event.failure.sentence,
                        data=self._machine.export_one(row.id, now),
                    )
                )
                return
            case _:
                assert_never(event)
        self._store.save(replace(done, tries=event.tries, next_try=None))

    def _keep(self, row: DeliveryRow) -> None:
        self._rows[row.id] = row
        self._store.save(row)

    # --- what is held, and what waits in the store --------------------------------------------------------------

    def _owe_row(self, row: DeliveryRow) -> None:
        pair = row.account, row.receiver
        self._store.save(row)
        if self._parked[pair] or self._held[pair] >= HELD_MOST:
            # Behind what waits already: the order of its lane holds.
            self._parked[pair] += 1
            return
        self._hold(row)
        self._enter(row)

    def _hold(self, row: DeliveryRow) -> None:
        self._rows[row.id] = row
        self._held[row.account, row.receiver] += 1

    def _let_go(self, row: DeliveryRow) -> None:
        pair = row.account, row.receiver
        del self._rows[row.id]
        self._held[pair] -= 1
        if pair in self._refills:
            self._refills[pair].add(row.id)
        elif self._parked[pair] and self._held[pair] <= HELD_MOST // 2 and self._open:
            self._refills[pair] = {row.id}
            self._begin(self._refill(pair))
        if not self._held[pair]:
            del self._held[pair]

    async def _refill(self, pair: _Pair) -> None:
        """Takes up what waits in the store, until as many are held as may be, or none waits any more."""
        try:
            while self._open and (expected := self._parked[pair]) and self._held[pair] < HELD_MOST:
                taken, more = await self._take_from_store(pair)
                # Those that were parked meanwhile are still to be read.
                self._parked[pair] = max(self._parked[pair] - taken, 0) if more else self._parked[pair] - expected
        except Exception:
            log.exception("outbox.refill", account=pair[0], receiver=pair[1])
            asyncio.get_running_loop().call_later(REFILL_AGAIN_S, self._refill_again, pair)
        else:
            del self._refills[pair]
            if not self._parked[pair]:
                del self._parked[pair]

    def _refill_again(self, pair: _Pair) -> None:
        if self._open:
            self._begin(self._refill(pair))

    async def _take_from_store(self, pair: _Pair) -> tuple[int, bool]:
        """How many were taken up, and whether more may be there."""
        await self._store.flush(STORED_WITHIN_S)
        waiting = await self._store.waiting(*pair, limit=2 * HELD_MOST)
        self._remember(waiting.entries)
        taken, now = 0, _now()
        for row in waiting.rows:
            if row.id in self._rows or row.id in self._refills[pair]:
                continue
            if self._held[pair] >= HELD_MOST:
                break
            self._hold(row)
            self._take_up(row, now)
            taken += 1
        self._machine.handle_timer(now)
        self._drain(None)
        return taken, len(waiting.rows) == 2 * HELD_MOST or self._held[pair] >= HELD_MOST

    def _begin(self, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    def _enter(self, row: DeliveryRow) -> None:
        """It goes when it is durable, in the order in which it was owed."""
        self._entering[row.id] = row
        self._when_durable(partial(self._admit, row.id))

    def _take_up(self, row: DeliveryRow, now: Now) -> None:
        try:
            self._machine.restore_one(row.data, now)
        except (KeyError, TypeError, ValueError):
            # Of another version, or damaged. It stays in the store, and costs nobody else theirs.
            log.exception("outbox.unreadable", delivery=row.id)

    def _admit(self, delivery: str) -> None:
        now = _now()
        self._take_up(self._entering.pop(delivery), now)
        self._machine.handle_timer(now)
        self._drain(None)
        self._admitted.set()
        self._admitted.clear()

    def _tell(self, event: DeliveryEvent, result: HookResult | None) -> None:
        if self._listener is None:
            return
        try:
            self._listener(event, result)
        except Exception:
            # Whoever listens must not stop what is owed to others.
            log.exception("outbox.listener.failed", request=event.request.id)

    def _set_timer(self) -> None:
        self._cancel_timer()
        deadline = self._machine.poll_deadline()
        if self._open and deadline is not None:
            delay_s = max(deadline - time.monotonic(), 0.0)
            self._timer = asyncio.get_running_loop().call_later(delay_s, self._due)

    def _cancel_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _due(self) -> None:
        self._machine.handle_timer(_now())
        self._drain(None)


def _receiver_of(url: str) -> str:
    """Empty for a URL that cannot be asked."""
    try:
        return str(receiver(url))
    except WrongHookUrl:
        return ""


def owed_again(row: DeliveryRow, at: datetime) -> DeliveryRow:
    """A delivery that is done, as it is when it is owed once more from then on."""
    data = revived(row.data, tries=row.tries, wall=at.timestamp())
    return replace(row, state=state.OWED, next_try=at, done=None, data=data)


def _soon(say: Callable[[], None]) -> None:
    asyncio.get_running_loop().call_soon(say)


def _now() -> Now:
    return Now(mono=time.monotonic(), wall=time.time())
