"""The three shapes of patience."""

import json
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.hooks.policy import (
    DAY_S,
    DIDFORSALE,
    ELKS,
    GROWING,
    DeliveryPolicy,
    Growing,
    Listed,
    Steady,
    longest_pause_s,
    pause_s,
    plain_policy,
    policy_from,
    policy_of_api,
)


def tries_at(policy: DeliveryPolicy, chance: float = 0.0) -> list[float]:
    """When the tries are made if each fails at once."""
    times = [0.0]
    while (pause := pause_s(policy, tries=len(times), age_s=times[-1], chance=chance)) is not None:
        times.append(times[-1] + pause)
        assert len(times) < 2000
    return times


def test_46elks_is_every_five_minutes_for_a_day() -> None:
    times = tries_at(ELKS)
    assert times[:3] == [0, 300, 600]
    assert times[-1] == DAY_S
    assert len(times) == 289


def test_didforsale_is_three_tries() -> None:
    assert tries_at(DIDFORSALE) == [0, 5, 65]


def test_growing_pauses_up_to_their_longest_for_three_days() -> None:
    times = tries_at(GROWING)
    pauses = [later - earlier for earlier, later in pairwise(times)]
    assert pauses[:4] == [10, 20, 40, 80]
    assert max(pauses) == 6 * 3600
    assert times[-1] <= 3 * DAY_S < times[-1] + 6 * 3600


@given(st.floats(min_value=0, max_value=0.999), st.integers(min_value=1, max_value=10_000))
def test_jitter_only_shortens_and_by_a_quarter_at_most(chance: float, tries: int) -> None:
    whole = pause_s(GROWING, tries=tries, age_s=0, chance=0)
    pause = pause_s(GROWING, tries=tries, age_s=0, chance=chance)
    assert whole is not None
    assert pause is not None
    assert whole * 0.75 <= pause <= whole


@pytest.mark.parametrize("policy", [ELKS, DIDFORSALE, GROWING, Steady(every_s=1, for_s=2), Listed(), Growing(factor=3)])
def test_plain_data_and_back(policy: DeliveryPolicy) -> None:
    assert policy_from(json.loads(json.dumps(plain_policy(policy)))) == policy


def test_a_kind_that_is_not_known() -> None:
    with pytest.raises(ValueError, match="'never'"):
        policy_from({"kind": "never"})


@pytest.mark.parametrize(
    ("policy", "longest"), [(ELKS, 300), (DIDFORSALE, 60), (Listed(pauses_s=()), 0), (GROWING, 6 * 3600)]
)
def test_no_pause_is_longer_than_the_longest(policy: DeliveryPolicy, longest: float) -> None:
    assert longest_pause_s(policy) == longest
    assert all(later - sooner <= longest + 0.001 for sooner, later in pairwise(tries_at(policy)))


def test_an_account_that_has_chosen_nothing_has_the_policy_of_its_api() -> None:
    assert policy_of_api("u1", "elks") == ELKS
    assert policy_of_api("u1", "didml") == DIDFORSALE
