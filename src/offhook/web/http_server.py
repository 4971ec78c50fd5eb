"""The HTTP server itself: uvicorn on the loop that carries the calls, with a socket and signals of our own."""

import asyncio
import contextlib
import socket
from collections.abc import Iterator
from typing import Any

import uvicorn

__all__ = ["HttpServer", "host_port"]

START_WITHIN_S = 5.0
BACKLOG = 1024


def host_port(address: tuple[str, int]) -> str:
    """An address as URLs write it."""
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


class HttpServer:
    """Listens as soon as it is made, so that a taken port is known before anything else is promised."""

    def __init__(self, application: Any, host: str, port: int) -> None:
        """Raises OSError whose text says what to do."""
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((host, port))
            self._socket.listen(BACKLOG)
        except OSError as error:
            self._socket.close()
            raise OSError(
                error.errno,
                f"cannot listen on {host_port((host, port))} for HTTP ({error.strerror}); "
                "another server may be running: stop it, or set http_listen to another port",
            ) from error
        config = uvicorn.Config(
            application, http="httptools", lifespan="off", log_config=None, access_log=False, server_header=False
        )
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

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
