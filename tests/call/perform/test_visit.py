"""Where a party stands in a room: since when others hear it, and how its verb ends with that."""

import pytest
from tests.support.calls import A, outgoing

from offhook.call.commands import HangUpLeg, LeaveRoom, VisitId
from offhook.call.events import RoomEnd, RoomJoined, RoomLeft
from offhook.flow.verbs import Conference, Enqueue, TakeFromQueue, Verb

V = VisitId(1)
VERBS = [Conference(room="r"), Enqueue(queue="q"), TakeFromQueue(queue="q")]


@pytest.mark.parametrize("verb", VERBS)
def test_it_is_over_with_how_long_others_were_heard(verb: Verb) -> None:
    world = outgoing(verb)
    world.tell(RoomJoined(visit=V))
    world.after(42.0)
    assert world.tell(RoomLeft(visit=V, why=RoomEnd.OVER))[0] == HangUpLeg(leg=A, cause=world.call.view().cause)  # type: ignore[arg-type]
    (performed,) = world.call.view().performed
    assert (performed.outcome.kind.value, performed.outcome.seconds) == ("ok", 42)
    assert [each["why"] for each in world.notes("room.left")] == ["over"]
    assert world.all(LeaveRoom) == [], "the room knows"


@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("why", [RoomEnd.FULL, RoomEnd.INTERNAL_ERROR])
def test_it_fails_with_the_word_of_the_room(verb: Verb, why: RoomEnd) -> None:
    world = outgoing(verb)
    world.tell(RoomLeft(visit=V, why=why))
    assert world.results == [("failed", why.value)]


def test_a_fault_in_the_room_is_one_also_for_those_who_talked() -> None:
    world = outgoing(Conference(room="r"))
    world.tell(RoomJoined(visit=V))
    world.tell(RoomLeft(visit=V, why=RoomEnd.INTERNAL_ERROR))
    assert world.results == [("failed", "internal_error")]


def test_to_be_told_twice_of_the_joining_is_to_be_told_once() -> None:
    world = outgoing(Conference(room="r"))
    world.tell(RoomJoined(visit=V))
    world.after(10.0)
    assert world.tell(RoomJoined(visit=V)) == []
    world.after(32.0)
    world.tell(RoomLeft(visit=V, why=RoomEnd.OVER))
    assert [each.outcome.seconds for each in world.call.view().performed] == [42]
