"""`/v1/calls/{call}/events`, `timeline` and `export`: what happened in a call, as pages, as a stream, as one file.

The stream is Server-Sent Events, on the same address by `Accept: text/event-stream`. An entry's number is its event id,
so that a reader who comes back goes on where it was.
"""

import asyncio
import json
import time
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response

from offhook.flow import ids
from offhook.flow.view import CallId
from offhook.storage.deliveries import deliveries_of
from offhook.storage.records import events_after, recordings_of
from offhook.storage.rows import DeliveryRow, EventRow, RecordingRow
from offhook.web.api.native_calls import call_json, call_row, settled
from offhook.web.api.native_deliveries import delivery_with_params
from offhook.web.api.native_request import Asking, Caller, NativeError, moment, read_call_id
from offhook.web.event_stream import EVENT_STREAM, KEEP_ALIVE, RETRY_MS, InPieces, event

__all__ = ["router"]

MAX_WAIT_S = 60.0
PAGE_MAX = 1000
STREAM_PAGE = 100
"""Entries that a stream holds in memory at a time, and an export."""
KEEP_ALIVE_S = 15.0
LINGER_S = 60.0
"""How long a stream stays for reports of deliveries after its call is over; they may go on for a day."""
QUIET_S = 1.0
"""How long nothing may come, at the end, before a stream believes that nothing will."""
PAUSE_S = 0.25
SEQ_MAX = 2**31 - 1
SEQ_DIGITS = len(str(SEQ_MAX))
EXPORT_FORMAT = "offhook.call/1"
NO_CONTENT = 204

AfterQuery = Annotated[int, Query(ge=0, le=SEQ_MAX, description="Entries after this number.")]
LimitQuery = Annotated[int, Query(ge=1, le=PAGE_MAX, description="At most so many.")]
WaitQuery = Annotated[
    float, Query(ge=0, le=MAX_WAIT_S, allow_inf_nan=False, description="Seconds to wait for the next one.")
]

router = APIRouter(prefix="/v1/calls", tags=["calls"])


@router.get("/{call}/events", responses={200: {"content": {EVENT_STREAM: {}}}})
async def events(
    request: Request,
    caller: Asking,
    call: str,
    after: AfterQuery = 0,
    limit: LimitQuery = PAGE_MAX,
    wait: WaitQuery = 0.0,
) -> Any:
    """What happened, oldest first. `next`: the `after` of the following page. `over`: the call has said all it had to
    say (what is owed to its customer may be reported later). With `Accept: text/event-stream` each entry comes as it
    happens; `Last-Event-ID` stands for `after`.
    """
    row = await call_row(caller, read_call_id(call))
    if EVENT_STREAM in request.headers.get("accept", ""):
        return await _stream(caller, CallId(row.id), _last_heard(request, after))
    return await _page(caller, CallId(row.id), after, limit, wait)


@router.get("/{call}/timeline")
async def timeline(caller: Asking, call: str, after: AfterQuery = 0, wait: WaitQuery = 0.0) -> dict[str, Any]:
    """The older name of `events`."""
    row = await call_row(caller, read_call_id(call))
    return await _page(caller, CallId(row.id), after, PAGE_MAX, wait)


@router.get("/{call}/export")
async def export(caller: Asking, call: str) -> Response:
    """All that is known of a call, as one file: the call, its recordings, what was owed to its customer (each post as
    `/v1/deliveries` shows it, as long as it is kept), its timeline."""
    row = await call_row(caller, read_call_id(call))
    over = not caller.native.server.timeline_open(CallId(row.id))
    recordings = await caller.native.storage.read(lambda connection: recordings_of(connection, row.id, _now()))
    about = {
        "format": EXPORT_FORMAT,
        "exported": moment(_now()),
        "over": over,
        "call": call_json(row),
        "recordings": [_recording_json(caller, each) for each in recordings],
    }
    answer = InPieces(partial(_exported, caller, CallId(row.id), about), media_type="application/json")
    answer.headers["content-disposition"] = f'attachment; filename="{ids.call_id(CallId(row.id))}.json"'
    return answer


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _page(caller: Caller, call: CallId, after: int, limit: int, wait: float) -> dict[str, Any]:
    server = caller.native.server
    # Asked before the entries are read: what a call has to say was said before its timeline closed.
    over = not server.timeline_open(call)
    found = await _entries(caller, call, after, limit)
    if not found and not over and wait:
        await server.wait_for_event(call, after, wait)
        over = not server.timeline_open(call)
        found = await _entries(caller, call, after, limit)
    return {
        "events": [_entry_json(entry) for entry in found],
        "next": found[-1].seq if found else after,
        "over": over and len(found) < limit,
    }


async def _entries(caller: Caller, call: CallId, after: int, limit: int) -> list[EventRow]:
    caller.native.server.write_down(call)
    await settled(caller)
    return await caller.native.storage.read(lambda connection: events_after(connection, call, after, limit))


