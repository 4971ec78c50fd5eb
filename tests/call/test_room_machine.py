"""What every room does alike, tried on the smallest room: it takes everybody in and keeps nobody waiting."""

import json
from dataclasses import dataclass, field
from typing import assert_never

import pytest
from tests.support.rooms import ANN, BOB

from offhook.call.commands import EnterQueue, LegId, VisitId
from offhook.call.events import Now, RoomJoined
from offhook.call.plain import Mono
from offhook.call.room import (
    Briefed,
    Came,
    Closed,
    Guest,
    RoomCommand,
    RoomHears,
    RoomKind,
    RoomName,
    RoomNote,
    RoomView,
    Stays,
    Tell,
    Went,
)
from offhook.call.room_machine import RoomMachine, RoomState, earliest
from offhook.flow.errors import NotOurExport

NAME = RoomName(account="u1", kind=RoomKind.QUEUE, name="hall")
NOW, ELSEWHERE = Now(100.0, 1_700_000_100.0), Now(5.0, 1_700_000_100.0)


@dataclass(slots=True, kw_only=True)
class _State(RoomState):
    due: dict[Guest, Mono] = field(default_factory=dict)


class Hall(RoomMachine[_State]):
    """Whoever comes is in, for ten seconds."""

    state_type = _State

    def handle(self, event: RoomHears, now: Now) -> None:
        match event:
            case Came(guest=guest) | Stays(guest=guest):
                self._state.due[guest] = Mono(now.mono + 10.0)
                self._tell(guest, RoomJoined(visit=guest.visit))
            case Went(guest=guest) | Briefed(guest=guest):
                self._state.due.pop(guest, None)
                self._note("room.left", guest, why="went", by=None)
                self._close_if_empty()
            case _:
                assert_never(event)

    def handle_timer(self, now: Now) -> None:
        self._state.due.clear()
        self._close_if_empty()

    def poll_deadline(self) -> float | None:
        return earliest(self._state.due.values())

    def view(self) -> RoomView:
        return RoomView(room=self._state.room, since=self._state.since, guests=())

    def guests(self) -> tuple[Guest, ...]:
        return tuple(self._state.due)


def came(guest: Guest) -> Came:
    return Came(guest=guest, wish=EnterQueue(visit=VisitId(1), leg=LegId(0), queue="hall"))


def hall_of(*guests: Guest) -> Hall:
    hall = Hall.make(NAME, NOW)
    for guest in guests:
        hall.handle(came(guest), NOW)
        assert hall.poll_command() == Tell(guest=guest, event=RoomJoined(visit=guest.visit))
    assert hall.poll_command() is None
    return hall


def commands_of(hall: Hall) -> list[RoomCommand]:
    return list(iter(hall.poll_command, None))


def test_a_new_room_is_open_and_empty_since_now() -> None:
    hall = Hall.make(NAME, NOW)
    assert (hall.closed, hall.guests(), hall.poll_command(), hall.poll_deadline()) == (False, (), None, None)
    assert hall.view() == RoomView(room=NAME, since=NOW.wall, guests=())


def test_the_log_says_whom_it_is_about_and_nothing_that_is_not() -> None:
    hall = hall_of(ANN)
    hall.handle(Went(guest=ANN), NOW)
    assert commands_of(hall) == [
        RoomNote(kind="room.left", data={"call": ANN.call, "leg": ANN.leg, "why": "went"}),
        RoomNote(kind="room.closed", data={}),
        Closed(),
    ]


def test_a_room_closes_once_and_only_when_nobody_is_left() -> None:
    hall = hall_of(ANN, BOB)
    hall.handle(Went(guest=ANN), NOW)
    assert Closed() not in commands_of(hall)
    hall.handle_timer(NOW)
    hall.handle_timer(NOW)
    assert hall.closed
    assert commands_of(hall) == [RoomNote(kind="room.closed", data={}), Closed()]


def test_a_room_goes_on_elsewhere_with_its_moments_on_the_clock_there() -> None:
    hall = hall_of(ANN)
    data = hall.export(NOW)
    again = Hall.restore(json.loads(json.dumps(data)), ELSEWHERE)
    assert again.guests() == (ANN,)
    assert again.poll_deadline() == pytest.approx(15.0, abs=1e-3)
    assert again.view() == hall.view()
    assert again.export(ELSEWHERE) == data


def test_what_is_still_to_be_said_is_in_no_export() -> None:
    hall = Hall.make(NAME, NOW)
    hall.handle(came(ANN), NOW)
    with pytest.raises(RuntimeError, match="polled"):
        hall.export(NOW)


@pytest.mark.parametrize("spoilt", [{"version": 2}, {"version": None}, {"state": {}}, {"state": None}])
def test_what_is_no_export_of_this_version_is_refused(spoilt: dict[str, object]) -> None:
    data = hall_of(ANN).export(NOW)
    with pytest.raises(NotOurExport):
        Hall.restore({**data, **spoilt}, NOW)


def test_of_no_moments_none_is_the_earliest() -> None:
    assert earliest([]) is None
    assert earliest([None, Mono(3.0), Mono(2.0)]) == 2.0
