"""Views of calls in didML's words: the parameters of every webhook of DIDforSale, and how it names calls and legs.

Numbers go out without `+`, as in all of the service's samples; ids are UUIDs. What a table of the service names is sent
under exactly that name, whatever its case; what it does not name is not sent.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any, assert_never

from offhook.flow.dialects.dialect import Params
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.targets import LegStage
from offhook.flow.verbs import Conference, Dial, Enqueue, Gather, Record, TakeFromQueue, Verb
from offhook.flow.view import HIDDEN_CALLER, CallId, CallView, Cause, Direction, LegView, RecordingView

__all__ = [
    "MISSPELLED_DURATION",
    "STATUS_NAMES",
    "actions",
    "begun",
    "call_sid",
    "continued",
    "ended",
    "leg_sid",
    "recorded",
    "status",
    "without_plus",
]

MISSPELLED_DURATION = "CallDurartion"
"""The service's page spells `CallDuration` so. In `CallView.quirks` it asks for both."""

STATUS_NAMES = frozenset(
    {
        *("Called", "ParentCallSid", "CallStatus", "Direction", "callSid", "CallbackSource", "CallDuration"),
        *("RecordingURL", MISSPELLED_DURATION),
    }
)
"""Parameters of a status event that are ours to say; the customer's `optional` never takes their place."""

# ── formats ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def without_plus(text: str) -> str:
    """A number with its country code and no `+`; other texts as they are."""
    return text.removeprefix("+")


def call_sid(identifier: CallId) -> str:
    """A call's id, which is its first leg's too, as a UUID."""
    return _dashed(identifier)


def leg_sid(identifier: CallId, number: int) -> str:
    """A leg's id as a UUID: the call's own for the first leg, else made of that and the leg's number, always alike."""
    return _dashed(identifier if number == 0 else sha256(f"{identifier}/{number}".encode()).hexdigest()[:32])


def _dashed(digits: str) -> str:
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))


def _time(moment: datetime) -> str:
    """UTC with its `Z`, in whole seconds."""
    utc = moment.astimezone(UTC) if moment.tzinfo is not None else moment
    return utc.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


# ── control webhooks ─────────────────────────────────────────────────────────────────────────────────────────────────


def begun(view: CallView) -> Params:
    """The first request of a flow. One of another leg (a whisper, a document to wait with) also names its call."""
    return tuple(_first(view))


def _first(view: CallView) -> Iterator[tuple[str, str]]:
    leg = view.leg
    to, from_, direction = (view.to, view.from_, view.direction) if leg is None else (leg.to, leg.from_, leg.direction)
    yield "To", without_plus(to)
    yield "From", without_plus(from_) or HIDDEN_CALLER
    yield "CallerName", view.caller_name if leg is None or leg.number == 0 else ""
    yield "callSid", leg_sid(view.id, 0 if leg is None else leg.number)
    yield "Direction", "inbound" if direction is Direction.INCOMING else "outbound"
    yield "CallStatus", _call_status(view)
    if leg is not None and leg.number:
        yield "ParentCallSid", call_sid(view.id)


def _call_status(view: CallView) -> str:
    """`ringing` until it is answered; another leg's flow runs after its answer alone."""
    if view.end is not None:
        return "completed"
    return "answered" if view.start is not None or view.leg is not None else "ringing"


def continued(view: CallView, outcome: Outcome) -> Params:
    """A request after a verb: as the first one, and what the verb that ran last (`view.performed[-1]`) brought."""
    last = view.performed[-1].step.verb if view.performed else None
    return (*begun(view), *_brought(view, last, outcome))


def _brought(view: CallView, verb: Verb | Enqueue | TakeFromQueue | Conference | None, outcome: Outcome) -> Params:
    match verb:
        case Gather() if outcome.kind is OutcomeKind.DIGITS:
            return (("Digits", outcome.digits),)
        case Dial() | Enqueue() | TakeFromQueue() | Conference():
            return tuple(_dialled(view, outcome))
        case Record() if outcome.kind is OutcomeKind.OK:
            return _message(view, outcome.recording_url)
        case _:
            return ()


