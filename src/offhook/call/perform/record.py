"""Carries out Record: what the party says, until it stops, presses a finish key or the time is over (46elks `record`).

A tone may say that it begins; the party may hear it again and then keep it or speak anew (didML `confirmrecording`).
Until then it is the call's own, and a party that hangs up instead of choosing has kept it. The recording itself,
whoever ends it, is booked and delivered by the call (see `offhook.call.recordings`).
Outcomes: `ok`; `failed` with `tooshort`, or with `error` when the recording could not be written.
"""

from dataclasses import dataclass, replace
from typing import ClassVar, Self

from offhook.call.commands import RecordingId, StopRecording
from offhook.call.events import DigitPressed, LegAnswered, RecordingEnded
from offhook.call.perform.gather import Gathering
from offhook.call.perform.performer import OK, failed
from offhook.call.perform.prompt import Prompt
from offhook.call.plain import Mono
from offhook.call.policy import too_short
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.verbs import Gather, LocalSound, NamedSound, Record, Speech

__all__ = ["Recording"]

BEEP = NamedSound(name="beep")
KEEP_KEY, AGAIN_KEY = "1", "2"
CHOICE = Speech(text="To keep this message, press 1. To record it again, press 2.")
CHOICE_TIMEOUT_S = 5.0
CHOICE_TRIES = 3
"""A party that does not choose has spoken all the same: what it said is kept."""
ON_TRIAL = "/on-trial"
"""What a recording that may be spoken anew is kept as; no customer can give one that name."""


@dataclass(slots=True, kw_only=True)
class Recording:
    """A Record at work: a tone, the recording, the choice, the keeping; most have the second alone."""

    needs_answer: ClassVar[bool] = True
    verb: Record
    tone: Prompt | None = None
    """While it says that it begins."""
    recording: RecordingId | None = None
    stopping: bool = False
    on_trial: RecordingEnded | None = None
    """While the party may choose: what it chooses about."""
    choice: Gathering | None = None
    keeping: RecordingId | None = None
    """While what was chosen becomes the customer's."""
    deadline: Mono | None = None
    """Of the choice; the world watches the length and the silence, which it hears."""

    @classmethod
    def of(cls, verb: Record) -> Self:
        """Not begun yet."""
        return cls(verb=verb)

    def start(self, stage: Stage) -> Outcome | None:
        """Record as soon as the party is there, and has heard the tone."""
        self.recording, self.stopping = None, False
        if self.verb.beep:
            self.tone = Prompt(sounds=(BEEP,))
            self.tone.prepare(stage)
            self.tone.play(stage)
        self._begin(stage)
        return None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """The tone, an answer, a finish key, the end of the recording, the choice."""
        if self.tone is not None:
            self.tone.handle(event, stage)
            self._begin(stage)
            return None
        if self.choice is not None:
            return self._chosen(self.choice.handle(event, stage), stage)
        match event:
            case LegAnswered(leg=leg) if leg == stage.party.id and self.recording is None:
                self._begin(stage)
            case DigitPressed(leg=leg, digit=digit) if leg == stage.party.id and digit in self.verb.finish_keys:
                self._finish(stage)
            case RecordingEnded(recording=recording) if recording == self.keeping:
                return self._outcome(event)
            case RecordingEnded(recording=recording) if recording == self.recording:
                return self._closed(event, stage)
            case _:
                pass
        return None

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """The party has not chosen for a while."""
        return None if self.choice is None else self._chosen(self.choice.handle_timer(stage), stage)

    def stop(self, stage: Stage) -> None:
        """The party is going; the call stops every recording and keeps what there is."""
        told = self.verb.deliver_to or self.verb.told_if_left
        if self.choice is not None:
            self._keep(stage, told)
            return
        if self.verb.keep_as is not None:
            return
        for recording in (self.recording, self.keeping):
            # What was tooshort, or is the customer's by now, is open no longer.
            opened = None if recording is None else stage.standing.recordings.get(recording)
            if opened is not None:
                opened.deliver_to = told
                opened.then_keep = self.verb.confirm and recording != self.keeping

    def leave(self, stage: Stage) -> None:
        """What was said so far is kept as the end of the call would keep it."""
        if self.tone is not None:
            self.tone.stop(stage)
        if self.choice is not None:
            self.choice.leave(stage)
        self.stop(stage)
        self._finish(stage)

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """The tone, the choice or the keeping; a recording that broke off comes to its end by the world."""
        if self.tone is not None:
            self.tone.resume(stage, sound_lost=sound_lost)
        elif self.choice is not None:
            self.choice.resume(stage, sound_lost=sound_lost)
        elif self.keeping is not None and self.on_trial is not None:
            stage.say_keep(self.keeping, self.on_trial, ON_TRIAL)
        elif self.recording is not None and self.stopping:
            stage.say(StopRecording(recording=self.recording))

    # ── recording ────────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self, stage: Stage) -> None:
        """Once the tone is over; one that cannot be had is no reason not to record."""
        if self.tone is not None and not self.tone.over:
            return
        self.tone = None
        if stage.party.up:
            verb = self.verb
            self.recording = stage.record(
                deliver_to=None if verb.confirm else verb.deliver_to,
                keep_as=ON_TRIAL if verb.confirm else verb.keep_as,
                name=verb.name,
                max_s=verb.max_s,
                silence_s=verb.silence_s,
            )

    def _finish(self, stage: Stage) -> None:
        if self.recording is not None and not self.stopping:
            self.stopping = True
            stage.say(StopRecording(recording=self.recording))

    def _closed(self, event: RecordingEnded, stage: Stage) -> Outcome | None:
        outcome = self._outcome(event)
        if not self.verb.confirm or outcome.kind is not OutcomeKind.OK:
            return outcome
        self.on_trial = event
        return self._ask(stage)

    def _outcome(self, event: RecordingEnded) -> Outcome:
        if event.reason == "failed":
            return failed("error")
        for_the_call = self.verb.keep_as is not None or (self.verb.confirm and event.recording != self.keeping)
        thrown_away = event.index is None and not for_the_call
        if thrown_away or too_short(event.duration_ms, event.voiced_ms):
            return failed("tooshort")
        return replace(OK, seconds=round(event.duration_ms / 1000), recording_url=event.wav_url)

    # ── choosing ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _ask(self, stage: Stage) -> Outcome | None:
        asks = Gather(
            prompts=(LocalSound(name=ON_TRIAL), CHOICE),
            timeout_s=CHOICE_TIMEOUT_S,
            tries=CHOICE_TRIES,
            finish_keys=frozenset(),
        )
        self.choice = Gathering.of(asks)
        return self._chosen(self.choice.start(stage), stage)

    def _chosen(self, outcome: Outcome | None, stage: Stage) -> Outcome | None:
        assert self.choice is not None
        self.deadline = self.choice.deadline
        if outcome is None:
            return None
        if outcome.digits == AGAIN_KEY:
            self.choice = self.on_trial = self.deadline = None
            return self.start(stage)
        if outcome.kind is OutcomeKind.DIGITS and outcome.digits != KEEP_KEY:
            return self._ask(stage)
        return self._keep(stage, self.verb.deliver_to)

    def _keep(self, stage: Stage, told: str | None) -> Outcome | None:
        """It becomes what it would have been without a choice: the customer's, or the call's under the verb's name."""
        assert self.on_trial is not None
        self.choice = self.deadline = None
        self.keeping = stage.keep(
            self.on_trial,
            ON_TRIAL,
            leg=stage.party.id,
            deliver_to=told,
            keep_as=self.verb.keep_as,
            name=self.verb.name,
        )
        return None
