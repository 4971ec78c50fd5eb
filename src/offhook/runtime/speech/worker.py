"""Engines that are programs: a few of them kept running, each speaking one text at a time over its standard streams.

The protocol is in `espeak_worker.py`. A worker whose request is not read to its end (a time-out, a caller that left, a
worker that talks nonsense) is killed, since nobody knows what it would say next; the next request starts another.
"""

import asyncio
import contextlib
import json
import struct
from collections.abc import AsyncGenerator, Mapping, Sequence
from typing import Any

from offhook.runtime.speech.provider import SpeechFailed

__all__ = ["Frame", "Workers"]

FRAME_MAX_BYTES = 16 * 1024 * 1024
"""Minutes of sound in one piece; what announces more talks nonsense."""
END_S = 2.0
"""For a worker that was told to end."""

Frame = tuple[bytes, bytes]
"""Kind and content."""


class Workers:
    """Up to `most` processes of one program, started as they are needed."""

    def __init__(self, name: str, command: Sequence[str], most: int) -> None:
        self._name = name
        self._command = tuple(command)
        self._idle: list[asyncio.subprocess.Process] = []
        self._all: set[asyncio.subprocess.Process] = set()
        self._free = asyncio.Semaphore(most)

    @property
    def pids(self) -> tuple[int, ...]:
        """Of those that run, for tests and for people."""
        return tuple(process.pid for process in self._all if process.returncode is None)

    async def ask(self, request: Mapping[str, Any]) -> AsyncGenerator[Frame]:
        """The frames of an answer, without the one that ends it. Raises `SpeechFailed`."""
        async with self._free:
            process, kind, content = await self._first(request)
            whole = False
            try:
                while kind not in (b"e", b"f"):
                    yield kind, content
                    kind, content = await _frame(process, self._name)
                whole = True
            except (OSError, asyncio.IncompleteReadError):
                raise SpeechFailed(f"{self._name} ended in the middle of a text") from None
            finally:
                if whole and process.returncode is None:
                    self._idle.append(process)
                else:
                    await self._kill(process)
        if kind == b"f":
            raise SpeechFailed(content.decode(errors="replace")[:300])

    async def _first(self, request: Mapping[str, Any]) -> tuple[asyncio.subprocess.Process, bytes, bytes]:
        """A worker that has begun to answer, and its first frame."""
        content = json.dumps(request).encode()
        while True:
            process = reused = self._take()
            if process is None:
                process = await self._start()
            answered = False
            try:
                assert process.stdin is not None
                process.stdin.write(struct.pack("<I", len(content)) + content)
                await process.stdin.drain()
                kind, first = await _frame(process, self._name)
                answered = True
                return process, kind, first
            except (OSError, asyncio.IncompleteReadError):
                # One that had waited may have died long ago of something else; a new one that dies, dies of the text.
                if reused is None:
                    raise SpeechFailed(f"{self._name} ended before it spoke") from None
            finally:
                if not answered:
                    await self._kill(process)

    async def close(self) -> None:
        """End all of them."""
        self._idle.clear()
        for process in list(self._all):
            await self._kill(process)

    def _take(self) -> asyncio.subprocess.Process | None:
        while self._idle:
            process = self._idle.pop()
            if process.returncode is None:
                return process
            self._let_go(process)
        return None

    async def _start(self) -> asyncio.subprocess.Process:
        try:
            process = await asyncio.create_subprocess_exec(
                *self._command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.DEVNULL,
                # A signal from the terminal is for the server, which ends its workers itself.
                start_new_session=True,
            )
        except OSError as error:
            raise SpeechFailed(f"{self._name} cannot be started ({error.strerror})") from None
        self._all.add(process)
        return process

    async def _kill(self, process: asyncio.subprocess.Process) -> None:
        with contextlib.suppress(ProcessLookupError):
            process.kill()
        with contextlib.suppress(TimeoutError):
            # Shielded: the process must be reaped even while whoever asked is being cancelled.
            await asyncio.wait_for(asyncio.shield(process.wait()), END_S)
        self._let_go(process)

    def _let_go(self, process: asyncio.subprocess.Process) -> None:
        self._all.discard(process)
        # The transport is closed here and not by a collection at some later time.
        process._transport.close()  # type: ignore[attr-defined]


async def _frame(process: asyncio.subprocess.Process, name: str) -> Frame:
    assert process.stdout is not None
    (size,) = struct.unpack("<I", await process.stdout.readexactly(4))
    if not 1 <= size <= FRAME_MAX_BYTES:
        raise SpeechFailed(f"{name} said something that cannot be understood")
    content = await process.stdout.readexactly(size)
    return content[:1], content[1:]
