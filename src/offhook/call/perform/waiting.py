"""What a party hears while it waits in a room: music, its place in the queue, or a flow of its customer's.

Music goes on until the waiting is over; a place is spoken into it, the newest only and not too often. A flow that ends
is run again; one that takes no time, or fails, makes room for music, so that no web application is asked without end.
Speech that cannot be had is no reason to be silent: then there is music alone. Knows nothing of rooms.
"""

from dataclasses import dataclass

from offhook.call.commands import PlaybackId, PrepareSound, RequestId, StartPlayback, StopPlayback
from offhook.call.events import PlaybackEnded, SoundFailed, SoundReady
from offhook.call.plain import Mono
from offhook.call.stage import Heard, ScriptEnded, ScriptId, Stage
from offhook.flow.document import Document
from offhook.flow.verbs import NamedSound, Speech
from offhook.flow.view import Cause

__all__ = ["ANNOUNCE_EVERY_S", "MUSIC", "Waiting", "position_text"]

MUSIC = NamedSound(name="music")
ANNOUNCE_EVERY_S = 20.0
"""A place that changes sooner is spoken later, as it is then."""
FLOW_MIN_S = 1.0
"""A flow for the waiting that ends sooner has nothing to say and is not run again."""


def position_text(position: int) -> str:
    """The words for a place, as a number that voices speak."""
    return f"You are number {position} in the queue."


@dataclass(slots=True, kw_only=True)
class Waiting:
    """What is heard, and what is to be heard next."""

    document: Document | None = None
    active: bool = False
    script: ScriptId | None = None
    script_began: Mono | None = None
    music_asked: RequestId | None = None
    music: str | None = None
    """The prepared music."""
    music_plays: PlaybackId | None = None
    place: int | None = None
    place_spoken: int | None = None
    speech_asked: RequestId | None = None
    speaking: PlaybackId | None = None
    speechless: bool = False
    """Speech could not be had."""
    deadline: Mono | None = None
    """When a place may be spoken again."""

    # ── what the performer says ──────────────────────────────────────────────────────────────────────────────────────

    def begin(self, stage: Stage) -> None:
        """The party waits from now on, or still does."""
        if self.active:
            return
        self.active = True
        if self.document is None:
            self._begin_music(stage)
        else:
            self._run_flow(self.document, stage)

    def stands_at(self, place: int, stage: Stage) -> None:
        """The party's place in the queue, from 1. Spoken unless the customer's flow is heard."""
        self.place = place
        self._speak_of_place(stage)

    def end(self, stage: Stage) -> None:
        """Be silent at once."""
        if self.script is not None:
            stage.drop_script(self.script)
        for playback in (self.music_plays, self.speaking):
            if playback is not None:
                stage.say(StopPlayback(leg=stage.party.id, playback=playback))
        self.active = False
        self.script = self.music_plays = self.speaking = None
        self.music_asked = self.speech_asked = self.deadline = None
        self.place_spoken = None

    def resume(self, stage: Stage, *, sound_lost: bool) -> None:
        """Ask again for what is being prepared; where the sound is lost, go on with the music."""
        if self.music_asked is not None:
            stage.say(PrepareSound(request=self.music_asked, sound=MUSIC))
        if self.speech_asked is not None and self.place_spoken is not None:
            text = position_text(self.place_spoken)
            stage.say(PrepareSound(request=self.speech_asked, sound=Speech(text=text)))
        if sound_lost and (self.music_plays is not None or self.speaking is not None):
            self.music_plays = self.speaking = None
            self._play_music(stage)

    # ── what happens ─────────────────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: Heard, stage: Stage) -> bool:
        """Hear an event. True: the customer's flow has hung up on the waiting."""
        match event:
            case ScriptEnded(id=script) if script == self.script:
                self.script = None
                if event.declined:
                    return True
                self._flow_ended(event, stage)
            case SoundReady(request=request, handle=handle) if request == self.music_asked:
                self.music_asked, self.music = None, handle
                self._play_music(stage)
            case SoundFailed(request=request, detail=detail) if request == self.music_asked:
                self.music_asked = None
                stage.note("sound.failed", sound=MUSIC.name, detail=detail)
            case SoundReady(request=request, handle=handle) if request == self.speech_asked:
                self._speak(handle, stage)
            case SoundFailed(request=request, detail=detail) if request == self.speech_asked:
                self.speech_asked, self.speechless = None, True
                stage.note("sound.failed", sound="position", detail=detail)
            case PlaybackEnded(playback=playback) if playback == self.speaking:
                self.speaking = None
                self._play_music(stage)
            case _:
                pass
        return False

    def handle_timer(self, stage: Stage) -> None:
        """A place may be spoken again."""
        self.deadline = None
        self._speak_of_place(stage)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _run_flow(self, document: Document, stage: Stage) -> None:
        self.script_began = stage.after(0.0)
        self.script = stage.begin_script(stage.party.id, document)

    def _flow_ended(self, event: ScriptEnded, stage: Stage) -> None:
        assert self.document is not None
        assert self.script_began is not None
        if event.cause is Cause.NORMAL and stage.now.mono - self.script_began >= FLOW_MIN_S:
            self._run_flow(self.document, stage)
        else:
            self.document = None
            self._begin_music(stage)
            self._speak_of_place(stage)

    def _begin_music(self, stage: Stage) -> None:
        if self.music is not None:
            self._play_music(stage)
        else:
            self.music_asked = stage.next_request()
            stage.say(PrepareSound(request=self.music_asked, sound=MUSIC))

    def _play_music(self, stage: Stage) -> None:
        if self.music is None or self.speaking is not None:
            return
        self.music_plays = stage.next_playback()
        stage.say(StartPlayback(leg=stage.party.id, playback=self.music_plays, sounds=(self.music,), loop=0))

    def _speak_of_place(self, stage: Stage) -> None:
        if self.place is None or self.place == self.place_spoken or not self.active:
            return
        if self.document is not None or self.speechless or self.speech_asked is not None or self.deadline is not None:
            return
        self.speech_asked = stage.next_request()
        self.place_spoken = self.place
        self.deadline = stage.after(ANNOUNCE_EVERY_S)
        stage.say(PrepareSound(request=self.speech_asked, sound=Speech(text=position_text(self.place))))

    def _speak(self, handle: str, stage: Stage) -> None:
        """Into the music, which what is played replaces; it goes on afterwards."""
        self.speech_asked, self.music_plays = None, None
        self.speaking = stage.next_playback()
        stage.say(StartPlayback(leg=stage.party.id, playback=self.speaking, sounds=(handle,)))
