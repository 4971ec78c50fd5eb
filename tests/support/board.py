"""A switchboard without calls: it takes orders and shows them as live until they are ended. For tests of the web."""

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from offhook.call.changes import Change, Objection
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.view import CallId, CallState, CallView, Cause, Direction
from offhook.hooks.delivery import Turn
from offhook.runtime.book import row_of
from offhook.runtime.outbox import owed_again
from offhook.runtime.rooms import RoomEntry, RoomName, RoomView
from offhook.runtime.speech.provider import OfferedVoice
from offhook.storage.keys import new_id
from offhook.storage.rows import CallRow, DeliveryRow, EventRow
from offhook.storage.store import Storage
from offhook.web.port import CallOrder, Overloaded

__all__ = ["Board"]


class Board:
    """A `ServerPort` on a real storage."""

    def __init__(self, storage: Storage) -> None:
        self.storage = storage
        self.orders: list[CallOrder] = []
        self.live: dict[CallId, CallView] = {}
        self.owed: set[CallId] = set()
        """Calls for which something is still to be delivered."""
        self.directory_changes = 0
        self.changes: list[tuple[CallId, Change]] = []
        self.objection: Objection | None = None
        self.replayed: list[str] = []
        self.turn = Turn.NOW
        self.offered_voices: list[OfferedVoice] = []
        self.open_rooms: list[tuple[RoomView, Sequence[RoomEntry]]] = []
        self.full = False
        self.broken = False
        self.restarts = 0
        self.reason: str | None = None
        self._noted: dict[CallId, int] = {}
        self._news = asyncio.Condition()

    async def place_call(self, order: CallOrder) -> CallView:
        if self.full:
            raise Overloaded("No more calls can be carried now; try again in a moment")
        if self.broken:
            raise RuntimeError("a fault of ours")
        self.orders.append(order)
        view = self._made(order)
        self.live[view.id] = view
        self._save(view)
        await self.note(view.id, "call.created", {"to": order.to})
        return view

    def _made(self, order: CallOrder) -> CallView:
        return CallView(
            id=order.id or CallId(new_id("")),
            direction=Direction.OUTGOING,
            from_=order.from_,
            to=order.to,
            created=datetime.now(UTC),
            owner=order.owner,
            ring_timeout_s=order.ring_timeout_s,
        )

    async def give_up(self, order: CallOrder) -> CallView:
        made = self._made(order)
        view = replace(made, state=CallState.FAILED, cause=Cause.SERVER_RESTART, end=made.created)
        self._save(view)
        await self.note(view.id, "call.ended", {"cause": "server_restart"})
        return view

    def live_view(self, call_id: CallId) -> CallView | None:
        return self.live.get(call_id)

    def live_row(self, call_id: CallId) -> CallRow | None:
        view = self.live.get(call_id)
        return None if view is None else row_of(view, DIALECTS["elks"])

    async def hang_up(self, call_id: CallId) -> bool:
        view = self.live.pop(call_id, None)
        if view is None:
            return False
        self._save(replace(view, state=CallState.FAILED, cause=Cause.CANCELLED, end=datetime.now(UTC)))
        await self.note(call_id, "call.ended", {"cause": "cancelled"})
        return True

    async def change_call(self, call_id: CallId, wanted: Change) -> Objection | None:
        if call_id not in self.live:
            return Objection.CALL_OVER
        if self.objection is None:
            self.changes.append((call_id, wanted))
        return self.objection

    async def note(self, call_id: CallId, kind: str, data: Mapping[str, Any]) -> None:
        seq = self._noted[call_id] = self._noted.get(call_id, 0) + 1
        row = EventRow(call_id=call_id, seq=seq, at=datetime.now(UTC), kind=kind, data=data)
        self.storage.records.append_event(row)
        async with self._news:
            self._news.notify_all()

    async def wait_for_event(self, call_id: CallId, after: int, timeout_s: float, *, late: bool = False) -> None:
        async with self._news:
            try:
                async with asyncio.timeout(timeout_s):
                    await self._news.wait_for(
                        lambda: self._noted.get(call_id, 0) > after or (call_id not in self.live and not late)
                    )
            except TimeoutError:
                return

    def write_down(self, call_id: CallId) -> None:
        """What there is, is put at once."""

    def timeline_open(self, call_id: CallId) -> bool:
        return call_id in self.live

    def owes(self, call_id: CallId) -> bool:
        return call_id in self.owed

    async def replay(self, deliveries: Sequence[DeliveryRow]) -> None:
        self.replayed += [row.id for row in deliveries]
        for row in deliveries:
            self.storage.deliveries.save(owed_again(row, datetime.now(UTC)))

    async def replay_one(self, delivery: DeliveryRow) -> Turn:
        await self.replay((delivery,))
        return self.turn

    def erased(self, call_id: CallId) -> None:
        self._noted.pop(call_id, None)

    async def until_live(self, deadline_s: float = 20.0) -> CallView:
        """The first live call, as soon as there is one."""
        async with self._news, asyncio.timeout(deadline_s):
            await self._news.wait_for(lambda: self.live)
        return next(iter(self.live.values()))

    def rooms(self) -> Sequence[RoomView]:
        return [view for view, _ in self.open_rooms]

    def room_log(self, room: RoomName) -> Sequence[RoomEntry]:
        return next((entries for view, entries in self.open_rooms if view.room == room), ())

    async def voices(self) -> Sequence[OfferedVoice]:
        return self.offered_voices

    def directory_changed(self) -> None:
        self.directory_changes += 1

    def not_ready(self) -> str | None:
        return self.reason

    def status(self) -> Mapping[str, Any]:
        return {"calls": len(self.live), "instance": f"i{self.restarts}"}

    def restart(self) -> None:
        self.restarts += 1

    def _save(self, view: CallView) -> None:
        self.storage.records.save_call(row_of(view, DIALECTS["elks"]))
