"""TakeFromQueue at work: what is asked of the queue, the music for the agent, and how it ends."""

from tests.support.calls import A, outgoing

from offhook.call.commands import PrepareSound, StopPlayback, TakeCaller, VisitId
from offhook.call.events import RoomEnd, RoomJoined, RoomLeft, RoomWaits
from offhook.call.perform.waiting import MUSIC
from offhook.flow.document import Document
from offhook.flow.verbs import TakeFromQueue

V = VisitId(1)
BRIEFING = Document(url="https://app.example/briefing")


def test_all_that_the_customer_said_is_asked() -> None:
    world = outgoing(TakeFromQueue(queue="q", briefing=BRIEFING, timeout_s=20.0, time_limit_s=60.0))
    assert world.all(TakeCaller) == [
        TakeCaller(visit=V, leg=A, queue="q", briefing=BRIEFING, timeout_s=20.0, time_limit_s=60.0)
    ]
    assert world.notes("room.entered") == [{"visit": 1, "role": "agent", "room": "q"}]


def test_an_agent_hears_music_until_somebody_comes() -> None:
    world = outgoing(TakeFromQueue(queue="q"))
    world.tell(RoomWaits(visit=V, position=None))
    assert [each.sound for each in world.all(PrepareSound)] == [MUSIC]
    world.ready()
    assert isinstance(world.tell(RoomJoined(visit=V))[0], StopPlayback)
    world.after(30.0)
    world.tell(RoomLeft(visit=V, why=RoomEnd.TIME_LIMIT))
    assert world.results == [("ok", None)]


def test_when_nobody_comes_it_fails_as_a_dial_without_an_answer_does() -> None:
    world = outgoing(TakeFromQueue(queue="q", timeout_s=5.0))
    world.tell(RoomWaits(visit=V, position=None))
    world.after(100.0)
    assert world.results == [], "the queue has the time-out"
    world.tell(RoomLeft(visit=V, why=RoomEnd.NO_ANSWER))
    assert world.results == [("failed", "no_answer")]
