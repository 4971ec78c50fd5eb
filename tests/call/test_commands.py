"""What a call can say: all of it is in one union, frozen, and explained."""

import dataclasses
import inspect
import typing

from offhook.call import commands


def test_every_command_is_in_the_union_frozen_and_explained() -> None:
    declared = {
        each
        for _, each in inspect.getmembers(commands, dataclasses.is_dataclass)
        if each.__module__ == commands.__name__
    }
    assert declared == set(typing.get_args(commands.Command))
    for each in declared:
        assert each.__dataclass_params__.frozen, each
        assert not (each.__doc__ or "").startswith(each.__name__ + "("), f"{each} has no docstring"
    assert {each.__name__ for each in declared} <= set(commands.__all__)
