"""What a customer can ask for, as values: one frozen class per verb, in nobody's dialect.

A verb says what, never how: carrying out stands in `offhook.call.perform`, one file per verb. Durations are seconds.
"""

from dataclasses import dataclass, field
from enum import Enum

__all__ = [
    "Dial",
    "Gather",
    "Hangup",
    "HangupAs",
    "LocalSound",
    "NamedSound",
    "NumberTarget",
    "Play",
    "Record",
    "RecordCall",
    "SentDigits",
    "SetHangupHook",
    "SipTarget",
    "Sound",
    "Speech",
    "Target",
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
    """Text to be spoken. `language` as the customer wrote it (`en_US`); `voice` empty for the default."""

    text: str
    language: str = "en"
    voice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableSound:
    """Something that stands where a sound should, and is none. Playing it fails with `badsource`."""

    text: str


Sound = UrlSound | NamedSound | SentDigits | LocalSound | Speech | UnusableSound


# ── who to call ──────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberTarget:
    """A number in E.164 with `+`; whether it is a phone of ours or goes out by a trunk is for routing to say."""

    number: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SipTarget:
    """A `sip:` or `sips:` URI as the customer wrote it; allowed hosts are checked when the leg is placed.

    Without a user part (`sip:host`) the call's `to` is the user.
    """

    uri: str


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableTarget:
    """Something that stands where a number should, and is none. Calling it fails, and the other targets still ring."""

    text: str


Target = NumberTarget | SipTarget | UnusableTarget


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


@dataclass(frozen=True, slots=True, kw_only=True)
class Dial:
    """Calls others and joins the first who answers with the party.

    Outcomes: `ok` when it was answered and later ended by the far end; `busy`; `failed` (with the reason in `why`).
    """

    targets: tuple[Target, ...]
    caller_id: str | None = None
    """A number, or the customer's text as it is; whether it may be shown is checked when the leg is placed.
    `None`: the other party's number (the incoming caller's; the called one's on an outgoing call's bridge)."""
    ring_timeout_s: float = 60.0
    time_limit_s: float | None = None
    """How long the two may talk."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Record:
    """Records the party alone. Outcomes: `ok`; `failed` with `tooshort`."""

    deliver_to: str | None = None
    """URL that is told of the finished recording."""
    keep_as: str | None = None
    """Name under which `LocalSound` finds it, for as long as the call lasts."""
    max_s: float = 120.0
    silence_s: float | None = 3.0
    """Ends after this much silence; `None`: silence does not end it."""
    finish_keys: frozenset[str] = frozenset("#")


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordCall:
    """Records both parties from here to the end of the call. Takes no time; the first one of a call wins."""

    deliver_to: str | None = None


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


Verb = Play | Gather | Dial | Record | RecordCall | SetHangupHook | Hangup
