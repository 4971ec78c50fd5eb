"""Carries out Play: sounds in sequence, which a key may end (46elks `play`, section 5.2 of its API).

The key that ends a play is spent on that; it is not kept for a Gather. Outcomes: `ok`, `failed` with `badsource`.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from offhook.call.events import DigitPressed
from offhook.call.perform.performer import OK, failed
from offhook.call.perform.prompt import Prompt, PromptState
from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import Play

__all__ = ["Playing"]


@dataclass(slots=True, kw_only=True)
class Playing:
    """A Play at work."""

    needs_answer: ClassVar[bool] = True
    prompt: Prompt
    skippable: bool
    deadline: Mono | None = None

    @classmethod
    def of(cls, verb: Play) -> Self:
        """Not begun yet."""
        return cls(prompt=Prompt(sounds=verb.sounds, loop=verb.loop), skippable=verb.skippable)

    def start(self, stage: Stage) -> Outcome | None:
        """Prepare, and play as soon as the party is there."""
        self.prompt.prepare(stage)
        self.prompt.play(stage)
        return self._outcome()

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """Sounds ready and played; a key."""
        match event:
            case DigitPressed(leg=leg) if leg == stage.party.id and self.skippable:
                self.prompt.stop(stage)
            case _:
                self.prompt.handle(event, stage)
        return self._outcome()

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """A play has no time of its own."""
        return None

    def stop(self, stage: Stage) -> None:
        """The party is going; what plays to it goes with it."""

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """What plays, or is being prepared."""
        self.prompt.resume(stage, sound_lost=sound_lost)

    def leave(self, stage: Stage) -> None:
        """Its flow is dropped, and the party stays: be silent."""
        self.prompt.stop(stage)

    def _outcome(self) -> Outcome | None:
        match self.prompt.state:
            case PromptState.OVER:
                return OK
            case PromptState.BAD:
                return failed("badsource")
            case _:
                return None
