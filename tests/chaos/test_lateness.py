"""What bare timers noted, and where it stands beside a gap."""

from pathlib import Path

from tests.chaos.lateness import Lateness, bare_timers, read_lateness


def test_the_worst_in_and_around_a_span_counts() -> None:
    late = Lateness([(10.0, 0.05), (11.0, 0.2), (14.0, 0.9)])
    assert late.around(11.1, 0.3) == 0.2
    assert late.around(10.1, 0.05) == 0.05
    assert late.around(12.5, 0.1) == 0.0
    assert late.worst_s == 0.9
    assert Lateness([]).worst_s == 0.0


def test_timers_run_on_each_core_and_end(tmp_path: Path) -> None:
    with bare_timers(tmp_path) as files:
        assert files
        read_lateness(files)
    assert all(file.exists() for file in files)


def test_a_line_that_is_being_written_is_passed_over(tmp_path: Path) -> None:
    file = tmp_path / "late"
    file.write_text("5.0 0.03\n6.0")
    assert read_lateness([file]).noted == [(5.0, 0.03)]
