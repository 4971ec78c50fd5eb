"""The sound of legs: a call's wishes become commands to the media engine, and the engine's events the call's.

Identifiers of calls start at 0 in every call; the engine's are never used twice in its life. The translation between
the two stands here and nowhere else.
"""

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

import structlog

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as engine
from offhook.media import events as said
from offhook.media.tones import digit_tones

__all__ = ["EngineLine", "MediaLeg", "MediaLegs", "RecordingClosed"]

log = structlog.get_logger(__name__)

LAST_ID = 0xFFFF_FFFE
LATE_HEARD_US = 60_000
"""Three frames of 20 ms, what jitter buffers hold at the least; sound that late has gaps."""
WAV_HEADER_BYTES, WAV_BYTES_PER_S = 44, 16_000

Post = Callable[[happened.Event], None]
T = TypeVar("T")


class EngineLine(Protocol):
    """What is needed of the engine's process."""

    def send(self, command: engine.Command) -> None:
        """Give a command; never waits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingClosed:
    """A recording's file is finished."""

    reason: str
    duration_ms: int
    voiced_ms: int
    size_bytes: int


OnRecordingClosed = Callable[[RecordingClosed], None]


@dataclass(slots=True, eq=False)
class MediaLeg:
    """One session of the engine and whose it is."""

    session: engine.SessionId
    leg: call.LegId
    post: Post
    on_open: Callable[["MediaLeg"], None]
    on_lost: Callable[["MediaLeg"], None]
    """The engine lost the session, or nothing was heard for too long."""
    address: engine.Address | None = None
    """Where we receive; known once it is open."""
    rtcp_port: int = 0
    closing: bool = False
    statistics: said.SessionStatistics | None = None
    on_closed: Callable[["MediaLeg"], None] | None = None
    owed: set[int] = field(default_factory=set)
    """Playbacks and digits whose end has not come."""


@dataclass(slots=True)
class _Playing:
    media: MediaLeg
    playback: call.PlaybackId


@dataclass(slots=True)
class _Sending:
    media: MediaLeg
    request: call.RequestId


@dataclass(slots=True)
class _Recording:
    media: MediaLeg
    on_closed: OnRecordingClosed
    path: str

    def cut_off(self) -> RecordingClosed:
        """What is left of a recording whose engine died: the file is valid up to its last second."""
        try:
            size = os.path.getsize(self.path)
        except OSError:
            size = 0
        duration_ms = max(0, size - WAV_HEADER_BYTES) * 1000 // WAV_BYTES_PER_S
        return RecordingClosed(reason="closed", duration_ms=duration_ms, voiced_ms=duration_ms, size_bytes=size)


