"""Short runs of the chaos suite; the long ones are `make chaos`. A failure prints the seed, and `OFFHOOK_TEST_SEED`
repeats it.
"""

import os
import random
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.chaos.kills import Killing, kill
from tests.chaos.orphan import orphan
from tests.chaos.plans import Span
from tests.chaos.receivers import Failing, receivers
from tests.chaos.report import Row, render
from tests.chaos.same_post import same_post

pytestmark = [pytest.mark.native, pytest.mark.timeout(240)]


@pytest.fixture
def seed() -> int:
    return int(os.environ.get("OFFHOOK_TEST_SEED", random.randrange(1, 1_000_000)))


@pytest.fixture
def folder() -> Iterator[Path]:
    """A directory with a short name: the engine's socket lies in it."""
    with tempfile.TemporaryDirectory(prefix="chaos-") as made:
        yield Path(made)


def all_good(rows: list[Row], seed: int) -> None:
    """Every bar is met, or what was found in words."""
    assert rows
    assert all(row.good for row in rows), f"seed {seed}\n{render(rows)}"


async def test_calls_go_on_over_kills_of_the_control_process(folder: Path, seed: int) -> None:
    all_good(await kill(folder, Killing(seed=seed, kills=3, rate=3.0)), seed)


async def test_conferences_and_queues_go_on_over_kills_of_the_control_process(folder: Path, seed: int) -> None:
    """Calls that speak didML alone, so that every seed has some of each kind."""
    all_good(await kill(folder, Killing(seed=seed, kills=3, rate=4.0, didml_share=1.0)), seed)


async def test_calls_go_on_where_no_server_runs_for_a_while(folder: Path, seed: int) -> None:
    plan = Killing(seed=seed, kills=1, rate=3.0, pause_s=3.0, lead_s=2.0, span=Span(least_s=5.0, most_s=7.0))
    all_good(await kill(folder, plan), seed)


async def test_calls_end_and_are_told_of_where_both_processes_are_killed(folder: Path, seed: int) -> None:
    all_good(await kill(folder, Killing(seed=seed, kills=1, rate=4.0, both=True)), seed)


async def test_an_engine_whose_server_is_gone_for_good_goes_too(folder: Path) -> None:
    all_good(await orphan(folder, 3), 0)


async def test_receivers_that_fail_lose_nothing(folder: Path, seed: int) -> None:
    plan = Failing(seed=seed, calls=30, rate=8.0, budget_s=2.0, owed_words="#rt=1500")
    all_good(await receivers(folder, plan), seed)


async def test_the_same_post_makes_one_call(folder: Path, seed: int) -> None:
    all_good(await same_post(folder, seed, 20), seed)
