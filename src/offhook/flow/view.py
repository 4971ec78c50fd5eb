"""What a customer may see of a call: plain values that dialects and REST APIs put into their own words."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import NewType

from offhook.flow.program import Outcome, Step

__all__ = [
    "HIDDEN_CALLER",
    "CallId",
    "CallState",
    "CallView",
    "Cause",
    "Direction",
    "LegView",
    "Performed",
    "RecordingView",
]

CallId = NewType("CallId", str)
"""128 bits as 32 lower-case hex digits; each dialect dresses it (46elks: `c` before it; didML: a UUID)."""

HIDDEN_CALLER = "anonymous"
"""What stands for the caller's number when it is not known, and what a customer says who shows none."""


class Direction(Enum):
    """Seen from us."""

    INCOMING = "incoming"
    OUTGOING = "outgoing"


class CallState(Enum):
    """Where a call stands. `ENDED_*` is for ever."""

    ONGOING = "ongoing"
    SUCCESS = "success"
    BUSY = "busy"
    FAILED = "failed"


class Cause(Enum):
    """Why a leg or a call ended, in nobody's protocol. The value is the word in timelines and `/v1`."""

    NORMAL = "normal"
    """Somebody hung up after an answer, or the flow came to its end."""
    CANCELLED = "cancelled"
    """The caller left before an answer."""
    BUSY = "busy"
    REJECTED = "rejected"
    ANSWERED_ELSEWHERE = "answered_elsewhere"
    """Somebody else of those who rang together was quicker (RFC 3326: a phone shows no missed call)."""
    NO_ANSWER = "no_answer"
    """The ring time-out ran out."""
    UNAVAILABLE = "unavailable"
    """Nobody is registered there, or the far end says it cannot be reached now."""
    NOT_FOUND = "not_found"
    """The number or address does not exist."""
    NOT_ALLOWED = "not_allowed"
    """No trunk takes the number, a SIP host is not allowed, or a caller ID is not ours."""
    NETWORK_ERROR = "network_error"
    """The far end could not be spoken to: transport, DNS, time-out of a transaction, a 5xx."""
    INCOMPATIBLE_MEDIA = "incompatible_media"
    """No codec in common (SIP 488)."""
    CONGESTION = "congestion"
    """We, or the carrier, refuse for load (503)."""
    MEDIA_LOST = "media_lost"
    """No sound has come for too long, or the media engine died."""
    TIME_LIMIT = "time_limit"
    NO_CREDIT = "no_credit"
    HOOK_FAILED = "hook_failed"
    """A control webhook could not be had within its budget; the timeline says how."""
    BAD_DOCUMENT = "bad_document"
    """The web application's answer is no document that we can run."""
    FLOW_LOOP = "flow_loop"
    """Too many steps or documents without any time passing."""
    NO_FLOW = "no_flow"
    """The number has nothing to run."""
    SERVER_SHUTDOWN = "server_shutdown"
    SERVER_RESTART = "server_restart"
    INTERNAL_ERROR = "internal_error"


@dataclass(frozen=True, slots=True, kw_only=True)
class Performed:
    """One verb that ran, and how it ended."""

    step: Step
    outcome: Outcome


@dataclass(frozen=True, slots=True, kw_only=True)
class LegView:
    """One party of a call: one that a Dial called, or the one that the call began with."""

    to: str
    from_: str
    state: CallState
    duration_s: int
    """Whole seconds connected; 0 if never answered."""
    number: int = 0
    """Counts up within a call; 0 is the party the call began with. Dialects make the leg's id of it and the call's."""
    direction: Direction = Direction.OUTGOING
    recording_url: str = ""
    """What it said and heard, once that is recorded; empty if nothing is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingView:
    """A finished recording."""

    index: int
    """From 0, in the order of completion; part of its id."""
    created: datetime
    """When it was finished, UTC."""
    duration_s: int
    wav_url: str
    name: str = ""
    """What its customer calls it, if it does."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CallView:
    """A call as its customer may see it. All times are UTC."""

    id: CallId
    direction: Direction
    from_: str
    to: str
    created: datetime
    state: CallState = CallState.ONGOING
    start: datetime | None = None
    """When it was answered."""
    end: datetime | None = None
    cause: Cause | None = None
    cost: int | None = None
    """In 1/10000 of the currency; `None` when nothing was charged."""
    ring_timeout_s: int | None = None
    owner: str = ""
    """Account or subaccount id."""
    caller_name: str = ""
    """What the caller's network calls them; empty if it does not say."""
    performed: tuple[Performed, ...] = ()
    legs: tuple[LegView, ...] = ()
    """Those who were called for the party, in order."""
    leg: LegView | None = None
    """Whose flow it is that asks, if it is another one than the call's own (a briefing, a flow to wait with)."""
    recording_url: str = ""
    """What both parties said and heard, once that is recorded; empty if it is not."""
    quirks: frozenset[str] = frozenset()
    """What the account has switched on for its dialect alone, in that dialect's words."""
    recordings: tuple[str, ...] = ()
    """`<call id>-r<index>`, oldest first; a dialect dresses them as it does the call's own id."""

    def leg_of(self, outcome: Outcome) -> LegView | None:
        """The party that a Dial's outcome is about; `None` if it called nobody."""
        return next((leg for leg in self.legs if leg.number == outcome.leg), None)

    @property
    def duration_s(self) -> int | None:
        """Whole seconds from the answer to the end; `None` if never answered or not over."""
        if self.start is None or self.end is None:
            return None
        return max(0, round((self.end - self.start).total_seconds()))
