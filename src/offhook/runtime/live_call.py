"""One call in the world: carries its commands out, and brings what comes of them back to its queue.

Everything that takes time (a webhook, a sound, a name) runs beside the call and comes back as an event; nothing here
waits. It decides nothing: what a command means for a caller was decided in `call`.
"""

import asyncio
from collections.abc import Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, assert_never

import structlog

from offhook.call import commands as do
from offhook.call import events as happened
from offhook.call.call import Call
from offhook.call.perform.prompt import sound_text
from offhook.flow.dialects.choose import read_document
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.errors import DocumentError
from offhook.flow.verbs import LocalSound, Sound, UrlSound
from offhook.flow.view import CallId, CallView, Cause, Direction
from offhook.media import commands as engine
from offhook.runtime.book import Entry
from offhook.runtime.call_task import CallTask
from offhook.runtime.media_leg import MediaLeg
from offhook.runtime.media_recordings import NOTHING, RecordingClosed, RecordingOrder, what_is_left
from offhook.runtime.routing import Caller
from offhook.runtime.services import Services
from offhook.runtime.sip_legs import SipLeg
from offhook.runtime.sound.cache import PreparedSound
from offhook.runtime.sound.decode import BadSource
from offhook.storage.facts import Fact

__all__ = ["FACT", "LiveCall", "Recording"]

log = structlog.get_logger(__name__)

FACT = "call"
"""The kind of its facts."""


@dataclass(slots=True)
class Recording:
    """One that runs, or that is about to begin."""

    number: engine.RecordingId
    path: Path
    command: do.StartRecording
    stopping: bool = False
    paused: bool = False


