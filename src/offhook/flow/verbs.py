"""What a customer can ask for, as values: one frozen class per verb, in nobody's dialect.

A verb says what, never how: carrying out stands in `offhook.call.perform`, one file per verb. Durations are seconds.
"""

from dataclasses import dataclass, field
from enum import Enum

from offhook.flow.document import Document
from offhook.flow.targets import (
    AT_DEFAULT_UNSAID,
    LegStage,
    NumberTarget,
    PhoneTarget,
    SipTarget,
    StatusHook,
    Target,
    Treatment,
    UnusableTarget,
)

__all__ = [
    "Beeps",
    "Conference",
    "Dial",
    "Enqueue",
    "Gather",
    "Goto",
    "Hangup",
    "HangupAs",
    "LegStage",
    "LocalSound",
    "NamedSound",
    "Notify",
    "NumberTarget",
    "Pause",
    "PhoneTarget",
    "Play",
    "Record",
    "RecordCall",
    "SentDigits",
    "SetHangupHook",
    "Silence",
    "SipTarget",
    "Sound",
    "Speech",
    "StatusHook",
    "TakeFromQueue",
    "Target",
    "Treatment",
    "UnusableSound",
    "UnusableTarget",
    "UrlSound",
    "Verb",
]


# ── sounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class UrlSound:
    """A sound file on the customer's web server."""

    url: str


