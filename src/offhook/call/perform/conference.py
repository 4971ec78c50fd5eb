"""Carries out Conference: waits until it begins, then is mixed with the others until it is over (TwiML `Conference`).

Outcomes: `ok` when the conference has ended or the time is over; `failed` with `full`, or with `left` when the flow for
the waiting hung up.
"""

from dataclasses import dataclass
from typing import Any, Self

from offhook.call.commands import EnterConference, LegId, PrepareSound, RequestId, StartPlayback, VisitId
from offhook.call.events import RoomBeeped, RoomEnd, RoomLeft, SoundFailed, SoundReady
from offhook.call.perform.visit import Visit
from offhook.call.perform.visiting import Visiting
from offhook.call.perform.waiting import Waiting
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import Conference, NamedSound

__all__ = ["COMING", "GOING", "Conferring"]

COMING, GOING = NamedSound(name="enter"), NamedSound(name="exit")


@dataclass(slots=True, kw_only=True)
class Conferring(Visiting):
    """A Conference at work."""

    verb: Conference
    beep_asked: RequestId | None = None
    """A tone that is being prepared; of several that come together one is enough."""
    beep_coming: bool = False

    @classmethod
    def of(cls, verb: Conference) -> Self:
        """Not begun yet."""
        return cls(verb=verb, visit=Visit(waiting=Waiting(document=verb.wait)))

    def wish(self, visit: VisitId, leg: LegId) -> EnterConference:
        """To be in the conference."""
        verb = self.verb
        return EnterConference(
            visit=visit,
            leg=leg,
            room=verb.room,
            muted=verb.muted,
            beeps=verb.beeps,
            starts=verb.starts,
            ends=verb.ends,
            max_parties=verb.max_parties,
        )

    def noted_as(self) -> dict[str, Any]:
        """A party of a conference."""
        return {"role": "party", "room": self.verb.room, "muted": self.verb.muted or None}

    def over(self, event: RoomLeft, stage: Stage) -> Outcome:
        """To wait in vain for its beginning is no failure of the conference: it is over for this party."""
        outcome = self.visit.is_over(event, stage)
        waited_in_vain = not self.visit.joined and event.why in (RoomEnd.OVER, RoomEnd.TIME_LIMIT)
        return self.visit.ok(stage) if waited_in_vain else outcome

    def meanwhile(self, event: Heard, stage: Stage) -> Outcome | None:
        """The tones for who comes and goes, besides what is heard while waiting."""
        match event:
            case RoomBeeped(coming=coming) if self.visit.is_of(event):
                self.beep_asked, self.beep_coming = stage.next_request(), coming
                self._prepare_beep(self.beep_asked, stage)
            case SoundReady(request=request, handle=handle) if request == self.beep_asked:
                self.beep_asked = None
                stage.say(StartPlayback(leg=stage.party.id, playback=stage.next_playback(), sounds=(handle,)))
            case SoundFailed(request=request, detail=detail) if request == self.beep_asked:
                self.beep_asked = None
                stage.note("sound.failed", sound=self._beep.name, detail=detail)
            case _:
                return self.hears(event, stage)
        return None

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """As every visit, and the tone that was being prepared."""
        Visiting.resume(self, stage, sound_lost=sound_lost)
        if self.beep_asked is not None:
            self._prepare_beep(self.beep_asked, stage)

    @property
    def _beep(self) -> NamedSound:
        return COMING if self.beep_coming else GOING

    def _prepare_beep(self, request: RequestId, stage: Stage) -> None:
        stage.say(PrepareSound(request=request, sound=self._beep))
