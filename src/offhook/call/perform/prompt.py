"""Sounds played to the party one after another: what Play and Gather have in common.

Prepares every sound first, so that the first word is not followed by a fetch; waits for the party to be answered; sends
keys where a sound is one. Knows nothing of keys that the party presses.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from offhook.call.commands import PlaybackId, PrepareSound, RequestId, SendDigits, StartPlayback, StopPlayback
from offhook.call.events import DigitsSent, LegAnswered, PlaybackEnded, SoundFailed, SoundReady
from offhook.call.masking import BLANK, shown_url
from offhook.call.stage import Heard, Stage
from offhook.flow.verbs import (
    LocalSound,
    NamedSound,
    SentDigits,
    Silence,
    Sound,
    Speech,
    UnusableSound,
    UrlSound,
)

__all__ = ["Prompt", "PromptState", "sound_text"]


class PromptState(Enum):
    """How far a prompt is."""

    PREPARING = "preparing"
    """Is to be played, but sounds are being fetched or the party is not answered yet."""
    PLAYING = "playing"
    OVER = "over"
    """Not begun, played to its end, or stopped."""
    BAD = "bad"
    """A sound is none."""


@dataclass(slots=True, kw_only=True)
class Prompt:
    """Some sounds, and where in them we are."""

    sounds: tuple[Sound, ...]
    loop: int = 1
    """How often all are played; 0: until stopped."""
    state: PromptState = PromptState.OVER
    broken: bool = False
    """One of the sounds is none; noticed when it is to be played."""
    waiting: dict[RequestId, int] = field(default_factory=dict)
    handles: dict[int, str] = field(default_factory=dict)
    """Prepared sounds by their place in `sounds`."""
    at: int = 0
    """The place in `sounds` of what comes next."""
    rounds: int = 0
    playback: PlaybackId | None = None
    sending: RequestId | None = None

    @property
    def over(self) -> bool:
        """Nothing more will be heard of it."""
        return self.state in (PromptState.OVER, PromptState.BAD)

    def prepare(self, stage: Stage) -> None:
        """Have every sound fetched; nothing is played yet."""
        self.sounds = tuple(each for each in self.sounds if not (isinstance(each, SentDigits) and not each.keys))
        unusable = next((each for each in self.sounds if isinstance(each, UnusableSound)), None)
        if unusable is not None:
            self._broken(stage, unusable, "this is no sound: a URL, sound/…, local/… or language/text is needed")
            return
        for place, sound in enumerate(self.sounds):
            if not isinstance(sound, SentDigits):
                request = stage.next_request()
                self.waiting[request] = place
                stage.say(PrepareSound(request=request, sound=sound))

    def play(self, stage: Stage) -> None:
        """From the beginning, as soon as all is prepared and the party is there;

        may be said again for another round.
        """
        self.at = self.rounds = 0
        self.state = PromptState.PREPARING
        self._go_on(stage)

    def stop(self, stage: Stage) -> None:
        """Be silent at once. What is still being prepared may be played later."""
        if self.playback is not None:
            stage.say(StopPlayback(leg=stage.party.id, playback=self.playback))
        self.playback = self.sending = None
        self.state = PromptState.OVER

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """Ask again for what is being prepared; where the sound is lost, play again what was not heard to its end."""
        if sound_lost and (self.playback is not None or self.sending is not None):
            self.at -= 1
            while self.playback is not None and self.at > 0 and self.at - 1 in self.handles:
                self.at -= 1
            self.playback = self.sending = None
            self._go_on(stage)
        for request, place in self.waiting.items():
            stage.say(PrepareSound(request=request, sound=self.sounds[place]))

    def handle(self, event: Heard, stage: Stage) -> None:
        """Hear an event; `state` says what came of it."""
        match event:
            case SoundReady(request=request, handle=handle) if request in self.waiting:
                self.handles[self.waiting.pop(request)] = handle
            case SoundFailed(request=request, detail=detail) if request in self.waiting:
                self._broken(stage, self.sounds[self.waiting.pop(request)], detail)
            case PlaybackEnded(leg=leg, playback=playback) if leg == stage.party.id and playback == self.playback:
                self.playback = None
                if event.failed:
                    self._broken(stage, self.sounds[self.at - 1], "it could not be played")
            case DigitsSent(request=request) if request == self.sending:
                self.sending = None
            case LegAnswered(leg=leg) if leg == stage.party.id:
                pass
            case _:
                return
        if not self.over:
            self._go_on(stage)

    def _go_on(self, stage: Stage) -> None:
        if self.broken:
            self.state = PromptState.BAD
            return
        if self.waiting or not stage.party.up or self.playback is not None or self.sending is not None:
            return
        if self.at == len(self.sounds):
            self.rounds += 1
            self.at = 0
            if not self.sounds or self._played_in_one or self.rounds == self.loop:
                self.state = PromptState.OVER
                return
        self.state = PromptState.PLAYING
        sound = self.sounds[self.at]
        if isinstance(sound, SentDigits):
            self.at += 1
            self.sending = stage.next_request()
            stage.say(SendDigits(leg=stage.party.id, request=self.sending, keys=sound.keys))
        else:
            self._play_as_many_as_follow(stage)

    @property
    def _played_in_one(self) -> bool:
        """Without keys among the sounds the world repeats them, with no gap."""
        return not any(isinstance(each, SentDigits) for each in self.sounds)

    def _play_as_many_as_follow(self, stage: Stage) -> None:
        first = self.at
        while self.at < len(self.sounds) and self.at in self.handles:
            self.at += 1
        self.playback = stage.next_playback()
        handles = tuple(self.handles[place] for place in range(first, self.at))
        loop = self.loop if self._played_in_one else 1
        stage.say(StartPlayback(leg=stage.party.id, playback=self.playback, sounds=handles, loop=loop))

    def _broken(self, stage: Stage, sound: Sound, detail: str) -> None:
        self.broken = True
        stage.note("sound.failed", sound=sound_text(sound), detail=detail)


def sound_text(sound: Sound) -> str:
    """A sound in words, for the timeline."""
    match sound:
        case UrlSound():
            return shown_url(sound.url)
        case NamedSound():
            return sound.name
        case SentDigits():
            return "keys"
        case LocalSound():
            return f"local/{sound.name}"
        case Speech():
            return f"{sound.language}/{BLANK if sound.secret else sound.text}"
        case Silence():
            return f"silence for {sound.seconds:g} s"
        case UnusableSound():
            return sound.text
        case _:
            assert_never(sound)
