"""The sound of a scenario: how long each thing lasts, what plays to whom, and what is recorded. Nothing is heard.

Tones last what the engine's last; a kept recording lasts as long as it did.
"""

from collections.abc import Callable
from dataclasses import dataclass

from offhook.call.commands import (
    KeepRecording,
    LegId,
    PlaybackId,
    PrepareSound,
    RecordingId,
    SendDigits,
    StartPlayback,
    StartRecording,
)
from offhook.call.events import DigitsSent, Event, PlaybackEnded, RecordingEnded, SoundFailed, SoundReady
from offhook.flow.verbs import LocalSound, NamedSound, Silence, Sound, Speech, UrlSound
from offhook.testing.clock import Clock
from offhook.testing.person import Person
from offhook.testing.scenario import SoundFile

__all__ = ["Engine", "keys_s"]

TONES_S = {"beep": 0.2, "sorry": 1.6}
LOOPED_TONE_S = 5.0
LETTERS_PER_S = 15.0
KEY_S = {"p": 0.05, "P": 0.5, "w": 0.5, "W": 1.0}
KEY_TONE_S = 0.2


@dataclass(slots=True)
class _Recording:
    start: StartRecording
    began: float


class Engine:
    """Plays and records, in virtual time. Tells the call by `tell`, and the trace by `say`."""

    def __init__(
        self,
        files: tuple[SoundFile, ...],
        wav_base: str,
        clock: Clock,
        people: dict[LegId, Person],
        tell: Callable[[Event], None],
        say: Callable[[str], None],
    ) -> None:
        self._files = {file.url: file.seconds for file in files}
        self._wav_base = wav_base
        self._clock = clock
        self._people = people
        self._tell = tell
        self._say = say
        self._lasts: dict[str, float] = {}
        self._kept: dict[str, float] = {}
        self._plays: dict[LegId, PlaybackId] = {}
        self._recordings: dict[RecordingId, _Recording] = {}
        self._finished = 0

    # ── preparing ────────────────────────────────────────────────────────────────────────────────────────────────────

    def prepare(self, command: PrepareSound) -> None:
        """Find out how long a sound lasts, or that it is none."""
        name, seconds = self._find(command.sound)
        if isinstance(seconds, str):
            failed = SoundFailed(request=command.request, detail=seconds)
            self._clock.after(0.0, lambda: self._tell(failed))
            return
        self._lasts[name] = seconds
        ready = SoundReady(request=command.request, handle=name, duration_ms=round(seconds * 1000))
        self._clock.after(0.0, lambda: self._tell(ready))

    def _find(self, sound: Sound) -> tuple[str, float | str]:
        """Its name in the trace, and its seconds or why it cannot be played."""
        match sound:
            case UrlSound(url=url):
                seconds = self._files.get(url)
                missing = "this is no sound" if url in self._files else "404 Not Found"
                return url, missing if seconds is None else seconds
            case NamedSound(name=name):
                return f"sound/{name}", TONES_S.get(name, LOOPED_TONE_S)
            case LocalSound(name=name):
                return f"local/{name}", self._kept.get(name, "nothing was recorded under this name")
            case Speech(text=text, language=language):
                return f"{language}/{text}", round(len(text) / LETTERS_PER_S, 1)
            case Silence(seconds=seconds):
                return f"silence for {seconds:g} s", seconds
            case _:
                return "", "this is no sound"

    # ── playing ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def play(self, command: StartPlayback) -> None:
        """Play sounds one after another; one that loops for ever ends when it is stopped."""
        person = self._people[command.leg]
        often = {0: " until stopped", 1: ""}.get(command.loop, f" {command.loop} times")
        self._say(f"{person.address} hears {', '.join(command.sounds)}{often}")
        self._plays[command.leg] = command.playback
        for sound in command.sounds:
            person.hears(sound)
        if command.loop:
            seconds = command.loop * sum(self._lasts[sound] for sound in command.sounds)
            self._clock.after(seconds, lambda: self._played(command.leg, command.playback))

    def stop(self, leg: LegId, playback: PlaybackId) -> None:
        """Stop it, if it still plays."""
        if self._plays.get(leg) == playback:
            self._say(f"{self._people[leg].address} hears no more")
            self._clock.after(0.0, lambda: self._played(leg, playback))

    def _played(self, leg: LegId, playback: PlaybackId) -> None:
        if self._plays.get(leg) == playback:
            del self._plays[leg]
            self._tell(PlaybackEnded(leg=leg, playback=playback))

    def send_keys(self, command: SendDigits) -> None:
        """Send keys, with their pauses."""
        self._say(f"{self._people[command.leg].address} is sent the keys {command.keys}")
        self._clock.after(
            keys_s(command.keys), lambda: self._tell(DigitsSent(leg=command.leg, request=command.request))
        )

    # ── recording ────────────────────────────────────────────────────────────────────────────────────────────────────

    def record(self, command: StartRecording) -> None:
        """Record until it is stopped, is long enough, or nobody speaks."""
        person = self._people[command.leg]
        self._say("the call is recorded" if command.both else f"{person.address} is recorded")
        self._recordings[command.recording] = _Recording(command, self._clock.now)
        if not command.both:
            person.recorded()
        if command.max_s is not None:
            self._clock.after(command.max_s, lambda: self.finish(command.recording, "max"))
        if command.silence_s is not None:
            self._listen(command, person)

    def _listen(self, command: StartRecording, person: Person) -> None:
        """Come again when there may have been silence for long enough."""
        if command.silence_s is None or command.recording not in self._recordings:
            return
        due = person.silent_since(self._recordings[command.recording].began) + command.silence_s
        if due <= self._clock.now:
            self.finish(command.recording, "silence")
        else:
            self._clock.at(due, lambda: self._listen(command, person))

    def finish(self, recording: RecordingId, reason: str) -> None:
        """Close a recording, if it is open."""
        opened = self._recordings.pop(recording, None)
        if opened is None:
            return
        start, now = opened.start, self._clock.now
        ms = round((now - opened.began) * 1000)
        voiced = round(self._people[start.leg].voiced(opened.began, now) * 1000)
        index, kept = None, "too short, thrown away"
        if ms >= start.min_ms and voiced >= start.min_voiced_ms:
            if start.keep_as is None:
                index, kept = self._finished, f"kept as r{self._finished}"
                self._finished += 1
            else:
                kept = f"kept as local/{start.keep_as}"
                self._kept[start.keep_as] = ms / 1000
        self._say(f"the recording ends ({reason}) after {ms / 1000:g} s, {kept}")
        ended = RecordingEnded(
            recording=recording,
            reason=reason,
            duration_ms=ms,
            voiced_ms=voiced,
            index=index,
            wav_url="" if index is None else f"{self._wav_base}-r{index}.wav",
        )
        self._clock.after(0.0, lambda: self._tell(ended))

    def keep(self, command: KeepRecording) -> None:
        """What the call kept for itself becomes the customer's, or the call's under another name."""
        seconds = self._kept.pop(command.kept_as)
        index, kept = None, f"local/{command.keep_as}"
        if command.keep_as is None:
            index, kept = self._finished, f"r{self._finished}"
            self._finished += 1
        else:
            self._kept[command.keep_as] = seconds
        self._say(f"the recording is kept as {kept}")
        ended = RecordingEnded(
            recording=command.recording,
            reason="stopped",
            duration_ms=command.duration_ms,
            voiced_ms=command.voiced_ms,
            index=index,
            wav_url="" if index is None else f"{self._wav_base}-r{index}.wav",
        )
        self._clock.after(0.0, lambda: self._tell(ended))

    def left(self, leg: LegId) -> None:
        """A party is gone: nothing plays to it, and its recordings are closed."""
        self._plays.pop(leg, None)
        for recording in [each for each, opened in self._recordings.items() if opened.start.leg == leg]:
            self.finish(recording, "closed")


def keys_s(keys: str) -> float:
    """How long sending keys takes, seconds."""
    return round(sum(KEY_S.get(key, KEY_TONE_S) for key in keys), 3)
