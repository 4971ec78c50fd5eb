"""What a call can hear: all of it is in one union, frozen, and explained."""

import dataclasses
import inspect
import typing

from offhook.call import events


def test_every_event_is_in_the_union_frozen_and_explained() -> None:
    declared = {
        each for _, each in inspect.getmembers(events, dataclasses.is_dataclass) if each.__module__ == events.__name__
    }
    assert declared - {events.Tariff} == set(typing.get_args(events.Event))
    for each in declared:
        assert each.__dataclass_params__.frozen, each
        assert not (each.__doc__ or "").startswith(each.__name__ + "("), f"{each} has no docstring"
    assert {each.__name__ for each in declared} <= set(events.__all__)
