"""A call promised to a request with an `Idempotency-Key`: found again after a crash, and never placed twice."""

import contextlib

from offhook.flow.view import CallId, CallState, CallView, Direction
from offhook.storage.records import call_by_id
from offhook.storage.rows import CallRow
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable
from offhook.web.port import ServerPort

__all__ = ["brief_view", "placed_before"]

SETTLE_S = 1.0


async def placed_before(server: ServerPort, storage: Storage, call: CallId) -> CallRow | None:
    """The call of that id, live or over; `None`: the process that promised it died before it was placed."""
    live = server.live_row(call)
    if live is not None:
        return live
    with contextlib.suppress(StorageUnavailable):
        await storage.writer.flush(SETTLE_S)
    return await storage.read(lambda connection: call_by_id(connection, call))


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
