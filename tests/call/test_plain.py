"""Values to plain JSON and back, moments by the wall clock."""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from enum import Enum
from types import MappingProxyType
from typing import Any, ClassVar, NewType

import pytest

from offhook.call.plain import Mono, from_plain, to_plain
from offhook.flow.program import Document, Flow, Next, Outcome, OutcomeKind, Step
from offhook.flow.verbs import Gather, Play, Record, UrlSound

Number = NewType("Number", int)


class Colour(Enum):
    RED = "red"


@dataclass(frozen=True, slots=True)
class Inner:
    n: Number
    colour: Colour | None = None


@dataclass(slots=True)
class Other:
    n: int


@dataclass(slots=True)
class Outer:
    ignored: ClassVar[int] = 3
    inner: Inner
    either: Inner | Other
    maybe: Inner | None
    at: Mono | None
    due: Mono
    when: datetime | None
    many: tuple[Inner, ...]
    listed: list[int]
    by: dict[Number, Inner]
    frozen: Mapping[str, Any]
    keys: frozenset[str]
    word: str | None = None
    also: Inner | Other | None = field(default=None)


def outer(**change: Any) -> Outer:
    inner = Inner(Number(1), Colour.RED)
    values: dict[str, Any] = {
        "inner": inner,
        "either": Other(2),
        "maybe": None,
        "at": Mono(10.0),
        "due": Mono(20.0),
        "when": datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
        "many": (inner, Inner(Number(5))),
        "listed": [1, 2],
        "by": {Number(7): inner},
        "frozen": MappingProxyType({"a": [1, {"b": None}]}),
        "keys": frozenset("#*"),
        **change,
    }
    return Outer(**values)


@pytest.mark.parametrize(
    "change",
    [
        {},
        {
            "maybe": Inner(Number(3)),
            "at": None,
            "when": None,
            "either": Inner(Number(4)),
            "word": "w",
            "also": Other(1),
        },
    ],
)
def test_there_and_back_through_json(change: dict[str, Any]) -> None:
    value = outer(**change)
    assert from_plain(json.loads(json.dumps(to_plain(value, Outer, 100.0))), Outer, 100.0) == value


def test_moments_are_written_by_the_wall_clock_and_read_on_another_monotonic_one() -> None:
    plain = to_plain(outer(), Outer, 1000.0)
    assert (plain["at"], plain["due"]) == (1010.0, 1020.0)
    back = from_plain(plain, Outer, 900.0)
    assert (back.at, back.due) == (110.0, 120.0)


def test_mappings_come_back_as_they_were_declared() -> None:
    back = from_plain(to_plain(outer(), Outer, 0.0), Outer, 0.0)
    assert isinstance(back.by, dict)
    assert isinstance(back.frozen, MappingProxyType)


@pytest.mark.parametrize(
    "value",
    [
        Document(url="https://app.example/"),
        Flow(
            steps=(
                Step(
                    verb=Gather(prompts=(UrlSound(url="u"),)),
                    digits=MappingProxyType({"1": Flow(steps=(Step(verb=Record(silence_s=None)),))}),
                    branches=MappingProxyType({OutcomeKind.FAILED: Document(url="x")}),
                    wording=MappingProxyType({"ivr": "u", "digits": "1"}),
                ),
                Step(verb=Play(sounds=()), otherwise=Document(url="y")),
            )
        ),
    ],
)
def test_flows(value: Next) -> None:
    assert from_plain(json.loads(json.dumps(to_plain(value, Next, 0.0))), Next, 0.0) == value


def test_an_outcome_by_itself() -> None:
    value = Outcome(kind=OutcomeKind.DIGITS, digits="007")
    assert from_plain(to_plain(value, Outcome, 0.0), Outcome, 0.0) == value


def test_a_class_that_is_none_of_the_union_is_refused() -> None:
    with pytest.raises(StopIteration):
        from_plain({"is": "Else", "n": 1}, Inner | Other, 0.0)
