"""A far end without a stack: a UDP socket that says SIP word for word, for what a well-behaved stack never would."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from offhook.sip.commands import Body
from offhook.sip.message import Request, Response
from offhook.sip.parser import parse_datagram

__all__ = ["Raw", "raw"]

DEADLINE_S = 5.0


class Raw:
    """One socket on loopback, and the dialog it is in as caller."""

    def __init__(self, sock: socket.socket) -> None:
        self.sock = sock
        self.address: tuple[str, int] = sock.getsockname()
        self.peer: tuple[str, int] = ("127.0.0.1", 0)
        self.call_id = f"raw-{self.address[1]}"
        self.seq = 0
        self.to_tag = ""

    async def take(self) -> Request | Response:
        """The next message, whatever it is."""
        loop = asyncio.get_running_loop()
        data, self.peer = await asyncio.wait_for(loop.sock_recvfrom(self.sock, 65_535), DEADLINE_S)
        return parse_datagram(data)

    async def request(self, method: str) -> Request:
        """The next request of a method; what comes before it is passed over."""
        while True:
            message = await self.take()
            if isinstance(message, Request) and message.method == method:
                return message

    async def response(self, least: int = 200) -> Response:
        """The next response from a status on."""
        while True:
            message = await self.take()
            if isinstance(message, Response) and message.status >= least:
                self.to_tag = message.to.tag or self.to_tag
                return message

    def answer(self, request: Request, status: int, tag: str, body: Body | None = None) -> None:
        """Answer a request as one of the branches of a fork."""
        reply = request.reply(
            status,
            None,
            to_tag=tag,
            headers=[("Contact", f"<sip:{tag}@127.0.0.1:{self.address[1]}>")],
            body=b"" if body is None else body.content,
            content_type=None if body is None else body.content_type,
        )
        self.sock.sendto(reply.encode(), self.peer)

    def ask(self, to: tuple[str, int], method: str, body: Body | None = None, *, seq: int | None = None) -> None:
        """A request of a dialog of its own; every new one has the next number."""
        if seq is None:
            self.seq += 1
            seq = self.seq
        tag = f";tag={self.to_tag}" if self.to_tag else ""
        content = b"" if body is None else body.content
        kind = "" if body is None else f"Content-Type: {body.content_type}\r\n"
        host, port = self.address
        self.sock.sendto(
            (
                f"{method} sip:+46101000001@127.0.0.1:{to[1]} SIP/2.0\r\n"
                f"Via: SIP/2.0/UDP {host}:{port};branch=z9hG4bK{method}{seq}\r\nMax-Forwards: 70\r\n"
                f"From: <sip:+46700000001@{host}>;tag=raw\r\nTo: <sip:+46101000001@127.0.0.1>{tag}\r\n"
                f"Call-ID: {self.call_id}\r\nCSeq: {seq} {method}\r\nContact: <sip:raw@{host}:{port}>\r\n"
                f"{kind}Content-Length: {len(content)}\r\n\r\n"
            ).encode()
            + content,
            to,
        )


@asynccontextmanager
async def raw() -> AsyncIterator[Raw]:
    """A socket on a free port of loopback."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        sock.setblocking(False)
        yield Raw(sock)
