"""Answers that are sent as they come: Server-Sent Events (WHATWG HTML, section 9.2) and long documents in pieces.

A piece is made when the one before it is on its way, so that a reader who is slow costs one piece of memory and not a
timeline; one who takes nothing for `SEND_WITHIN_S` is let go. Knows nothing of calls.
"""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from typing import Any

from starlette.responses import Response
from starlette.types import Receive, Scope, Send

__all__ = ["ABORT", "EVENT_STREAM", "KEEP_ALIVE", "InPieces", "RETRY_MS", "Streams", "event"]

STREAMS_MAX = 200
"""At a time: each holds a connection, and wakes at every entry of its call."""
SEND_WITHIN_S = 30.0
RETRY_MS = 2000
"""What a reader waits before it connects again."""
EVENT_STREAM = "text/event-stream"
KEEP_ALIVE = b": still here\n\n"
"""A comment, which readers drop: proxies close what is silent."""
ABORT = "offhook.abort"
"""Of a scope: closes its connection at once; without it the server's own end of an answer has to do."""


def event(value: Any, *, id: int | None = None, kind: str | None = None) -> bytes:
    """One event. Without a `kind` it is a `message`, which every reader hears; JSON has no line breaks of its own."""
    lines = [f"id: {id}"] if id is not None else []
    lines += [f"event: {kind}"] if kind is not None else []
    return ("\n".join([*lines, f"data: {json.dumps(value, ensure_ascii=False)}"]) + "\n\n").encode()


class Streams:
    """Those that are open, so that there are not too many and that none outlives the server."""

    def __init__(self) -> None:
        self._open: set[asyncio.Task[None]] = set()

    @property
    def full(self) -> bool:
        """Whether no more may begin."""
        return len(self._open) >= STREAMS_MAX

    def add(self, stream: "asyncio.Task[None]") -> None:
        """One more, until it is done."""
        self._open.add(stream)
        stream.add_done_callback(self._open.discard)

    async def leave(self) -> None:
        """The server stops: all end, and their readers connect again to whatever comes after it."""
        ending = list(self._open)
        for stream in ending:
            stream.cancel()
        if ending:
            await asyncio.wait(ending, timeout=1.0)


class InPieces(Response):
    """An answer in pieces. Made once, sent once."""

    def __init__(
        self, pieces: Callable[[], AsyncGenerator[bytes, None]], *, media_type: str, streams: Streams | None = None
    ) -> None:
        """`streams`: it stays open, and the server's end is its end."""
        self.media_type = media_type
        super().__init__()
        del self.headers["content-length"]
        self.headers["cache-control"] = "no-store"
        if media_type == EVENT_STREAM:
            self.headers["x-accel-buffering"] = "no"  # nginx would gather it
        self._pieces = pieces
        self._streams = streams

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send all of it, until the reader has gone, or takes nothing, or the server stops."""
        if self._streams is None:
            try:
                await self._send(send)
            except TimeoutError:
                _abort(scope)
            return
        sending = asyncio.ensure_future(self._send(send))
        self._streams.add(sending)
        leaving = asyncio.ensure_future(_gone(receive))
        await asyncio.wait((sending, leaving), return_when=asyncio.FIRST_COMPLETED)
        for task in (sending, leaving):
            task.cancel()
        outcome = (await asyncio.gather(sending, leaving, return_exceptions=True))[0]
        if isinstance(outcome, TimeoutError):
            _abort(scope)
        elif isinstance(outcome, asyncio.CancelledError):
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(SEND_WITHIN_S):
                    await send({"type": "http.response.body", "body": b""})
        elif isinstance(outcome, BaseException):
            raise outcome

    async def _send(self, send: Send) -> None:
        """Raises `TimeoutError` for a reader who takes nothing."""
        async with asyncio.timeout(SEND_WITHIN_S):
            await send({"type": "http.response.start", "status": self.status_code, "headers": self.raw_headers})
        async with contextlib.aclosing(self._pieces()) as pieces:
            async for piece in pieces:
                async with asyncio.timeout(SEND_WITHIN_S):
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": b""})


def _abort(scope: Scope) -> None:
    abort = scope.get(ABORT)
    if abort is not None:
        abort()


async def _gone(receive: Receive) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass
