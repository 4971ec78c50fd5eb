"""`make demo` makes its call, and says so when something in it does not happen."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.support.engine_binary import engine_binary

from offhook.testing.listening import read_wav

ROOT = Path(__file__).parents[2]
DEMO = ROOT / "examples" / "demo" / "run.py"
WITHIN_S = 90.0

pytestmark = [pytest.mark.native, pytest.mark.timeout(180)]


async def run_demo(folder: Path, **changed: str) -> tuple[int, str]:
    """Exit status, and all that it printed."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "src"),
        "OFFHOOK_MEDIA_BINARY": str(engine_binary()),
        **changed,
    }
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, DEMO),
        cwd=folder,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = await asyncio.wait_for(process.communicate(), WITHIN_S)
    finally:
        if process.returncode is None:
            process.send_signal(signal.SIGINT)
            await process.wait()
    assert process.returncode is not None
    return process.returncode, said.decode()


async def test_a_call_is_made_and_heard(tmp_path: Path) -> None:
    status, said = await run_demo(tmp_path)
    assert status == 0, said
    for happened in ("Ann pressed 1", "Ann heard Bob's tune", "Bob heard Ann's tune", "the call was recorded: Ann"):
        assert f"  yes  {happened}" in said
    assert "  NO" not in said
    assert "verb=gather result=1" in said
    assert "\x1b" not in said, "a pipe gets no colours"
    assert len(read_wav(tmp_path / "demo-output" / "recording.wav")) > 5 * 8000


async def test_it_says_what_did_not_happen(tmp_path: Path) -> None:
    status, said = await run_demo(tmp_path, OFFHOOK_MEDIA_BINARY="/bin/false")
    assert status == 1
    assert "  NO   server ended with status 1" in said
    assert "  yes" not in said


async def test_it_removes_nothing_that_is_not_its_own(tmp_path: Path) -> None:
    (tmp_path / "demo-output").mkdir()
    (tmp_path / "demo-output" / "precious.txt").write_text("mine")
    status, said = await run_demo(tmp_path)
    assert status == 1
    assert "no demo made it" in said
    assert (tmp_path / "demo-output" / "precious.txt").read_text() == "mine"
