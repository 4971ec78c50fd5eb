"""Playing a file and saying what went wrong."""

from pathlib import Path

import pytest

from offhook.testing import BadScenario, ScenarioFailed, check_scenario

CASE = """# A busy line.
given
  number +2 runs {"hangup": "busy"}
when
  +1 calls +2
then
  0.0  +1 calls +2
  0.0  +1 is hung up: HOW
  0.0  the call is over: busy, busy
"""


def written(path: Path, how: str) -> Path:
    path.write_text(CASE.replace("HOW", how))
    return path


@pytest.mark.parametrize("restarts", [False, True])
def test_a_scenario_that_holds(tmp_path: Path, restarts: bool) -> None:
    check_scenario(written(tmp_path / "a.case", "busy"), restarts=restarts)


def test_one_that_does_not_says_what_happened(tmp_path: Path) -> None:
    with pytest.raises(ScenarioFailed) as error:
        check_scenario(written(tmp_path / "a.case", "rejected"))
    assert (
        "a.case: A busy line.\nline 8: expected `0.0  +1 is hung up: rejected`, and `0.0  +1 is hung up: busy` happened"
        in str(error.value)
    )
    assert "     0.0  the call is over: busy, busy" in str(error.value)


def test_one_that_cannot_be_read(tmp_path: Path) -> None:
    path = tmp_path / "a.case"
    path.write_text("# t\n")
    with pytest.raises(BadScenario):
        check_scenario(path)
