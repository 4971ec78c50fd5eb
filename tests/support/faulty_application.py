"""A web application that fails at random: refused, reset, 500, silence, half a body. For tests of what survives it.

What fails is decided by a seeded generator, so that a run repeats. The server speaks just enough HTTP/1.1, by hand,
because no web framework breaks off in the middle of an answer when asked to.
"""

import asyncio
import random
import socket
import struct
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import parse_qsl

from tests.support.receivers import unused_port

__all__ = ["Fault", "FaultyApplication", "Request", "faulty_application"]

SILENCE_S = 60.0
BACKLOG = 1024
"""Connections that come at once are not to fail otherwise than by decision."""


class Fault(Enum):
    """How a request fails."""

    REFUSED = "refused"
    """Nobody listens."""
    RESET = "reset"
    """The connection is torn down before an answer (TCP RST)."""
    ERROR = "error"
    """Status 500."""
    SILENCE = "silence"
    """Nothing for a minute."""
    HALF = "half"
    """The head, half of the body, and the end."""


AT_THE_SERVER = (Fault.RESET, Fault.ERROR, Fault.SILENCE, Fault.HALF)


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One that came in, and how it was failed, if it was."""

    path: str
    fields: dict[str, str]
    headers: dict[str, str]
    fault: Fault | None


@dataclass(slots=True)
class FaultyApplication:
    """Running. `answer` makes the body for a request that does not fail."""

    url: str
    refusing_url: str
    """The same application where it is not."""
    rate: float
    """Of requests that fail."""
    faults: tuple[Fault, ...]
    chance: random.Random
    answer: Callable[[Request], str]
    requests: list[Request] = field(default_factory=list)
    refused: int = 0
    """URLs given out at which nobody listens."""
    over: asyncio.Event = field(default_factory=asyncio.Event)

    def at(self, path: str) -> str:
        """A URL of the application; one in so many is where nobody listens (a server cannot refuse now and then)."""
        share = self.faults.count(Fault.REFUSED) / len(self.faults)
        if self.chance.random() < self.rate * share:
            self.refused += 1
            return self.refusing_url + path
        return self.url + path

    def failed(self, fault: Fault) -> int:
        """How many requests failed so."""
        return self.refused if fault is Fault.REFUSED else sum(each.fault is fault for each in self.requests)

    def _next_fault(self) -> Fault | None:
        here = [fault for fault in self.faults if fault in AT_THE_SERVER]
        rate = self.rate * len(here) / len(self.faults)
        return self.chance.choice(here) if here and self.chance.random() < rate else None

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, request after request."""
        try:
            while (request := await self._read(reader)) is not None:
                self.requests.append(request)
                if not await self._answer(request, writer):
                    return
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    async def _read(self, reader: asyncio.StreamReader) -> Request | None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
        except asyncio.IncompleteReadError:
            return None
        first, *lines = head.decode("latin-1").split("\r\n")
        headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines if line)}
        body = await reader.readexactly(int(headers.get("content-length", "0")))
        path, _, query = first.split(" ")[1].partition("?")
        fields = dict(parse_qsl(body.decode() or query))
        return Request(path=path, fields=fields, headers=headers, fault=self._next_fault())

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        """Whether the connection goes on."""
        body = self.answer(request).encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n".encode()
        match request.fault:
            case Fault.RESET:
                made = writer.get_extra_info("socket")
                made.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
            case Fault.SILENCE:
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.over.wait(), SILENCE_S)
                return False
            case Fault.ERROR:
                head, body = b"HTTP/1.1 500 Oops\r\nContent-Length: 0\r\n\r\n", b""
            case Fault.HALF:
                body = body[: len(body) // 2]
            case _:
                pass
        writer.write(head + body)
        await writer.drain()
        return request.fault is not Fault.HALF


@asynccontextmanager
async def faulty_application(
    answer: Callable[[Request], str],
    *,
    seed: int,
    rate: float = 0.3,
    faults: tuple[Fault, ...] = tuple(Fault),
) -> AsyncIterator[FaultyApplication]:
    """On loopback. The same seed fails the same requests, as long as they come in the same order."""
    refusing = f"http://127.0.0.1:{await unused_port()}"
    made = FaultyApplication("", refusing, rate, faults, random.Random(seed), answer)
    connections: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        connections[task] = writer
        try:
            await made.serve(reader, writer)
        finally:
            del connections[task]

    server = await asyncio.start_server(serve, "127.0.0.1", 0, backlog=BACKLOG)
    made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    try:
        yield made
    finally:
        server.close()
        made.over.set()
        for writer in connections.values():
            writer.close()
        await asyncio.gather(*connections, return_exceptions=True)
