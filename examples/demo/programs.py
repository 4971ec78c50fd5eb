"""Programs that the demo starts, listens to, and ends again: each by its own process id."""

import asyncio
import contextlib
import re
import signal
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Program", "StepFailed"]

END_WITHIN_S = 10.0
LAST_LINES = 8
LINE_LIMIT_BYTES = 1024 * 1024


class StepFailed(Exception):
    """A step of the demo did not happen; the text says which and why."""


class Program:
    """A program that runs: what it prints is kept, in a file and for whoever waits for a line."""

    def __init__(self, name: str, process: asyncio.subprocess.Process, log: Path) -> None:
        self.name = name
        self._process = process
        self.log = log
        self._lines: list[str] = []
        self._news = asyncio.Condition()
        self._over = False
        self._reading = asyncio.get_running_loop().create_task(self._read())

    @classmethod
    async def start(cls, name: str, *command: str | Path, log: Path, environment: Mapping[str, str]) -> "Program":
        """Start it. What it says on standard error goes to the same file."""
        process = await asyncio.create_subprocess_exec(
            *map(str, command),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=environment,
            cwd=log.parent,
            limit=LINE_LIMIT_BYTES,
        )
        return cls(name, process, log)

    async def says(self, pattern: str, within_s: float) -> re.Match[str]:
        """Wait for a line with this in it; a line that came before counts. Raises `StepFailed`."""
        searched = 0

        def found() -> re.Match[str] | None:
            nonlocal searched
            while searched < len(self._lines):
                searched += 1
                match = re.search(pattern, self._lines[searched - 1])
                if match is not None:
                    return match
            return None

        async with self._news:
            try:
                async with asyncio.timeout(within_s):
                    while (match := found()) is None:
                        if self._over:
                            raise StepFailed(self._why(f"ended with status {await self._process.wait()}"))
                        await self._news.wait()
            except TimeoutError:
                raise StepFailed(self._why(f"did not say {pattern!r} within {within_s:g} s")) from None
        return match

    async def end(self, within_s: float = 0.0) -> int:
        """Let it end by itself for so long, then end it; its exit status."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), within_s)
        if self._process.returncode is None:
            self._process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(self._process.wait(), END_WITHIN_S)
            except TimeoutError:
                self._process.kill()
        await self._reading
        return await self._process.wait()

    async def _read(self) -> None:
        assert self._process.stdout is not None
        with self.log.open("w", encoding="utf-8") as log:
            while line := await self._process.stdout.readline():
                text = line.decode(errors="replace")
                log.write(text)
                log.flush()
                async with self._news:
                    self._lines.append(text.rstrip("\n"))
                    self._news.notify_all()
        async with self._news:
            self._over = True
            self._news.notify_all()

    def _why(self, what: str) -> str:
        said = "".join(f"\n    {line}" for line in self._lines[-LAST_LINES:])
        return f"{self.name} {what}; its last words, all of them in {self.log}:{said}"
