"""Conference at work: what is wished for, the tones of coming and going, and how it ends (TwiML `Conference`)."""

import pytest
from tests.support.calls import A, World, outgoing

from offhook.call.commands import EnterConference, FetchDocument, LeaveRoom, PrepareSound, StartPlayback, VisitId
from offhook.call.events import RoomBeeped, RoomEnd, RoomJoined, RoomLeft, RoomWaits, SoundFailed, SoundReady
from offhook.call.perform.conference import COMING, GOING
from offhook.call.perform.waiting import MUSIC
from offhook.flow.document import Document
from offhook.flow.verbs import Beeps, Conference, Hangup

V = VisitId(1)


def joined() -> World:
    world = outgoing(Conference(room="r"))
    world.tell(RoomJoined(visit=V))
    world.new()
    return world


def test_all_that_the_customer_said_is_wished_for() -> None:
    world = outgoing(Conference(room="r", muted=True, beeps=Beeps.EXIT, starts=False, ends=True, max_parties=7))
    assert world.all(EnterConference) == [
        EnterConference(
            visit=V, leg=A, room="r", muted=True, beeps=Beeps.EXIT, starts=False, ends=True, max_parties=7
        )
    ]  # fmt: skip
    assert world.notes("room.entered") == [{"visit": 1, "role": "party", "room": "r", "muted": True}]


def test_music_is_heard_until_it_begins_and_no_place() -> None:
    world = outgoing(Conference(room="r"))
    world.tell(RoomWaits(visit=V, position=None))
    assert [each.sound for each in world.all(PrepareSound)] == [MUSIC]
    world.ready()
    assert len(world.tell(RoomJoined(visit=V))) == 1
    assert world.notes("room.joined") == [{"visit": 1}]


@pytest.mark.parametrize(("coming", "sound"), [(True, COMING), (False, GOING)])
def test_who_comes_and_goes_is_heard(coming: bool, sound: object) -> None:
    world = joined()
    (asked,) = world.tell(RoomBeeped(visit=V, coming=coming))
    assert isinstance(asked, PrepareSound)
    assert asked.sound == sound
    (play,) = world.tell(SoundReady(request=asked.request, handle="t", duration_ms=1))
    assert isinstance(play, StartPlayback)
    assert (play.sounds, play.loop) == (("t",), 1)
    assert world.tell(SoundReady(request=asked.request, handle="t", duration_ms=1)) == []


def test_of_several_who_come_at_once_one_is_heard() -> None:
    world = joined()
    world.tell(RoomBeeped(visit=V, coming=True))
    world.tell(RoomBeeped(visit=V, coming=False))
    first, second = world.all(PrepareSound)
    assert world.tell(SoundReady(request=first.request, handle="t", duration_ms=1)) == []
    assert len(world.tell(SoundReady(request=second.request, handle="t", duration_ms=1))) == 1


def test_a_tone_that_cannot_be_had_is_noted_and_no_more() -> None:
    world = joined()
    for coming in (True, False):
        world.tell(RoomBeeped(visit=V, coming=coming))
        world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="disk full"))
    assert [each["sound"] for each in world.notes("sound.failed")] == ["enter", "exit"]
    assert world.results == []


@pytest.mark.parametrize("why", [RoomEnd.OVER, RoomEnd.TIME_LIMIT])
def test_a_conference_that_never_began_is_over_as_well(why: RoomEnd) -> None:
    world = outgoing(Conference(room="r"))
    world.tell(RoomWaits(visit=V, position=None))
    world.tell(RoomLeft(visit=V, why=why))
    assert world.results == [("ok", None)]


def test_a_flow_for_the_waiting_may_leave() -> None:
    world = outgoing(Conference(room="r", wait=Document(url="https://app.example/wait")))
    world.tell(RoomWaits(visit=V, position=None))
    assert world.last(FetchDocument).url == "https://app.example/wait"
    assert world.document(Hangup())[0] == LeaveRoom(visit=V)
    assert world.results == [("failed", "left")]
    assert world.notes("room.left") == [{"visit": 1, "why": "asked"}]


def test_a_timer_of_the_call_does_nothing_here() -> None:
    world = joined()
    world.after(5000.0)
    assert world.results == []
