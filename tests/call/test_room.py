"""What a room can hear and say: all of it is in two unions, frozen, explained; its log leaves out what is not."""

import dataclasses
import inspect
import typing

from tests.support.rooms import ANN

from offhook.call import room
from offhook.call.plain import Mono
from offhook.call.room import RoomSpeech, earliest


def test_everything_a_room_hears_and_says_is_in_a_union_frozen_and_explained() -> None:
    declared = {
        each for _, each in inspect.getmembers(room, dataclasses.is_dataclass) if each.__module__ == room.__name__
    }
    said = {*typing.get_args(room.RoomHears), *typing.get_args(room.RoomCommand)}
    assert said | {room.Guest, room.GuestView, room.RoomName, room.RoomView} == declared
    for each in declared:
        assert each.__dataclass_params__.frozen, each
        assert not (each.__doc__ or "").startswith(each.__name__ + "("), f"{each} has no docstring"
    assert {each.__name__ for each in declared} <= set(room.__all__)


def test_a_note_says_whom_it_is_about_and_nothing_that_is_not() -> None:
    speech = RoomSpeech()
    speech.note("room.closed", why=None)
    speech.note("room.left", ANN, why="over")
    assert [dict(each.data) for each in speech.out if isinstance(each, room.RoomNote)] == [
        {},
        {"call": ANN.call, "leg": 0, "why": "over"},
    ]


def test_of_no_moments_none_is_the_earliest() -> None:
    assert earliest([]) is None
    assert earliest([None, Mono(3.0), Mono(2.0)]) == 2.0
