"""What a party hears where a web application keeps it waiting, or has failed it: comfort, and an apology.

Plain data, and two small machines over a `Prompt`. Only an answered party hears either; an unanswered caller is
refused, so that a trunk can go elsewhere. When they are due is the runner's and the call's to say.
"""

from dataclasses import dataclass
from typing import Self

from offhook.call.perform.prompt import Prompt, PromptState
from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.verbs import NamedSound, Sound
from offhook.flow.view import Cause

__all__ = ["APOLOGY_MAX_S", "COMFORT_AFTER_S", "STANDARD", "Apology", "Care", "Comfort"]

COMFORT_AFTER_S = 2.0
"""Of waiting for a document."""
APOLOGY_MAX_S = 20.0
"""With its fetching: a call that has failed is not to hang on a sound."""


COMFORT = NamedSound(name="comfort")
SORRY = NamedSound(name="sorry")
OWN = NamedSound(name="own")
"""Stands for the apology of the dialect that a call's customer speaks."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Care:
    """The sounds; `None`: silence. One that cannot be had is replaced by the tone that is the default."""

    comfort: Sound | None = COMFORT
    apology: Sound | None = OWN


STANDARD = Care()


@dataclass(slots=True, kw_only=True)
class _Once:
    """A sound, and the tone in its place where it is none."""

    prompt: Prompt
    instead: Sound | None

    def begin(self, stage: Stage) -> None:
        self.prompt.prepare(stage)
        self.prompt.play(stage)
        self._or_instead(stage)

    def handle(self, event: Heard, stage: Stage) -> None:
        self.prompt.handle(event, stage)
        self._or_instead(stage)

    def _or_instead(self, stage: Stage) -> None:
        if self.prompt.state is PromptState.BAD and self.instead is not None:
            self.prompt, self.instead = Prompt(sounds=(self.instead,), loop=self.prompt.loop), None
            self.begin(stage)


@dataclass(slots=True, kw_only=True)
class Comfort:
    """For one time of waiting: silent until `deadline`, then the sound again and again until `stop`."""

    sound: Sound
    deadline: Mono | None
    playing: _Once | None = None

    @classmethod
    def of(cls, care: Care, stage: Stage) -> "Comfort | None":
        """For a wait that begins now."""
        if care.comfort is None:
            return None
        return cls(sound=care.comfort, deadline=stage.after(COMFORT_AFTER_S))

    def handle(self, event: Heard, stage: Stage) -> None:
        """How the sound fares."""
        if self.playing is not None:
            self.playing.handle(event, stage)

    def handle_timer(self, stage: Stage) -> None:
        """It has been long enough, if it has."""
        if self.deadline is None or self.deadline > stage.now.mono:
            return
        self.deadline = None
        if stage.party.up:
            self.playing = _playing(self.sound, COMFORT, loop=0)
            self.playing.begin(stage)
            stage.note("comfort.begun")

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """See `Performer.resume`. The wait begins anew where nothing is heard yet: what was waited for may have come
        just before the restart, and what it led to may be heard already."""
        if self.deadline is not None:
            self.deadline = stage.after(COMFORT_AFTER_S)
        if self.playing is not None:
            self.playing.prompt.resume(stage, sound_lost=sound_lost)

    def stop(self, stage: Stage) -> None:
        """The wait is over."""
        self.deadline = None
        if self.playing is not None:
            self.playing.prompt.stop(stage)
            self.playing = None


@dataclass(slots=True, kw_only=True)
class Apology:
    """What is played before a call is ended for a `cause` that is not the caller's."""

    cause: Cause
    deadline: Mono
    playing: _Once

    @classmethod
    def begun(cls, cause: Cause, care: Care, own: Sound, stage: Stage) -> Self | None:
        """An apology that is being played; `None` where nobody is there to hear one, or none is wanted."""
        wanted = own if care.apology == OWN else care.apology
        if wanted is None or not stage.party.up:
            return None
        apology = cls(
            cause=cause,
            deadline=stage.after(APOLOGY_MAX_S),
            playing=_playing(wanted, SORRY, loop=1),
        )
        stage.note("apology.begun", cause=cause.value)
        apology.playing.begin(stage)
        return apology

    def handle(self, event: Heard, stage: Stage) -> None:
        """How the sound fares."""
        self.playing.handle(event, stage)

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """See `Performer.resume`."""
        self.playing.prompt.resume(stage, sound_lost=sound_lost)

    def over(self, stage: Stage) -> bool:
        """Whether it has been heard, or will not be in time."""
        return self.playing.prompt.over or self.deadline <= stage.now.mono


def _playing(sound: Sound, tone: Sound | None, *, loop: int) -> _Once:
    return _Once(prompt=Prompt(sounds=(sound,), loop=loop), instead=None if sound == tone else tone)
