"""Carries out Gather: a prompt, and the keys that the party presses (46elks `ivr`, section 5.3 of its API).

Keys count from before the prompt on; the time-out runs from the end of the prompt, and anew from each key. A finish key
takes what has come, if anything has; where the verb says so, only if it is enough.
Outcomes: `digits`; `failed` with `noinput` or `badsource`.
"""

from dataclasses import dataclass
from typing import ClassVar, Self

from offhook.call.events import DigitPressed
from offhook.call.perform.performer import failed
from offhook.call.perform.prompt import Prompt, PromptState
from offhook.call.plain import Mono
from offhook.call.stage import Heard, Stage
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.verbs import Gather

__all__ = ["Gathering"]


@dataclass(slots=True, kw_only=True)
class Gathering:
    """A Gather at work."""

    needs_answer: ClassVar[bool] = True
    verb: Gather
    prompt: Prompt
    tries_left: int
    keys: str = ""
    finished: bool = False
    """A finish key, or the last key, has come."""
    deadline: Mono | None = None

    @classmethod
    def of(cls, verb: Gather) -> Self:
        """Not begun yet."""
        return cls(verb=verb, prompt=Prompt(sounds=verb.prompts), tries_left=verb.tries)

    def start(self, stage: Stage) -> Outcome | None:
        """Take the keys that were typed ahead; if they do not say all, play the prompt."""
        self.tries_left -= 1
        typed = stage.take_typed_ahead().lstrip("".join(self.verb.finish_keys))
        for place, key in enumerate(typed):
            self._key(key)
            if self.finished:
                stage.acting.typed_ahead = typed[place + 1 :]
                break
        self.prompt.prepare(stage)
        if not self.keys or not self.verb.skippable:
            self.prompt.play(stage)
        return self._after_prompt(stage)

    def handle(self, event: Heard, stage: Stage) -> Outcome | None:
        """Keys, and how the prompt fares."""
        match event:
            case DigitPressed(leg=leg, digit=digit) if leg == stage.party.id:
                return self._pressed(digit, stage)
            case _:
                was_over = self.prompt.over
                self.prompt.handle(event, stage)
                return None if was_over else self._after_prompt(stage)

    def handle_timer(self, stage: Stage) -> Outcome | None:
        """No key has come for too long."""
        self.deadline = None
        if len(self.keys) >= max(1, self.verb.min_digits):
            return self._digits()
        return self._next_try(stage)

    def stop(self, stage: Stage) -> None:
        """The party is going; what plays to it goes with it."""

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """The prompt; the time-out goes on by the clock."""
        self.prompt.resume(stage, sound_lost=sound_lost)

    def leave(self, stage: Stage) -> None:
        """Its flow is dropped, and the party stays: be silent."""
        self.prompt.stop(stage)

    def _pressed(self, digit: str, stage: Stage) -> Outcome | None:
        if self.finished:
            stage.type_ahead(digit)
            return None
        self._key(digit)
        if not self.prompt.over:
            if not self.verb.skippable:
                return None
            self.prompt.stop(stage)
        return self._after_prompt(stage)

    def _key(self, digit: str) -> None:
        if digit in self.verb.finish_keys:
            self.finished = True
        else:
            self.keys += digit
            self.finished = len(self.keys) >= self.verb.max_digits

    def _after_prompt(self, stage: Stage) -> Outcome | None:
        """What to do when the prompt is over, or was already: end, or wait for the next key."""
        if self.prompt.state is PromptState.BAD:
            return failed("badsource")
        if not self.prompt.over:
            return None
        if not self.finished:
            self.deadline = stage.after(self.verb.timeout_s)
            return None
        enough = max(1, self.verb.min_digits) if self.verb.finish_needs_min else 1
        return self._digits() if len(self.keys) >= enough else self._next_try(stage)

    def _next_try(self, stage: Stage) -> Outcome | None:
        if self.tries_left <= 0:
            return failed("noinput")
        self.tries_left -= 1
        self.keys, self.finished, self.deadline = "", False, None
        self.prompt.play(stage)
        return self._after_prompt(stage)

    def _digits(self) -> Outcome:
        return Outcome(kind=OutcomeKind.DIGITS, digits=self.keys)