@dataclass(frozen=True, slots=True, kw_only=True)
class NamedSound:
    """A sound that we make: `beep`, `dialtone`, `ringback`, `busy`, optionally of a country (`dialtone/us`)."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SentDigits:
    """Keys to be sent to the party as DTMF. `p` pauses 50 ms and `P` 500 ms (46elks `sound/dtmf/…`)."""

    keys: str


@dataclass(frozen=True, slots=True, kw_only=True)
class LocalSound:
    """What an earlier `Record(keep_as=name)` of the same call has kept."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Speech:
    """Text to be spoken. `language` as the customer wrote it (`en_US`).

    `voice`: empty for the default of the language, `man` or `woman`, or a voice's name. `secret`: the text stands in
    no timeline, since only who hears it is to know.
    """

    text: str
    language: str = "en"
    voice: str = ""
    secret: bool = field(default=False, metadata=AT_DEFAULT_UNSAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    """A pause among sounds (didML `pause` inside `gather`)."""

    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableSound:
    """Something that stands where a sound should, and is none. Playing it fails with `badsource`."""

    text: str


Sound = UrlSound | NamedSound | SentDigits | LocalSound | Speech | Silence | UnusableSound


# ── verbs ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Plays sounds one after another, `loop` times (0: until somebody stops it).

    Outcomes: `ok`; `failed` with `badsource`.
    """

    sounds: tuple[Sound, ...]
    loop: int = 1
    skippable: bool = True
    """A key ends the playing, which then counts as `ok`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Gather:
    """Plays prompts and collects keys.

    Outcomes: `digits` with their value; `failed` with `noinput` or `badsource`.
    """

    prompts: tuple[Sound, ...]
    min_digits: int = 1
    """Fewer than these when the time runs out are no input. A finish key takes any number of keys but none."""
    max_digits: int = 1
    timeout_s: float = 10.0
    """How long to wait after the prompt for the first key, and after each key for the next."""
    tries: int = 3
    """How often the prompt is played in all, while the input is too short. Each try begins without keys."""
    finish_keys: frozenset[str] = frozenset("#")
    """Keys that end the input and do not belong to it."""
    skippable: bool = True
    """A key ends the prompt; else keys pressed during it are kept and the prompt goes on."""
    finish_needs_min: bool = field(default=False, metadata=AT_DEFAULT_UNSAID)
    """A finish key after fewer than `min_digits` is another try, as silence is (didML `minDigits`)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Calls others and joins the first who answers with the party.

    Outcomes: `ok` when it was answered and later ended by the far end; `busy`; `failed` (with the reason in `why`).
    They name the leg that was talked to, else the one whose end says most, with its seconds and its recording.
    """

    targets: tuple[Target, ...]
    caller_id: str | None = None
    """A number, or the customer's text as it is; whether it may be shown is checked when the leg is placed.
    `None`: the other party's number (the incoming caller's; the called one's on an outgoing call's bridge)."""
    ring_timeout_s: float = 60.0
    time_limit_s: float | None = None
    """How long the two may talk."""
    record: bool = field(default=False, metadata=AT_DEFAULT_UNSAID)
    """Both are recorded from the joining to the end of the talk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Records the party alone. Outcomes: `ok` (with the recording's URL and seconds); `failed` with `tooshort`."""

    deliver_to: str | None = None
    """URL that is told of the finished recording."""
    told_if_left: str | None = field(default=None, metadata=AT_DEFAULT_UNSAID)
    """URL that is told of it if the party hangs up meanwhile, when no branch can be asked any more (didML `action`)."""
    keep_as: str | None = None
    """Name under which `LocalSound` finds it, for as long as the call lasts."""
    max_s: float = 120.0
    silence_s: float | None = 3.0
    """Ends after this much silence; `None`: silence does not end it."""
    finish_keys: frozenset[str] = frozenset("#")
    beep: bool = field(default=False, metadata=AT_DEFAULT_UNSAID)
    """A tone says that it begins."""
    confirm: bool = field(default=False, metadata=AT_DEFAULT_UNSAID)
    """The party hears what was recorded, and keeps it or speaks again (didML `confirmrecording`)."""
    name: str | None = field(default=None, metadata=AT_DEFAULT_UNSAID)
    """What the customer calls the file (didML `fileID`); it is found by its own id all the same."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCall:
    """Records both parties from here to the end of the call. Takes no time; the first one of a call wins."""

    deliver_to: str | None = None
    stop: bool = field(default=False, metadata=AT_DEFAULT_UNSAID)
    """Ends the recording that runs instead; a later RecordCall begins another."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetHangupHook:
    """Sets the URL that is told of the end of the call. Takes no time; the last one wins."""

    url: str


class HangupAs(Enum):
    """What the network is told when a call is ended before it was answered."""

    NORMAL = "normal"
    BUSY = "busy"
    REJECT = "reject"
    NOT_FOUND = "not_found"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hangup:
    """Ends the call. After an answer every `how` is a plain end."""

    how: HangupAs = field(default=HangupAs.NORMAL)


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Waits. Does not answer: a caller goes on ringing meanwhile. Outcome `ok`."""

    seconds: float = 1.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Notify:
    """Tells a URL where the call stands, and does nothing with the reply (didML `action` of `say`).

    Takes no time; outcome `ok`.
    """

    url: str
    method: str = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Goto:
    """Does nothing and takes no time: the step goes on by its `otherwise` (didML `redirect`). Outcome `ok`."""


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Enqueue:
    """Waits in a queue, first in first out, until an agent takes the party, and talks to the agent.

    Outcomes: `ok` when it was taken, talked and parted; `failed` with `left` when its waiting flow hung up.
    """

    queue: str
    wait: Document | None = None
    """A flow for the waiting party, again and again; `None`: music."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TakeFromQueue:
    """The agent's side of `Enqueue`: takes who waits longest, and waits with music while nobody does.

    Outcomes: `ok` when two talked and parted; `failed` with `no_answer` when nobody came in time.
    """

    queue: str
    briefing: Document | None = None
    """A flow for the waiting party, run before the two are joined."""
    timeout_s: float = 30.0
    time_limit_s: float | None = None


class Beeps(Enum):
    """Whether those in a room hear that somebody comes or goes."""

    BOTH = "both"
    ENTER = "enter"
    EXIT = "exit"
    NONE = "none"


@dataclass(frozen=True, slots=True, kw_only=True)
class Conference:
    """Puts the party into a room of that name among its customer's rooms. Outcome `ok` when that is over for it."""

    room: str
    muted: bool = False
    beeps: Beeps = Beeps.BOTH
    starts: bool = True
    """Its coming begins the conference; until somebody's does, everybody waits."""
    ends: bool = False
    """Its leaving ends the conference."""
    wait: Document | None = None
    """A flow for the party while the conference has not begun; `None`: music."""
    max_parties: int | None = None


Verb = (
    Play
    | Gather
    | Dial
    | Record
    | RecordCall
    | SetHangupHook
    | Hangup
    | Pause
    | Notify
    | Goto
    | Enqueue
    | TakeFromQueue
    | Conference
)
