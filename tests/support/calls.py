"""A call on a pretend clock, and its world: what it says is kept, time passes when a test says so.

Every event is also given to a twin that was restored from the call's export on another clock, and the two must say the
same: so every test of a call is a test of `export` and `restore` as well.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

from offhook.call.call import Call
from offhook.call.commands import (
    Command,
    FetchDocument,
    Finished,
    LegId,
    Note,
    PlaceLeg,
    PrepareSound,
    RecordingId,
    StartPlayback,
    StartRecording,
)
from offhook.call.events import (
    DigitPressed,
    DocumentArrived,
    Event,
    LegAnswered,
    LegEnded,
    LegPlaced,
    LegProgress,
    Now,
    PlaybackEnded,
    RecordingEnded,
    SoundReady,
    Tariff,
)
from offhook.flow.dialects.dialect import Params, Reading
from offhook.flow.program import Document, Flow, Next, Outcome, Step
from offhook.flow.targets import LegStage
from offhook.flow.verbs import NamedSound, NumberTarget, Sound, Target, Verb
from offhook.flow.view import CallId, CallView, Cause, LegView, RecordingView

WALL_0 = 1_700_000_000.0
OTHER_CLOCK = 5_000.0
WALL_CLOCK_GRAIN = 1e-6
"""Wall-clock seconds in a float are not finer, so a restored deadline may be later by less than this."""
CALLER, OURS, FRIEND = "+46700000001", "+46100000001", "+46700000002"
HOOK = "https://app.example/start"
A, B, C = LegId(0), LegId(1), LegId(2)

T = TypeVar("T")


SORRY = NamedSound(name="sorry")


@dataclass(frozen=True, slots=True)
class PlainWords:
    """A dialect that says what it was asked and nothing else, so that tests of calls know no customer's language."""

    name: str = "plain"
    apology: Sound = SORRY
    open_links: bool = False
    files: bool = False

    def read(self, body: bytes, address: str) -> Reading:
        """Tests give flows, never documents."""
        raise NotImplementedError

    def begun(self, view: CallView) -> Params:
        """What it is, and of which call."""
        return (("said", "begun"), ("id", view.id))

    def continued(self, view: CallView, outcome: Outcome) -> Params:
        """What it is, and the outcome."""
        return (("said", "continued"), ("result", outcome.digits or outcome.kind.value), ("why", outcome.why or ""))

    def recorded(self, view: CallView, recording: RecordingView) -> Params:
        """What it is, and which recording."""
        return (("said", "recorded"), ("wav", recording.wav_url))

    def ended(self, view: CallView) -> Params:
        """What it is, and the state."""
        return (("said", "ended"), ("state", view.state.value))

    def actions(self, view: CallView) -> list[dict[str, Any]]:
        """How each verb ended."""
        return [{"result": done.outcome.kind.value} for done in view.performed]

    def status(self, view: CallView, leg: LegView, stage: LegStage, extra: Params) -> Params:
        """Which leg, how far it is, and what goes along."""
        told = {"leg": leg.number, "seconds": leg.duration_s, "wav": leg.recording_url}
        return (("said", stage.value), *((name, str(value)) for name, value in told.items()), *extra)


def flow(*verbs: Verb, **branches: Next) -> Flow:
    """Steps one after another; `otherwise` belongs to the last."""
    steps = [Step(verb=verb) for verb in verbs]
    if branches:
        steps[-1] = Step(verb=verbs[-1], **branches)  # type: ignore[arg-type]
    return Flow(steps=tuple(steps))


def ask(url: str = HOOK) -> Document:
    """A document at a URL."""
    return Document(url=url)


