"""Fuzz target: every SIP parser in turn, for runs that have time for one; the three are targets of their own too."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fuzz.runner import run
from hypothesis import strategies as st

from fuzz import sip_message, sip_stream, sip_values

TARGETS: tuple[tuple[Any, Callable[[Any], None]], ...] = (
    (sip_message.STRATEGY, sip_message.check),
    (sip_stream.STRATEGY, sip_stream.check),
    (sip_values.STRATEGY, sip_values.check),
)
STRATEGY = st.integers(min_value=0, max_value=len(TARGETS) - 1).flatmap(
    lambda which: st.tuples(st.just(which), TARGETS[which][0])
)


def check(example: tuple[int, Any]) -> None:
    """The invariant of the target that the example is for."""
    which, data = example
    TARGETS[which][1](data)


if __name__ == "__main__":
    run("sip", STRATEGY, check)
