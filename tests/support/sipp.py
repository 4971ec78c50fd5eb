"""SIPp, run on a scenario: its ports chosen free, its verdict turned into words, its logs kept where they can be read.

`Sipp` starts one process and asks nothing of it but its exit status, its messages and what the scenario logs.
"""

import asyncio
import re
import shutil
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from xml.sax.saxutils import quoteattr

from tests.support.ports import free_port

__all__ = ["SIPP", "Sipp", "scenario_text", "sipp"]

SIPP = shutil.which("sipp")
READY_WITHIN_S = 10.0
POLL_S = 0.01
EXIT_WORDS = {
    0: "every call went as the scenario says",
    1: "a call did not go as the scenario says",
    97: "stopped from outside before its calls were done",
    99: "ended without a call",
    253: "its sound was not as expected",
    254: "could not bind its socket",
    255: "could not begin (a fault in the scenario, or no connection)",
}


def scenario_text(name: str, *steps: str) -> str:
    """A scenario of steps (see `sipp_steps`)."""
    body = "\n".join(steps)
    return f'<?xml version="1.0" encoding="UTF-8" ?>\n<scenario name={quoteattr(name)}>\n{body}\n</scenario>\n'


@dataclass(slots=True)
class Sipp:
    """A SIPp that runs."""

    name: str
    process: asyncio.subprocess.Process
    directory: Path
    host: str
    port: int
    timeout_s: int
    said: bytes = b""
    _ended: int | None = field(default=None)

    @property
    def messages(self) -> str:
        """All messages, as SIPp traced them."""
        path = self.directory / "messages.log"
        return path.read_text(errors="replace") if path.exists() else ""

    @property
    def logged(self) -> str:
        """What the scenario's <log> actions said."""
        path = self.directory / "logs.log"
        return path.read_text(errors="replace") if path.exists() else ""

    async def log_entry(self, pattern: str, within_s: float = 15.0) -> re.Match[str]:
        """Waits until the scenario has logged something that matches."""
        return await self._await(pattern, lambda: self.logged, within_s, "log")

    async def message(self, pattern: str, within_s: float = 15.0) -> re.Match[str]:
        """Waits until a message that matches has been traced."""
        return await self._await(pattern, lambda: self.messages, within_s, "message")

    async def _await(self, pattern: str, text: object, within_s: float, what: str) -> re.Match[str]:
        assert callable(text)
        deadline = time.monotonic() + within_s
        while True:
            found = re.search(pattern, text(), re.M)
            if found:
                return found
            if time.monotonic() > deadline or (self.process.returncode is not None and not re.search(pattern, text())):
                raise AssertionError(f"{self.name}: no {what} like {pattern!r} within {within_s} s\n{self.evidence()}")
            await asyncio.sleep(POLL_S)

    async def remote_rtp(self, within_s: float = 15.0) -> tuple[str, int]:
        """Where the other side wants its sound, from the description that the scenario logged."""
        found = await self.log_entry(r"rtp=(\S+):\s*(\d+)", within_s)
        return found[1], int(found[2])

    async def status(self) -> int:
        """Waits for the end; answers the exit status."""
        if self._ended is None:
            assert self.process.stdout is not None
            try:
                self.said = await asyncio.wait_for(self.process.stdout.read(), self.timeout_s + 5)
                self._ended = await self.process.wait()
            except TimeoutError:
                raise AssertionError(f"{self.name}: SIPp did not end\n{self.evidence()}") from None
        return self._ended

    async def done(self) -> str:
        """Waits for the end, which must be a success; answers the message log."""
        status = await self.status()
        words = EXIT_WORDS.get(status, "of unknown meaning")
        assert status == 0, f"{self.name}: SIPp ended with {status}: {words}\n{self.evidence()}"
        return self.messages

    def evidence(self) -> str:
        """Errors and the last messages; all of it lies in the directory named."""
        errors = self.directory / "errors.log"
        texts = [errors.read_text(errors="replace")[-2000:] if errors.exists() else "", self.messages[-5000:]]
        return f"(logs: {self.directory})\n" + "\n".join(texts)


def _bound(port: int, transport: str) -> bool:
    table = Path("/proc/net/udp" if transport == "udp" else "/proc/net/tcp").read_text()
    return any(line.split()[1].endswith(f":{port:04X}") for line in table.splitlines()[1:])


@asynccontextmanager
async def sipp(
    directory: Path,
    scenario: str,
    *,
    remote: tuple[str, int] | None = None,
    transport: str = "udp",
    calls: int = 1,
    rate: int = 10,
    service: str = "service",
    keys: dict[str, object] | None = None,
    host: str = "127.0.0.1",
    port: int | None = None,
    timeout_s: int = 40,
    options: tuple[str, ...] = (),
) -> AsyncIterator[Sipp]:
    """Runs a scenario: with `remote` as one that calls, without as one that is called (and then its socket is open
    when this is entered). `keys` become keywords of the scenario."""
    assert SIPP is not None, "SIPp is not installed"
    found = re.search(r'<scenario name="([^"]+)"', scenario)
    name = found[1] if found else "scenario"
    port = port or free_port(host)
    directory = directory / f"sipp-{re.sub(r'[^a-z0-9]+', '-', name.lower())}-{port}"
    directory.mkdir(parents=True)
    (directory / "scenario.xml").write_text(scenario)
    command = [SIPP, *([f"{remote[0]}:{remote[1]}"] if remote else []), "-sf", "scenario.xml"]
    command += ["-i", host, "-p", str(port), "-m", str(calls), "-r", str(rate), "-s", service, "-nostdin"]
    command += ["-t", {"udp": "u1", "tcp": "t1"}[transport], "-timeout", f"{timeout_s}s", "-timeout_error"]
    command += ["-trace_err", "-error_file", "errors.log", "-trace_msg", "-message_file", "messages.log"]
    command += ["-trace_logs", "-log_file", "logs.log", "-skip_rlimit", "-cp", str(free_port(host))]
    for key, value in (keys or {}).items():
        command += ["-key", key, str(value)]
    process = await asyncio.create_subprocess_exec(
        *command, *options, cwd=directory, stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    running = Sipp(name, process, directory, host, port, timeout_s)
    try:
        deadline = time.monotonic() + READY_WITHIN_S
        while remote is None and not _bound(port, transport):
            assert process.returncode is None, f"{name}: SIPp ended at once\n{await _output(process)}"
            assert time.monotonic() < deadline, f"{name}: SIPp did not listen within {READY_WITHIN_S} s"
            await asyncio.sleep(POLL_S)
        yield running
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()


async def _output(process: asyncio.subprocess.Process) -> str:
    assert process.stdout is not None
    return (await process.stdout.read()).decode(errors="replace")[-3000:]
