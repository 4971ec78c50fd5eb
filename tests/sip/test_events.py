"""The events are all that an endpoint can say, so they must be whole, frozen and in the union."""

import inspect
from dataclasses import is_dataclass
from enum import Enum
from typing import get_args

import offhook.sip.events as events


def classes() -> dict[str, type]:
    return {
        name: kind
        for name, kind in vars(events).items()
        if inspect.isclass(kind) and kind.__module__ == events.__name__
    }


def test_every_event_is_frozen_documented_and_in_the_union() -> None:
    union = set(get_args(events.Event))
    for name, kind in classes().items():
        if issubclass(kind, Enum):
            continue
        assert is_dataclass(kind), name
        assert kind.__dataclass_params__.frozen, name  # type: ignore[attr-defined]
        assert kind.__doc__, name
        # A binding is a part of an event, not one.
        assert kind in union or kind is events.Binding, name


def test_session_events_name_their_session() -> None:
    for kind in get_args(events.SessionEvent):
        assert "session" in kind.__dataclass_fields__, kind
