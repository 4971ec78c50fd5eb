"""`/a1/calls`: create, list, show, delete. Spec: 46elks `make-call`, `call-history`, `show-call-id`."""

import contextlib
from datetime import UTC, datetime
from typing import Any

from offhook.flow import ids
from offhook.flow.dialects import elks_words
from offhook.flow.dialects.dialect import Reading
from offhook.flow.program import Document
from offhook.flow.view import HIDDEN_CALLER, CallId
from offhook.storage.records import call_by_id, calls_page
from offhook.storage.rows import CallRow
from offhook.storage.writer import StorageUnavailable
from offhook.web.api.elks_request import (
    Bounds,
    Elks,
    ElksError,
    ElksRequest,
    not_found,
    number_of,
    paged,
    required,
    start_of,
    url_or_empty,
    whole_number,
    yes_or_no,
)
from offhook.web.idempotency import reserved
from offhook.web.placing import brief_view, placed_before
from offhook.web.port import CallOrder

__all__ = ["handle", "row_object", "settled"]

RING_TIMEOUT_S = 60
RING_TIMEOUT_LEAST_S = 1
RING_TIMEOUT_MOST_S = 600
SETTLE_S = 1.0
"""How long a list waits for rows on their way to the database."""


async def handle(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    """Any request below `/a1/calls`. Raises `ElksError`."""
    match request.method, request.parts:
        case "POST", ():
            return await _create(elks, request)
        case "GET", ():
            return await _list(elks, request)
        case "GET", (identifier,):
            return await _show(elks, request, identifier)
        case "DELETE", (identifier,):
            return await _delete(elks, request, identifier)
        case _:
            raise not_found()


async def settled(elks: Elks) -> None:
    """Waits a little for rows on their way; a database in trouble shows what it has."""
    with contextlib.suppress(StorageUnavailable):
        await elks.storage.writer.flush(SETTLE_S)


# ── create ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _create(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    promised = reserved(request.scope)
    if promised is not None and promised.resumed:
        placed = await placed_before(elks.server, elks.storage, promised.call)
        if placed is not None:
            return elks_words.created_object(brief_view(placed))
    texts = {name: required(request, name) for name in ("from", "to", "voice_start")}
    order = CallOrder(
        id=None if promised is None else promised.call,
        owner=request.account.id,
        from_=_caller_id(elks, request, texts["from"]),
        to=number_of(texts["to"], "to"),
        start=start_of(texts["voice_start"]),
        dialect="elks",
        hangup_url=url_or_empty(request, "whenhangup") or None,
        ring_timeout_s=_ring_timeout_s(request),
        record=yes_or_no(request, "record") is True,
        fallback=_fallback(request),
    )
    price = elks.prices.price(order.to)
    left = elks.storage.directory.credit_left(request.account.id)
    if left is not None and left < max(price.cost(1), 1):
        raise ElksError(403, "Not enough credits to make this call")
    if yes_or_no(request, "dryrun"):
        return {
            "direction": "outgoing",
            "from": order.from_,
            "to": order.to,
            "created": elks_words.live_time(datetime.now(UTC)),
            "estimated_cost": price.cost(1),
        }
    if promised is not None and promised.resumed:
        return elks_words.created_object(await elks.server.give_up(order))
    return elks_words.created_object(await elks.server.place_call(order))


def _caller_id(elks: Elks, request: ElksRequest, text: str) -> str:
    if text.strip().lower() == HIDDEN_CALLER:
        return HIDDEN_CALLER
    shown = number_of(text, "from")
    if not elks.settings.dev and not elks.storage.directory.may_show(request.account.id, shown):
        raise ElksError(403, "Invalid from number")
    return shown


def _fallback(request: ElksRequest) -> Document | Reading | None:
    """An addition of ours, as `voice_start`: what the call goes on with where the web application fails."""
    text = request.params.get("fallback", "")
    return start_of(text, "fallback") if text.strip() else None


def _ring_timeout_s(request: ElksRequest) -> int:
    text = request.params.get("timeout", "").strip()
    if not text:
        return RING_TIMEOUT_S
    return min(max(whole_number(text, "timeout"), RING_TIMEOUT_LEAST_S), RING_TIMEOUT_MOST_S)


# ── read ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _list(elks: Elks, request: ElksRequest) -> dict[str, Any]:
    bounds, owner = Bounds.of(request), request.account.id
    await settled(elks)
    page = await elks.storage.read(
        lambda connection: calls_page(connection, owner, before=bounds.before, after=bounds.after, limit=bounds.limit)
    )
    return paged(page, lambda row: _object(elks, row))


def _object(elks: Elks, row: CallRow) -> dict[str, Any]:
    view = elks.server.live_view(CallId(row.id)) if row.state == "ongoing" else None
    return row_object(row) if view is None else elks_words.call_object(view)


async def _show(elks: Elks, request: ElksRequest, identifier: str) -> dict[str, Any]:
    call = ids.read_call_id(identifier.lower())
    if call is None:
        raise not_found()
    view = elks.server.live_view(call)
    if view is not None and view.owner == request.account.id:
        return elks_words.call_object(view)
    return row_object(await _row(elks, request, call))


async def _row(elks: Elks, request: ElksRequest, call: CallId) -> CallRow:
    await settled(elks)
    row = await elks.storage.read(lambda connection: call_by_id(connection, call))
    if row is None or row.owner != request.account.id:
        raise not_found()
    return row


def row_object(row: CallRow) -> dict[str, Any]:
    """A call that is over, as lists and its own page show it; what there is nothing to say of is left out."""
    duration = None
    if row.started is not None and row.ended is not None:
        duration = max(0, round((row.ended - row.started).total_seconds()))
    described: dict[str, Any] = {
        "id": ids.call_id(CallId(row.id)),
        "direction": row.direction,
        "from": row.from_number or HIDDEN_CALLER,
        "to": row.to_number,
        "created": elks_words.stored_time(row.created),
        "state": row.state,
        "owner": row.owner or None,
        "start": None if row.started is None else elks_words.stored_time(row.started),
        "duration": duration,
        "cost": row.cost,
        "timeout": row.ring_timeout_s,
        "actions": list(row.actions) or None,
        "legs": list(row.legs) or None,
        "recordings": [f"c{identifier}" for identifier in row.recordings] or None,
    }
    return {name: value for name, value in described.items() if value is not None}


# ── delete ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def _delete(elks: Elks, request: ElksRequest, identifier: str) -> dict[str, Any]:
    call = ids.read_call_id(identifier.lower())
    if call is None:
        raise not_found()
    row = await _row(elks, request, call)
    if elks.server.live_view(call) is not None:
        raise ElksError(403, "The call is ongoing; delete it when it has ended")
    now = datetime.now(UTC)
    elks.server.erased(call)
    elks.storage.records.erase_call(row.id, now)
    await elks.storage.writer.flush()
    return {"id": ids.call_id(call), "deleted": elks_words.live_time(now)}
