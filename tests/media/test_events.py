"""The events of the media engine as values; their bytes are tested in test_wire.py."""

import dataclasses
import typing

import pytest

from offhook.media import commands as c
from offhook.media import events as e
from offhook.media import wire


@pytest.mark.parametrize("kind", [*wire.EVENTS, *wire.REPLIES, e.SessionStatistics])
def test_every_event_is_a_value(kind: type) -> None:
    assert kind.__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert all(field.kw_only for field in dataclasses.fields(kind))


def test_the_unions_name_every_message() -> None:
    assert set(typing.get_args(e.Event)) == set(wire.EVENTS)
    assert set(typing.get_args(e.Reply)) == set(wire.REPLIES)
    assert set(typing.get_args(c.Command)) == set(wire.COMMANDS)
