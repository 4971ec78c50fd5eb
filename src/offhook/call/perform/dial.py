"""Carries out Dial: calls others, and joins the first who answers with the party (46elks `connect`, section 5.1).

All targets ring at once. While they do, an answered party hears ring-back, an unanswered one is told that it rings; one
target alone is heard before it answers, if it sends sound. Keys pressed meanwhile are nobody's. Who answers first wins,
is readied as its treatment asks (`readying.py`) while the party goes on hearing that it rings, and is joined.
Outcomes: `ok` when the far end, or the time limit, ended the talk; `busy` when every target was; else `failed`.
"""

from dataclasses import dataclass, field, replace
from typing import ClassVar, Self, assert_never

from offhook.call.bridge import Bridge
from offhook.call.commands import (
    JoinLegs,
    LegId,
    PlaybackId,
    PrepareSound,
    RecordingId,
    RequestId,
    StartPlayback,
    StopPlayback,
)
from offhook.call.events import (
    DigitsSent,
    LegAnswered,
    LegEnded,
    LegProgress,
    RecordingEnded,
    SoundFailed,
    SoundReady,
)
from offhook.call.leg import Leg
from offhook.call.perform.performer import failed
from offhook.call.perform.readying import Readiness, Readying
from offhook.call.plain import Mono
from offhook.call.policy import BRIEFING_MAX_S, RECORDING_CLOSES_S, ring_timeout_s
from offhook.call.stage import Heard, ScriptEnded, Stage
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.verbs import Dial, NamedSound, Treatment
from offhook.flow.view import Cause

__all__ = ["Dialling"]

RINGBACK = NamedSound(name="ringback")
MOST_TELLING = (Cause.NO_ANSWER, Cause.REJECTED, Cause.BUSY)
"""Of several reasons the first of these that was given is the Dial's, since there somebody's phone did ring."""


