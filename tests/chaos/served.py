"""A real `offhook serve` that may be killed and started again over the same data, on the same ports.

It stands in for whatever restarts a server (systemd, a container's runtime) and for nothing else: what a new process
finds, adopts and ends is its own affair. Ports are fixed at the start, outside the kernel's ephemeral range.
"""

import asyncio
import base64
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import aiohttp
from tests.support.engine_binary import engine_binary
from tests.support.ports import free_port, rtp_range
from tests.support.server import ACCOUNT, SECRET

__all__ = ["Served", "engines_of", "gone", "served"]

AS_ACCOUNT = {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()}
READY_WITHIN_S = 60.0
STOP_WITHIN_S = 50.0
ANSWER_WITHIN_S = 10.0
RTP_PORTS = 2000
ROOT = Path(__file__).resolve().parents[2]
POLL_S = 0.01


def engines_of(data_dir: Path) -> list[int]:
    """Media engines that run for a data directory, as the kernel lists them."""
    found = []
    for entry in Path("/proc").iterdir():
        if not entry.name.isdecimal():
            continue
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0")
        except OSError:
            continue  # It ended meanwhile.
        if words[0].endswith(b"offhook-media") and os.fsencode(data_dir / "media.sock") in words:
            found.append(int(entry.name))
    return sorted(found)


async def gone(data_dir: Path, within_s: float) -> float | None:
    """Wait until no engine runs for a data directory. Returns how long that took; None: one still does."""
    began = time.monotonic()
    while engines_of(data_dir):
        if time.monotonic() - began > within_s:
            return None
        await asyncio.sleep(POLL_S)
    return time.monotonic() - began


