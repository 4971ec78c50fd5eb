"""What a room can hear and say: all of it is in two unions, frozen, and explained."""

import dataclasses
import inspect
import typing

from offhook.call import room


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
