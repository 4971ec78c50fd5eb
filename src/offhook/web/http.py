"""HTTP at the edge, thin on purpose: a call must be on the wire a few milliseconds after its request arrived.

Bodies are read up to a limit, forms decoded, answers sent; no framework stands between. `/v1`, where nothing is in a
hurry, uses FastAPI.
"""

import base64
import binascii
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope, Send

__all__ = [
    "Answer",
    "BodyTooLarge",
    "ClientLeft",
    "NotAForm",
    "basic_credentials",
    "form",
    "header",
    "limited",
    "read_body",
    "send_answer",
]

MAX_BODY_BYTES = 256 * 1024
"""A document of 64 KiB, percent-encoded, and the other parameters."""
MAX_PARAMETERS = 1000
FORM = b"application/x-www-form-urlencoded"
OTHER_BODIES = (b"application/json", b"multipart/", b"text/xml", b"application/xml")


class BodyTooLarge(HTTPException):
    """More than `MAX_BODY_BYTES`. Starlette's kind of error, since FastAPI lets no other pass while it reads a body."""

    def __init__(self) -> None:
        super().__init__(413, f"the request has more than {MAX_BODY_BYTES} bytes")


class ClientLeft(Exception):
    """Whoever asked has gone before the request was whole."""


class NotAForm(Exception):
    """A body that is no form; the text says what to send."""


@dataclass(frozen=True, slots=True)
class Answer:
    """A whole answer."""

    status: int
    body: bytes
    content_type: str
    headers: tuple[tuple[bytes, bytes], ...] = ()

    @classmethod
    def json(cls, value: Any, status: int = 200) -> "Answer":
        """Any JSON."""
        return cls(status, json.dumps(value).encode(), "application/json")

    @classmethod
    def text(cls, status: int, sentence: str, *headers: tuple[bytes, bytes]) -> "Answer":
        """A plain sentence; an empty one is an empty body."""
        return cls(status, sentence.encode(), "text/plain; charset=utf-8", headers)


async def send_answer(send: Send, answer: Answer) -> None:
    """Sends it, with its length."""
    headers: Iterable[tuple[bytes, bytes]] = (
        (b"content-type", answer.content_type.encode()),
        (b"content-length", str(len(answer.body)).encode()),
        *answer.headers,
    )
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": answer.body})


def header(scope: Scope, name: bytes) -> bytes | None:
    """The first header of that name (lower case)."""
    for found, value in scope["headers"]:
        if found == name:
            return bytes(value)
    return None


async def read_body(scope: Scope, receive: Receive) -> bytes:
    """The whole body. Raises `BodyTooLarge` (before reading, where the length is announced) or `ClientLeft`."""
    announced = header(scope, b"content-length") or b"0"
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise BodyTooLarge
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientLeft
        body += message.get("body", b"")
        if len(body) > MAX_BODY_BYTES:
            raise BodyTooLarge
        if not message.get("more_body", False):
            return bytes(body)


def limited(scope: Scope, receive: Receive) -> Receive:
    """`receive`, for applications that read bodies themselves: raises `BodyTooLarge` where `read_body` does."""
    announced = header(scope, b"content-length") or b"0"
    if announced.isdigit() and int(announced) > MAX_BODY_BYTES:
        raise BodyTooLarge
    taken = 0

    async def counting() -> Message:
        nonlocal taken
        message = await receive()
        taken += len(message.get("body", b""))
        if taken > MAX_BODY_BYTES:
            raise BodyTooLarge
        return message

    return counting


def form(body: bytes, content_type: bytes | None = None) -> dict[str, str]:
    """Parameters of a form or query string; of a repeated name, the last. Raises `NotAForm`.

    A body of an unknown or missing type is taken as a form; JSON, XML and multipart are refused.
    """
    if content_type is not None and content_type.lower().startswith(OTHER_BODIES):
        raise NotAForm("Send parameters as application/x-www-form-urlencoded")
    try:
        pairs = parse_qsl(
            body.decode("utf-8", "replace"), keep_blank_values=True, errors="replace", max_num_fields=MAX_PARAMETERS
        )
    except ValueError:
        raise NotAForm(f"More than {MAX_PARAMETERS} parameters") from None
    return dict(pairs)


def basic_credentials(scope: Scope) -> tuple[str, str] | None:
    """User name and password of RFC 7617, in UTF-8; `None` if there are none, or they are garbled."""
    value = header(scope, b"authorization")
    if value is None or value[:6].lower() != b"basic ":
        return None
    try:
        user, colon, password = base64.b64decode(value[6:].strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None
    return (user, password) if colon else None
