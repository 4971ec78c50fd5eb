"""`/v1/deliveries`: what is owed to customers, what was delivered, what was given up; and sending it once more."""

import contextlib
from datetime import datetime
from functools import partial
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query

from offhook.call.masking import params_without_keys, shown_url
from offhook.flow import ids
from offhook.flow.view import CallId
from offhook.hooks.delivery import Turn
from offhook.storage.deliveries import DEAD, DELIVERED, deliveries_page, deliveries_since, delivery_by_id
from offhook.storage.rows import DeliveryRow
from offhook.storage.writer import StorageUnavailable
from offhook.web.api.native_request import Asking, Caller, NativeError, moment, read_call_id, utc

__all__ = ["router"]

SETTLE_S = 1.0
"""How long a list waits for rows on their way to the database."""
REPLAY_MAX = 10_000
"""Posts that one request owes once more; the answer says where to go on."""

router = APIRouter(prefix="/v1/deliveries", tags=["deliveries"])

State = Literal["owed", "delivered", "dead"]


def delivery_json(row: DeliveryRow) -> dict[str, Any]:
    """A post, without what it says."""
    request = row.data["request"]
    return {
        "id": row.id,
        "call": ids.call_id(CallId(row.call_id)) if row.call_id else None,
        "account": row.account,
        "kind": row.kind,
        "sequence": row.sequence,
        "method": request["method"],
        "url": shown_url(request["url"]),
        "state": row.state,
        "tries": row.tries,
        "created": moment(row.created),
        "next_try": moment(row.next_try),
        "done": moment(row.done),
        "status": row.status,
        "why": row.why or None,
    }


def delivery_with_params(caller: Caller, row: DeliveryRow) -> dict[str, Any]:
    """A post, with what it says. The row has the keys whatever is shown: its customer is owed them."""
    params = row.data["request"]["params"]
    if caller.native.settings.mask_digits:
        params = params_without_keys(params)
    return {**delivery_json(row), "params": params}


@router.get("")
async def list_deliveries(
    caller: Asking,
    account: str | None = None,
    state: State | None = None,
    call: str | None = None,
    since: Annotated[datetime | None, Query(description="Owed at this time or later.")] = None,
    before: datetime | None = None,
    limit: Annotated[int, Query(ge=1, le=100)] = 20,
) -> dict[str, Any]:
    """Posts, newest first; `next`, if there, is the `before` of the following page."""
    owner = caller.owners(account)
    call_id = None if call is None else read_call_id(call)
    await _settled(caller)
    page = await caller.native.storage.read(
        lambda connection: deliveries_page(
            connection, owner, state=state, call=call_id, since=utc(since), before=utc(before), limit=limit
        )
    )
    return {"deliveries": [delivery_json(row) for row in page.rows], "next": moment(page.next)}


@router.get("/{delivery}")
async def show_delivery(caller: Asking, delivery: str) -> dict[str, Any]:
    """One post, with what it says: `params`, names and values in order, keys blanked where `mask_digits` says so."""
    return delivery_with_params(caller, await _row(caller, delivery))


@router.post("/replay")
async def replay_since(
    caller: Asking,
    since: Annotated[datetime, Query(description="Owed at this time or later.")],
    account: str | None = None,
    state: State | None = None,
    call: str | None = None,
) -> dict[str, Any]:
    """Sends everything since a time once more, oldest first: what was delivered too, unless `state` says otherwise.

    `next`, if there, is the `since` to go on from: one request replays 10,000.
    """
    owner = caller.owners(account)
    call_id = None if call is None else read_call_id(call)
    await _settled(caller)
    states = () if state is None else (state,)
    replayed, following = 0, utc(since)
    while following is not None and replayed < REPLAY_MAX:
        page = partial(deliveries_since, account=owner, since=following, states=states, call=call_id)
        rows, following = await caller.native.storage.read(page)
        await caller.native.server.replay(rows)
        replayed += len(rows)
    await caller.stored()
    return {"replayed": replayed, "next": moment(following)}


@router.post("/{delivery}/replay")
async def replay_one(caller: Asking, delivery: str) -> dict[str, Any]:
    """Sends a post that is done once more, under its id; one that is owed is tried without waiting for its pause.

    Where it is not `tried_now`, `waits_for` says for what: `earlier` posts to the same call and receiver, which go
    first, `others` of the account to the same receiver, or a `server`, since none runs.
    """
    row = await _row(caller, delivery)
    turn = await caller.native.server.replay_one(row)
    await caller.stored()
    return {
        "id": row.id,
        "was": row.state,
        "replayed": row.state in (DELIVERED, DEAD),
        "tried_now": turn is Turn.NOW,
        "waits_for": None if turn is Turn.NOW else turn.value,
    }


async def _row(caller: Caller, delivery: str) -> DeliveryRow:
    await _settled(caller)
    row = await caller.native.storage.read(lambda connection: delivery_by_id(connection, delivery))
    if row is None or not caller.sees(row.account):
        raise NativeError(404, "no_delivery", f"there is no delivery {delivery!r}; offhook deliveries shows them")
    return row


async def _settled(caller: Caller) -> None:
    with contextlib.suppress(StorageUnavailable):  # a database in trouble shows what it has
        await caller.native.storage.writer.flush(SETTLE_S)
