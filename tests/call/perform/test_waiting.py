"""What is heard while waiting: music, a place in the queue, a flow; and silence the moment it is over."""

from tests.support.calls import A, World, incoming

from offhook.call.commands import FetchDocument, PrepareSound, StartPlayback, StopPlayback, VisitId
from offhook.call.events import DocumentFailed, PlaybackEnded, RoomJoined, RoomWaits, SoundFailed, SoundReady
from offhook.call.perform.waiting import ANNOUNCE_EVERY_S, MUSIC, position_text
from offhook.flow.document import Document
from offhook.flow.verbs import Enqueue, NamedSound, Play, Speech
from offhook.flow.view import Cause

V = VisitId(1)
WAIT = Document(url="https://app.example/wait")


def waiting(position: int = 1, *, wait: Document | None = None) -> World:
    """Somebody waits at a place; nothing is prepared yet."""
    world = incoming(Enqueue(queue="q", wait=wait), answered=True)
    world.tell(RoomWaits(visit=V, position=position))
    return world


def prepares(world: World, sound: object) -> PrepareSound:
    """The newest question for a sound."""
    return [each for each in world.all(PrepareSound) if each.sound == sound][-1]


def spoken(position: int) -> Speech:
    return Speech(text=position_text(position))


def ready(world: World, sound: object, handle: str) -> list[object]:
    return list(world.tell(SoundReady(request=prepares(world, sound).request, handle=handle, duration_ms=1)))


def places(world: World) -> list[str]:
    """All places that were to be spoken."""
    return [each.sound.text for each in world.all(PrepareSound) if isinstance(each.sound, Speech)]


def test_music_plays_without_end_and_a_place_is_spoken_into_it() -> None:
    world = waiting(2)
    (music,) = ready(world, MUSIC, "m")
    assert isinstance(music, StartPlayback)
    assert (music.leg, music.sounds, music.loop) == (A, ("m",), 0)
    (speech,) = ready(world, spoken(2), "s")
    assert isinstance(speech, StartPlayback)
    assert (speech.sounds, speech.loop) == (("s",), 1)
    # The music that was replaced says so; only the end of the speech brings it back.
    assert world.tell(PlaybackEnded(leg=A, playback=music.playback)) == []
    (again,) = world.tell(PlaybackEnded(leg=A, playback=speech.playback))
    assert isinstance(again, StartPlayback)
    assert (again.sounds, again.loop) == (("m",), 0)


def test_speech_that_is_ready_first_is_heard_first() -> None:
    world = waiting(2)
    ready(world, spoken(2), "s")
    assert ready(world, MUSIC, "m") == []
    assert [each.sounds for each in world.all(StartPlayback)] == [("s",)]
    world.played()
    assert [each.sounds for each in world.all(StartPlayback)] == [("s",), ("m",)]


def test_places_that_follow_fast_are_spoken_once_as_they_are_then() -> None:
    world = waiting(5)
    ready(world, spoken(5), "s")
    for position in (4, 3):
        assert world.tell(RoomWaits(visit=V, position=position)) == []
    assert places(world) == [position_text(5)]
    world.after(ANNOUNCE_EVERY_S)
    assert places(world) == [position_text(5), position_text(3)]
    ready(world, spoken(3), "s")
    world.after(ANNOUNCE_EVERY_S)
    world.tell(RoomWaits(visit=V, position=2))
    assert places(world)[2:] == [position_text(2)]


def test_a_place_is_not_spoken_again_while_it_is_being_prepared_or_unchanged() -> None:
    world = waiting(5)
    world.tell(RoomWaits(visit=V, position=4))
    world.after(3 * ANNOUNCE_EVERY_S)
    assert places(world) == [position_text(5)], "the first is not ready yet"
    ready(world, spoken(5), "s")
    world.tell(RoomWaits(visit=V, position=5))
    assert places(world) == [position_text(5)]


def test_without_speech_there_is_music_alone_and_nobody_asks_again() -> None:
    world = waiting(5)
    ready(world, MUSIC, "m")
    world.tell(SoundFailed(request=prepares(world, spoken(5)).request, detail="no voices"))
    assert world.notes("sound.failed") == [{"sound": "position", "detail": "no voices"}]
    world.after(ANNOUNCE_EVERY_S)
    world.tell(RoomWaits(visit=V, position=4))
    assert places(world) == [position_text(5)]
    assert len(world.all(StartPlayback)) == 1


def test_without_music_there_is_silence_and_places_are_spoken() -> None:
    world = waiting(1)
    world.tell(SoundFailed(request=prepares(world, MUSIC).request, detail="disk full"))
    assert world.notes("sound.failed") == [{"sound": "music", "detail": "disk full"}]
    ready(world, spoken(1), "s")
    assert world.played() == []


def test_it_is_silent_the_moment_it_is_over() -> None:
    world = waiting(1)
    ready(world, MUSIC, "m")
    ready(world, spoken(1), "s")
    world.tell(RoomWaits(visit=V, position=1))
    (stop,) = world.tell(RoomJoined(visit=V))
    assert stop == StopPlayback(leg=A, playback=world.last(StartPlayback).playback)
    assert world.played() == []
    world.after(10 * ANNOUNCE_EVERY_S)
    assert len(world.all(StartPlayback)) == 2


def test_sounds_that_come_too_late_are_not_played() -> None:
    world = waiting(1)
    assert world.tell(RoomJoined(visit=V)) == []
    assert ready(world, MUSIC, "m") == []
    assert ready(world, spoken(1), "s") == []


# ── a flow of the customer's ─────────────────────────────────────────────────────────────────────────────────────────


def test_a_flow_is_asked_for_and_run_again_after_its_end() -> None:
    world = waiting(3, wait=WAIT)
    assert world.last(FetchDocument).url == WAIT.url
    assert world.all(PrepareSound) == []
    world.document(Play(sounds=(NamedSound(name="beep"),)))
    world.ready()
    world.after(2.0)
    world.played()
    assert len(world.all(FetchDocument)) == 2
    assert places(world) == [], "what is heard is the customer's"


def test_a_flow_that_takes_no_time_or_fails_makes_room_for_music_and_places() -> None:
    world = waiting(3, wait=WAIT)
    world.document_empty()
    assert [each.sound for each in world.all(PrepareSound)] == [MUSIC, spoken(3)]
    world = waiting(3, wait=WAIT)
    world.tell(DocumentFailed(request=world.last(FetchDocument).request, cause=Cause.HOOK_FAILED, detail="500"))
    assert [each.sound for each in world.all(PrepareSound)] == [MUSIC, spoken(3)]
    assert len(world.all(FetchDocument)) == 1


def test_a_flow_is_dropped_with_what_it_plays_when_the_waiting_is_over() -> None:
    world = waiting(3, wait=WAIT)
    world.document(Play(sounds=(NamedSound(name="dialtone"),), loop=0))
    world.ready()
    assert world.tell(RoomJoined(visit=V)) == [StopPlayback(leg=A, playback=world.last(StartPlayback).playback)]
    assert world.notes("script.ended")[0]["cause"] == "cancelled"
