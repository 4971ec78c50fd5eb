"""Several calls that meet in rooms, whole and in virtual time: what each of them hears, and what each does next.

Every scenario is played twice, the second time with calls and rooms written down and restored after every event.
"""

from dataclasses import replace

from tests.support.calls import flow

from offhook.call.commands import CallerBriefed, EnterQueue, LeaveRoom, LegId, StayInRoom, VisitId
from offhook.call.events import Event, Now, RoomEnd, RoomLeft, RoomWaits
from offhook.flow.document import Document
from offhook.flow.program import Flow
from offhook.flow.verbs import Beeps, Conference, Enqueue, NamedSound, Play, TakeFromQueue
from offhook.flow.view import CallId
from offhook.testing import read_scenario, simulate
from offhook.testing.clock import Clock
from offhook.testing.rooms import SimulatedRooms
from offhook.testing.trace import trace_text

ANN, BOB, AGENT, OTHER = "+1", "+2", "+8", "+9"
AFTERWARDS = Play(sounds=(NamedSound(name="beep"),))


def played(when: str, given: str = "sound https://x lasts 1 s", **numbers: Flow) -> list[str]:
    """The trace, as scenario files have it. `n5` is what +5 runs."""
    indented = "\n".join(f"  {line}" for line in given.splitlines())
    scenario = read_scenario(f"# t\ngiven\n{indented}\nwhen\n{when}\nthen\n  0.0 x\n")
    scenario = replace(scenario, numbers={f"+{name[1:]}": runs for name, runs in numbers.items()})
    lines = simulate(scenario)
    assert simulate(scenario, restarts=True) == lines
    return [" ".join(line.split()) for line in trace_text(lines).splitlines()]


def test_three_meet_and_each_goes_on_when_it_is_over() -> None:
    guest = Conference(room="r", starts=False)
    chair = Conference(room="r", ends=True, beeps=Beeps.NONE)
    lines = played(
        "  +1 calls +5\n  +2 calls +5 at 2 s\n  +8 calls +6 at 5 s\n    hangs up after 10 s",
        n5=flow(guest, AFTERWARDS),
        n6=flow(chair),
    )
    assert lines == [
        "0.0 +1 calls +5",
        "0.0 +1 is answered",
        "0.0 +1 waits for conference r to begin",
        "0.0 +1 hears sound/music until stopped",
        "2.0 +2 calls +5",
        "2.0 +2 is answered",
        "2.0 +2 waits for conference r to begin",
        "2.0 +2 hears sound/music until stopped",
        "5.0 +8 calls +6",
        "5.0 +8 is answered",
        "5.0 +1 joins conference r",
        "5.0 +2 joins conference r",
        "5.0 +8 joins conference r",
        "5.0 +1 hears no more",
        "5.0 +2 hears no more",
        "15.0 +8 hangs up",
        "15.0 the call of +8 is over: normal, success",
        "15.0 +8 leaves conference r",
        "15.0 +1 leaves conference r",
        "15.0 +1 is let go by conference r: over",
        "15.0 +2 leaves conference r",
        "15.0 +2 is let go by conference r: over",
        "15.0 +1 hears sound/beep",
        "15.0 +2 hears sound/beep",
        "15.2 +1 is hung up: normal",
        "15.2 +2 is hung up: normal",
        "15.2 the call of +1 is over: normal, success",
        "15.2 the call of +2 is over: normal, success",
    ]


def test_who_comes_and_goes_is_heard_by_the_others() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up after 9 s\n  +2 calls +5 at 1 s\n    hangs up after 3 s\n",
        n5=flow(Conference(room="r")),
    )
    assert [line for line in lines if "sound/e" in line] == [
        "1.0 +1 hears sound/enter",
        "1.0 +2 hears sound/enter",
        "4.0 +1 hears sound/exit",
    ]


def test_a_conference_that_is_full_is_said_to_be_and_the_flow_goes_on() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up after 9 s\n  +2 calls +5 at 1 s\n    hangs up after 3 s\n  +3 calls +6 at 2 s",
        n5=flow(Conference(room="r", beeps=Beeps.NONE)),
        n6=flow(Conference(room="r", max_parties=2), AFTERWARDS),
    )
    assert lines[lines.index("2.0 +3 calls +6") :][:4] == [
        "2.0 +3 calls +6",
        "2.0 +3 is answered",
        "2.0 +3 is let go by conference r: full",
        "2.0 +3 hears sound/beep",
    ]