def _dialled(view: CallView, outcome: Outcome) -> Iterator[tuple[str, str]]:
    leg = view.leg_of(outcome)
    yield "DialCallStatus", _dial_status(outcome)
    if leg is not None:
        yield "DialCallSid", leg_sid(view.id, leg.number)
    yield "DialCallDuration", str(outcome.seconds)
    if outcome.recording_url:
        yield "RecordingURL", outcome.recording_url


def _dial_status(outcome: Outcome) -> str:
    match outcome.kind:
        case OutcomeKind.OK | OutcomeKind.DIGITS:
            return "completed"
        case OutcomeKind.BUSY:
            return "busy"
        case OutcomeKind.FAILED:
            words = {Cause.NO_ANSWER.value: "no-answer", Cause.CANCELLED.value: "canceled", "left": "canceled"}
            return words.get(outcome.why or "", "failed")
        case _:
            assert_never(outcome.kind)


def _message(view: CallView, url: str) -> Params:
    """The five fields of `record`, which have names of their own for what the first request tells."""
    first = dict(_first(view))
    return (
        ("RecordingUrl", url),
        ("callid", first["callSid"]),
        ("dialednumber", first["To"]),
        ("callerid", first["From"]),
        ("callername", first["CallerName"]),
    )


# ── what is owed ─────────────────────────────────────────────────────────────────────────────────────────────────────


def recorded(view: CallView, recording: RecordingView) -> Params:
    """A message whose caller hung up: what the `action` of `record` would have been told."""
    return (*begun(view), *_message(view, recording.wav_url))


def ended(view: CallView) -> Params:
    """All details of the call (`postcall`): as the first request, and how long it was, its recording, its times."""
    return tuple(_ended(view))


def _ended(view: CallView) -> Iterator[tuple[str, str]]:
    yield from ((name, "completed" if name == "CallStatus" else value) for name, value in _first(view))
    yield "CallDuration", str(view.duration_s or 0)
    if view.recording_url:
        yield "RecordingURL", view.recording_url
    yield "StartTime", _time(view.created)
    if view.start is not None:
        yield "AnswerTime", _time(view.start)
    if view.end is not None:
        yield "EndTime", _time(view.end)


def actions(view: CallView) -> list[dict[str, Any]]:
    """What ran of documents in another dialect, each with its result as a `DialCallStatus` says it, or the keys.

    The service has no log of actions, and its own verbs leave no wording: they are in the timeline.
    """
    return [{**done.step.wording, "result": _result(done.outcome)} for done in view.performed if done.step.wording]


def _result(outcome: Outcome) -> str:
    return outcome.digits if outcome.kind is OutcomeKind.DIGITS else _dial_status(outcome)


def status(view: CallView, leg: LegView, stage: LegStage, extra: Params) -> Params:
    """A status event of a leg: exactly the parameters of the service's table, then what `extra` adds to them.

    `extra` is the `secretKey` as `apikey`, then the pairs of `optional`: of equal names the first counts.
    """
    told = [
        ("Called", without_plus(leg.to)),
        ("ParentCallSid", call_sid(view.id)),
        ("CallStatus", stage.value),
        ("Direction", "Inbound" if leg.direction is Direction.INCOMING else "Outbound"),
        ("callSid", leg_sid(view.id, leg.number)),
        ("CallbackSource", "call-progress-event"),
    ]
    if stage is LegStage.COMPLETED:
        told.append(("CallDuration", str(leg.duration_s)))
        if MISSPELLED_DURATION in view.quirks:
            told.append((MISSPELLED_DURATION, str(leg.duration_s)))
        if leg.recording_url:
            told.append(("RecordingURL", leg.recording_url))
    names = set(STATUS_NAMES)
    for name, value in extra:
        if name not in names:
            told.append((name, value))
            names.add(name)
    return tuple(told)
