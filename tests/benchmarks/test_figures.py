"""The harness' arithmetic: percentiles by nearest rank, the search for the highest load, the table."""

import pytest
from benchmarks.figures import Row, highest, rank, render, spread


def test_a_percentile_is_a_value_that_was_seen():
    values = [float(n) for n in range(1, 1001)]
    assert (rank(values, 0.5), rank(values, 0.99), rank(values, 0.999), rank(values, 1.0)) == (500, 990, 999, 1000)
    assert rank([7.0], 0.01) == 7.0


def test_a_spread_needs_no_order_and_refuses_nothing_at_all():
    seen = spread(iter([3.0, 1.0, 2.0, 10.0]))
    assert (seen.count, seen.median, seen.p99, seen.p999, seen.most) == (4, 2.5, 10.0, 10.0, 10.0)
    with pytest.raises(ValueError, match="nothing was measured"):
        spread([])


@pytest.mark.parametrize("limit", [0, 3, 99, 100, 130, 217, 1000, 1600, 5000])
def test_the_highest_load_is_found_from_above_and_below(limit):
    found = highest(lambda load: load <= limit, first=100, most=1600)
    assert found <= min(limit, 1600)
    assert min(limit, 1600) - found <= max(1, 0.07 * limit)


def test_a_load_has_two_chances_but_not_three():
    tried = []

    def second_time_lucky(load):
        tried.append(load)
        return load <= 200 and tried.count(load) == 2

    assert highest(second_time_lucky, first=100, most=1000) > 100
    assert max(tried.count(load) for load in tried) == 2


def test_the_table_has_a_line_for_each_row_and_straight_columns():
    rows = [Row(figure="a", floor="4 ms", here="2 ms", how=""), Row(figure="longer", floor="", here="1", how="of 3")]
    lines = render(rows).splitlines()
    assert lines[2].startswith("| a ")
    assert "| 2 ms |" in lines[2]
    assert len({len(line) for line in lines}) == 1
    assert len(lines) == 4
