"""Views of calls in 46elks' words: webhook parameters, the call object of its REST API, the log of actions.

Names, order and formats as the service's own examples have them. What a view does not hold is left out, never made up.
"""

import json
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, assert_never

from offhook.flow import ids
from offhook.flow.dialects.dialect import Params
from offhook.flow.errors import DocumentError, WrongUrl
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.targets import LegStage
from offhook.flow.verbs import Dial, Verb
from offhook.flow.view import HIDDEN_CALLER, CallView, Cause, Direction, LegView, Performed, RecordingView

__all__ = [
    "actions",
    "begun",
    "call_object",
    "continued",
    "created_object",
    "ended",
    "legs",
    "live_time",
    "recorded",
    "status",
    "stored_time",
    "wrong_start",
]

_PHONES = "+4600"
"""Numbers that SIP phones of ours register as begin so."""

_CUT_SHORT: Mapping[Cause, str] = MappingProxyType(
    {
        Cause.HOOK_FAILED: "hookfailed",
        Cause.BAD_DOCUMENT: "baddocument",
        Cause.FLOW_LOOP: "flowloop",
        Cause.NO_CREDIT: "creditslow",
    }
)
"""Ends that the customer did not ask for and can mend: the log of actions shows them as its last entry."""


# ── formats ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def live_time(moment: datetime) -> str:
    """UTC without a zone, six fraction digits: in webhooks, and in the answer that creates a call."""
    utc = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    return utc.replace(tzinfo=None).isoformat(timespec="microseconds")


def stored_time(moment: datetime) -> str:
    """The same as lists and stored objects have it: milliseconds, padded with three zeros."""
    return live_time(moment)[:-3] + "000"


# ── control webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────


def begun(view: CallView) -> Params:
    """The first control webhook. A call that one of our phones began is named `id` too, as there."""
    result = "newincoming" if view.direction is Direction.INCOMING else "newoutgoing"
    by_phone = view.direction is Direction.INCOMING and view.from_.startswith(_PHONES)
    return (
        *_who(view),
        ("created", live_time(view.created)),
        ("result", result),
        *((("id", ids.call_id(view.id)),) if by_phone else ()),
    )


def continued(view: CallView, outcome: Outcome) -> Params:
    """A control webhook after the verb that ran last (`view.performed[-1]`) with `outcome`."""
    last = view.performed[-1].step.verb if view.performed else None
    return (*_who(view), *_result(last, outcome).items())


def _who(view: CallView) -> Params:
    return (
        ("callid", ids.call_id(view.id)),
        ("direction", view.direction.value),
        ("from", _from(view)),
        ("to", view.to),
    )


def _from(view: CallView) -> str:
    return view.from_ or HIDDEN_CALLER


def _result(verb: Verb | None, outcome: Outcome) -> dict[str, str]:
    match outcome.kind:
        case OutcomeKind.DIGITS:
            return {"result": outcome.digits}
        case OutcomeKind.OK:
            return {"result": "success" if isinstance(verb, Dial) else "ok"}
        case OutcomeKind.BUSY:
            return {"result": "busy"}
        case OutcomeKind.FAILED:
            why = {} if outcome.why is None else {"why": _why(outcome.why)}
            return {"result": "failed", **why}
        case _:
            assert_never(outcome.kind)


def _why(why: str) -> str:
    """One word. Money that is gone has one name only, in the action that it cut off as in the entry after it."""
    return _CUT_SHORT[Cause.NO_CREDIT] if why == Cause.NO_CREDIT.value else why.replace("_", "")


# ── what is owed ─────────────────────────────────────────────────────────────────────────────────────────────────────


def recorded(view: CallView, recording: RecordingView) -> Params:
    """The post about a finished recording, of one party or of the call."""
    return (
        ("callid", ids.call_id(view.id)),
        ("created", live_time(recording.created)),
        ("duration", str(recording.duration_s)),
        ("wav", recording.wav_url),
        ("from", _from(view)),
        ("to", view.to),
        ("direction", view.direction.value),
    )


def ended(view: CallView) -> Params:
    """The post about the end of the call, in the order of the service's example.

    `start`, `duration` and `cost` if it was answered; `actions` then too, and whenever something ran; `legs` if
    somebody was called. The id is `id` here; `callid` is added for those who expect it.
    """
    return tuple(_ended(view))


def _ended(view: CallView) -> Iterator[tuple[str, str]]:
    yield "direction", view.direction.value
    yield "from", _from(view)
    if view.start is not None:
        yield "start", live_time(view.start)
    yield "created", live_time(view.created)
    log = actions(view)
    if log or view.start is not None:
        yield "actions", json.dumps(log)
    if view.legs:
        yield "legs", json.dumps(legs(view))
    yield "to", view.to
    yield "state", view.state.value
    if view.start is not None:
        yield "cost", str(view.cost or 0)
        yield "duration", str(view.duration_s or 0)
    yield "id", ids.call_id(view.id)
    yield "callid", ids.call_id(view.id)


def status(view: CallView, leg: LegView, stage: LegStage, extra: Params) -> Params:
    """What a leg's status hook is told. The service has none; a document of another dialect in its call may set one."""
    own = (*_who(view), ("status", stage.value), ("leg", json.dumps(_leg(leg))))
    return (*own, *(each for each in extra if each[0] not in dict(own)))


# ── objects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def created_object(view: CallView) -> dict[str, Any]:
    """The answer that creates a call."""
    return {
        "direction": view.direction.value,
        "from": _from(view),
        "created": live_time(view.created),
        "to": view.to,
        "state": view.state.value,
        "id": ids.call_id(view.id),
    }


def call_object(view: CallView) -> dict[str, Any]:
    """A call in lists and by its id; only what there is to say, so that a failed call has six fields and its owner."""
    log = actions(view)
    described: dict[str, Any] = {
        "id": ids.call_id(view.id),
        "direction": view.direction.value,
        "from": _from(view),
        "to": view.to,
        "created": stored_time(view.created),
        "state": view.state.value,
        "owner": view.owner or None,
        "start": None if view.start is None else stored_time(view.start),
        "duration": view.duration_s,
        "cost": view.cost,
        "timeout": view.ring_timeout_s,
        "actions": log or None,
        "legs": legs(view) or None,
        "recordings": [f"c{identifier}" for identifier in view.recordings] or None,
    }
    return {name: value for name, value in described.items() if value is not None}


def wrong_start(text: str, error: DocumentError, name: str = "voice_start") -> str:
    """What the REST API says of a `voice_start` that cannot be run; of what is no URL, in the service's own words."""
    if isinstance(error, WrongUrl) and not text.lstrip().startswith("{"):
        return f"The {name} you tried to use is not a valid URL"
    return f"Invalid {name}: {error}"


def actions(view: CallView) -> list[dict[str, Any]]:
    """The log: each action that ran in its customer's words, with its result, and why for a failure.

    A call that we had to end for its document or its money gets a last entry `hangup` that says so.
    """
    log = [_entry(done) for done in view.performed if done.step.wording]
    reason = None if view.cause is None else _CUT_SHORT.get(view.cause)
    if reason is not None:
        log.append({"hangup": reason, "result": "failed", "why": reason})
    return log


def _entry(done: Performed) -> dict[str, Any]:
    return {**done.step.wording, **_result(done.step.verb, done.outcome)}


def legs(view: CallView) -> list[dict[str, Any]]:
    """The parties that were called."""
    return [_leg(leg) for leg in view.legs]


def _leg(leg: LegView) -> dict[str, Any]:
    return {"duration": leg.duration_s, "to": leg.to, "state": leg.state.value, "from": leg.from_}