@dataclass(slots=True)
class MediaLegs:
    """All legs' sound on one engine."""

    line: EngineLine
    local_host: str
    """Numeric address that sessions are bound to."""
    first_id: int = 1
    """Above what an earlier control process may have used with the same engine."""
    _last_id: int = 0
    _sessions: dict[int, MediaLeg] = field(default_factory=dict)
    _playing: dict[int, _Playing] = field(default_factory=dict)
    _playing_ids: dict[tuple[int, int], int] = field(default_factory=dict)
    _sending: dict[int, _Sending] = field(default_factory=dict)
    _recordings: dict[int, _Recording] = field(default_factory=dict)

    @property
    def open_sessions(self) -> int:
        """Sessions that the engine has for us."""
        return len(self._sessions)

    def counts(self) -> dict[str, int]:
        """What is waited for, by its kind; nothing of it is left when no call is."""
        return {
            "legs": len(self._sessions),
            "playbacks": max(len(self._playing), len(self._playing_ids)),
            "digits": len(self._sending),
            "recordings": len(self._recordings),
        }

    def __post_init__(self) -> None:
        self._last_id = self.first_id - 1

    def _next_id(self) -> int:
        """32 bits that go round after days; 0 means none."""
        self._last_id = self._last_id % LAST_ID + 1
        return self._last_id

    # ── what calls ask for ───────────────────────────────────────────────────────────────────────────────────────

    def open(
        self,
        leg: call.LegId,
        post: Post,
        *,
        on_open: Callable[[MediaLeg], None],
        on_lost: Callable[[MediaLeg], None],
        near: MediaLeg | None = None,
    ) -> MediaLeg:
        """Take ports for a leg; `on_open` follows, or `on_lost` when there are none."""
        media = MediaLeg(engine.SessionId(self._next_id()), leg, post, on_open, on_lost)
        self._sessions[media.session] = media
        beside = near.session if near is not None and not near.closing else engine.NO_SESSION
        self.line.send(engine.OpenSession(session=media.session, local=self.local_host, near=beside))
        return media

    def close(self, media: MediaLeg, on_closed: Callable[[MediaLeg], None] | None = None) -> None:
        """Give the ports back. `on_closed` comes with the final statistics, also when the engine is gone."""
        if media.closing:
            return
        media.closing = True
        media.on_closed = on_closed
        if media.session in self._sessions:
            self.line.send(engine.CloseSession(session=media.session))
        elif on_closed is not None:
            on_closed(media)

    def configure(self, remote: engine.SetRemote) -> None:
        """Say where the peer is and what was agreed; repeated after every offer and answer."""
        if remote.session in self._sessions:
            self.line.send(remote)

    def play(self, media: MediaLeg, playback: call.PlaybackId, files: Sequence[str], loop: int) -> None:
        """Play prepared files; `PlaybackEnded` follows, unless the session ends first."""
        if self._is_gone(media):
            return
        number = self._next_id()
        self._playing[number] = _Playing(media, playback)
        media.owed.add(number)
        self._playing_ids[(media.session, playback)] = number
        self.line.send(
            engine.Play(session=media.session, playback=engine.PlaybackId(number), files=tuple(files), repeat=loop)
        )

    def stop_playing(self, media: MediaLeg, playback: call.PlaybackId) -> None:
        """Stop a playback; its end is still told. One that is over already is no fault: they crossed."""
        number = self._playing_ids.get((media.session, playback))
        if number is not None:
            self.line.send(engine.StopPlayback(session=media.session, playback=engine.PlaybackId(number)))

    def send_digits(self, media: MediaLeg, request: call.RequestId, keys: str) -> None:
        """Send keys; `DigitsSent` follows, unless the session ends first."""
        if self._is_gone(media):
            return
        number = self._next_id()
        self._sending[number] = _Sending(media, request)
        media.owed.add(number)
        tones = digit_tones(keys)
        self.line.send(engine.SendDigits(session=media.session, request=engine.RequestId(number), digits=tones))

    def record(
        self,
        media: MediaLeg,
        path: str,
        *,
        both: bool,
        max_s: float | None,
        silence_s: float | None,
        on_closed: OnRecordingClosed,
    ) -> engine.RecordingId:
        """Record to a new file; `on_closed` follows, whoever ends it."""
        number = engine.RecordingId(self._next_id())
        if self._is_gone(media):
            on_closed(RecordingClosed(reason="failed", duration_ms=0, voiced_ms=0, size_bytes=0))
            return number
        self._recordings[number] = _Recording(media, on_closed, path)
        self.line.send(
            engine.StartRecording(
                recording=number,
                session=media.session,
                recorded=engine.RecordingKind.BOTH if both else engine.RecordingKind.PARTY,
                path=path,
                max_ms=0 if max_s is None else round(max_s * 1000),
                silence_ms=0 if silence_s is None else round(silence_s * 1000),
            )
        )
        return number

    def stop_recording(self, recording: engine.RecordingId) -> None:
        """Finish a recording; one that is over already, or ends with its session just now, is no fault."""
        running = self._recordings.get(recording)
        if running is not None and not self._is_gone(running.media):
            self.line.send(engine.StopRecording(recording=recording))

    def pause_recording(self, recording: engine.RecordingId, paused: bool) -> None:
        """Let a recording hold silence, or sound again; one that is over is no fault."""
        running = self._recordings.get(recording)
        if running is not None and not self._is_gone(running.media):
            self.line.send(engine.PauseRecording(recording=recording, paused=paused))

    def mute(self, media: MediaLeg, muted: bool) -> None:
        """Let nobody hear a leg, whatever it is joined to now or later; or let them again."""
        if not self._is_gone(media):
            self.line.send(engine.Mute(session=media.session, muted=muted))

    def join(self, a: MediaLeg, b: MediaLeg) -> None:
        """Let two hear each other; one that is gone meanwhile is heard by nobody."""
        if not (self._is_gone(a) or self._is_gone(b)):
            self.line.send(engine.Bridge(a=a.session, b=b.session))

    def part(self, a: MediaLeg, b: MediaLeg) -> None:
        """Undo `join`; a session that is gone has left its bridge by itself."""
        if not (self._is_gone(a) or self._is_gone(b)):
            self.line.send(engine.Unbridge(a=a.session, b=b.session))

    def new_mix(self) -> engine.MixId:
        """A number for a conference; the engine knows of it while somebody is in it."""
        return engine.MixId(self._next_id())

    def mix(self, mix: engine.MixId, media: MediaLeg, *, muted: bool) -> None:
        """Let a leg hear all others in a mix, and be heard unless muted; it leaves any bridge."""
        if not self._is_gone(media):
            self.line.send(engine.JoinMix(mix=mix, session=media.session, muted=muted))

    def unmix(self, mix: engine.MixId, media: MediaLeg) -> None:
        """Undo `mix`; a session that is gone has left by itself."""
        if not self._is_gone(media):
            self.line.send(engine.LeaveMix(mix=mix, session=media.session))

    def _is_gone(self, media: MediaLeg) -> bool:
        """Commands for it would be refused, and what they promise would never come."""
        return media.closing or media.session not in self._sessions

    # ── what the engine says ─────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: said.Event) -> None:
        """Translate one event of the engine. A fault in whoever hears of it is logged: others wait behind."""
        _told(self._take, event)

    def _take(self, event: said.Event) -> None:
        match event:
            case said.Digit():
                if (media := self._sessions.get(event.session)) is not None:
                    media.post(happened.DigitPressed(leg=media.leg, digit=event.digit, duration_ms=event.duration_ms))
            case said.PlaybackEnded():
                if event.reason is said.PlaybackEnd.CLOSED:
                    self._forget_playback(event.playback)
                else:
                    self._playback_ended(event.playback, failed=event.reason is said.PlaybackEnd.FAILED)
            case said.SessionOpened():
                if (media := self._sessions.get(event.session)) is not None:
                    media.address, media.rtcp_port = event.local, event.rtcp_port
                    media.on_open(media)
            case said.SessionFailed():
                log.warning("media.open.failed", why=event.why.name, detail=event.detail)
                self.lost((event.session,))
            case said.SessionClosed():
                self._closed(event)
            case said.RecordingEnded():
                self._recording_ended(event)
            case said.DigitsSent():
                if event.reason is said.DigitsEnd.CLOSED:
                    self._forget_sending(event.request)
                else:
                    self._digits_sent(event.request)
            case said.MediaLost():
                if (media := self._sessions.get(event.session)) is not None and not media.closing:
                    media.on_lost(media)
            case said.CommandFailed():
                log.warning("media.command.failed", command=event.command, id=event.id, detail=event.detail)
                if event.id not in self._sessions:
                    # It crossed the end of its session: what it promised never comes.
                    self._settle(frozenset((event.id,)))
            case said.TickLate():
                # What is less, the far end's jitter buffer makes good: nobody heard it, and nobody need act.
                tell = log.info if event.worst_us >= LATE_HEARD_US else log.debug
                tell("media.late", worst_ms=event.worst_us / 1000, ticks=event.late_ticks)
            case said.Silence() | said.MediaBack() | said.Statistics():
                pass

    def lost(self, sessions: Sequence[int]) -> None:
        """The engine died with these sessions. Their recordings are closed and their legs told; what played there is
        not said to have ended, since a call must not take the end of a leg for the end of a sound."""
        self._settle(frozenset(sessions))
        for session in sessions:
            _told(self._lose, session)

    def _settle(self, gone: frozenset[int]) -> None:
        """Nothing more is heard of these sessions: do not wait for it."""
        for number, playing in list(self._playing.items()):
            if playing.media.session in gone:
                self._forget_playback(number)
        for number, sending in list(self._sending.items()):
            if sending.media.session in gone:
                self._forget_sending(number)
        for number, recording in list(self._recordings.items()):
            if recording.media.session in gone:
                del self._recordings[number]
                _told(recording.on_closed, recording.cut_off())

    def _lose(self, session: int) -> None:
        media = self._sessions.pop(session, None)
        if media is None:
            return
        if media.closing:
            if media.on_closed is not None:
                media.on_closed(media)
        else:
            media.on_lost(media)

    def _closed(self, event: said.SessionClosed) -> None:
        media = self._sessions.pop(event.session, None)
        if media is None:
            return
        media.statistics = event.statistics
        # Recordings are closed by the disk's thread, perhaps later: their own event comes in any case.
        for number in list(media.owed):
            self._forget_playback(number)
            self._forget_sending(number)
        if media.closing:
            if media.on_closed is not None:
                media.on_closed(media)
        else:
            media.on_lost(media)

    def _forget_playback(self, number: int) -> _Playing | None:
        playing = self._playing.pop(number, None)
        if playing is not None:
            playing.media.owed.discard(number)
            self._playing_ids.pop((playing.media.session, playing.playback), None)
        return playing

    def _playback_ended(self, number: int, *, failed: bool) -> None:
        playing = self._forget_playback(number)
        if playing is None:
            return
        playing.media.post(happened.PlaybackEnded(leg=playing.media.leg, playback=playing.playback, failed=failed))

    def _forget_sending(self, number: int) -> _Sending | None:
        sending = self._sending.pop(number, None)
        if sending is not None:
            sending.media.owed.discard(number)
        return sending

    def _digits_sent(self, number: int) -> None:
        sending = self._forget_sending(number)
        if sending is not None:
            sending.media.post(happened.DigitsSent(leg=sending.media.leg, request=sending.request))

    def _recording_ended(self, event: said.RecordingEnded) -> None:
        recording = self._recordings.pop(event.recording, None)
        if recording is None:
            return
        if event.reason is said.RecordingEnd.FAILED:
            log.warning("media.recording.failed", detail=event.detail)
        recording.on_closed(
            RecordingClosed(
                reason=event.reason.name.lower(),
                duration_ms=event.duration_ms,
                voiced_ms=event.voiced_ms,
                size_bytes=event.bytes,
            )
        )


def _told(who: Callable[[T], None], what: T) -> None:
    """Tell somebody something. A fault of theirs is theirs alone: others wait for what comes behind."""
    try:
        who(what)
    except Exception:
        log.exception("media.event.fault", what=type(what).__name__)
