"""The sound of legs: a call's wishes become commands to the media engine, and the engine's events the call's.

Sessions, recordings and conferences have numbers of the engine's, never used twice in its life; those of playbacks and
digits are of one session (`media_leg.py`).

Sessions outlive a control process: `restore` takes one up again, `reconcile` compares all with what the engine has.
They outlive an engine too: `engine_died` and `engine_up` make them again on the same ports, with what they were doing.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import structlog

from offhook.call import commands as call
from offhook.call import events as happened
from offhook.media import commands as engine
from offhook.media import events as said
from offhook.media.tones import digit_tones
from offhook.runtime.engine_line import EngineLine, told
from offhook.runtime.media_leg import MediaLeg, Playback, digits_number
from offhook.runtime.media_recordings import MediaRecordings

__all__ = ["MediaLeg", "MediaLegs"]

log = structlog.get_logger(__name__)

LAST_ID = 0xFFFF_FFFE
LATE_HEARD_US = 60_000
"""Three frames of 20 ms, what jitter buffers hold at the least; sound that late has gaps."""
REOPENED_WITHIN_S = 1.0
"""A session whose engine died is made again within this, or its leg has lost its sound."""
FOUND_KEPT_S = 15.0
"""What an adopted engine was found playing and no call has asked for again by then, its webhook asked anew included, is
stopped."""
PORTS_REST_S = 5.0
"""What the engine lets a pair of ports rest at the least (native/src/ports.rs)."""

Post = Callable[[happened.Event], None]


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
    recordings: MediaRecordings = field(init=False)
    _freed: deque[float] = field(default_factory=deque)
    """When ports were given back (monotonic), the oldest first."""

    @property
    def open_sessions(self) -> int:
        """Sessions that the engine has for us."""
        return len(self._sessions)

    def busy_ports(self) -> int:
        """Pairs of ports that sessions have, and those that nobody can have yet, since they rest."""
        since = time.monotonic() - PORTS_REST_S
        while self._freed and self._freed[0] < since:
            self._freed.popleft()
        return len(self._sessions) + len(self._freed)

    def counts(self) -> dict[str, int]:
        """What is waited for, by its kind; nothing of it is left when no call is."""
        return {
            "legs": len(self._sessions),
            "playbacks": sum(len(media.playing) for media in self._sessions.values()),
            "digits": sum(len(media.sending) for media in self._sessions.values()),
            "recordings": len(self.recordings),
        }

    def __post_init__(self) -> None:
        self._last_id = self.first_id - 1
        self.recordings = MediaRecordings(line=self.line, is_there=self._is_there, next_id=self._next_id)

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
        if media.session in self._sessions and media.absent:
            # Nobody else would say what became of its recordings.
            self.lost((media.session,))
        elif media.session in self._sessions:
            self.line.send(engine.CloseSession(session=media.session))
        elif on_closed is not None:
            on_closed(media)

    def configure(self, media: MediaLeg, remote: engine.SetRemote) -> None:
        """Say where the peer is and what was agreed; repeated after every offer and answer."""
        media.remote = remote
        if self._is_there(media):
            self.line.send(remote)

    def play(self, media: MediaLeg, playback: call.PlaybackId, files: Sequence[str], loop: int) -> None:
        """Play prepared files; `PlaybackEnded` follows, unless the session ends first."""
        if self._is_gone(media):
            return
        wanted = Playback(tuple(files), loop)
        if (failed := media.heard_to_end(playback, wanted)) is not None:
            media.post(happened.PlaybackEnded(leg=media.leg, playback=playback, failed=failed))
            return
        media.playing[playback] = wanted
        media.believe_begun_anew(media.found_playing)
        if media.found_playing and media.playback_of(media.found_playing) == playback:
            media.found_playing = 0
        else:
            self._play(media, playback)

    def _play(self, media: MediaLeg, playback: call.PlaybackId) -> None:
        media.found_playing = 0
        if self._is_there(media):
            wanted = media.playing[playback]
            number = wanted.number(playback)
            self.line.send(engine.Play(session=media.session, playback=number, files=wanted.files, repeat=wanted.loop))

    def begin_anew(self, media: MediaLeg) -> None:
        """Play from its beginning what plays: nobody can have heard it yet."""
        if not self._is_there(media):
            return
        for playback in media.playing.keys() - media.stopping:
            wanted = media.playing[playback]
            media.playing[playback] = replace(wanted, anew=wanted.anew + 1)
            self._play(media, playback)

    def _stop_found(self, media: MediaLeg) -> None:
        """Stop what the engine was found playing, and nobody has asked for again: a call that a restart sent back goes
        on otherwise than the last time."""
        found, media.found_playing = media.found_playing, 0
        if found and media.playback_of(found) is None and self._is_there(media):
            self.line.send(engine.StopPlayback(session=media.session, playback=engine.PlaybackId(found)))

    def stop_playing(self, media: MediaLeg, playback: call.PlaybackId) -> None:
        """Stop a playback; its end is still told. One that is over already is no fault: they crossed."""
        if playback not in media.playing:
            return
        if media.reopening:
            self._playback_ended(media, playback, failed=False)
        else:
            media.stopping.add(playback)
            self._stop(media, playback)

    def _stop(self, media: MediaLeg, playback: call.PlaybackId) -> None:
        number = media.playing[playback].number(playback)
        self.line.send(engine.StopPlayback(session=media.session, playback=number))

    def send_digits(self, media: MediaLeg, request: call.RequestId, keys: str) -> None:
        """Send keys; `DigitsSent` follows, unless the session ends first."""
        if self._is_gone(media):
            return
        if digits_number(request, keys) in media.sent_early or media.reopening:
            media.post(happened.DigitsSent(leg=media.leg, request=request))
            return
        media.sending[request] = keys
        self._send_digits(media, request)

    def _send_digits(self, media: MediaLeg, request: call.RequestId) -> None:
        keys = media.sending[request]
        number = digits_number(request, keys)
        self.line.send(engine.SendDigits(session=media.session, request=number, digits=digit_tones(keys)))

    def mute(self, media: MediaLeg, muted: bool) -> None:
        """Let nobody hear a leg, whatever it is joined to now or later; or let them again."""
        media.muted = muted
        if self._is_there(media):
            self.line.send(engine.Mute(session=media.session, muted=muted))

    def join(self, a: MediaLeg, b: MediaLeg) -> None:
        """Let two hear each other; one that is gone meanwhile is heard by nobody."""
        if self._is_gone(a) or self._is_gone(b):
            return
        if a.partner is b and a.found_with == b.session:
            # The adopted engine never parted them: said again, it would begin their streams anew.
            return
        for one in (a, b):
            self._stop_found(one)
            self._part_from_partner(one)
        a.partner, b.partner = b, a
        a.mix = b.mix = None
        if self._is_there(a) and self._is_there(b):
            self.line.send(engine.Bridge(a=a.session, b=b.session))

    def part(self, a: MediaLeg, b: MediaLeg) -> None:
        """Undo `join`; a session that is gone has left its bridge by itself."""
        if a.partner is b:
            self._part_from_partner(a)
        if self._is_there(a) and self._is_there(b):
            self.line.send(engine.Unbridge(a=a.session, b=b.session))

    @staticmethod
    def _part_from_partner(media: MediaLeg) -> None:
        media.found_with = 0
        if media.partner is not None:
            media.partner.partner, media.partner.found_with = None, 0
            media.partner = None

    def new_mix(self) -> engine.MixId:
        """A number for a conference; the engine knows of it while somebody is in it."""
        return engine.MixId(self._next_id())

    def mix(self, mix: engine.MixId, media: MediaLeg, *, muted: bool) -> None:
        """Let a leg hear all others in a mix, and be heard unless muted; it leaves any bridge."""
        if self._is_gone(media):
            return
        self._stop_found(media)
        self._part_from_partner(media)
        media.mix = (mix, muted)
        if self._is_there(media):
            self.line.send(engine.JoinMix(mix=mix, session=media.session, muted=muted))

    def unmix(self, mix: engine.MixId, media: MediaLeg) -> None:
        """Undo `mix`; a session that is gone has left by itself."""
        media.mix = None
        if self._is_there(media):
            self.line.send(engine.LeaveMix(mix=mix, session=media.session))

    def alone(self, media: MediaLeg) -> None:
        """Let a leg hear nobody, and nobody hear it, whatever it was joined to."""
        if media.mix is not None:
            self.unmix(media.mix[0], media)
        if media.partner is not None:
            self.part(media, media.partner)

    def _is_gone(self, media: MediaLeg) -> bool:
        """Commands for it would be refused, and what they promise would never come."""
        return media.closing or media.session not in self._sessions

    def _is_there(self, media: MediaLeg) -> bool:
        """The engine has it: what is said of one that is being made again is said when it is there."""
        return not (media.reopening or media.absent or self._is_gone(media))

    def known(self) -> frozenset[engine.SessionId]:
        """Sessions that are a leg's."""
        return frozenset(media.session for media in self._sessions.values())

    def unowned(self, wanted: Collection[engine.SessionId]) -> frozenset[engine.SessionId]:
        """Sessions that nobody wants and nobody is closing."""
        return frozenset(media.session for media in self._sessions.values() if not media.closing) - set(wanted)

    def mixed(self) -> dict[int, int]:
        """Which mix each session that is in one was told to be in."""
        return {
            int(media.session): int(media.mix[0])
            for media in self._sessions.values()
            if media.mix is not None and not media.closing
        }

    def unmix_session(self, session: int) -> None:
        """Let a session that is no room's hear nobody, and nobody hear it."""
        if (media := self._sessions.get(session)) is not None:
            self.alone(media)

    def forget(self, session: engine.SessionId) -> None:
        """Nobody's: nothing is told of it any more."""
        self._settle(frozenset((session,)))
        self._sessions.pop(session, None)

    # ── outliving a control process ──────────────────────────────────────────────────────────────────────────────

    def restore(self, data: Mapping[str, Any], leg: call.LegId, post: Post, *, after: int) -> MediaLeg:
        """Take up a session that an earlier control process has opened, as it was exported.

        `after`: the number of the last event of the engine that the export, and what belongs to it, knows of.
        """
        media = MediaLeg.restore(data, leg, post)
        media.after = after
        self._sessions[media.session] = media
        partner = self._sessions.get(data["partner"])
        if partner is not None:
            media.partner, partner.partner = partner, media
        return media

    def reconcile(self, found: Iterable[said.SessionAlive]) -> None:
        """Compare with what an adopted engine has, after everything was restored and its events were heard.

        What nobody here knows is closed. What is known and not there is lost. What facts tell of and the last control
        process died before it could say, is said now: the end of what had begun would have been heard.
        """
        alive = {each.session: each for each in found}
        for session in alive.keys() - self._sessions.keys():
            self.line.send(engine.CloseSession(session=session))
        for media in list(self._sessions.values()):
            there = alive.get(media.session)
            if media.absent:
                self.lost((media.session,))
            if media.absent or not media.after or media.closing:
                continue
            if there is not None:
                self._say_what_is_missing(media, there)
            elif media.address is None:
                self.line.send(engine.OpenSession(session=media.session, local=self.local_host))
            if media.found_playing:
                asyncio.get_running_loop().call_later(FOUND_KEPT_S, self._stop_found, media)
        self.recordings.reconcile({recording for each in alive.values() for recording in each.recordings})

    def _say_what_is_missing(self, media: MediaLeg, there: said.SessionAlive) -> None:
        """Commands leave at the end of the loop's turn, and facts may be durable before that. The engine does nothing
        twice that it had been told already."""
        if not self._is_there(media):
            return
        plays = media.playback_of(there.playback)
        for playback in [each for each in media.playing if each != plays]:
            if playback in media.stopping:
                self._playback_ended(media, playback, failed=False)
            else:
                self._play(media, playback)
        for playback in media.stopping:
            self._stop(media, playback)
        for request in media.sending:
            self._send_digits(media, request)
        remote, partner = media.remote, media.partner
        if remote is not None and (there.remote is None or there.direction is not remote.direction):
            self.line.send(remote)
        # The engine tells nobody whom it has muted, and may have heard more or less than the facts know.
        self.line.send(engine.Mute(session=media.session, muted=media.muted))
        if partner is None:
            self._part_again(media, there.bridged_with)
            return
        if media.found_with == partner.session or not self._is_there(partner):
            return
        if media.session < partner.session:  # of the two, one says it
            self.line.send(engine.Bridge(a=media.session, b=partner.session))

    def _part_again(self, media: MediaLeg, found: int) -> None:
        """Two whom the engine has joined and no fact of either: that they were parted was not said any more, or that
        they were joined is not known. Nobody may hear the other meanwhile."""
        other = self._sessions.get(found)
        if other is None or other.partner is not None or not media.found_with:
            return
        for one in (media, other):
            self._part_from_partner(one)
        self.line.send(engine.Unbridge(a=media.session, b=other.session))

    def expect(self, found: Iterable[said.SessionAlive]) -> None:
        """Learn which restored sessions there are, what they play and whom they hear, before their calls go on: one who
        asks for that very thing has it."""
        alive = {each.session: each for each in found}
        for media in self._sessions.values():
            there = alive.get(media.session)
            media.absent = there is None and media.address is not None
            if there is not None:
                media.found_playing, media.found_with = there.playback, there.bridged_with
                media.believe_begun_anew(there.playback)
                self._agree_on_mix(media, there.mix)

    def _agree_on_mix(self, media: MediaLeg, found: int) -> None:
        """Between two commits a leg may have come to a conference, or left it, that its facts do not tell of. Its call
        was sent back behind that; nobody may hear it meanwhile."""
        if media.mix is not None and media.mix[0] == found:
            return
        media.mix = None
        if found:
            self.line.send(engine.LeaveMix(mix=engine.MixId(found), session=media.session))

    # ── outliving an engine ──────────────────────────────────────────────────────────────────────────────────────

    def engine_died(self, sessions: Sequence[int]) -> None:
        """Its recordings are closed as they are, its keys count as sent; its sessions are made again when another
        engine stands, or are lost after `REOPENED_WITHIN_S`. Those that had no ports yet are lost at once."""
        standing = []
        for session in sessions:
            media = self._sessions.get(session)
            if media is None or media.closing or media.address is None or media.reopening:
                self.lost((session,))
                continue
            media.reopening, media.after = True, 0
            standing.append(media)
        gone = frozenset(media.session for media in standing)
        self.recordings.close_of(gone)
        for media in standing:
            for request in list(media.sending):
                self._digits_sent(media, request)
        if standing:
            asyncio.get_running_loop().call_later(REOPENED_WITHIN_S, self._give_up, standing)

    def engine_up(self) -> None:
        """Another engine stands."""
        for media in self._sessions.values():
            if media.reopening and not media.closing:
                assert media.address is not None
                local, port = media.address
                self.line.send(engine.OpenSession(session=media.session, local=local, port=port))

    def _give_up(self, waiting: Sequence[MediaLeg]) -> None:
        for media in waiting:
            if media.reopening and self._sessions.get(media.session) is media:
                self.lost((media.session,))

    def _opened_again(self, media: MediaLeg) -> None:
        """Say all that the engine must know, and go on: what played begins anew, since nobody knows how far it was."""
        media.reopening = False
        if media.remote is not None:
            self.line.send(media.remote)
        if media.muted:
            self.line.send(engine.Mute(session=media.session, muted=True))
        if media.partner is not None and self._is_there(media.partner):
            self.line.send(engine.Bridge(a=media.session, b=media.partner.session))
        if media.mix is not None:
            mix, muted = media.mix
            self.line.send(engine.JoinMix(mix=mix, session=media.session, muted=muted))
        for playback in list(media.playing):
            if playback in media.stopping:
                self._playback_ended(media, playback, failed=False)
            else:
                self._play(media, playback)

    # ── what the engine says ─────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: said.Event) -> None:
        """Translate one event of the engine. A fault in whoever hears of it is logged: others wait behind."""
        told(self._take, event)

    def _of(self, session: int) -> MediaLeg | None:
        """Whose event it is; nobody's, if what it led to was restored with its leg."""
        media = self._sessions.get(session)
        return None if media is None or self.line.heard <= media.after else media

    def _take(self, event: said.Event) -> None:
        match event:
            case said.Digit():
                if (media := self._of(event.session)) is not None:
                    media.post(happened.DigitPressed(leg=media.leg, digit=event.digit, duration_ms=event.duration_ms))
            case said.PlaybackEnded():
                if (media := self._of(event.session)) is not None:
                    self._heard_playback_end(media, event)
            case said.SessionOpened():
                if (media := self._of(event.session)) is not None:
                    media.address, media.rtcp_port = event.local, event.rtcp_port
                    (self._opened_again if media.reopening else media.on_open)(media)
            case said.SessionFailed():
                log.warning("media.open.failed", why=event.why.name, detail=event.detail)
                self.lost((event.session,))
            case said.SessionClosed():
                self._closed(event)
            case said.RecordingEnded():
                self.recordings.ended(event)
            case said.DigitsSent():
                if (media := self._of(event.session)) is not None and event.reason is not said.DigitsEnd.CLOSED:
                    if (request := media.request_of(event.request)) is not None:
                        self._digits_sent(media, request)
                    elif media.after:
                        media.sent_early.add(event.request)
            case said.MediaLost():
                if (media := self._of(event.session)) is not None and not media.closing:
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
            told(self._lose, session)

    def _settle(self, gone: frozenset[int]) -> None:
        """Nothing more is heard of these sessions: do not wait for it."""
        for session in gone:
            if (media := self._sessions.get(session)) is not None:
                media.playing.clear()
                media.stopping.clear()
                media.sending.clear()
        self.recordings.close_of(gone)

    def _lose(self, session: int) -> None:
        media = self._sessions.pop(session, None)
        if media is not None:
            self._left(media)

    def _closed(self, event: said.SessionClosed) -> None:
        if self._of(event.session) is None:
            return
        media = self._sessions.pop(event.session)
        self._freed.append(time.monotonic())
        media.statistics = event.statistics
        # Recordings are closed by the disk's thread, perhaps later: their own event comes in any case.
        self._left(media)

    def _left(self, media: MediaLeg) -> None:
        media.playing.clear()
        media.stopping.clear()
        media.sending.clear()
        self._part_from_partner(media)
        if not media.closing:
            media.on_lost(media)
        elif media.on_closed is not None:
            media.on_closed(media)

    def _heard_playback_end(self, media: MediaLeg, event: said.PlaybackEnded) -> None:
        playback = media.playback_of(event.playback)
        failed = event.reason is said.PlaybackEnd.FAILED
        if event.playback == media.found_playing:
            media.found_playing = 0
        if playback is None:
            # What was replaced has not ended for a call that asks for it again: it was begun anew, or went on otherwise
            # than it will now.
            if media.after and event.reason not in (said.PlaybackEnd.CLOSED, said.PlaybackEnd.REPLACED):
                media.ended_early[event.playback] = failed
        elif event.reason is said.PlaybackEnd.CLOSED:
            del media.playing[playback]
            media.stopping.discard(playback)
        else:
            self._playback_ended(media, playback, failed=failed)

    @staticmethod
    def _playback_ended(media: MediaLeg, playback: call.PlaybackId, *, failed: bool) -> None:
        del media.playing[playback]
        media.stopping.discard(playback)
        media.post(happened.PlaybackEnded(leg=media.leg, playback=playback, failed=failed))

    @staticmethod
    def _digits_sent(media: MediaLeg, request: call.RequestId) -> None:
        media.sending.pop(request, None)
        media.post(happened.DigitsSent(leg=media.leg, request=request))