@dataclass(slots=True, kw_only=True)
class Dialling:
    """A Dial at work: it rings, then readies who answered, then they talk, then a recording may have to be closed."""

    needs_answer: ClassVar[bool] = False
    verb: Dial
    targets: tuple[LegId, ...] = ()
    """The legs, in the order of the verb's targets."""
    ring_until: dict[LegId, Mono] = field(default_factory=dict)
    bridge: Bridge | None = None
    """With the only target from the start, if it is to be heard early; else with who answered and is ready."""
    winner: Readying | None = None
    """The first who answered."""
    ready: bool = False
    """The winner may be, or has been, joined."""
    recording: RecordingId | None = None
    recording_open: bool = False
    closing: bool = False
    """The talk is over, and its recording is waited for."""
    recording_url: str = ""
    ringback_asked: RequestId | None = None
    ringback: PlaybackId | None = None
    deadline: Mono | None = None
    """Of what goes on: the ringing of the next phone that has rung enough, the readying, the talk, or the closing."""

    @classmethod
    def of(cls, verb: Dial) -> Self:
        """Not begun yet."""
        return cls(verb=verb)

    def start(self, stage: Stage) -> Outcome | None:
        """Ring them all."""
        placed = []
        for target in self.verb.targets:
            caller_id = target.treatment.caller_id or self.verb.caller_id or stage.standing.other_party
            leg = stage.place(target, caller_id)
            asked_s = target.treatment.ring_timeout_s
            rings_s = self.verb.ring_timeout_s if asked_s is None else asked_s
            self.ring_until[leg.id] = stage.after(ring_timeout_s(rings_s))
            placed.append(leg.id)
        self.targets = tuple(placed)
        if all(leg.gone for leg in self._legs(stage)):
            return self._nobody(stage)
        if len(self.targets) == 1 and self._joins_at_once(self.targets[0]):
            self.bridge = Bridge(a=stage.party.id, b=self.targets[0], early=True)
        self._wait_for_rings(stage)
        stage.say(*stage.party.ring())
        self._ask_for_ringback(stage)
        return None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """What the others do, and when the ring-back can be heard."""
        match event:
            case SoundReady(request=request, handle=handle) if request == self.ringback_asked:
                self._start_ringback(handle, stage)
            case SoundFailed(request=request, detail=detail) if request == self.ringback_asked:
                self.ringback_asked = None
                stage.note("sound.failed", sound=RINGBACK.name, detail=detail)
            case LegAnswered(leg=leg) if leg in self.targets:
                self._answered_by(leg, stage)
            case LegAnswered() if not self.ready:
                # The answer of an earlier verb has come through only now.
                self._settle(stage)
                self._ask_for_ringback(stage)
            case LegAnswered() | LegProgress() | LegEnded():
                self._settle(stage)
            case DigitsSent() | ScriptEnded():
                self._readied(event, stage)
            case RecordingEnded(recording=recording) if recording == self.recording:
                self.recording_open, self.recording_url = False, event.wav_url
            case _:
                pass
        return self._outcome(stage)

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """They have rung, been briefed or talked for long enough; or nobody waits for a recording any longer."""
        self.deadline = None
        if self.winner is None:
            self._hang_up_those_who_rang(stage)
        elif not self.ready:
            self.winner.give_up(Cause.TIME_LIMIT, stage)
            self._hang_up_all(Cause.TIME_LIMIT, stage)
        elif self.closing:
            self.recording_open = False
        else:
            self._hang_up_all(Cause.TIME_LIMIT, stage)
        self._settle(stage)
        return self._outcome(stage)

    def stop(self, stage: Stage) -> None:
        """The call ends: nobody else is left ringing or talking."""
        for leg in self._legs(stage):
            stage.say(*leg.hang_up(Cause.NORMAL if leg.up else Cause.CANCELLED, stage.now))
        self._settle(stage)

    def leave(self, stage: Stage) -> None:
        """The party goes on without the others; a recording of the talk ends as the talk does."""
        self._stop_ringback(stage)
        self.stop(stage)

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """The ring-back, the keys of who is being readied, and the joining; phones go on ringing by themselves."""
        if self.winner is not None and not self.ready:
            self.winner.resume(stage, sound_lost=sound_lost)
        if self.ringback_asked is not None:
            stage.say(PrepareSound(request=self.ringback_asked, sound=RINGBACK))
        if sound_lost and self.ringback is not None:
            self.ringback = None
            self._ask_for_ringback(stage)
        if sound_lost and self.bridge is not None and self.bridge.joined:
            stage.say(JoinLegs(a=self.bridge.a, b=self.bridge.b))

    def _legs(self, stage: Stage) -> list[Leg]:
        return [stage.legs[leg] for leg in self.targets]

    def _treatment(self, leg: LegId) -> Treatment:
        return self.verb.targets[self.targets.index(leg)].treatment

    def _joins_at_once(self, leg: LegId) -> bool:
        """Who is briefed first is not heard before: the caller would hear the briefing being listened to."""
        treatment = self._treatment(leg)
        return treatment.briefing is None and not treatment.send_digits

    def _hang_up_all(self, cause: Cause, stage: Stage, but: LegId | None = None) -> None:
        for leg in self._legs(stage):
            if leg.id != but:
                stage.say(*leg.hang_up(cause, stage.now))

    # ── ringing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _wait_for_rings(self, stage: Stage) -> None:
        """Whoever has left rings no longer; those who still do may have different times."""
        self.deadline = min(self.ring_until[leg.id] for leg in self._legs(stage) if not leg.gone)

    def _hang_up_those_who_rang(self, stage: Stage) -> None:
        for leg in self._legs(stage):
            if self.ring_until[leg.id] <= stage.now.mono:
                stage.say(*leg.hang_up(Cause.NO_ANSWER, stage.now))
        if not all(leg.gone for leg in self._legs(stage)):
            self._wait_for_rings(stage)

    def _ask_for_ringback(self, stage: Stage) -> None:
        if stage.party.up and not (self.bridge is not None and self.bridge.joined):
            self.ringback_asked = stage.next_request()
            stage.say(PrepareSound(request=self.ringback_asked, sound=RINGBACK))

    def _start_ringback(self, handle: str, stage: Stage) -> None:
        """Whoever began to be heard meanwhile has taken the question back, so that no answer comes here too late."""
        self.ringback_asked = None
        self.ringback = stage.next_playback()
        stage.say(StartPlayback(leg=stage.party.id, playback=self.ringback, sounds=(handle,), loop=0))

    def _stop_ringback(self, stage: Stage) -> None:
        self.ringback_asked = None
        if self.ringback is not None:
            stage.say(StopPlayback(leg=stage.party.id, playback=self.ringback))
            self.ringback = None

    # ── from an answer to a talk ─────────────────────────────────────────────────────────────────────────────────────

    def _answered_by(self, winner: LegId, stage: Stage) -> None:
        """The first who answers wins; a second answer can cross our hanging up and is none (the leg drops it)."""
        self._hang_up_all(Cause.ANSWERED_ELSEWHERE, stage, but=winner)
        self.winner = Readying.of(winner, self._treatment(winner))
        self.deadline = stage.after(BRIEFING_MAX_S)
        self.winner.start(stage)
        self._go_on_readying(stage)

    def _readied(self, event: Heard, stage: Stage) -> None:
        if self.winner is not None and not self.ready:
            self.winner.handle(event, stage)
            self._go_on_readying(stage)

    def _go_on_readying(self, stage: Stage) -> None:
        assert self.winner is not None
        match self.winner.state:
            case Readiness.UNDER_WAY:
                pass
            case Readiness.READY:
                self._join(self.winner.leg, stage)
            case Readiness.DECLINED:
                self._hang_up_all(Cause.NORMAL, stage)
            case _:
                assert_never(self.winner.state)

    def _join(self, winner: LegId, stage: Stage) -> None:
        self.ready = True
        if self.bridge is None:
            self.bridge = Bridge(a=stage.party.id, b=winner, early=False)
        own_limit = self._treatment(winner).time_limit_s
        limit = self.verb.time_limit_s if own_limit is None else own_limit
        self.deadline = None if limit is None else stage.after(limit)
        self._settle(stage)

    def _settle(self, stage: Stage) -> None:
        """Let the joint rules hold; who hears a voice hears no ring-back."""
        if self.bridge is None:
            return
        commands = self.bridge.settle(stage.party, stage.legs[self.bridge.b], stage.now)
        if self.bridge.joined or self.ready:
            self._stop_ringback(stage)
        stage.say(*commands)
        self._record(stage)

    def _record(self, stage: Stage) -> None:
        """From the joining on, as the called party hears it: its leg is what the recording ends with."""
        if not (self.ready and self.bridge is not None and self.bridge.joined and self.recording is None):
            return
        if self.verb.record or self._treatment(self.bridge.b).record:
            self.recording = stage.record(leg=self.bridge.b, deliver_to=None, both=True)
            self.recording_open = True

    # ── how it went ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _outcome(self, stage: Stage) -> Outcome | None:
        if not all(leg.gone for leg in self._legs(stage)):
            return None
        self._stop_ringback(stage)
        if self.winner is None:
            return self._nobody(stage)
        if not self.ready:
            return self._declined(self.winner, stage)
        if self.recording_open:
            if not self.closing:
                self.closing, self.deadline = True, stage.after(RECORDING_CLOSES_S)
            return None
        stage.standing.last_dial = None
        talked = stage.legs[self.winner.leg]
        return Outcome(kind=OutcomeKind.OK, leg=talked.id, seconds=talked.seconds, recording_url=self.recording_url)

    def _declined(self, winner: Readying, stage: Stage) -> Outcome:
        """Somebody answered, and would not, or could not, be talked to."""
        stage.standing.last_dial = winner.cause
        return replace(failed(winner.cause.value), leg=winner.leg, seconds=stage.legs[winner.leg].seconds)

    def _nobody(self, stage: Stage) -> Outcome:
        legs = self._legs(stage)
        causes = [leg.cause for leg in legs if leg.cause is not None]
        telling = next((cause for cause in MOST_TELLING if cause in causes), causes[0] if causes else Cause.NOT_FOUND)
        about = next((leg.id for leg in legs if leg.cause is telling), None)
        stage.standing.last_dial = telling
        if causes and all(cause is Cause.BUSY for cause in causes):
            return Outcome(kind=OutcomeKind.BUSY, leg=about)
        stage.standing.last_dial = Cause.NO_ANSWER if telling is Cause.BUSY else telling
        return replace(failed(telling.value), leg=about)
