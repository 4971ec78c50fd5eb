"""Runs one fuzz target for a while: `python -m fuzz.TARGET --seconds 30 [--seed N]`.

A target is a strategy and a check, and the check has one invariant: parse, or say why. Batches run on seeds that follow
one another, so that what a run finds is found again by the seed that it prints. A find becomes a case in the tests.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis.strategies import SearchStrategy

T = TypeVar("T")

BATCH_EXAMPLES = 200
SECONDS = 30.0


def fuzz(strategy: SearchStrategy[T], check: Callable[[T], None], *, seconds: float, first_seed: int) -> int:
    """Check examples until the time is over (one batch at least); how many. What `check` raises comes out."""
    count = 0

    def counted(example: T) -> None:
        nonlocal count
        count += 1
        check(example)

    deadline = time.monotonic() + seconds
    number = first_seed
    while True:
        _batch(strategy, counted, number)
        number += 1
        if time.monotonic() >= deadline:
            return count


def run(
    name: str,
    strategy: SearchStrategy[Any],
    check: Callable[[Any], None],
    arguments: Sequence[str] | None = None,
) -> None:
    """The command line of a target; exits with 1 when something was found."""
    parser = argparse.ArgumentParser(prog=f"python -m fuzz.{name}", description="Fuzz one parser.")
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long (default: %(default)s)")
    parser.add_argument("--seed", type=int, default=None, help="where to begin (default: by chance, printed)")
    chosen = parser.parse_args(arguments)
    first = random.SystemRandom().randrange(2**32) if chosen.seed is None else chosen.seed
    write = sys.stdout.write
    write(f"{name}: seed {first}, {chosen.seconds:g} s\n")
    sys.stdout.flush()
    try:
        count = fuzz(strategy, check, seconds=chosen.seconds, first_seed=first)
    except BaseException:
        write(
            f"{name}: found something; again with: python -m fuzz.{name} --seconds {chosen.seconds:g} --seed {first}\n"
        )
        raise
    write(f"{name}: {count} examples, nothing found\n")


def _batch(strategy: SearchStrategy[T], check: Callable[[T], None], number: int) -> None:
    @seed(number)
    @settings(
        max_examples=BATCH_EXAMPLES,
        database=None,
        deadline=None,
        phases=(Phase.generate, Phase.shrink),
        suppress_health_check=list(HealthCheck),
        print_blob=False,
    )
    @given(strategy)
    def examples(example: T) -> None:
        check(example)

    examples()