@dataclass
class World:
    """A call and all it has said."""

    call: Call
    mono: float = 0.0
    said: list[Command] = field(default_factory=list)
    seen: int = 0
    """How many commands the test has looked at."""

    # ── time and events ──────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def now(self) -> Now:
        """The pretend time."""
        return Now(self.mono, WALL_0 + self.mono)

    def tell(self, event: Event) -> list[Command]:
        """Give the call an event; what it says to that, without notes."""
        self._both(lambda call, now: call.handle(event, now))
        return self.new()

    def after(self, seconds: float) -> list[Command]:
        """Let time pass, with every deadline at its moment; what the call says meanwhile, without notes."""
        until = self.mono + seconds
        while (deadline := self.call.poll_deadline()) is not None and deadline <= until:
            self.mono = max(self.mono, deadline)
            self._both(lambda call, now: call.handle_timer(now))
        self.mono = until
        return self.new()

    def resumes(self) -> list[Command]:
        """The call is restarted, and says again what it waits for; what it says, without notes."""
        self._both(lambda call, now: call.resume(now))
        return self.new()

    def _both(self, act: Callable[[Call, Now], None]) -> None:
        self._drain()
        other = Now(self.mono + OTHER_CLOCK, WALL_0 + self.mono)
        twin = Call.restore(json.loads(json.dumps(self.call.export())), PlainWords(), other)
        act(self.call, self.now)
        act(twin, other._replace(mono=other.mono + WALL_CLOCK_GRAIN))
        said = self._drain()
        assert drained(twin) == said
        assert twin.view() == self.call.view()
        mine, its = self.call.poll_deadline(), twin.poll_deadline()
        assert (mine is None) == (its is None)
        assert mine is None or its is None or abs(its - OTHER_CLOCK - mine) < 1e-3

    def _drain(self) -> list[Command]:
        fresh = drained(self.call)
        assert not (fresh and any(isinstance(each, Finished) for each in self.said)), "it spoke after Finished"
        self.said += fresh
        return fresh

    # ── what it said ─────────────────────────────────────────────────────────────────────────────────────────────────

    def new(self) -> list[Command]:
        """Commands that no test has seen yet, without notes."""
        self._drain()
        fresh, self.seen = self.said[self.seen :], len(self.said)
        return [each for each in fresh if not isinstance(each, Note)]

    def all(self, kind: type[T]) -> list[T]:
        """Every command of a kind, from the beginning."""
        self._drain()
        return [each for each in self.said if isinstance(each, kind)]

    def last(self, kind: type[T]) -> T:
        """The latest command of a kind."""
        return self.all(kind)[-1]

    def notes(self, kind: str) -> list[dict[str, Any]]:
        """The data of every note of a kind."""
        return [dict(each.data) for each in self.all(Note) if each.kind == kind]

    @property
    def finished(self) -> CallView:
        """The view that the call ended with; fails unless it ended once."""
        (end,) = self.all(Finished)
        return end.view

    @property
    def results(self) -> list[tuple[str, str | None]]:
        """How each verb ended, in order."""
        return [
            (each.outcome.digits or each.outcome.kind.value, each.outcome.why) for each in self.call.view().performed
        ]

    # ── what often happens ───────────────────────────────────────────────────────────────────────────────────────────

    def placed(self, leg: LegId = B, tariff: Tariff | None = None) -> list[Command]:
        """The request has left."""
        return self.tell(LegPlaced(leg=leg, tariff=tariff or Tariff()))

    def rings(self, leg: LegId = B, early_media: bool = False) -> list[Command]:
        """The far phone rings."""
        return self.tell(LegProgress(leg=leg, early_media=early_media))

    def answers(self, leg: LegId = A) -> list[Command]:
        """A party answers, or has been answered."""
        return self.tell(LegAnswered(leg=leg))

    def ends(self, leg: LegId = A, cause: Cause = Cause.NORMAL) -> list[Command]:
        """A party is gone."""
        return self.tell(LegEnded(leg=leg, cause=cause))

    def presses(self, keys: str, leg: LegId = A) -> list[Command]:
        """Keys, one after another."""
        return [command for key in keys for command in self.tell(DigitPressed(leg=leg, digit=key))]

    def ready(self, handle: str = "h") -> list[Command]:
        """The sound asked for last is there."""
        return self.tell(SoundReady(request=self.last(PrepareSound).request, handle=handle, duration_ms=1000))

    def played(self) -> list[Command]:
        """What plays has come to its end."""
        playing = self.last(StartPlayback)
        return self.tell(PlaybackEnded(leg=playing.leg, playback=playing.playback))

    def recorded(
        self, *, ms: int = 5000, voiced: int = 4000, reason: str = "silence", index: int | None = 0
    ) -> list[Command]:
        """The recording begun last is closed."""
        recording = self.last(StartRecording).recording
        url = "" if index is None else f"https://api.example/r{index}.wav"
        return self.tell(
            RecordingEnded(
                recording=recording, reason=reason, duration_ms=ms, voiced_ms=voiced, index=index, wav_url=url
            )
        )

    def recorded_unknown(self) -> list[Command]:
        """A recording that nobody began is closed."""
        unknown = RecordingId(99)
        return self.tell(RecordingEnded(recording=unknown, reason="max", duration_ms=9, voiced_ms=9, index=0))

    def document_empty(self) -> list[Command]:
        """The document asked for last has come, and asks for nothing."""
        return self.tell(DocumentArrived(request=self.last(FetchDocument).request, flow=Flow()))

    def document(self, *verbs: Verb, **branches: Next) -> list[Command]:
        """The document asked for last has come."""
        return self.tell(DocumentArrived(request=self.last(FetchDocument).request, flow=flow(*verbs, **branches)))


def drained(call: Call) -> list[Command]:
    """Everything a call has to say."""
    said = []
    while (command := call.poll_command()) is not None:
        said.append(command)
    return said


def incoming(*verbs: Verb, start: Next | None = None, answered: bool = False, **more: Any) -> World:
    """A call that came to us and runs a flow; `answered`: the party is there before the first verb is looked at."""
    world = World(
        Call.incoming(
            id=CallId("c" * 32),
            from_=CALLER,
            to=OURS,
            now=Now(0.0, WALL_0),
            owner="u1",
            dialect=PlainWords(),
            start=flow(*verbs) if start is None else start,
            **more,
        )
    )
    if answered:
        world.answers(A)
    return world


def outgoing(*verbs: Verb, start: Next | None = None, answered: bool = True, **more: Any) -> World:
    """A call that we made; answered, unless said otherwise, so that the flow runs."""
    target: Target = more.pop("target", NumberTarget(number=FRIEND))
    world = World(
        Call.outgoing(
            id=CallId("c" * 32),
            from_=OURS,
            target=target,
            now=Now(0.0, WALL_0),
            owner="u1",
            dialect=PlainWords(),
            start=flow(*verbs) if start is None else start,
            ring_timeout=more.pop("ring_timeout", 60.0),
            **more,
        )
    )
    if answered:
        world.placed(A)
        before = world.seen
        world.answers(A)
        world.seen = before
    return world


def places(world: World) -> list[str]:
    """Whom the call has called, as numbers."""
    return [each.target.number for each in world.all(PlaceLeg) if isinstance(each.target, NumberTarget)]
