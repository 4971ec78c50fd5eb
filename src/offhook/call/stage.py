"""Where verbs are carried out: the parties of a call, what it says next, and the numbers it gives out.

A performer sees the call through this and nothing else, so it can neither move the flow nor end the call by itself; it
may only ask for an end. Holds no rule of its own.
"""

from collections import deque
from dataclasses import dataclass, field
from typing import Any, NewType

from offhook.call.commands import (
    Command,
    KeepRecording,
    LegId,
    Note,
    PlaceLeg,
    PlaybackId,
    RecordingId,
    RequestId,
    StartRecording,
    VisitId,
)
from offhook.call.events import Event, LegEnded, Now, RecordingEnded, Tariff
from offhook.call.leg import Leg, LegState
from offhook.call.plain import Mono
from offhook.call.policy import RECORDING_MIN_MS, RECORDING_MIN_VOICED_MS, TYPED_AHEAD_MAX
from offhook.flow.program import Next
from offhook.flow.targets import StatusHook, target_text
from offhook.flow.verbs import HangupAs, Notify, Target, UnusableTarget
from offhook.flow.view import Cause

__all__ = [
    "MAIN",
    "PARTY",
    "Acting",
    "BeginScript",
    "DropScript",
    "Heard",
    "OpenRecording",
    "ScriptEnded",
    "ScriptId",
    "Stage",
    "Standing",
    "WholeCall",
    "target_text",
]

PARTY = LegId(0)
"""The leg that the call began with, and that the call's own flow controls."""

ScriptId = NewType("ScriptId", int)
"""Of a flow that runs in a call; counts up, never used twice in it."""
MAIN = ScriptId(0)
"""The call's own."""


@dataclass(slots=True, kw_only=True)
class Acting:
    """For whom a performer acts: one flow of the call, and the leg whose flow it is."""

    id: ScriptId = MAIN
    leg: LegId = PARTY
    typed_ahead: str = ""
    """Keys pressed while nobody asked for any, kept for a Gather that follows at once."""
    wanted_end: HangupAs | None = None
    """What a Hangup has asked for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BeginScript:
    """A performer wants a flow to run beside its own, for a leg of the call."""

    id: ScriptId
    leg: LegId
    start: Next
    parent: ScriptId


@dataclass(frozen=True, slots=True, kw_only=True)
class ScriptEnded:
    """A flow that a performer began is over; only that performer hears it."""

    id: ScriptId
    declined: bool
    """A Hangup ended it, and nothing else."""
    cause: Cause


Heard = Event | ScriptEnded
"""What a performer hears: what happens to the call, and the ends of the flows that it began itself."""


@dataclass(frozen=True, slots=True, kw_only=True)
class DropScript:
    """A performer no longer wants a flow that it began: nothing more of it is heard, and its leg stays."""

    id: ScriptId


@dataclass(slots=True, kw_only=True)
class OpenRecording:
    """A recording that runs, and who will want it."""

    leg: LegId
    deliver_to: str | None
    keep_as: str | None
    both: bool
    """Also what the leg hears."""
    name: str | None = None
    """What the customer calls it."""
    then_keep: bool = False
    """The call kept it for itself only until somebody chose, and nobody can any longer: it is the customer's."""


@dataclass(slots=True, kw_only=True)
class WholeCall:
    """That both parties are recorded to the end: wanted at most once at a time."""

    deliver_to: str | None
    recording: RecordingId | None = None
    """Once it has begun."""


@dataclass(slots=True, kw_only=True)
class Standing:
    """What stands on the stage, as plain data that outlives a restart."""

    legs: dict[LegId, Leg]
    other_party: str
    """The number that is shown to those who are called for the party, unless the customer names one."""
    recordings: dict[RecordingId, OpenRecording] = field(default_factory=dict)
    whole_call: WholeCall | None = None
    hangup_hook: str | None = None
    last_dial: Cause | None = None
    """How the last Dial failed, for an incoming call that ends without an answer."""
    playbacks: int = 0
    requests: int = 0
    recordings_begun: int = 0
    visits: int = 0
    scripts_begun: int = 1
    """The call's own is the first."""


