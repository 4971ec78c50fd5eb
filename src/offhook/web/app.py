"""All of HTTP in one ASGI application: `/a1` goes straight to its handlers, the rest through FastAPI, loaded when asked
for.

FastAPI takes longer to load than everything else of the server together, and answering `ready` does not need it.
"""

import asyncio
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from offhook.config import Settings
from offhook.storage.prices import PriceList
from offhook.storage.store import Storage
from offhook.web.api.didforsale import DidforsaleApi
from offhook.web.api.didforsale_request import is_didforsale
from offhook.web.api.elks import ElksApi
from offhook.web.api.elks_request import Elks
from offhook.web.auth import AdminToken
from offhook.web.event_stream import Streams
from offhook.web.http import Answer, BodyTooLarge, limited, send_answer
from offhook.web.idempotency import Idempotency
from offhook.web.port import ServerPort

__all__ = ["Web", "create_web"]


class Web:
    """The ASGI application."""

    def __init__(
        self,
        server: ServerPort,
        elks: ElksApi,
        didforsale: DidforsaleApi,
        native: Callable[[], ASGIApp],
        streams: Streams,
        once: Idempotency,
    ) -> None:
        self._server = server
        self._elks = elks
        self._didforsale = didforsale
        self._make_native = native
        self._native: ASGIApp | None = None
        self._making = asyncio.Lock()
        self._streams = streams
        self._once = once

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """HTTP; the server's life is told by `offhook.app`, so that lifespan is not spoken."""
        if scope["type"] != "http":
            return
        first = scope["path"].lstrip("/").partition("/")[0]
        if first == "a1":
            await self._once(scope, receive, send, self._elks)
        elif is_didforsale(scope["path"]):
            await self._once(scope, receive, send, self._didforsale, self._didforsale.owner)
        elif first == "healthz":
            await send_answer(send, Answer.text(200, "ok"))
        elif first == "readyz":
            await send_answer(send, self._readiness())
        else:
            await self._once(scope, receive, send, self._to_native)

    async def warm(self) -> None:
        """Loads what the first request would; best done when the server is ready and has nothing else to do."""
        await self._native_app()

    async def leave(self) -> None:
        """The server stops: nobody follows a timeline any longer."""
        await self._streams.leave()

    async def _to_native(self, scope: Scope, receive: Receive, send: Send) -> None:
        application = await self._native_app()
        try:
            await application(scope, limited(scope, receive), send)
        except BodyTooLarge as too_large:
            error = {"name": "too_large", "message": too_large.detail}
            await send_answer(send, Answer.json({"error": error}, 413))

    def _readiness(self) -> Answer:
        reason = self._server.not_ready()
        return Answer.text(200, "ready") if reason is None else Answer.text(503, reason)

    async def _native_app(self) -> ASGIApp:
        if self._native is None:
            async with self._making:
                if self._native is None:
                    self._native = await asyncio.to_thread(self._make_native)
        return self._native


def create_web(server: ServerPort, storage: Storage, settings: Settings, prices: PriceList | None = None) -> Web:
    """Everything that listens on `http_listen`. Makes `admin.token` if there is none."""
    prices = prices or PriceList({})
    token = AdminToken.make(storage.data_dir)
    streams = Streams()

    def native() -> ASGIApp:
        from offhook.web.api.native import create_native

        return create_native(server, storage, settings, token, streams)

    elks = ElksApi(Elks(server=server, storage=storage, settings=settings, prices=prices))
    didforsale = DidforsaleApi(server, storage, settings, prices)
    return Web(server, elks, didforsale, native, streams, Idempotency(storage, token))
