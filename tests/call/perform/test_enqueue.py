"""Enqueue at work: its place, a briefing before it is joined, and every way in which that can be cut short."""

from tests.support.calls import A, World, flow, outgoing

from offhook.call.commands import (
    CallerBriefed,
    EnterQueue,
    FetchDocument,
    LeaveRoom,
    PrepareSound,
    StartPlayback,
    StopPlayback,
    VisitId,
)
from offhook.call.events import (
    DocumentFailed,
    GoOn,
    RoomBriefs,
    RoomEnd,
    RoomJoined,
    RoomLeft,
    RoomWaits,
    SoundReady,
)
from offhook.call.perform.waiting import MUSIC
from offhook.flow.document import Document
from offhook.flow.verbs import Enqueue, Hangup, NamedSound, Play, Verb
from offhook.flow.view import Cause

V = VisitId(1)
BRIEFING = Document(url="https://app.example/briefing")
BEEP = Play(sounds=(NamedSound(name="beep"),))


def waiting(*afterwards: Verb) -> World:
    world = outgoing(Enqueue(queue="q"), *afterwards)
    world.tell(RoomWaits(visit=V, position=1))
    world.new()
    return world


def briefing(*afterwards: Verb) -> World:
    """It hears a beep first."""
    world = waiting(*afterwards)
    world.tell(RoomBriefs(visit=V, document=BRIEFING))
    assert world.last(FetchDocument).url == BRIEFING.url
    world.document(BEEP)
    world.ready()
    world.new()
    return world


def test_it_enters_the_queue_and_notes_its_place() -> None:
    world = waiting()
    assert world.all(EnterQueue) == [EnterQueue(visit=V, leg=A, queue="q")]
    world.tell(RoomWaits(visit=V, position=2))
    assert [each["position"] for each in world.notes("queue.position")] == [1, 2]
    assert world.notes("room.entered") == [{"visit": 1, "role": "caller", "room": "q"}]


def test_it_says_when_it_was_briefed_and_is_joined_then() -> None:
    world = briefing()
    assert world.played() == [CallerBriefed(visit=V)]
    assert world.tell(RoomJoined(visit=V)) == []
    world.tell(RoomLeft(visit=V, why=RoomEnd.OVER))
    assert world.results == [("ok", None)]


def test_the_music_is_silent_while_it_is_briefed() -> None:
    world = waiting()
    world.ready()
    assert isinstance(world.tell(RoomBriefs(visit=V, document=BRIEFING))[0], StopPlayback)


def test_a_briefing_that_cannot_be_had_keeps_nobody_from_talking() -> None:
    world = waiting()
    world.tell(RoomBriefs(visit=V, document=BRIEFING))
    failed = DocumentFailed(request=world.last(FetchDocument).request, cause=Cause.HOOK_FAILED, detail="500")
    assert world.tell(failed) == [CallerBriefed(visit=V)]


def test_a_briefing_that_hangs_up_leaves() -> None:
    world = waiting()
    world.tell(RoomBriefs(visit=V, document=BRIEFING))
    assert world.document(Hangup())[0] == LeaveRoom(visit=V)
    assert world.results == [("failed", "left")]


def test_a_briefing_that_lasts_too_long_is_cut_off_by_the_joining() -> None:
    world = briefing()
    assert world.tell(RoomJoined(visit=V)) == [StopPlayback(leg=A, playback=world.last(StartPlayback).playback)]
    assert world.played() == [], "and says nothing of it"


def test_when_the_agent_is_gone_it_waits_again() -> None:
    world = briefing()
    said = world.tell(RoomWaits(visit=V, position=1))
    assert StopPlayback(leg=A, playback=world.last(StartPlayback).playback) in said
    assert len(world.notes("queue.position")) == 2
    assert world.all(CallerBriefed) == []


def test_who_is_let_go_during_the_briefing_hears_no_more_of_it() -> None:
    world = briefing(BEEP)
    world.tell(RoomLeft(visit=V, why=RoomEnd.INTERNAL_ERROR))
    assert world.results == [("failed", "internal_error")]
    assert world.notes("script.ended")[0]["cause"] == "cancelled"


def test_to_wait_for_too_long_is_a_failure_and_to_talk_for_long_is_none() -> None:
    world = waiting()
    world.tell(RoomLeft(visit=V, why=RoomEnd.TIME_LIMIT))
    assert world.results == [("failed", "time_limit")]
    world = waiting()
    world.tell(RoomJoined(visit=V))
    world.tell(RoomLeft(visit=V, why=RoomEnd.TIME_LIMIT))
    assert world.results == [("ok", None)]


def test_a_flow_for_the_waiting_may_leave() -> None:
    world = outgoing(Enqueue(queue="q", wait=Document(url="https://app.example/wait")))
    world.tell(RoomWaits(visit=V, position=1))
    assert world.document(Hangup())[0] == LeaveRoom(visit=V)
    assert world.results == [("failed", "left")]


def test_who_is_sent_elsewhere_leaves_the_queue_or_whom_it_talks_with() -> None:
    for world in (waiting(), briefing()):
        said = world.tell(GoOn(to=flow(BEEP)))
        assert LeaveRoom(visit=V) in said
        assert world.results == [("failed", "changed")]
        assert world.tell(RoomJoined(visit=V)) == [], "it crossed"


def test_music_that_was_had_is_not_asked_for_again_when_the_agent_is_gone() -> None:
    world = waiting()
    ready = [each for each in world.all(PrepareSound) if each.sound == MUSIC]
    world.tell(SoundReady(request=ready[0].request, handle="m", duration_ms=1))
    world.tell(RoomBriefs(visit=V, document=BRIEFING))
    said = world.tell(RoomWaits(visit=V, position=1))
    assert [each.sounds for each in said if isinstance(each, StartPlayback)] == [("m",)]
    assert [each for each in world.all(PrepareSound) if each.sound == MUSIC] == ready
