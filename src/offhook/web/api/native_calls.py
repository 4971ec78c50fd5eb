"""`/v1/calls`: make, list, show, hang up. Their timelines are in `native_events`."""

from datetime import datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Query, Request
from pydantic import Field

from offhook.flow import ids
from offhook.flow.dialects.choose import DIALECTS, choose, read_start
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.dialects.urls import absolute_url
from offhook.flow.errors import DocumentError, WrongUrl, excerpt
from offhook.flow.view import HIDDEN_CALLER, CallId
from offhook.runtime.book import row_of
from offhook.storage.records import call_by_id, calls_page, tombstone
from offhook.storage.rows import CallRow, columns_of
from offhook.storage.writer import StorageUnavailable
from offhook.web.api.native_request import Asking, Body, Caller, NativeError, e164, moment, read_call_id, utc
from offhook.web.idempotency import reserved
from offhook.web.placing import placed_before
from offhook.web.port import CallOrder, Overloaded

__all__ = ["call_json", "call_row", "router", "settled"]

SETTLE_S = 1.0

router = APIRouter(prefix="/v1/calls", tags=["calls"])


class CallBody(Body):
    """A call to be made."""

    to: str
    from_: Annotated[str, Field(alias="from")]
    voice_start: Annotated[str, Field(description="A URL, or a document written out.")]
    account: str | None = None
    dialect: Annotated[
        str | None, Field(description="The words of its webhooks; without: those of the document, else 46elks'.")
    ] = None
    whenhangup: str | None = None
    ring_timeout_s: Annotated[int, Field(ge=1, le=600)] = 60
    record: bool = False
    fallback: Annotated[str, Field(description="A URL or a document, for when the web application fails.")] = ""


def call_json(call: CallRow) -> dict[str, Any]:
    """A call, with both of its ids."""
    described = columns_of(call)
    del described["deleted"]
    return {
        **described,
        "id": ids.call_id(CallId(call.id)),
        "uuid": str(UUID(call.id)),
        "created": moment(call.created),
        "started": moment(call.started),
        "ended": moment(call.ended),
        "duration_s": None
        if call.started is None or call.ended is None
        else max(0, round((call.ended - call.started) / timedelta(seconds=1))),
    }


@router.post("")
async def place_call(caller: Asking, body: CallBody, request: Request) -> dict[str, Any]:
    """Makes a call; it rings when this is answered, or has failed with its cause."""
    native, promised = caller.native, reserved(request.scope)
    if promised is not None and promised.resumed:
        placed = await placed_before(native.server, native.storage, promised.call)
        if placed is not None:
            return call_json(placed)
    account = caller.which(body.account)
    shown = body.from_ if body.from_ == HIDDEN_CALLER else e164(body.from_, "from")
    may_show = native.storage.directory.may_show(account.id, shown) or shown == HIDDEN_CALLER
    if not native.settings.dev and not may_show:
        raise NativeError(
            403, "caller_id", f"{shown} may not be shown; allow it with: offhook account caller-id add {shown}"
        )
    dialect = _dialect(body)
    left = native.storage.directory.credit_left(account.id)
    if left is not None and left <= 0:
        raise NativeError(403, "no_credit", f"{account.name} has no credit left; add some with: offhook account credit")
    try:
        order = CallOrder(
            id=None if promised is None else promised.call,
            owner=account.id,
            from_=shown,
            to=e164(body.to, "to"),
            start=read_start(body.voice_start, dialect),
            dialect=dialect.name,
            hangup_url=_hangup_url(body.whenhangup),
            ring_timeout_s=body.ring_timeout_s,
            record=body.record,
            fallback=read_start(body.fallback, dialect, key="fallback") if body.fallback.strip() else None,
        )
        if promised is not None and promised.resumed:
            return call_json(row_of(await native.server.give_up(order), dialect))
        return call_json(row_of(await native.server.place_call(order), dialect))
    except DocumentError as error:
        raise NativeError(400, error.name, str(error)) from None
    except Overloaded as error:
        raise NativeError(503, "overloaded", str(error)) from None


def _hangup_url(text: str | None) -> str | None:
    """Raises `WrongUrl`: nothing could be delivered there, and that would be found out at the end of the call."""
    if text is None or not text.strip():
        return None
    url = absolute_url(text, "")
    if url is None:
        raise WrongUrl(key="whenhangup", found=f"the text “{excerpt(text)}”")
    return url


def _dialect(body: CallBody) -> Dialect:
    """Raises `NativeError`."""
    if body.dialect is None:
        return choose(body.voice_start.encode("utf-8", "replace"), DIALECTS["elks"])
    if body.dialect not in DIALECTS:
        raise NativeError(400, "no_dialect", f"there is no dialect {body.dialect}; there are: {', '.join(DIALECTS)}")
    return DIALECTS[body.dialect]


@router.get("")
async def list_calls(
    caller: Asking,
    account: str | None = None,
    before: datetime | None = None,
    after: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Calls, newest first; `next`, if there, is the `before` of the following page."""
    owner = caller.owners(account)
    await settled(caller)
    page = await caller.native.storage.read(
        lambda connection: calls_page(connection, owner, before=utc(before), after=utc(after), limit=limit)
    )
    calls = [call_json(_freshest(caller, row)) for row in page.rows]
    return {"calls": calls, "next": moment(page.next)}


@router.get("/{call}")
async def show_call(caller: Asking, call: str) -> dict[str, Any]:
    """One call as it is now, or as it ended."""
    return call_json(await call_row(caller, read_call_id(call)))


@router.post("/{call}/hang-up")
async def hang_up(caller: Asking, call: str) -> dict[str, Any]:
    """Ends a call."""
    row = await call_row(caller, read_call_id(call))
    if not await caller.native.server.hang_up(CallId(row.id)):
        raise NativeError(409, "call_over", "the call is over already")
    return {"id": ids.call_id(CallId(row.id)), "hung_up": True}


async def call_row(caller: Caller, call_id: CallId) -> CallRow:
    """A call that the asker may see. Raises `NativeError`: 404, or 410 for one that its customer deleted."""
    live = caller.native.server.live_row(call_id)
    if live is not None and caller.sees(live.owner):
        return live
    await settled(caller)
    row = await caller.native.storage.read(lambda connection: call_by_id(connection, call_id))
    if row is None:
        gone = await caller.native.storage.read(lambda connection: tombstone(connection, call_id))
        if gone is not None and caller.sees(gone.owner):
            raise NativeError(410, "call_deleted", f"this call was deleted at {moment(gone.deleted)}")
    if row is None or not caller.sees(row.owner):
        raise NativeError(404, "no_call", "there is no such call; offhook calls shows them")
    return row


def _freshest(caller: Caller, row: CallRow) -> CallRow:
    live = caller.native.server.live_row(CallId(row.id)) if row.state == "ongoing" else None
    return row if live is None else live


async def settled(caller: Caller) -> None:
    """Wait a little until what was said is durable, and so can be read."""
    try:
        await caller.native.storage.writer.flush(SETTLE_S)
    except StorageUnavailable:
        return  # a database in trouble shows what it has
