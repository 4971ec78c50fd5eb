"""Runs `offhook` without what makes calls durable: no timeline, no restore facts, no outbox on the disk.

`python -m benchmarks.undurable ARGUMENT…`. It is what durability is measured against (`benchmarks.durability`), and for
nothing else: the product has no such switch, since nobody should be able to turn it. What is left is what a server
without these promises would do all the same: rows of calls and money, webhooks from memory.
"""

import runpy
import sys
from collections.abc import Callable, Collection, Mapping
from importlib import import_module
from importlib.util import find_spec
from typing import Any


async def _at_once(_: object, timeout_s: float = 0.0) -> None:
    """Nothing has to become durable."""


def _forgotten(*_: object, **__: object) -> None:
    """Nothing is kept."""


def _said(_: object, say: Callable[[], None], *, patient: bool = False) -> None:
    """Nothing waits for the disk."""
    say()


def _noted(book: Any, call: str, entries: Collection[Any]) -> None:
    """No timeline; a count of its entries says which calls are known."""
    book._last[call] = book._last.get(call, 0) + len(entries)


def _call_noted(live: Any, kind: str, data: Mapping[str, Any]) -> None:
    """Nor does a call gather entries for it."""
    _noted(live.services.book, live.id, (data,))
    if kind == "leg.statistics":
        live.legs_measured += 1
        live._close_timeline()


def _no_facts(live: Any) -> None:
    """Nothing is exported."""


SWITCHED_OFF: dict[tuple[str, str], dict[str, Any]] = {
    ("offhook.runtime.book", "Book"): {"note_all": _noted},
    ("offhook.runtime.live_call", "LiveCall"): {"note": _call_noted, "facts": _no_facts},
    ("offhook.storage.deliveries", "Deliveries"): {"save": _forgotten, "flush": _at_once},
    ("offhook.runtime.keeper", "Keeper"): {
        "touch": _forgotten, "hurry": _forgotten, "write": _forgotten, "drop": _forgotten, "hold": _said,
        "when_durable": lambda keeper, say: keeper._loop.call_soon(say) and None,
        "heard": lambda keeper, number: keeper._acknowledge(number),
    },
}  # fmt: skip


def switch_off() -> list[str]:
    """Replace what writes. Returns what was found to be switched off."""
    done = []
    for (module, name), instead in SWITCHED_OFF.items():
        if find_spec(module) is None:
            continue
        kind = getattr(import_module(module), name)
        for method, put in instead.items():
            # One that is not there any more would leave its cost in, and the comparison a lie.
            assert hasattr(kind, method), f"{name} has no {method}: benchmarks/undurable.py is to be brought up to date"
            setattr(kind, method, put)
            done.append(f"{name}.{method}")
    return done


def main() -> None:
    switch_off()
    sys.argv = ["offhook", *sys.argv[1:]]
    runpy.run_module("offhook", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