@dataclass(slots=True, eq=False)
class LiveCall:
    """A call that is happening. Make it, then `begin`."""

    call: Call
    caller: Caller
    """Whose call it is: account and owner, and what they may do."""
    dialect: Dialect
    services: Services
    legs: dict[do.LegId, SipLeg] = field(default_factory=dict)
    kept: dict[str, Path] = field(default_factory=dict)
    """Recordings the call keeps for itself, by name; deleted with it."""
    recordings: dict[do.RecordingId, Recording] = field(default_factory=dict)
    recordings_made: int = 0
    legs_measured: int = 0
    """Legs whose statistics are in the timeline: they come a moment after the end of a leg, and of the call."""
    task: CallTask = field(init=False)
    id: CallId = field(init=False)
    _working: set[asyncio.Task[None]] = field(default_factory=set)
    _noted: list[Entry] = field(default_factory=list)
    """Entries of the timeline that go with the next facts. Were they durable before, a call that a restart sends back
    behind them would tell them twice."""
    _owing: bool = False
    """What was just written must not be written again, or not without the facts: they belong to its transaction."""

    def __post_init__(self) -> None:
        self.task = CallTask(self.call, self, self.services.loop)
        view = self.call.view()
        self.id = view.id
        # Of an order that was promised a server that finds the row must know whom to tell. Whoever calls us has no word
        # of us before that is urgent (RFC 3261 section 17.2.1 gives 0.2 s): until then the call is made anew if we die.
        self._owing = view.direction is Direction.OUTGOING

    # ── as the owner of legs ─────────────────────────────────────────────────────────────────────────────────────

    def post(self, event: happened.Event) -> None:
        """Put an event on the call's queue."""
        self.services.keeper.touch(self)
        self.task.post(event)

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Append to the timeline, in the transaction of the next facts: neither is ever ahead of the other."""
        book = self.services.book
        if self.task.over:
            # After its end a call may have been deleted; then nothing more is written of it.
            book.noted_late(self.id, kind, data)
        else:
            self._noted.append((datetime.now(UTC), kind, data))
            (self.services.keeper.hurry if book.is_awaited(self.id) else self.services.keeper.touch)(self)
        if kind == "leg.statistics":
            self.legs_measured += 1
            self._close_timeline()

    # ── as something that is kept ────────────────────────────────────────────────────────────────────────────────

    def facts(self) -> Fact | None:
        """What a server that comes after this one needs to go on with the call; `None`: it is over."""
        self.task.settle()
        if self.task.over:
            return None
        # Also of a call that cannot be exported.
        self._write_entries()
        return self.services.fact_of(self)

    def write_down(self) -> None:
        """Put what is new, for somebody who reads the timeline now."""
        if self._noted:
            with self.services.book.together():
                if (fact := self.facts()) is not None:
                    self.services.keeper.write(fact, hurried=False)

    def _write_entries(self) -> None:
        noted, self._noted = self._noted, []
        self.services.book.note_all(self.id, noted)

    def resume(self, end: Cause | None) -> None:
        """Of a restored call: go on, or end with a cause."""
        for recording in list(self.recordings.values()):
            leg = self.legs.get(recording.command.leg)
            if leg is not None:
                self._listen_to(recording, leg)
            else:
                self._recorded(recording.command, recording.path, what_is_left(recording.path))
        self.task.resume(end)

    # ── as a visitor of rooms ────────────────────────────────────────────────────────────────────────────────────

    @property
    def account(self) -> str:
        """Whose rooms it enters."""
        return self.caller.account

    def sound_of(self, leg: do.LegId) -> MediaLeg | None:
        """The sound of a leg; `None` when there is none."""
        found = self.legs.get(leg)
        return None if found is None else found.media

    # ── as the world of its task ─────────────────────────────────────────────────────────────────────────────────

    def perform(self, task: CallTask, command: do.Command) -> None:
        """Begin what the command asks."""
        match command:
            case do.Note():
                self.note(command.kind, command.data)
                if command.kind == "leg.answered" and command.data["leg"] == 0:
                    # Lists say since when it lasts, and a later server what the call was should this one die.
                    self.services.book.save(self.task.view(), self.dialect)
            case do.PlaceLeg():
                self._place(command)
            case do.RingLeg() | do.EarlyMediaLeg() | do.AnswerLeg() | do.HangUpLeg():
                self._signal(command)
            case do.JoinLegs() | do.PartLegs():
                self._bridge(command)
            case do.MuteLeg():
                if (muted := self.legs.get(command.leg)) is not None:
                    self.services.media.mute(muted.media, command.muted)
            case do.PrepareSound():
                if (prepared := self.services.sounds.ready(command.sound)) is not None:
                    self._prepared_sound(command, prepared)
                else:
                    self._work(self._prepare(command))
            case do.StartPlayback() | do.StopPlayback() | do.SendDigits():
                self._sound(command)
            case do.StartRecording():
                self._record(command)
            case do.KeepRecording():
                self._kept(command)
            case do.PauseRecording():
                if (paused := self.recordings.get(command.recording)) is not None:
                    paused.paused = command.paused
                    self.services.keeper.hold(
                        partial(self.services.media.recordings.pause, paused.number, command.paused)
                    )
            case do.StopRecording():
                if (recording := self.recordings.get(command.recording)) is not None:
                    recording.stopping = True
                    # Behind its beginning, which may still be held.
                    self.services.keeper.hold(partial(self.services.media.recordings.stop, recording.number))
            case do.EnterConference() | do.EnterQueue() | do.TakeCaller():
                # A call that was restored may say again what its room has answered already.
                if not any(
                    isinstance(event, happened.RoomLeft) and event.visit == command.visit for event in self.task.waiting
                ):
                    self.services.rooms.hear(self, command)
            case do.CallerBriefed() | do.StayInRoom() | do.LeaveRoom():
                self.services.rooms.hear(self, command)
            case do.FetchDocument():
                self._work(self._fetch(command))
            case do.OweRecording() | do.OweHangup() | do.OweStatus() | do.OweNotice():
                # What the post names (the recording, the call's end) is durable before it goes: its row comes behind.
                self._owing = True
                self.services.hooks.owe(self.id, self.caller.account, self.dialect.name, command)
            case do.Charge():
                self._owing = True
                if not self.services.book.draw(self.caller.account, self.id, command.amount):
                    self.post(happened.CreditGone())
            case do.Finished():
                pass  # the task's own
            case _:
                assert_never(command)

    @contextmanager
    def together(self) -> Iterator[None]:
        """What is written within is one transaction."""
        with self.services.book.together():
            yield
            if self._owing and (fact := self.facts()) is not None:
                self.services.keeper.write(fact, hurried=False)
            self._owing = False
        self.services.keeper.touch(self)

    def finished(self, task: CallTask, view: CallView) -> None:
        """Record the end, and let go of what the call kept for itself."""
        self._write_entries()
        self.services.forget(self)
        self.services.rooms.forget(self)
        for leg in self.legs.values():
            # None is left, unless the call was given up: nobody would ever end it.
            self.services.legs.hang_up(leg, view.cause or Cause.INTERNAL_ERROR)
        self.services.book.save(view, self.dialect)
        self.services.keeper.forget(self)
        self.services.keeper.drop(FACT, self.id)
        self.services.leaving.leave(self.id, list(self.legs.values()))
        self._close_timeline()
        self.services.hooks.call_over(self.id)
        for path in self.kept.values():
            self._remove(path)

    def _close_timeline(self) -> None:
        """The last word is the figures of the last leg."""
        if self.task.over and self.legs_measured >= len(self.legs):
            self.services.book.closed(self.id)

    # ── parties ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, command: do.PlaceLeg) -> None:
        placement = self.services.routing.place(self.caller, command.target, command.caller_id)
        if placement.way:
            routed = {"leg": command.leg, "way": placement.way}
            self.note("leg.routed", routed | {"trunk": placement.trunk} if placement.trunk else routed)
        if placement.cause is not None:
            self.post(happened.LegEnded(leg=command.leg, cause=placement.cause, detail=placement.detail))
            return
        assert placement.order is not None
        near = self.legs.get(do.LegId(0))
        self.legs[command.leg] = self.services.legs.place(
            self, command.leg, placement.order, placement.tariff, near=near
        )

    def _signal(self, command: do.RingLeg | do.EarlyMediaLeg | do.AnswerLeg | do.HangUpLeg) -> None:
        leg = self.legs.get(command.leg)
        if leg is None:
            # Refused, or lost to a fault, before it was a leg of SIP: there is nothing to wait for.
            if isinstance(command, do.HangUpLeg):
                self.post(happened.LegEnded(leg=command.leg, cause=command.cause))
            return
        legs = self.services.legs
        match command:
            case do.RingLeg():
                legs.ring(leg)
            case do.EarlyMediaLeg():
                legs.early_media(leg)
            case do.AnswerLeg():
                legs.answer(leg)
            case do.HangUpLeg():
                legs.hang_up(leg, command.cause)
            case _:
                assert_never(command)

    def _bridge(self, command: do.JoinLegs | do.PartLegs) -> None:
        a, b = self.legs.get(command.a), self.legs.get(command.b)
        if a is None or b is None:
            return
        if isinstance(command, do.JoinLegs):
            self.services.media.join(a.media, b.media)
        else:
            self.services.media.part(a.media, b.media)

    # ── sound ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _sound(self, command: do.StartPlayback | do.StopPlayback | do.SendDigits) -> None:
        leg = self.legs.get(command.leg)
        media = self.services.media
        match command:
            case do.StartPlayback():
                if leg is None:
                    self.post(happened.PlaybackEnded(leg=command.leg, playback=command.playback, failed=True))
                else:
                    media.play(leg.media, command.playback, command.sounds, command.loop)
            case do.StopPlayback():
                if leg is not None:
                    media.stop_playing(leg.media, command.playback)
            case do.SendDigits():
                if leg is None:
                    self.post(happened.DigitsSent(leg=command.leg, request=command.request))
                else:
                    media.send_digits(leg.media, command.request, command.keys)
            case _:
                assert_never(command)

    async def _prepare(self, command: do.PrepareSound) -> None:
        try:
            prepared = await self._prepared(command.sound)
        except BadSource as error:
            self.post(happened.SoundFailed(request=command.request, detail=str(error)))
        else:
            self._prepared_sound(command, prepared)

    def _prepared_sound(self, command: do.PrepareSound, prepared: PreparedSound) -> None:
        if prepared.warning:
            self.note("sound.warning", {"sound": sound_text(command.sound), "detail": prepared.warning})
        self.post(
            happened.SoundReady(request=command.request, handle=str(prepared.path), duration_ms=prepared.duration_ms)
        )

    async def _prepared(self, sound: Sound) -> PreparedSound:
        if isinstance(sound, LocalSound):
            path = self.kept.get(sound.name)
            if path is None:
                raise BadSource(f"nothing was recorded as local/{sound.name} in this call")
            return await self.services.sounds.prepare_file(path)
        if isinstance(sound, UrlSound):
            own = await self.services.own_recordings.find(self.caller.account, sound.url)
            if own is not None:
                return await self.services.sounds.prepare_file(own)
        return await self.services.sounds.prepare(sound)

    # ── recordings ───────────────────────────────────────────────────────────────────────────────────────────────

    def _record(self, command: do.StartRecording) -> None:
        leg = self.legs.get(command.leg)
        path = self.path_of(command)
        if leg is None:
            self._recorded(command, path, NOTHING)
            return
        recording = Recording(self.services.media.recordings.new_number(), path, command)
        self.recordings[command.recording] = recording
        # A server that knew nothing of it would begin another, over the same file.
        self.services.keeper.hurry(self)
        self.services.keeper.hold(partial(self._begin_recording, recording, leg))

    def path_of(self, command: do.StartRecording) -> Path:
        """The file of a recording."""
        return self.services.recordings_dir / f"{self.id}-{command.recording}.wav"

    def _begin_recording(self, recording: Recording, leg: SipLeg) -> None:
        self.services.media.recordings.begin(self._order(recording, leg))

    def _listen_to(self, recording: Recording, leg: SipLeg) -> None:
        """One that an earlier process has begun, or was about to."""
        order = self._order(recording, leg)
        self.services.media.recordings.restore(order, stopping=recording.stopping, paused=recording.paused)

    def _order(self, recording: Recording, leg: SipLeg) -> RecordingOrder:
        command = recording.command
        return RecordingOrder(
            number=recording.number,
            media=leg.media,
            path=str(recording.path),
            both=command.both,
            max_s=command.max_s,
            silence_s=command.silence_s,
            on_closed=partial(self._recorded, command, recording.path),
        )

    def _recorded(self, command: do.StartRecording, path: Path, closed: RecordingClosed) -> None:
        self.recordings.pop(command.recording, None)
        index, url = None, ""
        thrown_away = closed.duration_ms < max(command.min_ms, 1) or closed.voiced_ms < command.min_voiced_ms
        if thrown_away or (command.keep_as is not None and self.task.over):
            self._remove(path)
        elif command.keep_as is not None:
            self._keep_as(command.keep_as, path)
        else:
            index, url = self._given_out(path, closed)
        self.post(
            happened.RecordingEnded(
                recording=command.recording,
                reason=closed.reason,
                duration_ms=closed.duration_ms,
                voiced_ms=closed.voiced_ms,
                index=index,
                wav_url=url,
            )
        )

    def _kept(self, command: do.KeepRecording) -> None:
        """What the call had for itself until now changes hands; the file stays where it is."""
        path = self.kept.pop(command.kept_as, None)
        index, url = None, ""
        if path is not None and command.keep_as is not None:
            self._keep_as(command.keep_as, path)
        elif path is not None:
            closed = RecordingClosed(
                reason="stopped",
                duration_ms=command.duration_ms,
                voiced_ms=command.voiced_ms,
                size_bytes=path.stat().st_size,
            )
            index, url = self._given_out(path, closed)
        self.post(
            happened.RecordingEnded(
                recording=command.recording,
                reason="failed" if path is None else "stopped",
                duration_ms=command.duration_ms,
                voiced_ms=command.voiced_ms,
                index=index,
                wav_url=url,
            )
        )

    def _keep_as(self, name: str, path: Path) -> None:
        """Under a name there is one recording: an earlier one is nobody's any longer."""
        earlier = self.kept.get(name)
        if earlier is not None:
            self._remove(earlier)
        self.kept[name] = path

    def _remove(self, path: Path) -> None:
        """Delete a file that nobody needs, in a thread: a disk that does not answer would hold up every call."""
        self.services.loop.run_in_executor(None, _remove, path)

    def _given_out(self, path: Path, closed: RecordingClosed) -> tuple[int, str]:
        index = self.recordings_made
        self.recordings_made += 1
        url = self.services.book.recorded(
            self.caller.account, self.id, index, path, closed, open_link=self.dialect.open_links
        )
        return index, url

    # ── the customer ─────────────────────────────────────────────────────────────────────────────────────────────

    async def _fetch(self, command: do.FetchDocument) -> None:
        answer = await self.services.hooks.ask(
            self.id, command, self.note, self.caller.account, files=self.dialect.files
        )
        if answer.body is None:
            self.post(
                happened.DocumentFailed(
                    request=command.request,
                    cause=Cause.HOOK_FAILED,
                    detail=answer.detail,
                    why=answer.why,
                    status=answer.status,
                )
            )
            return
        try:
            _, reading = read_document(answer.body, answer.url, self.dialect)
        except DocumentError as error:
            self.post(
                happened.DocumentFailed(request=command.request, cause=error.cause, detail=str(error), why=error.name)
            )
            return
        self.post(happened.DocumentArrived(request=command.request, flow=reading.flow, warnings=reading.warnings))

    def _work(self, work: Coroutine[Any, Any, None]) -> None:
        task = self.services.loop.create_task(self._guarded(work))
        self._working.add(task)
        task.add_done_callback(self._working.discard)

    async def _guarded(self, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
        except asyncio.CancelledError:
            raise
        except Exception:
            log.exception("call.work.fault", call=self.id)
            self.post(happened.HangUp(cause=Cause.INTERNAL_ERROR))


def _remove(path: Path) -> None:
    """Where the disk is in trouble the file stays, and the call goes on all the same."""
    try:
        path.unlink(missing_ok=True)
    except OSError as error:
        log.warning("recording.not_removed", file=path.name, why=str(error))
