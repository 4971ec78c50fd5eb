"""Carries out Dial: calls others, and joins the first who answers with the party (46elks `connect`, section 5.1).

All targets ring at once. While they do, an answered party hears ring-back, an unanswered one is told that it rings; one
target alone is heard before it answers, if it sends sound. Keys pressed meanwhile are nobody's.
Outcomes: `ok` when the far end, or the time limit, ended the talk; `busy` when every target was; else `failed`.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from offhook.call.bridge import Bridge
from offhook.call.commands import LegId, PlaybackId, PrepareSound, RequestId, StartPlayback, StopPlayback
from offhook.call.events import LegAnswered, LegEnded, LegProgress, SoundFailed, SoundReady
from offhook.call.leg import Leg
from offhook.call.perform.performer import OK, failed
from offhook.call.plain import Mono
from offhook.call.policy import ring_timeout_s
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.verbs import Dial, NamedSound
from offhook.flow.view import Cause

__all__ = ["Dialling"]

RINGBACK = NamedSound(name="ringback")
MOST_TELLING = (Cause.NO_ANSWER, Cause.REJECTED, Cause.BUSY)
"""Of several reasons the first of these that was given is the Dial's, since there somebody's phone did ring."""


@dataclass(slots=True, kw_only=True)
class Dialling:
    """A Dial at work."""

    needs_answer: ClassVar[bool] = False
    verb: Dial
    targets: tuple[LegId, ...] = ()
    bridge: Bridge | None = None
    """With the only target from the start, with the first who answered later."""
    answered: bool = False
    ringback_asked: RequestId | None = None
    ringback: PlaybackId | None = None
    deadline: Mono | None = None
    """Of the ringing; once two talk, of the talk."""

    @classmethod
    def of(cls, verb: Dial) -> Self:
        """Not begun yet."""
        return cls(verb=verb)

    def start(self, stage: Stage) -> Outcome | None:
        """Ring them all."""
        caller_id = self.verb.caller_id or stage.standing.other_party
        self.targets = tuple(stage.place(target, caller_id).id for target in self.verb.targets)
        if all(leg.gone for leg in self._legs(stage)):
            return self._nobody(stage)
        if len(self.targets) == 1:
            self.bridge = Bridge(a=stage.party.id, b=self.targets[0], early=True)
        self.deadline = stage.after(ring_timeout_s(self.verb.ring_timeout_s))
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
            case LegAnswered() if not self.answered:
                # The answer of an earlier verb has come through only now.
                self._settle(stage)
                self._ask_for_ringback(stage)
            case LegAnswered() | LegProgress() | LegEnded():
                self._settle(stage)
            case _:
                pass
        return self._outcome(stage)

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """They have rung, or talked, for long enough."""
        self.deadline = None
        cause = Cause.TIME_LIMIT if self.answered else Cause.NO_ANSWER
        self._hang_up_all(cause, stage)
        self._settle(stage)
        return self._outcome(stage)

    def stop(self, stage: Stage) -> None:
        """The call ends: nobody else is left ringing or talking."""
        for leg in self._legs(stage):
            stage.say(*leg.hang_up(Cause.NORMAL if leg.up else Cause.CANCELLED, stage.now))
        self._settle(stage)

    def _legs(self, stage: Stage) -> list[Leg]:
        return [stage.legs[leg] for leg in self.targets]

    def _hang_up_all(self, cause: Cause, stage: Stage, but: LegId | None = None) -> None:
        for leg in self._legs(stage):
            if leg.id != but:
                stage.say(*leg.hang_up(cause, stage.now))

    # ── ringing ──────────────────────────────────────────────────────────────────────────────────────────────────────

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

    def _answered_by(self, winner: LegId, stage: Stage) -> None:
        """The first who answers wins; a second answer can cross our hanging up and is none (the leg drops it)."""
        self.answered = True
        self._hang_up_all(Cause.ANSWERED_ELSEWHERE, stage, but=winner)
        if self.bridge is None:
            self.bridge = Bridge(a=stage.party.id, b=winner, early=False)
        limit = self.verb.time_limit_s
        self.deadline = None if limit is None else stage.after(limit)
        self._settle(stage)

    def _settle(self, stage: Stage) -> None:
        """Let the joint rules hold; who hears a voice hears no ring-back."""
        if self.bridge is None:
            return
        commands = self.bridge.settle(stage.party, stage.legs[self.bridge.b], stage.now)
        if self.bridge.joined or self.answered:
            self._stop_ringback(stage)
        stage.say(*commands)

    # ── how it went ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _outcome(self, stage: Stage) -> Outcome | None:
        if not all(leg.gone for leg in self._legs(stage)):
            return None
        self._stop_ringback(stage)
        if not self.answered:
            return self._nobody(stage)
        stage.standing.last_dial = None
        return OK

    def _nobody(self, stage: Stage) -> Outcome:
        causes = [leg.cause for leg in self._legs(stage) if leg.cause is not None]
        telling = next((cause for cause in MOST_TELLING if cause in causes), causes[0] if causes else Cause.NOT_FOUND)
        stage.standing.last_dial = telling
        if causes and all(cause is Cause.BUSY for cause in causes):
            return Outcome(kind=OutcomeKind.BUSY)
        stage.standing.last_dial = Cause.NO_ANSWER if telling is Cause.BUSY else telling
        return failed(telling.value)
