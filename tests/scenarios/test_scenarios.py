"""Every `*.case` beside this file: a whole call in virtual time, once as it is and once restarted after every event."""

from pathlib import Path

import pytest

from offhook.testing import check_scenario

CASES = sorted(Path(__file__).parent.glob("*.case"))


@pytest.mark.parametrize("restarts", [False, True], ids=["", "restarted"])
@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_scenario(path: Path, restarts: bool) -> None:
    check_scenario(path, restarts=restarts)
