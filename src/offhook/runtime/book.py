"""What happened, on its way into storage: timelines, calls as lists show them, recordings, money.

Turns what call control says into rows; the meaning was decided there. Nothing here waits for the disk: the API's
promises do, by `flush`.
"""

import asyncio
import contextlib
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from offhook.flow import ids
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.view import CallId, CallState, CallView, Cause, LegView
from offhook.runtime.media_recordings import RecordingClosed
from offhook.runtime.timeline_entry import (
    ENTRIES_MAX,
    ENTRIES_OF_THE_END_MAX,
    FULL,
    OF_THE_END,
    full_data,
    shown,
    without_digits,
)
from offhook.storage.directory import Directory
from offhook.storage.records import NumberedEntry, Records
from offhook.storage.rows import CallRow, RecordingRow
from offhook.storage.writer import StorageUnavailable, Writer

__all__ = ["Book", "Entry", "row_of"]

FLUSH_TIMEOUT_S = 2.0
ENDED_CALLS_KEPT = 10_000

Entry = tuple[datetime, str, Mapping[str, Any]]
"""Of a timeline: when it happened, its kind, its data."""


class Book:
    """The only writer of calls into storage."""

    def __init__(
        self,
        *,
        records: Records,
        writer: Writer,
        directory: Directory,
        base_url: Callable[[], str],
        retention: timedelta,
        link_key: Callable[[str], str],
        mask_digits: bool = False,
    ) -> None:
        """`link_key`: what an open link to a thing of that name bears. `mask_digits`: keys that callers press are not
        kept."""
        self._records = records
        self._writer = writer
        self._directory = directory
        self._base_url = base_url
        self._retention = retention
        self._link_key = link_key
        self._mask_digits = mask_digits
        self._last: OrderedDict[CallId, int] = OrderedDict()
        """The newest entry of every live call, and of those that ended lately (posts that are owed come after)."""
        self._live: set[CallId] = set()
        self._waiting: dict[CallId, list[asyncio.Future[None]]] = {}

    def note(self, call: CallId, kind: str, data: Mapping[str, Any]) -> None:
        """An entry of a call's timeline, of now."""
        self.note_all(call, [(datetime.now(UTC), kind, data)])

    def note_all(self, call: CallId, entries: Iterable[Entry]) -> None:
        """Entries of a call's timeline, in order, with no gaps between numbers. Of a full timeline, only the end."""
        last = self._last.get(call, 0)
        rows: list[NumberedEntry] = []
        for at, kind, data in entries:
            if last + 1 >= ENTRIES_MAX:
                if last + 1 == ENTRIES_MAX:
                    last += 1
                    rows.append((last, at, FULL, full_data()))
                if kind not in OF_THE_END or last >= ENTRIES_MAX + ENTRIES_OF_THE_END_MAX:
                    continue
            last += 1
            rows.append((last, at, kind, shown(data, mask_digits=self._mask_digits)))
        if not rows:
            return
        self._records.note_events(call, rows)
        self._last[call] = last
        for waiting in self._waiting.pop(call, ()):
            if not waiting.done():
                waiting.set_result(None)

    def together(self) -> contextlib.AbstractContextManager[None]:
        """What is written within is one transaction: after a crash there is all of it or nothing."""
        return self._writer.together()

    def remember(self, entries: Mapping[str, int]) -> None:
        """Go on with the timelines of calls that are over, from their last entries."""
        for call, seq in entries.items():
            self._last.setdefault(CallId(call), seq)

    def opened(self, view: CallView, dialect: Dialect) -> None:
        """A call begins."""
        self._live.add(view.id)
        self.save(view, dialect)

    def resumed(self, view: CallView, entries: int) -> None:
        """A call goes on that an earlier server began; its timeline had so many entries when this server looked. What
        was owed for it may have been delivered since, and be its newest entry."""
        self._live.add(view.id)
        self._last[view.id] = max(entries, self._last.get(view.id, 0))

    def noted_late(self, call: CallId, kind: str, data: Mapping[str, Any]) -> None:
        """An entry for a call that may be long over; one that is no longer known gets none."""
        if call in self._last:
            self.note(call, kind, data)

    def save(self, view: CallView, dialect: Dialect) -> None:
        """The call as it stands, for lists."""
        row = row_of(view, dialect)
        if self._mask_digits:
            row = replace(row, actions=without_digits(row.actions))
        self._records.save_call(row)

    def recorded(
        self, owner: str, call: CallId, index: int, path: Path, closed: RecordingClosed, *, open_link: bool = False
    ) -> str:
        """A recording of the customer's. Returns its URL; an open one can be fetched by whoever has it."""
        created = datetime.now(UTC)
        self._records.save_recording(
            RecordingRow(
                call_id=call,
                number=index,
                owner=owner,
                path=path.name,
                created=created,
                duration_s=closed.duration_ms / 1000,
                bytes=closed.size_bytes,
                expires=created + self._retention,
            )
        )
        name = ids.recording_id(call, index)
        key = f"?key={self._link_key(name)}" if open_link else ""
        return f"{self._base_url()}/a1/recordings/{name}.wav{key}"

    def draw(self, owner: str, call: CallId, amount: int) -> bool:
        """Take money for a call. False: the balance no longer bears it (what was used is still owed)."""
        self._directory.charge(owner, amount, f"/Calls/{ids.call_id(call)}")
        left = self._directory.credit_left(owner)
        return left is None or left >= 0

    def can_pay(self, owner: str) -> bool:
        """Whether a new call may begin."""
        left = self._directory.credit_left(owner)
        return left is None or left > 0

    def closed(self, call: CallId) -> None:
        """The call is over; nobody waits for its timeline any longer."""
        self._live.discard(call)
        if call in self._last:
            self._last.move_to_end(call)
        while len(self._last) > len(self._live) + ENDED_CALLS_KEPT:
            oldest = next(iter(self._last))
            if oldest in self._live:
                self._last.move_to_end(oldest)
            else:
                del self._last[oldest]
        for waiting in self._waiting.pop(call, ()):
            if not waiting.done():
                waiting.set_result(None)

    def is_open(self, call: CallId) -> bool:
        """Whether a call may still have something to say; what is owed to its customer is reported later."""
        return call in self._live

    def is_awaited(self, call: CallId) -> bool:
        """Whether somebody waits for its timeline to grow."""
        return call in self._waiting

    def forget(self, call: CallId) -> None:
        """Its customer deleted a call that is over: late entries would say again what was to be forgotten."""
        self._last.pop(call, None)

    async def wait(self, call: CallId, after: int, timeout_s: float, *, late: bool = False) -> None:
        """Wait until a live call's timeline goes beyond an entry, the call is over, or time is up; then flush.

        `late`: also for a call that is over, since what is owed for it is still reported.
        """
        if (late or call in self._live) and self._last.get(call, 0) <= after:
            waiting = asyncio.get_running_loop().create_future()
            self._waiting.setdefault(call, []).append(waiting)
            try:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(waiting, timeout_s)
            finally:
                self._forget_waiting(call, waiting)
        await self.flush()

    def close_unfinished(self, rows: Sequence[CallRow], cause: Cause = Cause.SERVER_RESTART) -> None:
        """Calls that were going on when the last server died, or that nobody has any more: nothing may be ongoing for
        ever. `remember` their timelines first: this is their last entry."""
        for row in rows:
            at = datetime.now(UTC)
            state = CallState.FAILED if row.started is None else CallState.SUCCESS
            if row.id not in self._last:
                # Its first entries go with its first facts, which an incoming call has a moment later.
                said = {"direction": row.direction, "from": row.from_number, "to": row.to_number}
                self.note(CallId(row.id), "call.begun", said)
            self.note(CallId(row.id), "call.ended", {"cause": cause.value, "state": state.value})
            self._records.save_call(replace(row, state=state.value, cause=cause.value, ended=at))

    def _forget_waiting(self, call: CallId, waiting: "asyncio.Future[None]") -> None:
        """Whoever gave up must not be kept until the call says something."""
        left = self._waiting.get(call)
        if left is not None and waiting in left:
            left.remove(waiting)
            if not left:
                del self._waiting[call]

    async def flush(self) -> bool:
        """Wait until all this is durable. False: the disk does not take it now; it is kept in memory."""
        try:
            await self._writer.flush(FLUSH_TIMEOUT_S)
        except StorageUnavailable:
            return False
        return True


def row_of(view: CallView, dialect: Dialect) -> CallRow:
    """A call as lists show it, its log in the words of its dialect."""
    return CallRow(
        id=view.id,
        owner=view.owner,
        direction=view.direction.value,
        from_number=view.from_,
        to_number=view.to,
        created=view.created,
        started=view.start,
        ended=view.end,
        state=view.state.value,
        cause=None if view.cause is None else view.cause.value,
        cost=view.cost,
        ring_timeout_s=view.ring_timeout_s,
        actions=tuple(dialect.actions(view)),
        legs=tuple(_leg_of(leg) for leg in view.legs),
        recordings=view.recordings,
    )


def _leg_of(leg: LegView) -> dict[str, Any]:
    return {"duration": leg.duration_s, "to": leg.to, "state": leg.state.value, "from": leg.from_}
