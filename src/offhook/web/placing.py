"""A call promised to a request with an `Idempotency-Key`: found again after a crash, and never placed twice."""

import contextlib
from datetime import UTC, datetime

from offhook.flow.view import CallId, CallState, CallView, Cause, Direction
from offhook.runtime.book import row_of
from offhook.storage.records import call_by_id
from offhook.storage.rows import CallRow, EventRow
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable
from offhook.web.port import CallOrder, ServerPort

__all__ = ["brief_view", "given_up", "placed_before"]

SETTLE_S = 1.0


async def placed_before(server: ServerPort, storage: Storage, call: CallId) -> CallRow | None:
    """The call of that id, live or over; `None`: the process that promised it died before it was placed."""
    live = server.live_view(call)
    if live is not None:
        return row_of(live)
    with contextlib.suppress(StorageUnavailable):
        await storage.writer.flush(SETTLE_S)
    return await storage.read(lambda connection: call_by_id(connection, call))


def given_up(storage: Storage, call: CallId, order: CallOrder) -> CallRow:
    """Records a promised call as failed: it may have begun to ring as the process died, so it is not placed again."""
    now = datetime.now(UTC)
    row = row_of(
        CallView(
            id=call,
            direction=Direction.OUTGOING,
            from_=order.from_,
            to=order.to,
            created=now,
            state=CallState.FAILED,
            end=now,
            cause=Cause.SERVER_RESTART,
            ring_timeout_s=order.ring_timeout_s,
            owner=order.owner,
        )
    )
    cause = {"cause": Cause.SERVER_RESTART.value, "state": CallState.FAILED.value}
    with storage.writer.together():
        storage.records.save_call(row)
        storage.records.append_event(EventRow(call_id=call, seq=1, at=now, kind="call.ended", data=cause))
    return row


def brief_view(row: CallRow) -> CallView:
    """As much of a call as an API says when it makes one."""
    return CallView(
        id=CallId(row.id),
        direction=Direction(row.direction),
        from_=row.from_number,
        to=row.to_number,
        created=row.created,
        state=CallState(row.state),
        owner=row.owner,
    )
