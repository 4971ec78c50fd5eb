"""Every case in `rest/`: requests to make a call and their answers, on a real storage (see `rest_cases.py`)."""

from pathlib import Path

import pytest
from tests.support.cases import Case, cases_in
from tests.support.rest_cases import run_case

from offhook.storage.store import Storage

CASES = list(cases_in(Path(__file__).parent / "rest"))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.path.stem)
async def test_rest(case: Case, tmp_path: Path) -> None:
    storage = Storage.open(tmp_path / "data")
    try:
        await run_case(case, storage, asks="nobody")
    finally:
        storage.close()


def test_there_are_cases() -> None:
    assert CASES
