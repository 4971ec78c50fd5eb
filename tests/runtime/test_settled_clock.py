"""What time it surely is while the wall clock is set forward and back."""

from hypothesis import given
from hypothesis import strategies as st

from offhook.runtime.settled_clock import BELIEVED_AFTER_S, JUMP_S, SettledClock

HOUR_S, YEAR_S = 3600.0, 365 * 86400.0


def test_a_clock_that_only_drifts_is_believed() -> None:
    clock = SettledClock(0.0, 1000.0)
    assert clock.looked(60.0, 1060.0 + JUMP_S / 2) == 0.0
    assert clock.surely(60.0) == 1060.0


def test_a_drift_is_noticed_when_it_has_become_a_jump() -> None:
    clock = SettledClock(0.0, 1000.0)
    assert clock.looked(60.0, 1060.6) == 0.0
    assert round(clock.looked(120.0, 1121.2), 3) == 1.2
    assert clock.looked(180.0, 1181.2) == 0.0


def test_a_clock_that_was_set_forward_is_believed_after_a_day() -> None:
    clock = SettledClock(0.0, 1000.0)
    assert clock.looked(10.0, 1010.0 + YEAR_S) == YEAR_S
    assert clock.surely(20.0) == 1020.0
    assert clock.surely(10.0 + BELIEVED_AFTER_S - 1.0) == 1000.0 + 10.0 + BELIEVED_AFTER_S - 1.0
    later = 10.0 + BELIEVED_AFTER_S
    assert clock.surely(later) == 1000.0 + YEAR_S + later


def test_one_that_was_set_back_is_believed_at_once_and_forward_again_after_a_day() -> None:
    clock = SettledClock(0.0, 1000.0)
    assert clock.looked(10.0, 1010.0 - HOUR_S) == -HOUR_S
    assert clock.surely(10.0) == 1010.0 - HOUR_S
    assert clock.looked(20.0, 1020.0) == HOUR_S
    assert clock.surely(20.0) == 1020.0 - HOUR_S
    assert clock.surely(20.0 + BELIEVED_AFTER_S) == 1020.0 + BELIEVED_AFTER_S


def test_there_and_back_within_a_day_is_as_if_it_had_not_been() -> None:
    clock = SettledClock(0.0, 1000.0)
    clock.looked(10.0, 1010.0 + YEAR_S)
    assert clock.looked(20.0, 1020.0) == -YEAR_S
    for mono in (20.0, HOUR_S, BELIEVED_AFTER_S + 15.0, 10 * BELIEVED_AFTER_S):
        assert clock.surely(mono) == 1000.0 + mono


@given(st.lists(st.tuples(st.floats(0.0, 2 * BELIEVED_AFTER_S), st.floats(-YEAR_S, YEAR_S)), max_size=20))
def test_whatever_it_is_set_to_it_is_never_later_than_the_wall_clock_says(moves: list[tuple[float, float]]) -> None:
    mono, wall = 0.0, 2 * YEAR_S
    clock = SettledClock(mono, wall)
    for passed, jump in moves:
        mono, wall = mono + passed, wall + passed + jump
        clock.looked(mono, wall)
        assert clock.surely(mono) <= wall + JUMP_S
