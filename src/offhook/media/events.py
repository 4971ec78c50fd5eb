"""What the media engine says. Replies answer a command at once and are forgotten; events are numbered and said again to
a new control process until they are acknowledged. Their bytes are laid out in `native/protocol.toml`."""

from dataclasses import dataclass
from enum import IntEnum
from typing import TypeAlias

from offhook.media.commands import Address, Codec, Direction, MixId, PlaybackId, RecordingId, RequestId, SessionId


class PlaybackEnd(IntEnum):
    FINISHED = 0
    STOPPED = 1
    REPLACED = 2
    """By a newer `Play`."""
    FAILED = 3
    """A file could not be read; `detail` says why."""
    CLOSED = 4
    """With its session."""


class DigitSource(IntEnum):
    EVENT = 0
    """RFC 4733."""
    INBAND = 1
    """Tones in the sound."""


class DigitsEnd(IntEnum):
    SENT = 0
    CLOSED = 1
    """The session closed first."""


class RecordingEnd(IntEnum):
    STOPPED = 0
    MAX = 1
    SILENCE = 2
    CLOSED = 3
    """With its session."""
    FAILED = 4
    """The disk refused or could not keep up; what was written until then is a valid file."""


class OpenFailure(IntEnum):
    NO_PORTS = 0
    ADDRESS = 1
    """The local address cannot be bound here."""
    DUPLICATE = 2
    """The identifier is in use."""
    BUSY = 3
    """The port asked for is taken."""


class CloseCause(IntEnum):
    ASKED = 0
    FAULT = 1
    """A fault inside the engine, which cost this session only."""


class RefusedWhy(IntEnum):
    VERSION = 0
    GENERATION = 1
    """A newer control process has the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionStatistics:
    """Counts since the session was opened. None is *unknown*: never measured, never guessed."""

    packets_received: int
    bytes_received: int
    """RTP payload, without headers (as RFC 3550 section 6.4.1 counts octets)."""
    packets_sent: int
    bytes_sent: int
    lost: int
    """RFC 3550 appendix A.3, never below 0."""
    late: int
    """Came, but too late to be heard or out of order beyond use."""
    duplicate: int
    foreign: int
    """From somewhere else than the peer: dropped."""
    rubbish: int
    """Not RTP, or a payload type never agreed: dropped."""
    jitter_us: int | None
    """RFC 3550 section 6.4.1."""
    round_trip_us: int | None
    """From the peer's RTCP reports."""
    remote_lost: int | None
    """What the peer says it missed of ours."""
    mos_hundredths: int | None
    """100 to 450, estimated from loss, delay and jitter (ITU-T G.107); None until both were measured."""
    codec: Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class Welcome:
    """The engine is yours. `sessions` messages `SessionAlive` follow, then `waiting_events` events."""

    version: int
    engine_pid: int
    engine_generation: int
    """Chosen at random by each engine at its start."""
    sessions: int
    highest_event: int
    waiting_events: int
    dropped_events: int
    """Events lost because nobody acknowledged for too long; 0 in health."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    why: RefusedWhy
    version: int
    generation: int
    """Of the control process that has the engine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionAlive:
    """A session found by a new control process. Ids that are 0 mean "none"."""

    session: SessionId
    local: Address
    rtcp_port: int
    remote: Address | None
    direction: Direction
    bridged_with: SessionId
    mix: MixId
    playback: PlaybackId
    recordings: tuple[RecordingId, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sockets:
    """Names of the descriptors that come beside these bytes, in their order."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOpened:
    session: SessionId
    local: Address
    rtcp_port: int


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionFailed:
    session: SessionId
    why: OpenFailure
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionClosed:
    session: SessionId
    cause: CloseCause
    statistics: SessionStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaybackEnded:
    session: SessionId
    playback: PlaybackId
    reason: PlaybackEnd
    played_ms: int
    """Sound and gaps sent, all repetitions together."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Digit:
    """The peer pressed a key; said when it is let go (or when its end packets were all lost)."""

    session: SessionId
    digit: str
    duration_ms: int
    source: DigitSource
    at_us: int
    """The engine's monotonic clock (CLOCK_MONOTONIC) when the digit ended."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitsSent:
    session: SessionId
    request: RequestId
    reason: DigitsEnd


@dataclass(frozen=True, slots=True, kw_only=True)
class Silence:
    session: SessionId
    silence_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingEnded:
    recording: RecordingId
    session: SessionId
    reason: RecordingEnd
    duration_ms: int
    voiced_ms: int
    """How much of it was not silence."""
    bytes: int
    """Size of the file."""
    detail: str


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaLost:
    """Nothing came for `media_timeout_ms`. Said once, until `MediaBack`."""

    session: SessionId
    silent_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class MediaBack:
    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Statistics:
    session: SessionId
    statistics: SessionStatistics


@dataclass(frozen=True, slots=True, kw_only=True)
class TickLate:
    """The machine is overloaded: packets leave late. At most one a second."""

    worst_us: int
    late_ticks: int
    """Ticks later than 5 ms since the last such event."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CommandFailed:
    """A command named something that is not there, or made no sense."""

    command: int
    """Its kind in `native/protocol.toml`."""
    id: int
    """The session or recording it named."""
    detail: str


Reply: TypeAlias = Welcome | Refused | SessionAlive | Sockets
Event: TypeAlias = (
    SessionOpened
    | SessionFailed
    | SessionClosed
    | PlaybackEnded
    | Digit
    | DigitsSent
    | Silence
    | RecordingEnded
    | MediaLost
    | MediaBack
    | Statistics
    | TickLate
    | CommandFailed
)
