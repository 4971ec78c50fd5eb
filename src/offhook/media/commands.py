"""What may be said to the media engine. A command that is not here cannot be given; its bytes are laid out in
`native/protocol.toml` and written by `offhook.media.wire`. Identifiers are chosen by the control process and never
used twice in the life of one engine; 0 means "none"."""

from dataclasses import dataclass
from enum import IntEnum
from typing import NewType, TypeAlias

SessionId = NewType("SessionId", int)
PlaybackId = NewType("PlaybackId", int)
RecordingId = NewType("RecordingId", int)
MixId = NewType("MixId", int)
RequestId = NewType("RequestId", int)

NO_SESSION = SessionId(0)
Address: TypeAlias = tuple[str, int]
"""Numeric IP address and port: `("192.0.2.1", 20000)`. Never a host name."""


class Codec(IntEnum):
    """Static payload types of RFC 3551 section 6; both are G.711 at 8000 Hz."""

    PCMU = 0
    PCMA = 8


class Direction(IntEnum):
    """What *we* may do, in the words of RFC 8866 section 6.7. A peer's hold (`sendonly`) makes us `RECV_ONLY`."""

    INACTIVE = 0
    SEND_ONLY = 1
    RECV_ONLY = 2
    SEND_RECV = 3


class Latch(IntEnum):
    """STRICT: packets count only from the address of the SDP. SYMMETRIC: from wherever the first valid stream comes
    (RFC 4961, RFC 7362 section 5), and from there only until it falls silent; we send there too."""

    STRICT = 0
    SYMMETRIC = 1


class RecordingKind(IntEnum):
    """PARTY: what the session's peer says. BOTH: that, mixed with what the peer is sent."""

    PARTY = 0
    BOTH = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class PayloadMap:
    """One payload type that the peer may send, and what it means."""

    payload_type: int
    codec: Codec


@dataclass(frozen=True, slots=True, kw_only=True)
class DigitTone:
    """A digit to send, then a pause. An empty digit is only the pause."""

    digit: str
    duration_ms: int = 160
    pause_ms: int = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Hello:
    """First on a control connection. The newer generation takes the engine from the older; answered by `Welcome`."""

    version: int
    generation: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Ack:
    """This event and all before it are dealt with; the engine forgets them."""

    event: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Shutdown:
    """Close everything and exit at once; recordings are closed as valid files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OpenSession:
    """Take a pair of ports; answered by `SessionOpened` or `SessionFailed`."""

    session: SessionId
    local: str
    """Numeric address to bind."""
    near: SessionId = NO_SESSION
    """A session this one will be bridged or mixed with: placed on the same thread, which saves a move."""
    port: int = 0
    """A certain even port (a session made again after the engine died; its rest does not count); 0 for any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SetRemote:
    """Where the peer is and what was agreed with it; repeated after every offer and answer."""

    session: SessionId
    remote: Address
    remote_rtcp: Address | None = None
    """None: the next port up (RFC 3550 section 11)."""
    send_codec: Codec
    send_payload_type: int
    receive: tuple[PayloadMap, ...]
    send_events: int | None = None
    """Payload type of telephone-event the peer takes; None: digits are sent as tones."""
    receive_events: int | None = None
    ptime_ms: int = 20
    direction: Direction = Direction.SEND_RECV
    latch: Latch = Latch.SYMMETRIC
    rtcp_mux: bool = False
    inband_digits: bool = False
    """Listen for tones in the sound (wanted when no telephone-event was agreed)."""
    send_silence: bool = False
    """Send packets of silence while there is nothing else to send."""
    media_timeout_ms: int = 0
    """`MediaLost` after this long without a packet; 0: never. Rests while we may not receive."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseSession:
    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Play:
    """Play prepared files (`offhook.media.frames`) one after another. Replaces what plays. While it lasts, the peer
    hears it instead of its bridge, and with those of its mix; tones and digits the peer sends are seen as ever."""

    session: SessionId
    playback: PlaybackId
    files: tuple[str, ...]
    repeat: int = 1
    """How often the whole list is played; 0: until stopped."""
    gap_ms: int = 0
    """Silence between repetitions."""
    start_ms: int = 0
    """Where in the list to begin, the first time round."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopPlayback:
    session: SessionId
    playback: PlaybackId


@dataclass(frozen=True, slots=True, kw_only=True)
class SendDigits:
    """RFC 4733 events where agreed, else tones. Waits its turn behind digits already being sent."""

    session: SessionId
    request: RequestId
    digits: tuple[DigitTone, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchSilence:
    """`Silence` once the peer has been silent so long, counted from now; 0: stop watching."""

    session: SessionId
    silence_ms: int


@dataclass(frozen=True, slots=True, kw_only=True)
class StartRecording:
    """Record to a new WAV file, 8000 Hz, 16 bit, mono, playable after every second of it."""

    recording: RecordingId
    session: SessionId
    recorded: RecordingKind = RecordingKind.PARTY
    path: str
    max_ms: int = 0
    """0: no limit."""
    silence_ms: int = 0
    """Ends after so much silence; 0: silence does not end it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StopRecording:
    recording: RecordingId


@dataclass(frozen=True, slots=True, kw_only=True)
class PauseRecording:
    """Paused time is silence in the file, so that what follows stays where it was said."""

    recording: RecordingId
    paused: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """Each hears the other. A session has one bridge or one mix; a newer one takes it out of the older."""

    a: SessionId
    b: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Unbridge:
    a: SessionId
    b: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinMix:
    """Hears everybody in the mix but itself; heard by them unless muted. A mix exists while somebody is in it."""

    mix: MixId
    session: SessionId
    muted: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class LeaveMix:
    mix: MixId
    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class MuteInMix:
    mix: MixId
    session: SessionId
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class GetStatistics:
    """Answered by `Statistics`."""

    session: SessionId


@dataclass(frozen=True, slots=True, kw_only=True)
class Mute:
    """Nobody hears what the peer says, nor its keys: a bridge and a mix get silence of it. Told to us all the same."""

    session: SessionId
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class KeepSocket:
    """Hold the descriptor that comes beside these bytes, so that what arrives there waits for a new control process."""

    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class FetchSockets:
    """Answered by `Sockets`, with a descriptor for each name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropSocket:
    name: str


Command: TypeAlias = (
    Hello
    | Ack
    | Shutdown
    | OpenSession
    | SetRemote
    | CloseSession
    | Play
    | StopPlayback
    | SendDigits
    | WatchSilence
    | StartRecording
    | StopRecording
    | PauseRecording
    | Bridge
    | Unbridge
    | JoinMix
    | LeaveMix
    | MuteInMix
    | Mute
    | GetStatistics
    | KeepSocket
    | FetchSockets
    | DropSocket
)
