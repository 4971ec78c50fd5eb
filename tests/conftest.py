"""What holds for every run of the tests: no media engine is left behind by any of them. And where a server may live."""

import os
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.support.engine_binary import engine_binary

MARK = "RUN_OF_OFFHOOK_TESTS"
"""In the environment of all that a run starts, workers included: two runs on one machine do not meet."""
WITHIN_S = 15.0
"""For those whose test ended a moment ago: an orphan has its time (`engine_orphan_s`)."""
POLL_S = 0.2


def left_engines(mark: str) -> list[int]:
    """Engines that run with that mark in their environment."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            if b"offhook-media" not in (entry / "cmdline").read_bytes().split(b"\0")[0]:
                continue
            words = (entry / "environ").read_bytes().split(b"\0")
        except OSError:
            continue  # It ended meanwhile, or is another user's.
        if f"{MARK}={mark}".encode() in words:
            found.append(int(entry.name))
    return found


@pytest.fixture
def folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A data directory for a server in this process. Its name is short, since the engine's socket lies in it; the
    engine is that of this tree."""
    monkeypatch.setenv("OFFHOOK_MEDIA_BINARY", str(engine_binary()))
    with tempfile.TemporaryDirectory(prefix="offhook-") as made:
        yield Path(made)


def pytest_configure(config: pytest.Config) -> None:
    """Mark the run, before workers are started."""
    if not hasattr(config, "workerinput"):
        os.environ[MARK] = uuid.uuid4().hex


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session) -> None:
    """Fail the run if an engine of its own still runs. With workers, their parent looks, when all have ended."""
    if hasattr(session.config, "workerinput"):
        return
    until = time.monotonic() + WITHIN_S
    while left := left_engines(os.environ[MARK]):
        if time.monotonic() > until:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED
            reporter = session.config.pluginmanager.get_plugin("terminalreporter")
            if reporter is not None:
                reporter.write_line(f"\nmedia engines left behind by a test: processes {left}", red=True)
            return
        time.sleep(POLL_S)
