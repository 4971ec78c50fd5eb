"""Everything that can happen to a call. What is not in this file, a call cannot hear.

Events go into `Call.handle(event, now)`, from the call's own queue and nowhere else.
"""

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple

from offhook.call.commands import LegId, PlaybackId, RecordingId, RequestId, VisitId
from offhook.flow.document import Document
from offhook.flow.program import Flow, Next
from offhook.flow.view import Cause

__all__ = [
    "ChangeRecording",
    "CreditGone",
    "DigitPressed",
    "DigitsSent",
    "DocumentArrived",
    "DocumentFailed",
    "Event",
    "GoOn",
    "HangUp",
    "LegAnswered",
    "LegEnded",
    "LegHeld",
    "LegPlaced",
    "LegProgress",
    "Mute",
    "Now",
    "PlaybackEnded",
    "PressKeys",
    "RecordingChange",
    "RecordingEnded",
    "RoomBeeped",
    "RoomBriefs",
    "RoomEnd",
    "RoomEvent",
    "RoomJoined",
    "RoomLeft",
    "RoomWaits",
    "SoundFailed",
    "SoundReady",
    "Tariff",
]


class Now(NamedTuple):
    """The time, twice: deadlines run on `mono` and are exported on `wall`. Seconds."""

    mono: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Tariff:
    """What a leg costs, in 1/10000 of the currency."""

    set_up: int = 0
    per_minute: int = 0
    """For each minute begun."""


# ── parties ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class LegPlaced:
    """The request to call somebody has left."""

    leg: LegId
    tariff: Tariff


@dataclass(frozen=True, slots=True, kw_only=True)
class LegProgress:
    """The far phone rings, or the far end lets us hear something before it answers."""

    leg: LegId
    early_media: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LegAnswered:
    """The party is there, and sound can go both ways."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class LegHeld:
    """The far end put us on hold, or took us back."""

    leg: LegId
    held: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class LegEnded:
    """The leg is no more, whoever ended it. Comes once per leg."""

    leg: LegId
    cause: Cause
    detail: str = ""
    """What the protocol said, for the timeline (`486 Busy Here`)."""


# ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitPressed:
    """A key, once per press."""

    leg: LegId
    digit: str
    """One of `0-9*#A-D`."""
    duration_ms: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundReady:
    """A sound can be played."""

    request: RequestId
    handle: str
    duration_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SoundFailed:
    """A sound could not be fetched or decoded."""

    request: RequestId
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackEnded:
    """A playback was played to its end, stopped, or failed. None comes when the leg itself ends: `LegEnded` says it."""

    leg: LegId
    playback: PlaybackId
    failed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsSent:
    """The keys of a `SendDigits` are out."""

    leg: LegId
    request: RequestId


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded:
    """A recording is finished and its file is closed."""

    recording: RecordingId
    reason: str
    """`stopped`, `max`, `silence`, `closed` (its party left) or `failed`."""
    duration_ms: int
    voiced_ms: int
    """How much of it was not silence."""
    index: int | None = None
    """The place among the call's recordings that are the customer's, given by the world in the order of completion;
    `None` for one kept under a name, and for one that was thrown away as too short."""
    wav_url: str = ""


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


class RoomEnd(Enum):
    """Why a visit to a room is over without the call's having asked for it. The values are the words of timelines."""

    OVER = "over"
    """The conference has ended, or the other of two who talked is gone."""
    TIME_LIMIT = "time_limit"
    NO_ANSWER = "no_answer"
    """Nobody came for an agent to take."""
    FULL = "full"
    INTERNAL_ERROR = "internal_error"
    """A fault in the room."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomWaits:
    """The party waits: for a conference to begin, or at a place in a queue. Comes again when the place changes."""

    visit: VisitId
    position: int | None
    """From 1; `None` in a conference."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomBriefs:
    """An agent has taken the waiting party, who is to run a flow first. Answered by `CallerBriefed`.

    `RoomWaits` comes instead of the joining if the agent is gone by then.
    """

    visit: VisitId
    document: Document


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomJoined:
    """The party is heard by the others of the room and hears them."""

    visit: VisitId


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomBeeped:
    """Somebody came into the conference or left it, and those who are in it are to hear a tone."""

    visit: VisitId
    coming: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomLeft:
    """The visit is over. Its last event; none comes after a `LeaveRoom`."""

    visit: VisitId
    why: RoomEnd


RoomEvent = RoomWaits | RoomBriefs | RoomJoined | RoomBeeped | RoomLeft


# ── the customer ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentArrived:
    """The web application has answered, and the dialect could read it."""

    request: RequestId
    flow: Flow
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFailed:
    """The web application has not answered, or nothing that can be run."""

    request: RequestId
    cause: Cause
    detail: str
    why: str = ""
    """The stable word of what went wrong (`hook_refused`, `hook_avoided`, `unknown_verb`), for the fallback."""
    status: int | None = None
    """What HTTP said, where it said anything."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CreditGone:
    """The balance does not bear the call any longer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUp:
    """End the call: an API, an operator, or a server that stops."""

    cause: Cause


# ── changes from outside ─────────────────────────────────────────────────────────────────────────────────────────────
# `Call.objection` says which of them can be made; one that cannot is dropped.


@dataclass(frozen=True, slots=True, kw_only=True)
class GoOn:
    """Leave what the call's own flow does, and all that was to follow it, for this. Before an answer: begin with it."""

    to: Next


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Let nobody hear a party, or let them again."""

    leg: LegId
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class PressKeys:
    """Send keys to a party, as in `SendDigits`."""

    leg: LegId
    keys: str


class RecordingChange(Enum):
    """What is to become of the recording of the whole call."""

    START = "start"
    PAUSE = "pause"
    """It goes on with silence, so that what follows stays at its time."""
    RESUME = "resume"
    STOP = "stop"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChangeRecording:
    """Start, pause, resume or stop the recording of both parties."""

    change: RecordingChange
    deliver_to: str | None = None
    """For `START`: who is told of it when it is finished."""


Event = (
    LegPlaced
    | LegProgress
    | LegAnswered
    | LegHeld
    | LegEnded
    | DigitPressed
    | SoundReady
    | SoundFailed
    | PlaybackEnded
    | DigitsSent
    | RecordingEnded
    | RoomWaits
    | RoomBriefs
    | RoomJoined
    | RoomBeeped
    | RoomLeft
    | DocumentArrived
    | DocumentFailed
    | CreditGone
    | HangUp
    | GoOn
    | Mute
    | PressKeys
    | ChangeRecording
)
