"""The sound of a scenario: how long everything lasts, and that it ends once."""

import pytest

from offhook.call.commands import (
    KeepRecording,
    LegId,
    PlaybackId,
    PrepareSound,
    RecordingId,
    RequestId,
    StartPlayback,
    StartRecording,
)
from offhook.call.events import Event, PlaybackEnded, RecordingEnded, SoundFailed, SoundReady
from offhook.flow.verbs import LocalSound, NamedSound, Silence, Sound, Speech, UnusableSound, UrlSound
from offhook.testing.clock import Clock
from offhook.testing.person import Person
from offhook.testing.scenario import SoundFile
from offhook.testing.sound import Engine, keys_s

LEG = LegId(0)


@pytest.mark.parametrize(("keys", "seconds"), [("", 0.0), ("1", 0.2), ("12Pp3", 1.15), ("wW", 1.5)])
def test_how_long_keys_take(keys: str, seconds: float) -> None:
    assert keys_s(keys) == seconds


class Room:
    """An engine, one person, and what both say."""

    def __init__(self, *files: SoundFile) -> None:
        self.clock = Clock()
        self.told: list[Event] = []
        self.said: list[str] = []
        self.person = Person(LEG, "+1", (), self.clock, lambda *_: None)
        self.engine = Engine(files, "https://w", self.clock, {LEG: self.person}, self.told.append, self.said.append)

    def run(self) -> list[Event]:
        while self.clock.next is not None:
            self.clock.step()
        return self.told

    def prepare(self, sound: Sound) -> Event:
        self.engine.prepare(PrepareSound(request=RequestId(1), sound=sound))
        return self.run()[-1]


@pytest.mark.parametrize(
    ("sound", "handle", "ms"),
    [
        (UrlSound(url="https://a/1.mp3"), "https://a/1.mp3", 2500),
        (NamedSound(name="beep"), "sound/beep", 200),
        (NamedSound(name="dialtone/us"), "sound/dialtone/us", 5000),
        (Speech(text="x" * 30, language="en_US"), "en_US/" + "x" * 30, 2000),
        (Silence(seconds=1.5), "silence for 1.5 s", 1500),
    ],
)
def test_how_long_sounds_last(sound: Sound, handle: str, ms: int) -> None:
    room = Room(SoundFile(url="https://a/1.mp3", seconds=2.5))
    assert room.prepare(sound) == SoundReady(request=RequestId(1), handle=handle, duration_ms=ms)


@pytest.mark.parametrize(
    ("sound", "why"),
    [
        (UrlSound(url="https://a/2.mp3"), "404 Not Found"),
        (UrlSound(url="https://a/page.html"), "this is no sound"),
        (LocalSound(name="x"), "nothing was recorded under this name"),
        (UnusableSound(text="Hi!"), "this is no sound"),
    ],
)
def test_what_cannot_be_played(sound: Sound, why: str) -> None:
    room = Room(SoundFile(url="https://a/page.html", seconds=None))
    assert room.prepare(sound) == SoundFailed(request=RequestId(1), detail=why)


def test_sounds_are_repeated_and_stopped_once() -> None:
    room = Room()
    room.prepare(NamedSound(name="beep"))
    playback = PlaybackId(1)
    room.engine.play(StartPlayback(leg=LEG, playback=playback, sounds=("sound/beep",), loop=3))
    assert room.run()[-1] == PlaybackEnded(leg=LEG, playback=playback)
    assert room.clock.now == pytest.approx(0.6)
    room.engine.stop(LEG, playback)
    assert room.said == ["+1 hears sound/beep 3 times"]


def test_a_playback_that_another_replaced_does_not_end() -> None:
    room = Room()
    room.prepare(NamedSound(name="beep"))
    for number in (1, 2):
        room.engine.play(StartPlayback(leg=LEG, playback=PlaybackId(number), sounds=("sound/beep",)))
    assert [each for each in room.run() if isinstance(each, PlaybackEnded)] == [
        PlaybackEnded(leg=LEG, playback=PlaybackId(2))
    ]


@pytest.mark.parametrize(("keep_as", "index", "url"), [(None, 0, "https://w-r0.wav"), ("mine", None, "")])
def test_what_was_kept_under_a_name_changes_hands(keep_as: str | None, index: int | None, url: str) -> None:
    room = Room()
    room.engine.record(
        StartRecording(leg=LEG, recording=RecordingId(1), both=False, max_s=2.0, silence_s=None, keep_as="trial")
    )
    room.run()
    room.engine.keep(
        KeepRecording(recording=RecordingId(2), kept_as="trial", keep_as=keep_as, duration_ms=2000, voiced_ms=1500)
    )
    ended = room.run()[-1]
    assert isinstance(ended, RecordingEnded)
    assert (ended.recording, ended.index, ended.wav_url) == (2, index, url)
    assert isinstance(room.prepare(LocalSound(name="trial")), SoundFailed)
    assert isinstance(room.prepare(LocalSound(name="mine")), SoundReady) is (keep_as is not None)


def test_a_recording_ends_once_and_with_the_leg_at_the_latest() -> None:
    room = Room()
    for number, both in ((1, False), (2, True)):
        room.engine.record(
            StartRecording(leg=LEG, recording=RecordingId(number), both=both, max_s=10.0, silence_s=3.0, keep_as=None)
        )
    room.engine.finish(RecordingId(1), "stopped")
    room.engine.finish(RecordingId(1), "stopped")
    room.engine.left(LEG)
    assert [(each.recording, each.reason, each.index) for each in room.run() if isinstance(each, RecordingEnded)] == [
        (1, "stopped", 0),
        (2, "closed", 1),
    ]
