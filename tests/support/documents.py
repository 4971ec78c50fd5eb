"""The pages of the documentation, and the shell commands in them, run as a reader would.

A block ```sh is run; ```sh background goes on running once it has said that it is ready; ```python NAME is written to
that file; other blocks are to be read.
"""

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.support.engine_binary import engine_binary

__all__ = ["Block", "Reader", "fenced", "pages", "reader"]

ROOT = Path(__file__).parents[2]
READY = re.compile(r"^ready api=|registered  |Running on", re.MULTILINE)
WITHIN_S = 120.0
END_WITHIN_S = 20.0
PAGES = ("*.md", "docs/**/*.md", "examples/**/*.md")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """A fenced block of a page."""

    language: str
    rest: str
    text: str


def pages() -> list[Path]:
    """Every page for readers."""
    return sorted({path for pattern in PAGES for path in ROOT.glob(pattern) if path.name != "CHANGELOG.md"})


def fenced(page: Path) -> list[Block]:
    """Its blocks, in order."""
    found = re.findall(r"^```(\w*)[ ]?(.*)\n((?:.*\n)*?)```$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return [Block(language=language, rest=rest, text=text) for language, rest, text in found]


@dataclass(slots=True)
class Reader:
    """Types what stands on a page, in a folder that looks like the repository after `make setup`."""

    folder: Path
    environment: dict[str, str]
    ports: dict[str, str]
    stack: AsyncExitStack
    output: list[str] = field(default_factory=list)
    """What each finished block printed."""
    instead: dict[str, str] = field(default_factory=dict)
    """What a page made up, and what stands for it here: an id, the address of a web application."""

    async def read(self, blocks: Sequence[Block]) -> None:
        """Run them one after another. Raises `AssertionError` with what was printed when one fails."""
        for block in blocks:
            if block.language == "python" and block.rest:
                (self.folder / block.rest).write_text(self._here(block.text), encoding="utf-8")
            elif block.language == "sh" and block.rest == "background":
                await self._keep_running(self._here(block.text))
            elif block.language == "sh":
                await self._run(self._here(block.text))

    def _here(self, text: str) -> str:
        for made_up, real in self.instead.items():
            text = text.replace(made_up, real)
        for port, free in self.ports.items():
            text = re.sub(rf"(127\.0\.0\.1:|port[= ]){port}\b", rf"\g<1>{free}", text)
        return text

    async def _start(self, script: str, log: Path) -> asyncio.subprocess.Process:
        with log.open("wb") as out:
            return await asyncio.create_subprocess_exec(
                *("bash", "-e", "-c", script),
                cwd=self.folder,
                env=self.environment,
                stdin=asyncio.subprocess.DEVNULL,
                stdout=out,
                stderr=asyncio.subprocess.STDOUT,
                start_new_session=True,
            )

    async def _run(self, script: str) -> None:
        log = self.folder / f"{len(self.output)}.out"
        process = await self._start(script, log)
        try:
            status = await asyncio.wait_for(process.wait(), WITHIN_S)
        finally:
            await _end(process)
        said = log.read_text(encoding="utf-8")
        assert status == 0, f"{script}\nended with status {status}:\n{said}"
        self.output.append(said)

    async def _keep_running(self, script: str) -> None:
        log = self.folder / f"background-{hash(script) & 0xFFFFFF:06x}.out"
        process = await self._start(script, log)
        self.stack.push_async_callback(_end, process)
        async with asyncio.timeout(WITHIN_S):
            while not READY.search(log.read_text(encoding="utf-8")):
                said = log.read_text(encoding="utf-8")
                assert process.returncode is None, f"{script}\nended with {process.returncode}:\n{said}"
                await asyncio.sleep(0.05)


async def _end(process: asyncio.subprocess.Process) -> None:
    """The script and what it started: they are a process group of their own."""
    if process.returncode is None:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            await asyncio.wait_for(process.wait(), END_WITHIN_S)
        except TimeoutError:
            os.killpg(process.pid, signal.SIGKILL)
            await process.wait()


@asynccontextmanager
async def reader(folder: Path) -> AsyncIterator[Reader]:
    """A folder with `.venv`, where `make` does nothing (its targets have tests of their own), and free ports."""
    programs = folder / ".venv" / "bin"
    programs.mkdir(parents=True)
    for name, script in (
        ("offhook", f'exec "{sys.executable}" -m offhook "$@"'),
        ("python", f'exec "{sys.executable}" "$@"'),
        ("make", "exit 0"),
    ):
        (programs / name).write_text(f"#!/bin/sh\n{script}\n")
        (programs / name).chmod(0o755)
    (programs / "activate").write_text(f'PATH="{programs}:$PATH"\n')
    (folder / "examples").symlink_to(ROOT / "examples")
    http, web = _free_port(), _free_port()
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    environment |= {
        "PATH": f"{programs}:{environment['PATH']}",
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONUNBUFFERED": "1",
        "OFFHOOK_MEDIA_BINARY": str(engine_binary()),
        "OFFHOOK_HTTP_LISTEN": f"127.0.0.1:{http}",
        "OFFHOOK_SIP_LISTEN": "udp:127.0.0.1:0,tcp:127.0.0.1:0",
        "OFFHOOK_ENGINE_ORPHAN_S": "5",
    }
    async with AsyncExitStack() as stack:
        yield Reader(folder, environment, {"8046": str(http), "8080": str(web)}, stack)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
