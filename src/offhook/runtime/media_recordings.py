"""Recordings that the engine makes of legs: begun, paused and stopped, and their end told once, whoever ends them.

They outlive a control process: `restore` and `reconcile`. Of one that nobody ends any more, since its engine died, what
is in the file counts. What becomes of a file is the call's to decide.
"""

import os
from collections.abc import Callable, Collection
from dataclasses import dataclass, field

import structlog

from offhook.media import commands as engine
from offhook.media import events as said
from offhook.runtime.engine_line import EngineLine, told
from offhook.runtime.media_leg import MediaLeg

__all__ = ["NOTHING", "MediaRecordings", "RecordingClosed", "RecordingOrder", "what_is_left"]

log = structlog.get_logger(__name__)

WAV_HEADER_BYTES, WAV_BYTES_PER_S = 44, 16_000


@dataclass(frozen=True, slots=True, kw_only=True)
class RecordingClosed:
    """A recording's file is finished."""

    reason: str
    duration_ms: int
    voiced_ms: int
    size_bytes: int


NOTHING = RecordingClosed(reason="failed", duration_ms=0, voiced_ms=0, size_bytes=0)
"""Nothing could be recorded, and there is no file."""


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class RecordingOrder:
    """What is to be recorded of a leg."""

    number: engine.RecordingId
    media: MediaLeg
    path: str
    """Of a new file."""
    both: bool
    """What the leg hears too, not only what it says."""
    max_s: float | None = None
    silence_s: float | None = None
    """End when nothing is said for so long."""
    on_closed: Callable[[RecordingClosed], None]

    def command(self) -> engine.StartRecording:
        """In the engine's words."""
        return engine.StartRecording(
            recording=self.number,
            session=self.media.session,
            recorded=engine.RecordingKind.BOTH if self.both else engine.RecordingKind.PARTY,
            path=self.path,
            max_ms=0 if self.max_s is None else round(self.max_s * 1000),
            silence_ms=0 if self.silence_s is None else round(self.silence_s * 1000),
        )


@dataclass(slots=True, eq=False)
class _Running:
    order: RecordingOrder
    stopping: bool = False
    paused: bool = False


@dataclass(slots=True, kw_only=True)
class MediaRecordings:
    """All recordings on one engine whose end has not been told."""

    line: EngineLine
    is_there: Callable[[MediaLeg], bool]
    """Whether the engine has the session of a leg."""
    next_id: Callable[[], int]
    _running: dict[int, _Running] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self._running)

    def new_number(self) -> engine.RecordingId:
        """Of one that is to begin, so that it can be known before it does."""
        return engine.RecordingId(self.next_id())

    def begin(self, order: RecordingOrder) -> None:
        """`on_closed` follows, whoever ends it."""
        if not self.is_there(order.media):
            order.on_closed(NOTHING)
            return
        self._running[order.number] = _Running(order)
        self.line.send(order.command())

    def stop(self, number: engine.RecordingId) -> None:
        """Finish a recording; one that is over already, or ends with its session just now, is no fault."""
        running = self._running.get(number)
        if running is not None:
            running.stopping = True
            if self.is_there(running.order.media):
                self.line.send(engine.StopRecording(recording=number))

    def pause(self, number: engine.RecordingId, paused: bool) -> None:
        """Let a recording hold silence, or sound again; one that is over is no fault."""
        running = self._running.get(number)
        if running is not None:
            running.paused = paused
            if self.is_there(running.order.media):
                self.line.send(engine.PauseRecording(recording=number, paused=paused))

    def ended(self, event: said.RecordingEnded) -> None:
        """The engine has finished a file. What the facts of a restored leg know of is not told again."""
        running = self._running.get(event.recording)
        if running is None or self.line.heard <= running.order.media.after:
            return
        del self._running[event.recording]
        if event.reason is said.RecordingEnd.FAILED:
            log.warning("media.recording.failed", detail=event.detail)
        running.order.on_closed(
            RecordingClosed(
                reason=event.reason.name.lower(),
                duration_ms=event.duration_ms,
                voiced_ms=event.voiced_ms,
                size_bytes=event.bytes,
            )
        )

    def close_of(self, sessions: Collection[int]) -> None:
        """Nothing more is heard of these sessions: their recordings are what is left of them."""
        for number, running in list(self._running.items()):
            if running.order.media.session in sessions:
                self._close(number, running)

    # ── outliving a control process ──────────────────────────────────────────────────────────────────────────────

    def restore(self, order: RecordingOrder, *, stopping: bool = False, paused: bool = False) -> None:
        """Hear again of a recording that an earlier control process has begun, or died before it could; it may have
        stopped or paused it since."""
        self._running[order.number] = _Running(order, stopping, paused)

    def reconcile(self, found: Collection[int]) -> None:
        """Compare restored ones with those that run on an adopted engine."""
        for number, running in list(self._running.items()):
            if running.order.media.after:
                self._reconcile(number, running, runs=number in found)

    def _reconcile(self, number: int, running: _Running, *, runs: bool) -> None:
        """A recording whose end was not told runs, or has never begun; then there is no file of it. (A file without
        either is one whose end the engine could not keep for us.)"""
        order, there = running.order, self.is_there(running.order.media)
        if not runs and (not there or running.stopping or os.path.exists(order.path)):
            self._close(number, running)
            return
        if not there:
            return
        if not runs:
            self.line.send(order.command())
        if running.paused:
            self.line.send(engine.PauseRecording(recording=order.number, paused=True))
        if running.stopping:
            self.line.send(engine.StopRecording(recording=order.number))

    def _close(self, number: int, running: _Running) -> None:
        del self._running[number]
        told(running.order.on_closed, what_is_left(running.order.path))


def what_is_left(path: str | os.PathLike[str]) -> RecordingClosed:
    """Of a recording of whose end nobody tells: the file is valid up to its last second."""
    try:
        size = os.path.getsize(path)
    except OSError:
        size = 0
    duration_ms = max(0, size - WAV_HEADER_BYTES) * 1000 // WAV_BYTES_PER_S
    return RecordingClosed(reason="closed", duration_ms=duration_ms, voiced_ms=duration_ms, size_bytes=size)
