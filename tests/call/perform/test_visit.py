"""A visit to a room: it begins with the answer, hears only of itself, and is left once."""

import pytest
from tests.support.calls import A, World, incoming, outgoing

from offhook.call.commands import AnswerLeg, EnterConference, EnterQueue, HangUpLeg, LeaveRoom, TakeCaller, VisitId
from offhook.call.events import LegAnswered, RoomEnd, RoomJoined, RoomLeft, RoomWaits
from offhook.flow.verbs import Conference, Enqueue, TakeFromQueue, Verb

V = VisitId(1)
VERBS = [Conference(room="r"), Enqueue(queue="q"), TakeFromQueue(queue="q")]
WISHES = (EnterConference, EnterQueue, TakeCaller)


def wishes(world: World) -> list[object]:
    return [each for kind in WISHES for each in world.all(kind)]


@pytest.mark.parametrize("verb", VERBS)
def test_nobody_enters_who_is_not_answered(verb: Verb) -> None:
    world = incoming(verb)
    assert world.new() == [AnswerLeg(leg=A)]
    assert wishes(world) == []
    (wish,) = world.answers(A)
    assert isinstance(wish, WISHES)
    assert (wish.visit, wish.leg) == (V, A)
    world.tell(LegAnswered(leg=A))
    assert len(wishes(world)) == 1


@pytest.mark.parametrize("verb", VERBS)
def test_the_end_of_the_call_is_the_end_of_the_visit(verb: Verb) -> None:
    world = outgoing(verb)
    world.new()
    assert world.ends(A)[0] == LeaveRoom(visit=V)
    assert world.results == [("failed", "hangup")]


@pytest.mark.parametrize("verb", VERBS)
def test_who_never_entered_need_not_leave(verb: Verb) -> None:
    world = incoming(verb)
    world.ends(A)
    assert world.all(LeaveRoom) == []


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


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_said_of_an_earlier_visit_is_nothing(verb: Verb) -> None:
    world = outgoing(verb, verb)
    world.tell(RoomLeft(visit=V, why=RoomEnd.OVER))
    assert [each.visit for each in wishes(world)] == [1, 2]  # type: ignore[attr-defined]
    world.new()
    for event in (RoomWaits(visit=V, position=1), RoomJoined(visit=V), RoomLeft(visit=V, why=RoomEnd.OVER)):
        assert world.tell(event) == []
    assert len(world.results) == 1
