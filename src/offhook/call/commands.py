"""Everything a call can ask of the world. What is not in this file, a call cannot say.

Commands come out of `Call.poll_command()`; the call's own task carries them out, in order.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NewType

from offhook.flow.document import Document
from offhook.flow.verbs import Beeps, LegStage, Sound, Target
from offhook.flow.view import CallView, Cause, RecordingView

__all__ = [
    "AnswerLeg",
    "CallerBriefed",
    "Charge",
    "Command",
    "EarlyMediaLeg",
    "EnterConference",
    "EnterQueue",
    "Finished",
    "FetchDocument",
    "HangUpLeg",
    "JoinLegs",
    "KeepRecording",
    "LeaveRoom",
    "LegId",
    "MuteLeg",
    "Note",
    "OweHangup",
    "OweNotice",
    "OweRecording",
    "OweStatus",
    "PartLegs",
    "PauseRecording",
    "PlaceLeg",
    "PlaybackId",
    "PrepareSound",
    "RecordingId",
    "RequestId",
    "RingLeg",
    "SendDigits",
    "StartPlayback",
    "StartRecording",
    "StopPlayback",
    "StayInRoom",
    "StopRecording",
    "TakeCaller",
    "VisitId",
    "Wish",
]

LegId = NewType("LegId", int)
"""Counts up within a call; leg 0 is the party the call began with."""
PlaybackId = NewType("PlaybackId", int)
RecordingId = NewType("RecordingId", int)
RequestId = NewType("RequestId", int)
VisitId = NewType("VisitId", int)
"""All count up within a call and are never used twice in it."""


# ── parties ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceLeg:
    """Call somebody. Answered by `LegPlaced` or `LegEnded`; the call itself watches the ring time-out."""

    leg: LegId
    target: Target
    caller_id: str


@dataclass(frozen=True, slots=True, kw_only=True)
class RingLeg:
    """Tell an incoming, unanswered party that it rings (180)."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class EarlyMediaLeg:
    """Let an incoming, unanswered party hear something (183 with a description)."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerLeg:
    """Answer an incoming party. Confirmed by `LegAnswered`."""

    leg: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class HangUpLeg:
    """End a leg, in whatever state it is. Confirmed by `LegEnded` with the same cause."""

    leg: LegId
    cause: Cause


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinLegs:
    """Let two parties hear each other."""

    a: LegId
    b: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class PartLegs:
    """Undo `JoinLegs`. One of them, or both, may be gone already."""

    a: LegId
    b: LegId


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteLeg:
    """Let nobody hear a party, nor its keys; it hears all others, and recordings of what it says hear it."""

    leg: LegId
    muted: bool


# ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class PrepareSound:
    """Fetch and decode a sound. Answered by `SoundReady` or `SoundFailed`."""

    request: RequestId
    sound: Sound


@dataclass(frozen=True, slots=True, kw_only=True)
class StartPlayback:
    """Play prepared sounds to one party, one after another; answered by `PlaybackEnded`. Replaces what plays there."""

    leg: LegId
    playback: PlaybackId
    sounds: tuple[str, ...]
    """Handles from `SoundReady`."""
    loop: int = 1
    """0: until stopped."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlayback:
    """Stop a playback; `PlaybackEnded` still comes."""

    leg: LegId
    playback: PlaybackId


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDigits:
    """Send keys to a party (`0-9*#A-D`, `p` 50 ms, `P` 500 ms, `w` 0.5 s, `W` 1 s). Answered by `DigitsSent`."""

    leg: LegId
    request: RequestId
    keys: str


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecording:
    """Record a party. Answered by `RecordingEnded`, whoever ends it."""

    leg: LegId
    recording: RecordingId
    both: bool
    """Also what the party hears (whole-call recording)."""
    max_s: float | None
    silence_s: float | None
    """Ends after this much silence."""
    keep_as: str | None
    """A name of the call's own, deleted when the call ends; `None`: a recording of the customer's."""
    min_ms: int = 0
    min_voiced_ms: int = 0
    """A recording below either is thrown away when it is closed: it gets no index, no URL and no row."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepRecording:
    """Make a closed recording that the call has kept under a name (`StartRecording.keep_as`) into another recording.

    It is found under the old name no longer. Answered by `RecordingEnded` of the new number.
    """

    recording: RecordingId
    kept_as: str
    keep_as: str | None
    """As for `StartRecording`."""
    duration_ms: int
    voiced_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRecording:
    """Let a recording hold silence for as long as it is paused; it keeps the time."""

    recording: RecordingId
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecording:
    """Finish a recording; one that has ended already is left alone."""

    recording: RecordingId


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterConference:
    """Take an answered party into a conference of its customer, made when the first one comes.

    `RoomWaits` or `RoomJoined` follow, and in the end `RoomLeft`, unless the call says `LeaveRoom` first.
    """

    visit: VisitId
    leg: LegId
    room: str
    muted: bool
    beeps: Beeps
    starts: bool
    ends: bool
    max_parties: int | None


@dataclass(frozen=True, slots=True, kw_only=True)
class EnterQueue:
    """Put an answered party at the end of a queue of its customer, made when it is first named.

    `RoomWaits` tells its place and each change of it; `RoomBriefs` may come, then `RoomJoined` and at last `RoomLeft`.
    """

    visit: VisitId
    leg: LegId
    queue: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeCaller:
    """An answered agent wants who waits longest in a queue. `RoomJoined` and in the end `RoomLeft` follow."""

    visit: VisitId
    leg: LegId
    queue: str
    briefing: Document | None
    """For the waiting party to be run before the two are joined."""
    timeout_s: float
    time_limit_s: float | None


@dataclass(frozen=True, slots=True, kw_only=True)
class CallerBriefed:
    """What `RoomBriefs` asked for has been run."""

    visit: VisitId


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveRoom:
    """The party does not want to be there any longer, or is gone; nothing more is told of the visit."""

    visit: VisitId


@dataclass(frozen=True, slots=True, kw_only=True)
class StayInRoom:
    """Said after a restart by a party that had been joined: it is still there. `RoomJoined` or `RoomLeft` follow.

    One that had only waited repeats its wish under the old number, and is told where it stands.
    """

    visit: VisitId
    leg: LegId


Wish = EnterConference | EnterQueue | TakeCaller
"""With what a visit to a room begins."""


# ── the customer ─────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchDocument:
    """Ask the web application what next. Answered by `DocumentArrived` or `DocumentFailed`."""

    request: RequestId
    url: str
    method: str
    params: tuple[tuple[str, str], ...]
    may_avoid: bool = False
    """There is a fallback: a host that is known to be down need not be asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OweRecording:
    """A finished recording is owed to a URL (its parameters are the dialect's words for it)."""

    url: str
    params: tuple[tuple[str, str], ...]
    recording: RecordingView


