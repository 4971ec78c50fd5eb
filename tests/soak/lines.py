"""Far ends for many calls at once: a UDP socket that all of them share, a TCP connection for one, and sound.

Built on the hand-written peer of `tests.support.sip_peer`, so nothing here shares code with the product. It keeps no
transactions: a script that wants a repetition makes it.
"""

import asyncio
import random
import re
import struct
from collections.abc import Callable, Coroutine
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import Any, cast

from tests.support.sip_crowd import SipCrowd, gathered, on_one_beat
from tests.support.sip_peer import Message, Talk, media_of, parse, sdp, token

__all__ = ["FarEnd", "Line", "SECOND_BRANCH", "Sound", "Stream", "line", "ticking"]

SAMPLES = 160
PCMA, EVENTS = 8, 101
LOUD = bytes(random.Random(1).choices((0x2A, 0xAA, 0x3F, 0xBF), k=SAMPLES))
"""A packet of noise: recordings of it are not silent."""
REPEAT_S = 0.5
SECOND_BRANCH = "second-branch"
"""Our tag in the other answer of a fork; what is said to it does not end the call."""
LAST_ANSWER_S = 4.0

Answering = Callable[["Line", Talk], Coroutine[Any, Any, None]]


@dataclass(slots=True)
class Line(SipCrowd):
    """One UDP socket; messages go to their call's box. What belongs to no call is answered as RFC 3261 asks (481)."""

    answering: Answering | None = None
    boxes: dict[str, asyncio.Queue[Message]] = field(default_factory=dict)
    seen: set[str] = field(default_factory=set)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if data.strip():
            self.take(parse(data, addr))

    def take(self, message: Message) -> None:
        """Give a message to its call; an INVITE of no call begins one."""
        if not message.all("Call-ID"):
            return  # a refusal of something too broken to have one
        box = self.boxes.get(message.call_id)
        if box is not None:
            box.put_nowait(message)
        elif message.method == "INVITE" and not message.to_tag and message.call_id not in self.seen:
            talk = self.talk_of(message)
            if self.answering is not None:
                self.box(talk).put_nowait(message)
                self.spawn(self.answering(self, talk))
        elif message.method not in ("", "ACK", "INVITE"):
            self.talk_of(message).respond(message, 481)

    def talk_of(self, request: Message) -> Talk:
        """The other side of a request's dialog."""
        return Talk(
            peer=self,
            call_id=request.call_id,
            local=f"{request['To']};tag={token()}",
            remote=request["From"],
            target=request.contact if request.all("Contact") else request.uri,
            first=request,
        )

    def box(self, talk: Talk) -> "asyncio.Queue[Message]":
        """Where a call's messages come from now on."""
        self.seen.add(talk.call_id)
        return self.boxes.setdefault(talk.call_id, asyncio.Queue())


def line(server: tuple[str, int], host: str, answering: Answering | None = None) -> AbstractAsyncContextManager[Line]:
    """A line on a free port of `host`; calls that come to it are answered by `answering`."""
    return gathered(lambda: Line(server, answering=answering), host)


