"""Customers' web servers for tests of what is sent to them: well-behaved ones, and ones that are not."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from ipaddress import ip_network

from aiohttp import web

from offhook.runtime.url_guard import UrlGuard

__all__ = ["LOOPBACK", "Receiver", "Seen", "raw_receiver", "receiver", "unused_port"]

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]
Talk = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


LOOPBACK = UrlGuard([ip_network("127.0.0.0/8")])
"""A guard that lets 127.0.0.0/8 through and nothing else that is not public."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    method: str
    path: str
    query: str
    headers: dict[str, str]
    body: bytes


@dataclass(slots=True)
class Receiver:
    """A running server. `seen` has every request, in order."""

    url: str
    seen: list[Seen] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)

    async def has_seen(self, count: int, within_s: float = 10.0) -> list[Seen]:
        """Waits until so many requests have come."""
        async with asyncio.timeout(within_s):
            while len(self.seen) < count:
                self._more.clear()
                await self._more.wait()
        return self.seen

    def note(self, seen: Seen) -> None:
        self.seen.append(seen)
        self._more.set()


@asynccontextmanager
async def receiver(handler: Handler, host: str = "127.0.0.1") -> AsyncIterator[Receiver]:
    """An aiohttp server on loopback whose every request goes to `handler`."""
    here = Receiver(url="")

    async def handle(request: web.Request) -> web.StreamResponse:
        body = await request.read()
        headers = {name.lower(): value for name, value in request.headers.items()}
        here.note(
            Seen(
                method=request.method,
                path=request.path,
                query=request.rel_url.raw_query_string,
                headers=headers,
                body=body,
            )
        )
        return await handler(request)

    app = web.Application()
    app.router.add_route("*", "/{path:.*}", handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, host, 0)
    await site.start()
    here.url = f"http://{host}:{runner.addresses[0][1]}"
    try:
        yield here
    finally:
        await runner.cleanup()


@asynccontextmanager
async def raw_receiver(talk: Talk) -> AsyncIterator[str]:
    """A TCP server on loopback that says what it likes. Gives its URL."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await talk(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
    finally:
        server.close()


async def unused_port() -> int:
    """A port of loopback where nobody listens."""
    server = await asyncio.start_server(lambda *_: None, "127.0.0.1", 0)
    port: int = server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    return port