def _entry_json(entry: EventRow) -> dict[str, Any]:
    return {"seq": entry.seq, "at": moment(entry.at), "kind": entry.kind, "data": entry.data}


# ── the stream ───────────────────────────────────────────────────────────────────────────────────────────────────────


def _last_heard(request: Request, after: int) -> int:
    """Where a reader goes on: what it heard last, if it was here before. Raises `NativeError`."""
    heard = request.headers.get("last-event-id")
    if heard is None:
        return after
    if not (heard.isascii() and heard.isdecimal() and len(heard) <= SEQ_DIGITS and int(heard) <= SEQ_MAX):
        raise NativeError(400, "invalid_request", f"Last-Event-ID {heard[:40]!r} is no number of an entry")
    return int(heard)


async def _stream(caller: Caller, call: CallId, after: int) -> Response:
    server, streams = caller.native.server, caller.native.streams
    if streams.full:
        raise NativeError(503, "too_many_streams", "too many timelines are being followed; ask again in a moment")
    if not server.timeline_open(call) and not server.owes(call) and not await _entries(caller, call, after, 1):
        # What tells a reader not to come back (section 9.2.3): it has heard all there is.
        return Response(status_code=NO_CONTENT)
    return InPieces(partial(_told, caller, call, after), media_type=EVENT_STREAM, streams=streams)


@dataclass(slots=True)
class _Ending:
    """When a stream may end: the call is over, and nothing more is to be expected."""

    server: Any
    call: CallId
    clock: Callable[[], float] = time.monotonic
    over_since: float | None = None
    quiet_since: float = 0.0

    def look(self, heard: bool) -> float:
        """How long to wait for more; below 0: no longer."""
        now = self.clock()
        if heard:
            self.quiet_since = now
        if self.server.timeline_open(self.call):
            return KEEP_ALIVE_S
        if self.over_since is None:
            self.over_since = self.quiet_since = now
        left = self.over_since + LINGER_S - now
        if self.server.owes(self.call):
            self.quiet_since = now
            return min(left, KEEP_ALIVE_S)
        return min(left, self.quiet_since + QUIET_S - now)


async def _told(caller: Caller, call: CallId, after: int) -> AsyncGenerator[bytes, None]:
    """Entries as they come, a page in memory at most; a comment where it is silent; `end` at the end."""
    server = caller.native.server
    ending = _Ending(server, call)
    yield f"retry: {RETRY_MS}\n\n".encode()
    hasty = False
    while True:
        open_before = server.timeline_open(call)
        found = await _entries(caller, call, after, STREAM_PAGE)
        for entry in found:
            after = entry.seq
            yield event(_entry_json(entry), id=entry.seq)
        wait_s = ending.look(bool(found))
        if found:
            hasty = False
            continue
        if wait_s <= 0:
            break
        if hasty:
            # A database in trouble may not show yet what there is to tell: it is not asked in a circle.
            await asyncio.sleep(PAUSE_S)
        began = time.monotonic()
        await server.wait_for_event(call, after, wait_s, late=not open_before)
        waited = time.monotonic() - began
        hasty = waited < PAUSE_S
        if waited >= KEEP_ALIVE_S:
            yield KEEP_ALIVE
    yield event({}, kind="end")


# ── the file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _exported(caller: Caller, call: CallId, about: dict[str, Any]) -> AsyncGenerator[bytes, None]:
    """Entries last, so that they may be read as they come."""
    yield json.dumps(about, ensure_ascii=False, indent=1)[:-2].encode()
    yield b',\n "deliveries": ['
    first, posts = True, await _posts(caller, call, None)
    while posts:
        yield _lines([delivery_with_params(caller, post) for post in posts], first)
        first, posts = False, await _posts(caller, call, posts[-1])
    yield b'\n ],\n "events": ['
    after, first = 0, True
    while found := await _entries(caller, call, after, STREAM_PAGE):
        yield _lines(list(map(_entry_json, found)), first)
        after, first = found[-1].seq, False
    yield b"\n ]\n}\n"


def _lines(items: list[dict[str, Any]], first: bool) -> bytes:
    """One in each line; `first`: they are the first of their list."""
    lines = ",\n  ".join(json.dumps(each, ensure_ascii=False) for each in items)
    return (("\n  " if first else ",\n  ") + lines).encode("utf-8", "replace")


async def _posts(caller: Caller, call: CallId, after: DeliveryRow | None) -> tuple[DeliveryRow, ...]:
    await settled(caller)
    return await caller.native.storage.read(lambda connection: deliveries_of(connection, call, after, STREAM_PAGE))


def _recording_json(caller: Caller, row: RecordingRow) -> dict[str, Any]:
    base = caller.native.settings.http_base
    name = ids.recording_id(CallId(row.call_id), row.number)
    return {
        "id": name,
        "created": moment(row.created),
        "duration_s": row.duration_s,
        "bytes": row.bytes,
        "expires": moment(row.expires),
        "wav": f"{base}/a1/recordings/{name}.wav",
    }


def _now() -> datetime:
    return datetime.now(UTC)