def test_callers_hear_their_place_and_are_taken_in_turn() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up when it talks after 5 s\n"
        "  +2 calls +5 at 1 s\n"
        "  +8 calls +6 at 30 s\n"
        "  +9 calls +6 at 40 s\n    hangs up after 5 s",
        n5=flow(Enqueue(queue="q"), AFTERWARDS),
        n6=flow(TakeFromQueue(queue="q"), AFTERWARDS),
    )
    assert lines == [
        "0.0 +1 calls +5",
        "0.0 +1 is answered",
        "0.0 +1 is number 1 in queue q",
        "0.0 +1 hears sound/music until stopped",
        "0.0 +1 hears en/You are number 1 in the queue.",
        "1.0 +2 calls +5",
        "1.0 +2 is answered",
        "1.0 +2 is number 2 in queue q",
        "1.0 +2 hears sound/music until stopped",
        "1.0 +2 hears en/You are number 2 in the queue.",
        "2.0 +1 hears sound/music until stopped",
        "3.0 +2 hears sound/music until stopped",
        "30.0 +8 calls +6",
        "30.0 +8 is answered",
        "30.0 +8 and +1 are joined",
        "30.0 +2 is number 1 in queue q",
        "30.0 +1 hears no more",
        "30.0 +2 hears en/You are number 1 in the queue.",
        "32.0 +2 hears sound/music until stopped",
        "35.0 +1 hangs up",
        "35.0 the call of +1 is over: normal, success",
        "35.0 +8 and +1 are parted",
        "35.0 +8 is let go by queue q: over",
        "35.0 +8 hears sound/beep",
        "35.2 +8 is hung up: normal",
        "35.2 the call of +8 is over: normal, success",
        "40.0 +9 calls +6",
        "40.0 +9 is answered",
        "40.0 +9 and +2 are joined",
        "40.0 +2 hears no more",
        "45.0 +9 hangs up",
        "45.0 the call of +9 is over: normal, success",
        "45.0 +9 and +2 are parted",
        "45.0 +2 is let go by queue q: over",
        "45.0 +2 hears sound/beep",
        "45.2 +2 is hung up: normal",
        "45.2 the call of +2 is over: normal, success",
    ]


def test_an_agent_for_whom_nobody_comes_goes_on() -> None:
    lines = played("  +8 calls +6", n6=flow(TakeFromQueue(queue="q", timeout_s=10.0), AFTERWARDS))
    assert lines == [
        "0.0 +8 calls +6",
        "0.0 +8 is answered",
        "0.0 +8 waits for somebody in queue q",
        "0.0 +8 hears sound/music until stopped",
        "10.0 +8 is let go by queue q: no_answer",
        "10.0 +8 hears no more",
        "10.0 +8 hears sound/beep",
        "10.2 +8 is hung up: normal",
        "10.2 the call is over: normal, success",
    ]


BRIEFING = Document(url="https://a/briefing")
PAGE = 'page https://a/briefing\n  {"play": "https://x"}\nsound https://x lasts 3 s'


def test_a_caller_hears_a_briefing_before_it_is_joined() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up when it talks after 1 s\n  +8 calls +6 at 5 s",
        PAGE,
        n5=flow(Enqueue(queue="q")),
        n6=flow(TakeFromQueue(queue="q", briefing=BRIEFING)),
    )
    start = lines.index("5.0 +8 calls +6")
    assert [line for line in lines[start:] if "=" not in line] == [
        "5.0 +8 calls +6",
        "5.0 +8 is answered",
        "5.0 +1 is briefed",
        "5.0 +8 waits for somebody in queue q",
        "5.0 +1 hears no more",
        "5.0 POST https://a/briefing",
        "5.0 +8 hears sound/music until stopped",
        "5.0 +1 hears https://x",
        "8.0 +8 and +1 are joined",
        "8.0 +8 hears no more",
        "9.0 +1 hangs up",
        "9.0 the call of +1 is over: normal, success",
        "9.0 +8 and +1 are parted",
        "9.0 +8 is let go by queue q: over",
        "9.0 +8 is hung up: normal",
        "9.0 the call of +8 is over: normal, success",
    ]


