"""What is owed to customers, sent until it is delivered: the machine of `hooks/delivery.py` with a clock and a wire.

Keeps nothing on disk itself: a `OutboxStore` may stand behind it. Decides nothing about when and in which order.
"""

import asyncio
import random
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, Protocol

import structlog

from offhook.hooks.attempt import OWED, AttemptPolicy
from offhook.hooks.delivery import Dead, Delivered, Deliveries, DeliveryEvent, Now, Postponed, Send
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.policy import DeliveryPolicy
from offhook.hooks.request import WebhookRequest
from offhook.runtime.webhooks import HookResult

__all__ = ["NoStore", "Outbox", "OutboxStore", "Performer"]

log = structlog.get_logger(__name__)


class Performer(Protocol):
    """What sends: `Webhooks`."""

    async def perform(self, request: WebhookRequest, policy: AttemptPolicy = ...) -> HookResult: ...


class OutboxStore(Protocol):
    """Keeps deliveries over a restart. The calls return at once; writing may be grouped behind them.

    `save` replaces what is there under the id, and keeps its place; `load` gives all of it in the order of first saves.
    """

    def load(self) -> list[Mapping[str, Any]]: ...

    def save(self, request_id: str, data: Mapping[str, Any]) -> None: ...

    def delete(self, request_id: str) -> None: ...


class NoStore:
    """Keeps nothing: what is owed is lost with the process."""

    def load(self) -> list[Mapping[str, Any]]:
        return []

    def save(self, request_id: str, data: Mapping[str, Any]) -> None:
        """Nothing is kept."""

    def delete(self, request_id: str) -> None:
        """Nothing is kept."""


Listener = Callable[[DeliveryEvent, HookResult | None], None]


class Outbox:
    """Owes deliveries until they are made. One for the whole process, on its event loop.

        async with Outbox(webhooks, store=store, listener=write_timeline) as outbox:
            outbox.owe(request, ELKS)

    `owe` returns at once. Each send is a task of its own, so a receiver that hangs holds up only its own lane (its
    call) and at most its own share of connections; everybody else's sends go when they are due. `listener` hears every
    `Delivered`, `Postponed` and `Dead` with the result of the try (None where no try was made).

    Saved before it is sent, and deleted when it is delivered or dead: with a store a delivery is made at least once. On
    leaving, what is under way gets `drain_s` to end; the rest stays in the store.
    """

    def __init__(
        self,
        webhooks: Performer,
        *,
        store: OutboxStore | None = None,
        listener: Listener | None = None,
        policy: AttemptPolicy = OWED,
        drain_s: float = 2.0,
    ) -> None:
        self._webhooks = webhooks
        self._store: OutboxStore = NoStore() if store is None else store
        self._listener = listener
        self._policy = policy
        self._drain_s = drain_s
        self._machine = Deliveries()
        self._tasks: set[asyncio.Task[None]] = set()
        self._timer: asyncio.TimerHandle | None = None
        self._open = False

    async def __aenter__(self) -> "Outbox":
        self._open = True
        now = _now()
        for data in self._store.load():
            self._machine.restore_one(data, now)
        self._machine.handle_timer(now)
        self._drain(None)
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def close(self) -> None:
        """Sends nothing new; waits `drain_s` for what is under way, then lets go of it."""
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
        return len(self._machine)

    def owes(self, call: str) -> bool:
        """Whether anything is owed for a call."""
        return self._machine.owes(call)

    def owe(self, request: WebhookRequest, policy: DeliveryPolicy) -> None:
        """Takes a delivery on. A request whose id is owed already changes nothing."""
        now = _now()
        if request.id in self._machine:
            return
        self._machine.owe(request, policy, now)
        self._save(request.id, now)
        self._drain(None)

    # --- within -------------------------------------------------------------------------------------------------

    async def _send(self, send: Send) -> None:
        request = send.request
        result: HookResult | None = None
        try:
            result = await self._webhooks.perform(request, self._policy)
            failure = result.failure
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
            self._note(event)
            self._tell(event, result)
        while self._open and (send := self._machine.poll()) is not None:
            task = asyncio.get_running_loop().create_task(self._send(send))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        self._set_timer()

    def _note(self, event: DeliveryEvent) -> None:
        match event:
            case Delivered() | Dead():
                self._store.delete(event.request.id)
            case Postponed():
                self._save(event.request.id, _now())

    def _save(self, request_id: str, now: Now) -> None:
        # Dead at once (a URL that cannot be asked): there is nothing to save.
        if request_id in self._machine:
            self._store.save(request_id, self._machine.export_one(request_id, now))

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


def _now() -> Now:
    return Now(mono=time.monotonic(), wall=time.time())
