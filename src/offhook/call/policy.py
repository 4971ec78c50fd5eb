"""The numbers and rules of a call that are ours to choose: limits, money, what a recording must be to be kept.

Where a specification is silent the choice is named here, once. It knows no call; it is asked.
"""

from typing import assert_never

from offhook.call.events import Tariff
from offhook.call.leg import Leg
from offhook.call.plain import Mono
from offhook.flow.verbs import HangupAs
from offhook.flow.view import CallState, Cause

__all__ = [
    "APOLOGISED",
    "BRIEFING_MAX_S",
    "ENDING_WATCHDOG_S",
    "RECORDING_CLOSES_S",
    "RECORDING_MIN_MS",
    "RECORDING_MIN_VOICED_MS",
    "RING_MAX_S",
    "RING_MIN_S",
    "TYPED_AHEAD_MAX",
    "WAITED_S",
    "call_state",
    "cause_before_answer",
    "charge_due",
    "charge_for_answer",
    "ring_timeout_s",
    "too_short",
    "why_ended",
]

RING_MIN_S = 1
RING_MAX_S = 600
"""Customers send up to 3,600 when they mean something else; nobody lets a phone ring for an hour."""
TYPED_AHEAD_MAX = 32
"""Keys kept for the next Gather while a document is being fetched."""
RECORDING_MIN_MS = 1000
RECORDING_MIN_VOICED_MS = 100
"""A recording below either is `tooshort`: nobody spoke, and nothing is kept."""
WAITED_S = 0.1
"""A step that took less has not waited, and counts against the limit for loops."""
BRIEFING_MAX_S = 300.0
"""A flow that briefs somebody must come to its end, since a caller hears it ring meanwhile."""
RECORDING_CLOSES_S = 5.0
"""How long the outcome of a recorded talk waits for the recording to be closed, so that it can be named."""
APOLOGISED = frozenset({Cause.HOOK_FAILED, Cause.BAD_DOCUMENT, Cause.FLOW_LOOP})
"""Ends that are the web application's doing and no wish of anybody's: whoever is there is told so."""
ENDING_WATCHDOG_S = 40.0
"""A call that is ending is over after this, whatever is missing: 64*T1 of a BYE (RFC 3261 17.1.2.2) and some more."""
MINUTE_S = 60.0


def ring_timeout_s(asked: float) -> float:
    """How long a phone may ring, seconds."""
    return min(max(asked, RING_MIN_S), RING_MAX_S)


def too_short(duration_ms: int, voiced_ms: int) -> bool:
    """Whether a recording of one party is not worth keeping."""
    return duration_ms < RECORDING_MIN_MS or voiced_ms < RECORDING_MIN_VOICED_MS


def charge_for_answer(leg: Leg, at: Mono) -> int:
    """What an answer costs: the set-up and the first minute begun. Sets when the next one begins."""
    tariff: Tariff = leg.tariff
    if tariff.per_minute:
        leg.next_charge = Mono(at + MINUTE_S)
    return tariff.set_up + tariff.per_minute


def charge_due(leg: Leg, at: Mono) -> int:
    """What the minutes begun until now cost, 0 if none has."""
    amount = 0
    while leg.next_charge is not None and leg.next_charge <= at:
        amount += leg.tariff.per_minute
        leg.next_charge = Mono(leg.next_charge + MINUTE_S)
    return amount


def call_state(cause: Cause, *, answered: bool) -> CallState:
    """What a call was, once it is over: a success if it was answered, whatever came later (46elks, call history)."""
    if answered:
        return CallState.SUCCESS
    return CallState.BUSY if cause is Cause.BUSY else CallState.FAILED


def why_ended(cause: Cause) -> str:
    """The `why` of a verb that the end of its call cut off: the party hung up, or what ended the call."""
    return "hangup" if cause in (Cause.NORMAL, Cause.CANCELLED) else cause.value


def cause_before_answer(how: HangupAs | None, last_dial: Cause | None) -> Cause:
    """What the network of an unanswered caller is told when the flow has nothing more to do.

    A Hangup says it itself; else a call that was passed on in vain ends as its last Dial did; else it is refused.
    """
    match how:
        case HangupAs.BUSY:
            return Cause.BUSY
        case HangupAs.REJECT:
            return Cause.REJECTED
        case HangupAs.NOT_FOUND:
            return Cause.NOT_FOUND
        case HangupAs.NORMAL | None:
            return Cause.REJECTED if last_dial is None else last_dial
        case _:
            assert_never(how)
