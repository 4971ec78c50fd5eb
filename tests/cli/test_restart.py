"""`offhook restart`: asks, waits for another server, and says what became of the calls."""

from typing import Any

import pytest

from offhook.cli import restart as module


def test_the_server_is_replaced(run: Any, running: Any) -> None:
    done = run("restart")
    assert running.board.restarts == 1
    assert done.status == 0
    assert "calls: 0 before, 0 now" in done.out
    assert run("restart", "--json").json["calls"] == 0


def test_a_server_that_does_not_come_back(run: Any, running: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "BACK_WITHIN_S", 0.3)
    running.board.reason = "it starts and starts"
    refused = run("restart")
    assert refused.status == 1
    assert "keeps the calls for 120 s" in refused.err


def test_nothing_to_restart(run: Any) -> None:
    assert "offhook serve" in run("restart").err