@dataclass(slots=True)
class Stream(Line):
    """A line over one TCP connection, for one caller. `drop` resets it, as the system of a program that died does."""

    writer: asyncio.StreamWriter | None = None

    def send(self, text: str | bytes, to: tuple[str, int] | None = None) -> None:
        data = text if isinstance(text, bytes) else text.replace("SIP/2.0/UDP", "SIP/2.0/TCP").encode()
        if self.writer is not None and not self.writer.is_closing():
            self.writer.write(data)

    async def read(self, reader: asyncio.StreamReader) -> None:
        """Take messages until the connection ends; they are told apart by Content-Length (RFC 3261 section 18.3)."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                found = re.search(rb"(?im)^content-length:\s*(\d+)", head)
                body = await reader.readexactly(int(found[1])) if found else b""
                if head.strip():
                    self.take(parse(head.lstrip() + body, self.server))
        except (asyncio.IncompleteReadError, ConnectionError, OSError):
            return

    def drop(self) -> None:
        if self.writer is not None:
            cast(asyncio.Transport, self.writer.transport).abort()

    @classmethod
    async def open(cls, server: tuple[str, int], host: str) -> "Stream":
        reader, writer = await asyncio.open_connection(*server, local_addr=(host, 0))
        made = cls(server, writer=writer)
        made.host, made.port = writer.get_extra_info("sockname")[:2]
        made.spawn(made.read(reader))
        return made


class Sound(asyncio.DatagramProtocol):
    """One side's RTP: a packet of noise in every slot once it knows where to, and keys by RFC 4733."""

    speaking: "set[Sound]" = set()  # noqa: RUF012 the one ticker serves all

    def __init__(self) -> None:
        self.got = 0
        self.remote: tuple[str, int] | None = None
        self._transport: asyncio.DatagramTransport | None = None
        self._sequence, self._timestamp = 7, 7
        self._ssrc = random.SystemRandom().getrandbits(32)

    @classmethod
    async def open(cls, host: str) -> "Sound":
        _, made = await asyncio.get_running_loop().create_datagram_endpoint(cls, local_addr=(host, 0))
        return made

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self.got += 1

    @property
    def description(self) -> str:
        return self.described()

    def described(self, direction: str = "", version: int = 1) -> str:
        """Where it hears."""
        assert self._transport is not None
        host, port = self._transport.get_extra_info("sockname")
        return sdp(host, port, direction=direction, version=version)

    def towards(self, description: str) -> None:
        """Begin to speak to the side that a description names."""
        if description:
            self.remote = media_of(description)
            self.speaking.add(self)

    def press(self, key: int) -> None:
        """A key, its packets all at once."""
        for duration, end in ((400, 0), (800, 0x80), (800, 0x80), (800, 0x80)):
            self._say(EVENTS, struct.pack("!BBH", key, end | 10, duration))
        self._timestamp += 800

    def slot(self) -> None:
        self._say(PCMA, LOUD)
        self._timestamp += SAMPLES

    def close(self) -> None:
        self.speaking.discard(self)
        if self._transport is not None:
            self._transport.close()

    def _say(self, payload_type: int, payload: bytes) -> None:
        if self.remote is None or self._transport is None or self._transport.is_closing():
            return
        head = struct.pack(
            "!BBHII", 0x80, payload_type, self._sequence & 0xFFFF, self._timestamp & 0xFFFFFFFF, self._ssrc
        )
        self._sequence += 1
        self._transport.sendto(head + payload, self.remote)


def ticking() -> AbstractAsyncContextManager[None]:
    """While this is entered, every sound that knows where to speaks."""
    return on_one_beat(Sound.speaking)


@dataclass(slots=True)
class FarEnd:
    """One party of one call: answers by itself whatever a phone answers by itself, and knows when it is over."""

    line: Line
    talk: Talk
    sound: Sound
    over: bool = False
    final: str = ""
    """Our answer to their INVITE, for its repetitions."""

    async def next(self, within_s: float) -> Message | None:
        """The next message; None: nothing came in time."""
        try:
            return await asyncio.wait_for(self.line.boxes[self.talk.call_id].get(), within_s)
        except TimeoutError:
            return None

    async def linger(self, within_s: float, *wanted: str | int) -> Message | None:
        """Stay on the line so long, or until the call is over, or one of `wanted` came (which is returned)."""
        loop = asyncio.get_running_loop()
        until = loop.time() + within_s
        while not self.over and (left := until - loop.time()) > 0:
            message = await self.next(left)
            if message is None:
                break
            if any(message.is_(one) for one in wanted):
                return message
            self.routine(message)
        return None

    def routine(self, message: Message) -> None:
        """What needs no decision."""
        if message.method == "BYE":
            self.talk.respond(message, 200)
            self.over = message.to_tag != SECOND_BRANCH
        elif message.method == "INVITE" and not message.to_tag:
            if self.final:
                self.line.send(self.final)
        elif message.method == "INVITE":
            self.talk.respond(message, 200, self.sound.described(version=2))
        elif message.method not in ("", "ACK"):
            self.talk.respond(message, 200)
        elif message.is_("200 INVITE") and "ACK" in self.talk.sent:
            self.talk.again("ACK")

    async def bye(self) -> None:
        """End the call, repeating until that is confirmed."""
        if self.over:
            return
        self.talk.request("BYE")
        for _ in range(int(LAST_ANSWER_S / REPEAT_S)):
            answer = await self.linger(REPEAT_S, "200 BYE", "481 BYE")
            if answer is not None or self.over:
                break
            self.talk.again("BYE")
        self.over = True

    def close(self) -> None:
        """Forget the call; what comes for it later is answered 481."""
        self.sound.close()
        self.line.boxes.pop(self.talk.call_id, None)
