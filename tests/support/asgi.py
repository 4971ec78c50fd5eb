"""Asks an ASGI application, without a socket."""

import asyncio
import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

__all__ = ["Reply", "ask", "basic"]


@dataclass(slots=True)
class Reply:
    """What came back."""

    status: int = 0
    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""

    @property
    def text(self) -> str:
        return self.body.decode()


def basic(user: str, password: str) -> dict[str, str]:
    """The header of RFC 7617."""
    return {"authorization": "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()}


async def ask(
    app: Any,
    method: str,
    target: str,
    body: bytes | Mapping[str, str] = b"",
    headers: Mapping[str, str] | None = None,
) -> Reply:
    """One request; a mapping as body is sent as a form."""
    sent = dict(headers or {})
    if isinstance(body, Mapping):
        body = urlencode(body).encode()
        sent.setdefault("content-type", "application/x-www-form-urlencoded")
    if body:
        sent.setdefault("content-length", str(len(body)))
    path, _, query = target.partition("?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": query.encode(),
        "headers": [(name.lower().encode(), value.encode()) for name, value in sent.items()],
        "client": ("127.0.0.1", 1),
        "server": ("127.0.0.1", 8046),
    }
    incoming = [{"type": "http.request", "body": body, "more_body": False}]
    reply = Reply()

    async def receive() -> dict[str, Any]:
        if incoming:
            return incoming.pop(0)
        await asyncio.Event().wait()  # the client stays, and says no more
        raise AssertionError

    async def send(message: Mapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            reply.status = message["status"]
            reply.headers = {name.decode(): value.decode() for name, value in message["headers"]}
        elif message["type"] == "http.response.body":
            reply.body += message.get("body", b"")

    await app(scope, receive, send)
    return reply
