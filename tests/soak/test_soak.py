"""A short soak in every run; the long one is `python -m benchmarks.soak --minutes N --seed S`."""

from pathlib import Path

import pytest
from tests.soak.run import Plan, soak
from tests.support.engine_binary import engine_binary


@pytest.mark.timeout(180)
async def test_nothing_is_left_of_calls_good_and_bad(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_MEDIA_BINARY", str(engine_binary()))
    report = await soak(tmp_path, Plan(seed=46, rounds=1, round_s=20.0, calls_per_s=5.0, patient=True))
    assert report.faults == []
    assert report.calls > 50
    assert report.figures["callers answered"] > 10, report.figures
    assert report.figures["callers that gave up"] > 2, report.figures
    assert report.figures["callees: takes"] > 10, report.figures
    assert report.figures["bye"] > 20, report.figures
    assert report.figures["rec"] > 3, report.figures