class Stage:
    """The hands of a performer. `now` is set by the call before every event."""

    __slots__ = ("acting", "notices", "now", "out", "standing", "wishes")

    def __init__(self, standing: Standing, now: Now) -> None:
        self.standing = standing
        self.now = now
        self.acting = Acting()
        self.out: deque[Command] = deque()
        self.wishes: deque[BeginScript | DropScript] = deque()
        """What the call is to do once the performer has returned."""
        self.notices: list[Notify] = []
        """What is to be told of the call as it stands then."""

    def seen_by(self, acting: Acting) -> "Stage":
        """The same stage, as a performer of another flow sees it."""
        stage = Stage.__new__(Stage)
        stage.standing, stage.now, stage.acting = self.standing, self.now, acting
        stage.out, stage.wishes, stage.notices = self.out, self.wishes, self.notices
        return stage

    @property
    def party(self) -> Leg:
        """The leg whose flow is being performed."""
        return self.standing.legs[self.acting.leg]

    @property
    def legs(self) -> dict[LegId, Leg]:
        """All of them, ended ones too."""
        return self.standing.legs

    def say(self, *commands: Command) -> None:
        """Put commands into the queue."""
        self.out.extend(commands)

    def note(self, kind: str, **data: Any) -> None:
        """An entry of the timeline; `None` values are left out."""
        self.say(Note(kind=kind, data={key: value for key, value in data.items() if value is not None}))

    def after(self, seconds: float) -> Mono:
        """The moment that is so many seconds from now."""
        return Mono(self.now.mono + seconds)

    def next_playback(self) -> PlaybackId:
        """A number never used before in this call; so are the others."""
        self.standing.playbacks += 1
        return PlaybackId(self.standing.playbacks)

    def next_request(self) -> RequestId:
        """For whatever is asked of the world and answered."""
        self.standing.requests += 1
        return RequestId(self.standing.requests)

    def next_visit(self) -> VisitId:
        """For a stay in a room."""
        self.standing.visits += 1
        return VisitId(self.standing.visits)

    def place(
        self, target: Target, caller_id: str, told: StatusHook | None = None, refused: Cause | None = None
    ) -> Leg:
        """Call somebody. What is no target has failed already when this returns, and so it has with `refused`.

        `told`: who is told how the leg fares; unless given, as the target's treatment has it.
        """
        leg = Leg(
            id=LegId(len(self.legs)),
            incoming=False,
            to=target_text(target),
            from_=caller_id,
            state=LegState.PLACING,
            tariff=Tariff(),
            told=told or target.treatment.told,
        )
        self.legs[leg.id] = leg
        self.note("leg.placed", leg=leg.id, to=leg.to, caller_id=caller_id)
        if refused is None and isinstance(target, UnusableTarget):
            refused, detail = Cause.NOT_FOUND, "this is no number and no SIP URI"
        else:
            detail = None
        if refused is not None:
            leg.hear(LegEnded(leg=leg.id, cause=refused), self.now)
            self.note("leg.ended", leg=leg.id, cause=refused.value, detail=detail)
        else:
            self.say(PlaceLeg(leg=leg.id, target=target, caller_id=caller_id))
        return leg

    def begin_script(self, leg: LegId, start: Next) -> ScriptId:
        """Run a flow for a leg, beside the one that is being performed.

        Its end comes as a `ScriptEnded`; the party's own end takes it away without one.
        """
        script = ScriptId(self.standing.scripts_begun)
        self.standing.scripts_begun += 1
        self.wishes.append(BeginScript(id=script, leg=leg, start=start, parent=self.acting.id))
        return script

    def drop_script(self, script: ScriptId) -> None:
        """End a flow that was begun here, as if it had never been. One that is over already is left alone."""
        self.wishes.append(DropScript(id=script))

    def record(
        self,
        *,
        deliver_to: str | None,
        keep_as: str | None = None,
        both: bool = False,
        max_s: float | None = None,
        silence_s: float | None = None,
        leg: LegId | None = None,
        name: str | None = None,
    ) -> RecordingId:
        """Record a leg (the party, unless another is named), or the leg and whom it hears."""
        leg = self.party.id if leg is None else leg
        self.standing.recordings_begun += 1
        recording = RecordingId(self.standing.recordings_begun)
        self.standing.recordings[recording] = OpenRecording(
            leg=leg, deliver_to=deliver_to, keep_as=keep_as, both=both, name=name
        )
        self.say(
            StartRecording(
                leg=leg,
                recording=recording,
                both=both,
                max_s=max_s,
                silence_s=silence_s,
                keep_as=keep_as,
                min_ms=0 if both else RECORDING_MIN_MS,
                min_voiced_ms=0 if both else RECORDING_MIN_VOICED_MS,
            )
        )
        self.note("recording.begun", recording=recording, both=both, keep_as=keep_as)
        return recording

    def keep(
        self,
        ended: RecordingEnded,
        kept_as: str,
        *,
        leg: LegId,
        deliver_to: str | None,
        keep_as: str | None = None,
        name: str | None = None,
    ) -> RecordingId:
        """Make a recording that the call has kept for itself the customer's, or the call's under another name.

        It gets a new number, and a `RecordingEnded` of its own.
        """
        self.standing.recordings_begun += 1
        recording = RecordingId(self.standing.recordings_begun)
        self.standing.recordings[recording] = OpenRecording(
            leg=leg, deliver_to=deliver_to, keep_as=keep_as, both=False, name=name
        )
        self.say_keep(recording, ended, kept_as)
        self.note("recording.kept", recording=recording, keep_as=keep_as)
        return recording

    def say_keep(self, recording: RecordingId, ended: RecordingEnded, kept_as: str) -> None:
        """Say (again) that a recording is to be made into another one that `keep` has opened."""
        self.say(
            KeepRecording(
                recording=recording,
                kept_as=kept_as,
                keep_as=self.standing.recordings[recording].keep_as,
                duration_ms=ended.duration_ms,
                voiced_ms=ended.voiced_ms,
            )
        )

    def type_ahead(self, key: str) -> None:
        """Keep a key that nobody asked for yet; beyond the limit keys are lost."""
        self.acting.typed_ahead = (self.acting.typed_ahead + key)[:TYPED_AHEAD_MAX]

    def take_typed_ahead(self) -> str:
        """The keys that wait, which then wait no longer."""
        keys, self.acting.typed_ahead = self.acting.typed_ahead, ""
        return keys
