"""`POST /v1/calls/{call}`: change a live call. One change in each request, so that its answer is about that one.

What a change means is decided in `offhook.call.changes`; here it is read from JSON, and an objection becomes a status.
"""

import json
import re
from typing import Annotated, Any, Literal

from fastapi import APIRouter
from pydantic import Field

from offhook.call.changes import Change, Objection
from offhook.call.commands import LegId
from offhook.call.events import ChangeRecording, GoOn, HangUp, Mute, PressKeys, RecordingChange
from offhook.flow import ids
from offhook.flow.dialects.choose import DIALECTS, read_document
from offhook.flow.dialects.urls import absolute_url
from offhook.flow.document import Document
from offhook.flow.errors import DocumentError, NestingTooDeep
from offhook.flow.limits import MAX_DEPTH
from offhook.flow.view import CallId, Cause
from offhook.web.api.native_calls import call_row
from offhook.web.api.native_request import Asking, Body, NativeError, read_call_id

__all__ = ["router"]

HANGUPS = {
    cause.value: cause
    for cause in (Cause.NORMAL, Cause.BUSY, Cause.REJECTED, Cause.UNAVAILABLE, Cause.NOT_FOUND, Cause.CONGESTION)
}
"""What a call may be ended with; to a party that is not answered yet it is the reason of its refusal."""
KEYS = re.compile(r"[0-9*#A-DpPwW]{1,200}")
CHANGES = ("action", "url", "hangup", "mute", "unmute", "digits", "record")

router = APIRouter(prefix="/v1/calls", tags=["calls"])

Leg = Annotated[int, Field(ge=0, le=1000)]


class ChangeBody(Body):
    """One of `action`, `url`, `hangup`, `mute`, `unmute`, `digits`, `record`, with what belongs to it."""

    action: Annotated[
        dict[str, Any] | str | None, Field(description="A document to go on with, of either dialect.")
    ] = None
    url: Annotated[str | None, Field(description="Where to ask for one.")] = None
    method: Annotated[Literal["GET", "POST"], Field(description="With `url`.")] = "POST"
    hangup: Annotated[bool | str | None, Field(description=f"`true`, or why: {', '.join(HANGUPS)}.")] = None
    mute: Annotated[Leg | None, Field(description="The leg that nobody is to hear; 0 is the first party.")] = None
    unmute: Annotated[Leg | None, Field(description="The leg that is to be heard again.")] = None
    digits: Annotated[str | None, Field(description="Keys to send: 0-9*#A-D; p, P, w, W for pauses.")] = None
    leg: Annotated[Leg, Field(description="With `digits`: to whom.")] = 0
    record: Annotated[
        Literal["start", "pause", "resume", "stop"] | None, Field(description="Both parties, to the end of the call.")
    ] = None
    deliver_to: Annotated[str | None, Field(description="With `record: start`: who is told of it.")] = None


SAYINGS = {
    Objection.CALL_OVER: "the call is over, or is being ended",
    Objection.NO_LEG: "the call has no such leg; offhook timeline shows them",
    Objection.LEG_NOT_THERE: "this leg is not answered, or is gone",
    Objection.NOT_RECORDED: "the call is not being recorded; begin with record: start",
    Objection.RECORDED_ALREADY: "the call is being recorded already",
}


@router.post("/{call}")
async def change_call(caller: Asking, call: str, body: ChangeBody) -> dict[str, Any]:
    """Changes a live call: go on elsewhere, hang up, mute, send keys, record. It is under way when this is answered."""
    row = await call_row(caller, read_call_id(call))
    kind, wanted, warnings = _read(body)
    objection = await caller.native.server.change_call(CallId(row.id), wanted)
    if objection is not None:
        raise NativeError(404 if objection is Objection.NO_LEG else 409, objection.value, SAYINGS[objection])
    return {"id": ids.call_id(CallId(row.id)), "changed": kind, "warnings": list(warnings)}


def _read(body: ChangeBody) -> tuple[str, Change, tuple[str, ...]]:
    """Which change it is, and what was understood generously. Raises `NativeError`."""
    given = [name for name in CHANGES if getattr(body, name) is not None]
    if len(given) != 1:
        found = f"found {' and '.join(given)}" if given else "found none"
        raise NativeError(400, "one_change", f"write one of {', '.join(CHANGES)}; {found}")
    _check_companions(body, given[0])
    match given[0]:
        case "action":
            return ("action", *_action(body.action))
        case "url":
            url = absolute_url(body.url or "", "")
            if url is None:
                raise NativeError(400, "wrong_url", f"{body.url!r} is no URL; write a full http or https URL")
            return "url", GoOn(to=Document(url=url, method=body.method)), ()
        case "hangup":
            return "hangup", HangUp(cause=_cause(body.hangup)), ()
        case "mute" | "unmute" as name:
            return name, Mute(leg=LegId(getattr(body, name)), muted=name == "mute"), ()
        case "digits":
            if KEYS.fullmatch(body.digits or "") is None:
                raise NativeError(
                    400,
                    "invalid_digits",
                    f"{body.digits!r} are no keys; write 0-9, *, #, A-D; p, P, w, W are pauses",
                )
            return "digits", PressKeys(leg=LegId(body.leg), keys=body.digits or ""), ()
        case _:
            assert body.record is not None
            change = RecordingChange(body.record)
            return "record", ChangeRecording(change=change, deliver_to=_deliver_to(body)), ()


def _check_companions(body: ChangeBody, kind: str) -> None:
    """What belongs to another change is a mistake, not a wish to be passed over."""
    for name, of in (("method", "url"), ("leg", "digits"), ("deliver_to", "record")):
        if name in body.model_fields_set and kind != of:
            raise NativeError(400, "one_change", f"{name} belongs to {of}, and this is {kind}")


def _action(action: dict[str, Any] | str | None) -> tuple[Change, tuple[str, ...]]:
    try:
        text = action if isinstance(action, str) else _written(action)
        _, reading = read_document(text.encode("utf-8", "surrogatepass"), "", DIALECTS["elks"])
    except DocumentError as error:
        raise NativeError(400, error.name, str(error)) from None
    return GoOn(to=reading.flow), reading.warnings


def _written(action: dict[str, Any] | None) -> str:
    """Raises `NestingTooDeep`: what could be read need not be possible to write."""
    try:
        return json.dumps(action)
    except RecursionError:
        raise NestingTooDeep(limit=MAX_DEPTH) from None


def _cause(hangup: bool | str | None) -> Cause:
    if hangup is True:
        return Cause.NORMAL
    cause = HANGUPS.get(hangup) if isinstance(hangup, str) else None
    if cause is None:
        raise NativeError(400, "no_cause", f"{hangup!r} is no cause; write true, or one of {', '.join(HANGUPS)}")
    return cause


def _deliver_to(body: ChangeBody) -> str | None:
    if body.deliver_to is None:
        return None
    url = absolute_url(body.deliver_to, "")
    if url is None or body.record != "start":
        raise NativeError(400, "wrong_url", "deliver_to is a full http or https URL, and belongs to record: start")
    return url
