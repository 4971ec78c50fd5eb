"""A room's own queue: the only writer of that room. Calls put here what their parties want; the room decides.

As with calls, a callback of the loop drains the queue and no task sleeps. It decides nothing itself and knows no sound;
what a room says is carried out by its world.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from typing import Protocol

import structlog

from offhook.call.conference import ConferenceRoom
from offhook.call.queue import QueueRoom
from offhook.call.room import Closed, RoomCommand, RoomHears
from offhook.runtime.call_task import now

__all__ = ["Room", "RoomTask", "RoomWorld"]

log = structlog.get_logger(__name__)

Room = ConferenceRoom | QueueRoom


class RoomWorld(Protocol):
    """What carries a room's commands out. It never waits."""

    def perform(self, task: "RoomTask", command: RoomCommand) -> None:
        """Do what the command asks."""

    def settled(self, task: "RoomTask") -> None:
        """All that was on the queue has been heard and carried out."""

    def closed(self, task: "RoomTask", unheard: Sequence[RoomHears]) -> None:
        """The room is no more; what it had not heard yet is for another of its name."""

    def broken(self, task: "RoomTask", unheard: Sequence[RoomHears]) -> None:
        """The room has a fault: everybody in it, and who was about to come, must be let go. It hears nothing more."""


class RoomTask:
    """One room, its queue and its deadline."""

    __slots__ = ("_draining", "_loop", "_queue", "_scheduled", "_timer", "_timer_at", "_world", "over", "room")

    def __init__(self, room: Room, world: RoomWorld, loop: asyncio.AbstractEventLoop) -> None:
        self.room = room
        self.over = False
        self._world = world
        self._loop = loop
        self._queue: deque[RoomHears] = deque()
        self._scheduled = False
        self._draining = False
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0

    def begin(self) -> None:
        """Keep the deadlines of a room that was restored."""
        self._rearm()

    def post(self, event: RoomHears) -> None:
        """Put an event on the queue; it is handled after whoever posts it has finished."""
        self._queue.append(event)
        if not self._scheduled and not self._draining and not self.over:
            self._scheduled = True
            self._loop.call_soon(self._drain)

    def abandon(self) -> None:
        """Give the room up: it hears and says nothing more."""
        self._finish()

    def _unheard(self) -> tuple[RoomHears, ...]:
        waiting = tuple(self._queue)
        self._queue.clear()
        return waiting

    def _drain(self) -> None:
        self._scheduled = False
        self._draining = True
        try:
            while self._queue and not self.over:
                event = self._queue.popleft()
                self._guarded(lambda event=event: self.room.handle(event, now()), event)  # type: ignore[misc]
        finally:
            self._draining = False
        if not self.over and not self._queue:
            self._world.settled(self)
        self._rearm()

    def _wake(self) -> None:
        self._timer = None
        if not self.over:
            self._guarded(lambda: self.room.handle_timer(now()))
        if not self.over and not self._queue:
            self._world.settled(self)
        self._rearm()

    def _guarded(self, step: Callable[[], None], event: RoomHears | None = None) -> None:
        """A fault in one room ends that room, never another, and nobody is left in it."""
        try:
            step()
            while not self.over and (command := self.room.poll_command()) is not None:
                if isinstance(command, Closed):
                    self._finish()
                    self._world.closed(self, self._unheard())
                else:
                    self._world.perform(self, command)
        except Exception:
            log.exception("room.fault", room=self.room.view().room.name)
            self._finish()
            # Who was just coming is perhaps not among its guests yet.
            self._world.broken(self, (*(() if event is None else (event,)), *self._unheard()))

    def _finish(self) -> None:
        self.over = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _rearm(self) -> None:
        deadline = None if self.over else self.room.poll_deadline()
        if self._timer is not None:
            if self._timer_at == deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer_at = deadline
            self._timer = self._loop.call_later(max(0.0, deadline - time.monotonic()), self._wake)
