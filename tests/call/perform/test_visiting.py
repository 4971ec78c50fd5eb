"""What all verbs do whose party goes into a room: enter with the answer, hear of their own visit, and leave once."""

import json
from typing import Any

import pytest
from tests.support.calls import A, PlainWords, World, flow, incoming, outgoing

from offhook.call.call import Call
from offhook.call.commands import (
    AnswerLeg,
    EnterConference,
    EnterQueue,
    LeaveRoom,
    StayInRoom,
    TakeCaller,
    VisitId,
)
from offhook.call.events import GoOn, LegAnswered, RoomEnd, RoomJoined, RoomLeft, RoomWaits
from offhook.call.perform.cast import performer_for
from offhook.flow.document import Document
from offhook.flow.verbs import Conference, Enqueue, Hangup, Pause, TakeFromQueue, Verb

V = VisitId(1)
VERBS = [Conference(room="r"), Enqueue(queue="q"), TakeFromQueue(queue="q")]
WISHES = (EnterConference, EnterQueue, TakeCaller)
WAIT = Document(url="https://app.example/wait")


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


@pytest.mark.parametrize(("verb", "role"), list(zip(VERBS, ("party", "caller", "agent"), strict=True)))
def test_the_timeline_says_as_what_the_party_entered(verb: Verb, role: str) -> None:
    (entered,) = outgoing(verb).notes("room.entered")
    assert (entered["visit"], entered["role"]) == (V, role)


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
def test_who_goes_on_elsewhere_leaves_the_room_if_they_ever_came(verb: Verb) -> None:
    there = outgoing(verb)
    there.new()
    assert there.tell(GoOn(to=flow(Pause(seconds=1.0))))[0] == LeaveRoom(visit=V)
    on_the_way = incoming(verb)
    on_the_way.new()
    on_the_way.tell(GoOn(to=flow(Pause(seconds=1.0))))
    assert on_the_way.all(LeaveRoom) == []
    for world in (there, on_the_way):
        assert world.results == [("failed", "changed")]


@pytest.mark.parametrize("verb", VERBS)
def test_what_is_said_of_an_earlier_visit_is_nothing(verb: Verb) -> None:
    world = outgoing(verb, verb)
    world.tell(RoomLeft(visit=V, why=RoomEnd.OVER))
    assert [each.visit for each in wishes(world)] == [1, 2]  # type: ignore[attr-defined]
    world.new()
    for event in (RoomWaits(visit=V, position=1), RoomJoined(visit=V), RoomLeft(visit=V, why=RoomEnd.OVER)):
        assert world.tell(event) == []
    assert len(world.results) == 1


@pytest.mark.parametrize("verb", [Conference(room="r", wait=WAIT), Enqueue(queue="q", wait=WAIT)])
def test_a_flow_for_the_waiting_that_hangs_up_ends_the_visit(verb: Verb) -> None:
    world = outgoing(verb)
    world.tell(RoomWaits(visit=V, position=1))
    world.document(Hangup())
    assert world.results == [("failed", "left")]
    assert world.all(LeaveRoom) == [LeaveRoom(visit=V)]


@pytest.mark.parametrize("verb", VERBS)
def test_a_restart_asks_again_who_waits_and_says_who_stays(verb: Verb) -> None:
    world = outgoing(verb)
    (wish,) = world.new()
    assert isinstance(wish, WISHES)
    assert world.resumes() == [wish]
    world.tell(RoomJoined(visit=V))
    assert world.resumes() == [StayInRoom(visit=V, leg=A)]


@pytest.mark.parametrize("verb", VERBS)
def test_a_deadline_is_only_of_what_is_heard(verb: Any) -> None:
    performer = performer_for(verb)
    assert performer.deadline is None
    assert performer.handle_timer(None) is None  # type: ignore[arg-type]


def test_a_call_of_an_earlier_version_goes_on_in_its_room() -> None:
    """An agent used to have a deadline of its own, which was always `None` and is no longer written."""
    world = outgoing(TakeFromQueue(queue="q"))
    data = json.loads(json.dumps(world.call.export()))
    performer = data["facts"]["scripts"][0][1]["performer"]
    assert "deadline" not in performer
    performer["deadline"] = None
    again = Call.restore(data, PlainWords(), world.now)
    assert again.export() == world.call.export()
