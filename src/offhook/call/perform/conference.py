"""Carries out Conference: waits until it begins, then is mixed with the others until it is over (TwiML `Conference`).

Outcomes: `ok` when the conference has ended or the time is over; `failed` with `full`, or with `left` when the flow for
the waiting hung up. Keys pressed meanwhile are nobody's.
"""

from dataclasses import dataclass, field
from typing import ClassVar, Self

from offhook.call.commands import EnterConference, PrepareSound, RequestId, StartPlayback
from offhook.call.events import (
    LegAnswered,
    RoomBeeped,
    RoomEnd,
    RoomJoined,
    RoomLeft,
    RoomWaits,
    SoundFailed,
    SoundReady,
)
from offhook.call.perform.visit import LEFT, Visit
from offhook.call.perform.waiting import Waiting
from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import Conference, NamedSound

__all__ = ["COMING", "GOING", "Conferring"]

COMING, GOING = NamedSound(name="enter"), NamedSound(name="exit")


@dataclass(slots=True, kw_only=True)
class Conferring:
    """A Conference at work."""

    needs_answer: ClassVar[bool] = True
    verb: Conference
    visit: Visit = field(default_factory=Visit)
    beep_asked: RequestId | None = None
    """A tone that is being prepared; of several that come together one is enough."""
    beep_coming: bool = False

    @classmethod
    def of(cls, verb: Conference) -> Self:
        """Not begun yet."""
        return cls(verb=verb, visit=Visit(waiting=Waiting(document=verb.wait)))

    @property
    def deadline(self) -> Mono | None:
        """Of what is heard while waiting; the room has the others."""
        return self.visit.waiting.deadline

    def start(self, stage: Stage) -> Outcome | None:
        """Enter, as soon as the party is there."""
        if stage.party.up:
            self._enter(stage)
        return None

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """What the room says, and the sounds for it."""
        match event:
            case LegAnswered(leg=leg) if leg == stage.party.id and self.visit.id is None:
                self._enter(stage)
            case RoomWaits() if self.visit.is_of(event):
                stage.note("room.waits", visit=self.visit.id)
                self.visit.waiting.begin(stage)
            case RoomJoined() if self.visit.is_of(event):
                self.visit.is_joined(stage)
            case RoomBeeped(coming=coming) if self.visit.is_of(event):
                self._prepare_beep(stage, coming=coming)
            case RoomLeft() if self.visit.is_of(event):
                return self._over(event, stage)
            case SoundReady(request=request, handle=handle) if request == self.beep_asked:
                self.beep_asked = None
                stage.say(StartPlayback(leg=stage.party.id, playback=stage.next_playback(), sounds=(handle,)))
            case SoundFailed(request=request, detail=detail) if request == self.beep_asked:
                self.beep_asked = None
                stage.note("sound.failed", sound=(COMING if self.beep_coming else GOING).name, detail=detail)
            case _:
                if self.visit.waiting.handle(event, stage):
                    self.visit.leave(stage)
                    return LEFT
        return None

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """What is heard while waiting is due."""
        self.visit.waiting.handle_timer(stage)
        return None

    def stop(self, stage: Stage) -> None:
        """The call ends, and the visit with it."""
        self.visit.ends_with_the_call(stage)

    def leave(self, stage: Stage) -> None:
        """The party leaves the room."""
        self.visit.leave(stage)

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """What is heard while waiting, the tone for who came or went, and where the party stands in the room."""
        if self.visit.resume(stage):
            self._wish(stage)
        self.visit.waiting.resume(stage, sound_lost=sound_lost)
        if self.beep_asked is not None:
            stage.say(PrepareSound(request=self.beep_asked, sound=COMING if self.beep_coming else GOING))

    def _enter(self, stage: Stage) -> None:
        self.visit.begins(stage)
        self._wish(stage)
        verb = self.verb
        stage.note("room.entered", visit=self.visit.id, role="party", room=verb.room, muted=verb.muted or None)

    def _wish(self, stage: Stage) -> None:
        verb = self.verb
        assert self.visit.id is not None
        stage.say(
            EnterConference(
                visit=self.visit.id,
                leg=stage.party.id,
                room=verb.room,
                muted=verb.muted,
                beeps=verb.beeps,
                starts=verb.starts,
                ends=verb.ends,
                max_parties=verb.max_parties,
            )
        )

    def _prepare_beep(self, stage: Stage, *, coming: bool) -> None:
        self.beep_asked, self.beep_coming = stage.next_request(), coming
        stage.say(PrepareSound(request=self.beep_asked, sound=COMING if coming else GOING))

    def _over(self, event: RoomLeft, stage: Stage) -> Outcome:
        outcome = self.visit.is_over(event, stage)
        # To wait in vain for its beginning is no failure of the conference: it is over for this party.
        waited_in_vain = not self.visit.joined and event.why in (RoomEnd.OVER, RoomEnd.TIME_LIMIT)
        return self.visit.ok(stage) if waited_in_vain else outcome
