"""When Python looks for reference cycles: never while starting, seldom while running, and never in what started.

A collection stops every call. Over the quarter of a million objects that a started server consists of it lasts 100 ms,
and finds nothing: they live as long as the process. So they are taken out of its sight; what remains is live calls.
"""

import gc

__all__ = ["collect_seldom", "no_collections"]

YOUNG_OBJECTS = 20_000
"""So many more made than freed, and the youngest are looked at: a few milliseconds, a few times a second at most."""
YOUNG_ROUNDS = 20
MIDDLE_ROUNDS = 50


def no_collections() -> None:
    """Collect nothing, for as long as the server starts: what is made then stays."""
    gc.disable()


def collect_seldom() -> None:
    """The server stands: leave what there is alone, and look for cycles in what comes from now on."""
    gc.freeze()
    gc.set_threshold(YOUNG_OBJECTS, YOUNG_ROUNDS, MIDDLE_ROUNDS)
    gc.enable()
