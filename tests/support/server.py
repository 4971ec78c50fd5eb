"""A real `offhook serve` in a process of its own, on free loopback ports and a data directory of its own."""

import asyncio
import base64
import os
import re
import signal
import socket
import struct
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import aiohttp

__all__ = ["ACCOUNT", "SECRET", "Server", "server"]

ACCOUNT = "u" + "0123456789abcdef" * 2
SECRET = "test-secret-" + "f" * 32
AS_ACCOUNT = {"Authorization": "Basic " + base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()}
READY_WITHIN_S = 30.0
STOP_WITHIN_S = 20.0


@dataclass(slots=True)
class Server:
    """A server that answers."""

    process: asyncio.subprocess.Process
    data_dir: Path
    http: str
    """Base URL."""
    sip: dict[str, tuple[str, int]]
    """Listening addresses by transport."""
    session: aiohttp.ClientSession
    log_path: Path
    environment: dict[str, str]
    started_by: Sequence[str] = ()
    """A command that starts it; its own follows as arguments."""
    dev: bool = True

    @property
    def admin_token(self) -> str:
        return (self.data_dir / "admin.token").read_text().strip()

    async def a1(self, method: str, path: str, **fields: Any) -> tuple[int, Any]:
        """A request to the 46elks API as the test's account: status, and JSON or text."""
        data = {name.rstrip("_"): str(value) for name, value in fields.items()}
        async with self.session.request(
            method,
            f"{self.http}/a1{path}",
            headers=AS_ACCOUNT,
            data=data if method == "POST" else None,
            params=data if method != "POST" else None,
        ) as answer:
            if answer.content_type == "application/json":
                return answer.status, await answer.json()
            return answer.status, await answer.text()

    async def v1(self, method: str, path: str, body: Any = None) -> tuple[int, Any]:
        """A request to the native API with the operator's token."""
        headers = {"Authorization": f"Bearer {self.admin_token}"}
        async with self.session.request(method, f"{self.http}/v1{path}", headers=headers, json=body) as answer:
            return answer.status, await answer.json()

    async def fetch(self, url: str) -> bytes:
        """A file of the test's account, such as a recording."""
        async with self.session.get(url, headers=AS_ACCOUNT) as answer:
            answer.raise_for_status()
            return await answer.read()

    @property
    def engine_pid(self) -> int:
        """The process of its media engine: whoever listens at the socket in its data directory."""
        with socket.socket(socket.AF_UNIX) as link:
            link.connect(str(self.data_dir / "media.sock"))
            credentials = link.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    async def kill(self) -> None:
        """kill -9, of the control process alone."""
        self.process.kill()
        await self.process.wait()

    async def start(self) -> float:
        """Start it again, on what it left, and wait until it is ready. Returns the seconds that took."""
        begun = time.monotonic()
        self.process = await _spawned(self.environment, self.data_dir, self.log_path, self.started_by, self.dev)
        self.http, self.sip = await asyncio.wait_for(_ready(self.process, self.log_path), READY_WITHIN_S)
        return time.monotonic() - begun

    async def replaced(self) -> None:
        """Wait until the process has become another server (`offhook restart`)."""
        self.http, self.sip = await asyncio.wait_for(_ready(self.process, self.log_path), READY_WITHIN_S)

    async def stop(self) -> int:
        """SIGTERM, and wait. Returns the exit status."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGTERM)
        return await asyncio.wait_for(self.process.wait(), STOP_WITHIN_S)


@asynccontextmanager
async def server(
    data_dir: Path, *, started_by: Sequence[str] = (), log_path: Path | None = None, dev: bool = True, **settings: str
) -> AsyncIterator[Server]:
    """Start a server with settings (as in the environment, lower case) and wait until it is ready.

    `started_by`: a command that puts itself into a state of the machine and then becomes what its arguments say. Not
    `dev`: as customers run it, so that loopback has to be allowed and not every caller ID may be shown.
    """
    wanted = {
        "data_dir": str(data_dir),
        "http_listen": "127.0.0.1:0",
        "sip_listen": "udp:127.0.0.1:0,tcp:127.0.0.1:0",
        "bootstrap_account": f"{ACCOUNT}:{SECRET}",
        "engine_orphan_s": "5",
        **settings,
    }
    environment = {**os.environ, **{f"OFFHOOK_{name.upper()}": value for name, value in wanted.items()}}
    source = Path(__file__).resolve().parents[2] / "src"
    environment["PYTHONPATH"] = f"{source}{os.pathsep}{environment.get('PYTHONPATH', '')}"
    data_dir.mkdir(parents=True, exist_ok=True)
    log_path = log_path or data_dir / "server.log"
    process = await _spawned(environment, data_dir, log_path, started_by, dev)
    running: Server | None = None
    try:
        http, sip = await asyncio.wait_for(_ready(process, log_path), READY_WITHIN_S)
        # A connection each: a kept one may be closed by the server just as the next request is written.
        async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(force_close=True)) as session:
            running = Server(process, data_dir, http, sip, session, log_path, environment, started_by, dev)
            yield running
    finally:
        process = process if running is None else running.process
        if process.returncode is None:
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), STOP_WITHIN_S)
            except TimeoutError:
                process.kill()
                await process.wait()


async def _spawned(
    environment: dict[str, str], data_dir: Path, log_path: Path, started_by: Sequence[str], dev: bool
) -> asyncio.subprocess.Process:
    with log_path.open("ab") as log:
        return await asyncio.create_subprocess_exec(
            *(*started_by, sys.executable, "-m", "offhook", "serve", *(["--dev"] if dev else [])),
            env=environment, stdout=asyncio.subprocess.PIPE, stderr=log, cwd=data_dir,
        )  # fmt: skip


async def _ready(process: asyncio.subprocess.Process, log_path: Path) -> tuple[str, dict[str, tuple[str, int]]]:
    """Read the one line that says where the server is: `ready api=http://… sip=udp:host:port,tcp:host:port`."""
    assert process.stdout is not None
    said = b""
    while line := await process.stdout.readline():
        said += line
        found = re.match(r"ready\s+api=(\S+)\s+sip=(\S+)", line.decode())
        if found:
            sip = {}
            for entry in found[2].split(","):
                transport, rest = entry.split(":", 1)
                host, port = rest.rsplit(":", 1)
                sip[transport] = (host, int(port))
            return found[1], sip
    raise AssertionError(f"the server ended before it was ready:\n{said.decode()}\n{log_path.read_text()[-4000:]}")
