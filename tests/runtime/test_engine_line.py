"""The line to the engine: the process and the tests' own are such, and a fault of one who hears is nobody else's."""

from pathlib import Path

import structlog
from tests.support.engine_line import Line

from offhook.runtime.engine_line import EngineLine, told
from offhook.runtime.media_process import EngineConfig, MediaEngine


def test_the_process_and_its_stand_in_are_lines(tmp_path: Path) -> None:
    """That they are is checked by mypy; here, that what is promised is there from the first moment."""
    lines: list[EngineLine] = [Line(), MediaEngine(EngineConfig(data_dir=tmp_path, rtp_ports=(20_000, 20_009)))]
    for line in lines:
        assert isinstance(line.heard, int)
        assert isinstance(line.engine_generation, int)
        assert callable(line.send)


def test_a_fault_of_who_is_told_is_logged_and_goes_no_further() -> None:
    heard: list[int] = []
    told(heard.append, 1)
    with structlog.testing.capture_logs() as logged:
        told(lambda number: heard.append(1 // (number - 2)), 2)
    assert heard == [1]
    assert [(entry["event"], entry["what"]) for entry in logged] == [("media.event.fault", "int")]
