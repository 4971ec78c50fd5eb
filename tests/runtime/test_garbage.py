"""Collections of cycles: none while starting, and later none of what started."""

import gc
import weakref
from collections.abc import Iterator

import pytest

from offhook.runtime import garbage


class Knot:
    def __init__(self) -> None:
        self.itself = self


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    threshold = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*threshold)
    gc.enable()


def test_nothing_is_collected_while_starting():
    garbage.no_collections()
    knot = weakref.ref(Knot())
    made = [[number] for number in range(200_000)]
    assert knot() is not None
    assert len(made) == 200_000


def test_what_started_is_left_alone_and_what_comes_later_is_collected():
    garbage.no_collections()
    before = weakref.ref(Knot())
    garbage.collect_seldom()
    after = weakref.ref(Knot())
    gc.collect()
    assert before() is not None
    assert after() is None
    assert gc.isenabled()


def test_cycles_of_calls_are_found_without_being_asked_for():
    garbage.collect_seldom()
    knot = weakref.ref(Knot())
    made = [[number] for number in range(garbage.YOUNG_OBJECTS + 1000)]
    assert knot() is None
    assert made
