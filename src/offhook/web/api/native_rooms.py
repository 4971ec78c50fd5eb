"""`/v1/rooms`: the conferences and queues that somebody is in now, and what happened in them. Reads only.

A room is there as long as somebody is in it; what happened in a call's visit is in that call's timeline for good.
"""

from datetime import UTC, datetime
from typing import Any

from fastapi import APIRouter

from offhook.flow import ids
from offhook.runtime.rooms import RoomEntry, RoomView
from offhook.web.api.native_request import Asking, Caller, NativeError, moment

__all__ = ["router"]

router = APIRouter(prefix="/v1/rooms", tags=["rooms"])


@router.get("")
async def list_rooms(caller: Asking, account: str | None = None) -> dict[str, Any]:
    """Rooms with their parties: callers in the order of the queue, then agents."""
    return {"rooms": [room_json(view) for view in _seen(caller, account)]}


@router.get("/{kind}/{name}")
async def show_room(caller: Asking, kind: str, name: str, account: str | None = None) -> dict[str, Any]:
    """One room, with its log."""
    found = [each for each in _seen(caller, account) if (each.room.kind.value, each.room.name) == (kind, name)]
    if not found:
        raise NativeError(404, "no_room", f"nobody is in a {kind} {name} now; GET /v1/rooms shows where somebody is")
    if len(found) > 1:
        raise NativeError(400, "which_account", f"several accounts have a {kind} {name}; say which with account=ID")
    (view,) = found
    return {**room_json(view), "log": [entry_json(entry) for entry in caller.native.server.room_log(view.room)]}


def room_json(view: RoomView) -> dict[str, Any]:
    """A room and who is in it; calls by the ids that they have elsewhere in `/v1`."""
    return {
        "account": view.room.account,
        "kind": view.room.kind.value,
        "name": view.room.name,
        "since": _wall(view.since),
        "guests": [
            {
                "call": ids.call_id(guest.call),
                "leg": guest.leg,
                "role": guest.role,
                "state": guest.state,
                "since": _wall(guest.since),
                "muted": guest.muted,
                "position": guest.position,
            }
            for guest in view.guests
        ],
    }


def entry_json(entry: RoomEntry) -> dict[str, Any]:
    """An entry of a room's log."""
    calls = {key: ids.call_id(value) for key, value in entry.data.items() if key in ("call", "by")}
    return {"at": moment(entry.at), "kind": entry.kind, "data": {**entry.data, **calls}}


def _seen(caller: Caller, account: str | None) -> list[RoomView]:
    """An account sees its own rooms and those of its subaccounts."""
    owner = caller.owners(account) if account is not None else None
    views = caller.native.server.rooms()
    return [view for view in views if caller.sees(view.room.account) and owner in (None, view.room.account)]


def _wall(seconds: float) -> Any:
    return moment(datetime.fromtimestamp(seconds, UTC))
