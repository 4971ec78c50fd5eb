"""The HTTP server itself: uvicorn on the loop that carries the calls, with a socket and signals of our own.

What uvicorn leaves open is closed here: a head of any size, a request that never ends, connections without number. All
of these come before anybody has said who he is.
"""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from offhook.runtime.wellness import share
from offhook.web.event_stream import ABORT

__all__ = ["HttpServer", "host_port"]

START_WITHIN_S = 5.0
BACKLOG = 1024
HEAD_MAX_BYTES = 64 * 1024
"""Request line and headers; a document written out may stand in a query."""
REQUEST_MAX_S = 20.0
"""From the first octet of a connection or request to its last: a slow sender holds nothing for longer."""
CONNECTIONS_MAX = 1000
CONNECTIONS_ONE_IN = 8
"""More, or more than one in so many of all descriptors, are closed as they come; calls need theirs."""


def host_port(address: tuple[str, int]) -> str:
    """An address as URLs write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpServer:
    """Listens as soon as it is made, so that a taken port is known before anything else is promised."""

    def __init__(self, application: Any, host: str, port: int, *, kept: socket.socket | None = None) -> None:
        """`kept`: what an earlier process listened with, where requests have waited.

        Raises OSError whose text says what to do.
        """
        self._socket = _listening(host, port) if kept is None else kept
        config = uvicorn.Config(
            application,
            http=_Limited,
            ws="none",
            lifespan="off",
            log_config=None,
            access_log=False,
            server_header=False,
        )
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    @property
    def listening(self) -> socket.socket:
        """What requests come to; another process may hold it too."""
        return self._socket

    async def start(self) -> str:
        """Serve; returns the base URL."""
        host, port = self._socket.getsockname()[:2]
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        up = asyncio.ensure_future(self._server.up.wait())
        await asyncio.wait((up, self._task), timeout=START_WITHIN_S, return_when=asyncio.FIRST_COMPLETED)
        up.cancel()
        if self._task.done():
            self._task.result()
            raise OSError("the HTTP server ended at once")
        return f"http://{host_port((host, port))}"

    async def stop(self) -> None:
        """Answer what is being asked, and close."""
        self._server.should_exit = True
        self._server.force_exit = True
        if self._task is not None:
            await self._task


def _listening(host: str, port: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        made.bind((host, port))
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        raise OSError(
            error.errno,
            f"cannot listen on {host_port((host, port))} for HTTP ({error.strerror}); "
            "another server may be running: stop it, or set http_listen to another port",
        ) from error
    return made


class _Limited(HttpToolsProtocol):
    """uvicorn's connection with limits on the head, on the time that a request takes to arrive, and on their number."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_bytes: int | None = 0
        """Of the head that is being read; `None`: it is whole, the body follows."""
        self._deadline: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """A connection; one too many is let go."""
        super().connection_made(transport)
        if len(self.connections) > share(CONNECTIONS_MAX, CONNECTIONS_ONE_IN):
            transport.abort()
            return
        self._expect_a_request()

    def connection_lost(self, exc: Exception | None) -> None:
        """It is over."""
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Octets; of a head, only so many."""
        if self.transport.is_closing():
            return
        if self._deadline is None and self._head_bytes is not None:
            self._expect_a_request()
        if self._head_bytes is not None:
            self._head_bytes += len(data)
            # What is read at once is at most 256 KiB and may hold a body; only a head that is still open counts.
            too_large = self._head_bytes > HEAD_MAX_BYTES
            super().data_received(data)
            if too_large and self._head_bytes is not None:
                self.transport.abort()
            return
        super().data_received(data)

    def on_headers_complete(self) -> None:
        """Its head is whole."""
        self._head_bytes = None
        super().on_headers_complete()
        self.scope[ABORT] = self.transport.abort  # type: ignore[literal-required]

    def on_message_complete(self) -> None:
        """All of it is here."""
        self._head_bytes = 0
        self._stop_waiting()
        super().on_message_complete()

    def _expect_a_request(self) -> None:
        self._deadline = self.loop.call_later(REQUEST_MAX_S, self._give_up)

    def _stop_waiting(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _give_up(self) -> None:
        self._deadline = None
        self.transport.abort()


class _Uvicorn(uvicorn.Server):
    """Says when it is up, and leaves signals alone: a server that drains calls is not stopped by its web part."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start, and say so."""
        await super().startup(sockets)
        self.up.set()

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield
