"""The arithmetic of what durability costs."""

import pytest
from benchmarks.durability import Cost, Turn


def test_the_fall_is_that_of_all_turns_together() -> None:
    cost = Cost(
        on=(Turn(calls=100, cpu_s=0.8), Turn(calls=300, cpu_s=2.4)),
        off=(Turn(calls=50, cpu_s=0.3), Turn(calls=50, cpu_s=0.3)),
    )
    assert cost.fall == pytest.approx(0.25)
    assert cost.words.startswith(
        "processor time a call: 8.00 ms with, 6.00 without, in 2 turns of each; 25.0% and 25.0%"
    )
