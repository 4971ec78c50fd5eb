"""Names the topic of a case that is Python. For the conformance page; what the case proves is its docstring."""

from collections.abc import Callable
from typing import TypeVar

__all__ = ["topic"]

F = TypeVar("F", bound=Callable[..., object])


def topic(name: str) -> Callable[[F], F]:
    """`name`: a topic of the manifest. Read from the source by `tests/conformance/page.py`; changes nothing."""

    def unchanged(case: F) -> F:
        return case

    return unchanged