@dataclass(slots=True)
class Served:
    """A server, running or not."""

    data_dir: Path
    http: str
    """Base URL, whether anybody answers there or not."""
    sip: tuple[str, int]
    """Where it takes UDP."""
    environment: dict[str, str]
    session: aiohttp.ClientSession
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    ready_at: float = 0.0
    """Loop time of the last line `ready`."""
    started_at: float = 0.0
    killed_at: list[float] = field(default_factory=list)
    """Loop times."""
    ready_after: list[float] = field(default_factory=list)
    """Of each start, seconds from the start of the program to its line `ready`."""

    @property
    def log_path(self) -> Path:
        return self.data_dir / "server.log"

    @property
    def up(self) -> bool:
        """Whether it has said that it is ready, and was not killed since."""
        return self.process is not None and self.ready_at > self.started_at

    async def start(self) -> float:
        """Start it and wait for `ready`. Returns how long that took, seconds. Raises AssertionError with its log."""
        loop = asyncio.get_running_loop()
        with self.log_path.open("ab") as log:
            self.started_at = loop.time()
            self.process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "offhook", "serve", "--dev"),
                env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=self.data_dir,
            )  # fmt: skip
        self.starts += 1
        await asyncio.wait_for(self._ready(self.process), READY_WITHIN_S)
        self.ready_at = loop.time()
        self.ready_after.append(self.ready_at - self.started_at)
        return self.ready_after[-1]

    async def _ready(self, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while line := await process.stdout.readline():
            if re.match(rb"ready\s+api=", line):
                return
        said = self.log_path.read_text(errors="replace")[-4000:]
        raise AssertionError(f"start number {self.starts} ended before it was ready:\n{said}")

    async def kill(self, *, engine: bool = False) -> None:
        """SIGKILL for the control process, and for its engine too if that is wanted; returns when they are dead."""
        assert self.process is not None
        self.process.kill()
        if engine:
            for pid in engines_of(self.data_dir):
                os.kill(pid, signal.SIGKILL)
        self.killed_at.append(asyncio.get_running_loop().time())
        self.ready_at = 0.0
        await self.process.wait()
        self.process = None

    async def stop(self) -> None:
        """SIGTERM and wait; whatever is still there afterwards is killed."""
        if self.process is None or self.process.returncode is not None:
            return
        self.process.send_signal(signal.SIGTERM)
        try:
            await asyncio.wait_for(self.process.wait(), STOP_WITHIN_S)
        except TimeoutError:
            self.process.kill()
            await self.process.wait()

    # ── what it is asked ─────────────────────────────────────────────────────────────────────────────────────────

    async def v1(self, method: str, path: str, body: Any = None, within_s: float = ANSWER_WITHIN_S) -> Any:
        """A request to the native API as its operator; the answer's JSON. Raises what aiohttp raises, and
        AssertionError for a refusal."""
        token = (self.data_dir / "admin.token").read_text().strip()
        async with self.session.request(
            method, f"{self.http}/v1{path}", json=body, headers={"Authorization": f"Bearer {token}"},
            timeout=aiohttp.ClientTimeout(total=within_s),
        ) as answer:  # fmt: skip
            made = await answer.json()
            assert answer.status < 300, f"{method} {path}: {answer.status} {made}"
            return made

    async def a1(
        self, method: str, path: str, headers: dict[str, str] | None = None, **fields: Any
    ) -> tuple[int, Any, dict[str, str]]:
        """A request to the 46elks API as the account: status, JSON or text, headers. `from_` stands for `from`."""
        data = {name.rstrip("_"): str(value) for name, value in fields.items()}
        async with self.session.request(
            method, f"{self.http}/a1{path}", data=data if method == "POST" else None,
            params=data if method != "POST" else None, headers=AS_ACCOUNT | (headers or {}),
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
        ) as answer:  # fmt: skip
            said = await (answer.json() if answer.content_type == "application/json" else answer.text())
            return answer.status, said, {name.lower(): value for name, value in answer.headers.items()}

    async def didforsale(self, headers: dict[str, str], **fields: str) -> tuple[int, Any]:
        """An order to the API of DIDforSale as the account: status, JSON. `from_` stands for `from`."""
        async with self.session.post(
            f"{self.http}/didforsaleapi/index.php/api/V2/CallTermination/",
            data={name.rstrip("_"): value for name, value in fields.items()}, headers=AS_ACCOUNT | headers,
            timeout=aiohttp.ClientTimeout(total=ANSWER_WITHIN_S),
        ) as answer:  # fmt: skip
            return answer.status, await answer.json()

    async def counts(self) -> dict[str, Any]:
        """What it says of itself, of `/v1/status`."""
        found: dict[str, Any] = (await self.v1("GET", "/status"))["server"]
        return found


@asynccontextmanager
async def served(data_dir: Path, **settings: str) -> AsyncIterator[Served]:
    """A server that has started, with settings (as in the environment, lower case); none is left behind."""
    data_dir.mkdir(parents=True, exist_ok=True)
    sip, http = free_port(), free_port()
    wanted = {
        "data_dir": str(data_dir),
        "http_listen": f"127.0.0.1:{http}",
        "sip_listen": f"udp:127.0.0.1:{sip},tcp:127.0.0.1:{sip}",
        "rtp_ports": rtp_range(RTP_PORTS),
        "bootstrap_account": f"{ACCOUNT}:{SECRET}",
        "engine_orphan_s": "20",
        **settings,
    }
    environment = {**os.environ, **{f"OFFHOOK_{name.upper()}": value for name, value in wanted.items()}}
    environment["OFFHOOK_MEDIA_BINARY"] = str(engine_binary())
    environment["PYTHONPATH"] = f"{ROOT / 'src'}{os.pathsep}{environment.get('PYTHONPATH', '')}"
    # A connection each: a kept one may be closed by the server just as the next request is written.
    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True, limit=0)) as session:
        made = Served(data_dir, f"http://127.0.0.1:{http}", ("127.0.0.1", sip), environment, session)
        try:
            await made.start()
            yield made
        finally:
            await made.stop()
            for pid in engines_of(data_dir):
                os.kill(pid, signal.SIGTERM)
            if await gone(data_dir, 3.0) is None:
                for pid in engines_of(data_dir):
                    os.kill(pid, signal.SIGKILL)