@dataclass(frozen=True, slots=True, kw_only=True)
class OweHangup:
    """The end of the call is owed to a URL."""

    url: str
    params: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OweStatus:
    """How far a leg is, is owed to a URL. What one leg's hook is told comes in the order of its stages."""

    url: str
    method: str
    params: tuple[tuple[str, str], ...]
    leg: LegId
    stage: LegStage


@dataclass(frozen=True, slots=True, kw_only=True)
class OweNotice:
    """How the call stands is owed to a URL; the reply is discarded."""

    request: RequestId
    url: str
    method: str
    params: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Charge:
    """Draw money for a leg, even below nothing. `CreditGone` comes back when the balance does not bear it."""

    leg: LegId
    amount: int
    """In 1/10000 of the currency."""


# ── the record ───────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Note:
    """An entry of the timeline. `data` is plain JSON, already without secrets; the kinds are in docs/design/call.md."""

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Finished:
    """The call is over and every leg and recording of it is closed: the last command of a call."""

    view: CallView


Command = (
    PlaceLeg
    | RingLeg
    | EarlyMediaLeg
    | AnswerLeg
    | HangUpLeg
    | JoinLegs
    | PartLegs
    | MuteLeg
    | PrepareSound
    | StartPlayback
    | StopPlayback
    | SendDigits
    | StartRecording
    | KeepRecording
    | PauseRecording
    | StopRecording
    | EnterConference
    | EnterQueue
    | TakeCaller
    | CallerBriefed
    | StayInRoom
    | LeaveRoom
    | FetchDocument
    | OweRecording
    | OweHangup
    | OweStatus
    | OweNotice
    | Charge
    | Note
    | Finished
)