def test_an_agent_who_hangs_up_during_the_briefing_costs_the_caller_nothing() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up at 12 s\n  +8 calls +6 at 5 s\n    hangs up after 1 s",
        PAGE,
        n5=flow(Enqueue(queue="q")),
        n6=flow(TakeFromQueue(queue="q", briefing=BRIEFING)),
    )
    start = lines.index("6.0 +8 hangs up")
    assert lines[start:] == [
        "6.0 +8 hangs up",
        "6.0 the call of +8 is over: normal, success",
        "6.0 +1 is number 1 in queue q",
        "6.0 +1 hears sound/music until stopped",
        "6.0 +1 hears en/You are number 1 in the queue.",
        "8.0 +1 hears sound/music until stopped",
        "12.0 +1 hangs up",
        "12.0 the call of +1 is over: normal, success",
    ]


WAIT = Document(url="https://a/wait")


def test_a_flow_for_the_waiting_is_heard_again_and_again() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up at 8 s",
        'page https://a/wait\n  {"play": "https://x"}\nsound https://x lasts 3 s',
        n5=flow(Enqueue(queue="q", wait=WAIT)),
    )
    assert [line for line in lines if "hears" in line] == [
        "0.0 +1 hears https://x",
        "3.0 +1 hears https://x",
        "6.0 +1 hears https://x",
    ]
    assert lines.count("3.0 POST https://a/wait") == 1


def test_a_flow_for_the_waiting_that_takes_no_time_makes_room_for_music() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up at 8 s", "page https://a/wait\n  {}", n5=flow(Enqueue(queue="q", wait=WAIT))
    )
    assert [line for line in lines if "POST" in line or "hears" in line] == [
        "0.0 POST https://a/wait",
        "0.0 +1 hears sound/music until stopped",
        "0.0 +1 hears en/You are number 1 in the queue.",
        "2.0 +1 hears sound/music until stopped",
    ]


def test_a_flow_for_the_waiting_that_hangs_up_leaves_the_queue() -> None:
    lines = played(
        "  +1 calls +5",
        'page https://a/wait\n  {"play": "https://x", "next": {"hangup": "true"}}\nsound https://x lasts 3 s',
        n5=flow(Enqueue(queue="q", wait=WAIT), AFTERWARDS),
    )
    assert [line for line in lines if line.startswith("3.")] == [
        "3.0 +1 hears sound/beep",
        "3.2 +1 is hung up: normal",
        "3.2 the call is over: normal, success",
    ]


def test_a_conference_has_its_own_flow_for_the_waiting() -> None:
    lines = played(
        "  +1 calls +5\n    hangs up at 8 s\n  +2 calls +5 at 2 s\n    hangs up at 4 s",
        'page https://a/wait\n  {"play": "https://x"}\nsound https://x lasts 3 s',
        n5=flow(Conference(room="r", wait=WAIT, muted=True, beeps=Beeps.NONE)),
    )
    assert [line for line in lines if "hears" in line or "joins" in line] == [
        "0.0 +1 hears https://x",
        "2.0 +1 joins conference r muted",
        "2.0 +2 joins conference r muted",
        "2.0 +1 hears no more",
    ]


class Restored:
    """A call that has come back, and what it is told."""

    id = CallId("1" * 32)

    def __init__(self) -> None:
        self.told: list[Event] = []

    def tell(self, event: Event) -> None:
        self.told.append(event)

    def address(self, leg: LegId) -> str:
        return "+1"

    def talks(self, leg: LegId) -> None:
        """It is joined with nobody."""


def test_a_call_that_has_come_back_is_told_where_it_stands() -> None:
    clock, call, visit = Clock(), Restored(), VisitId(1)
    said: list[str] = []
    rooms = SimulatedRooms(clock, lambda: Now(clock.now, clock.now), said.append, restarts=True)
    rooms.hear(call, EnterQueue(visit=visit, leg=LegId(0), queue="q"))
    rooms.hear(call, StayInRoom(visit=visit, leg=LegId(0)))
    rooms.hear(call, StayInRoom(visit=VisitId(2), leg=LegId(0)))
    while clock.next is not None:
        clock.step()
    waits = RoomWaits(visit=visit, position=1)
    gone = RoomLeft(visit=VisitId(2), why=RoomEnd.OVER)
    assert sorted(map(str, call.told)) == sorted(map(str, [waits, waits, gone]))
    rooms.hear(call, CallerBriefed(visit=VisitId(2)))
    rooms.hear(call, LeaveRoom(visit=visit))
    while clock.next is not None:
        clock.step()
    assert rooms.all_closed
