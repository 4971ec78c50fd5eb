"""`offhook serve`: what it leaves on disk, what it says when it cannot start, and how it is told to stop."""

import asyncio
import os
import signal
import sys
from pathlib import Path

import pytest
from tests.support.server import server

SOURCE = Path(__file__).resolve().parents[2] / "src"
ENDS_WITHIN_S = 60.0


async def serve(tmp_path: Path, *words: str, **settings: str) -> tuple[int, str, str]:
    """A server that cannot start: its exit status and what it said."""
    environment = {**os.environ, "PYTHONPATH": str(SOURCE)}
    environment.update({f"OFFHOOK_{name.upper()}": value for name, value in settings.items()})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "offhook", "serve", *words),
        env=environment, cwd=tmp_path, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, err = await asyncio.wait_for(process.communicate(), ENDS_WITHIN_S)
    assert process.returncode is not None
    return process.returncode, out.decode(), err.decode()


async def test_nothing_it_writes_can_be_read_by_others(tmp_path: Path) -> None:
    data_dir = tmp_path / "data"
    data_dir.mkdir(mode=0o755)
    async with server(data_dir) as running:
        made = [path for path in data_dir.rglob("*") if path != running.log_path]
        assert {"offhook.db", "server.key", "admin.token", "recordings", "sound"} <= {path.name for path in made}
        assert [path.name for path in made if path.lstat().st_mode & 0o077 and not path.is_socket()] == []


@pytest.mark.parametrize(
    ("words", "settings", "named"),
    [
        (("--dev", "--data-dir", "/proc/nowhere"), {}, "/proc/nowhere"),
        (("--dev",), {"price_list": "no-prices.csv"}, "no-prices.csv"),
        (("--dev",), {"sip_listen": "carrier-pigeon:127.0.0.1"}, "OFFHOOK_SIP_LISTEN"),
        (("--dev",), {"sip_listen": "udp:256.1.1.1:5060"}, "256.1.1.1 is no IP address"),
        (("--config", "no-settings.toml"), {}, "no-settings.toml"),
    ],
)
async def test_what_keeps_it_from_starting_is_named_in_a_line(
    tmp_path: Path, words: tuple[str, ...], settings: dict[str, str], named: str
) -> None:
    status, out, err = await serve(tmp_path, *words, **settings)
    assert (status, out) == (1, "")
    assert err.startswith("offhook serve: ")
    assert named in err
    assert "Traceback" not in err


async def test_a_database_that_is_none_is_named(tmp_path: Path) -> None:
    (tmp_path / "offhook.db").write_bytes(b"garbage" * 1000)
    status, _, err = await serve(tmp_path, "--data-dir", str(tmp_path))
    assert status == 1
    assert err.startswith("offhook serve: the database cannot be read")
    assert "Traceback" not in err


async def test_to_be_tried_by_others_is_warned_of(tmp_path: Path) -> None:
    """The folder is none, so that it ends at once."""
    _, _, err = await serve(tmp_path, "--dev", "--data-dir", "/proc/nowhere", http_listen="0.0.0.0:0")
    assert "warning: --dev allows any caller ID" in err.splitlines()[0]
    assert "0.0.0.0:0 is open to others" in err.splitlines()[0]


async def test_credentials_for_trying_that_were_cut_short_are_named(tmp_path: Path) -> None:
    (tmp_path / "dev-account").write_text("u123")
    status, _, err = await serve(tmp_path, "--dev", "--data-dir", str(tmp_path))
    assert status == 1
    assert "bootstrap_account" in err
    assert "Traceback" not in err


async def test_it_stops_when_it_is_told_and_keeps_its_credentials_for_trying(tmp_path: Path) -> None:
    said = []
    for _ in range(2):
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "offhook", "serve", "--dev"),
            *("--data-dir", "d", "--http-listen", "127.0.0.1:0", "--sip-listen", "udp:127.0.0.1:0"),
            env={**os.environ, "PYTHONPATH": str(SOURCE)}, cwd=tmp_path, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        assert process.stdout is not None
        lines = []
        async with asyncio.timeout(ENDS_WITHIN_S):
            while not (line := (await process.stdout.readline()).decode()).startswith("ready "):
                assert line, "it ended before it was ready"
                lines.append(line)
            process.send_signal(signal.SIGTERM)
            _, err = await process.communicate()
        assert process.returncode == 0
        assert b"no new calls" in err
        said.append(lines[0])
    assert said[0].startswith("account and secret: u")
    assert said[0] == said[1]
