"""A SIP user agent that does exactly what a test tells it, right or wrong, over UDP: for races, retransmissions and
faults that SIPp's scenarios cannot time. It shares no code with the product: text in, text out, no
transactions of its own.
"""

import asyncio
import random
import re
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import cast

from tests.support.sound_checks import ALAW, ULAW, Law

__all__ = ["Message", "SipPeer", "Talk", "media_of", "sdp", "sip_peer"]

WITHIN_S = 10.0
POLL_S = 0.002

REASONS = {
    100: "Trying", 180: "Ringing", 183: "Session Progress", 200: "OK", 302: "Moved Temporarily",
    401: "Unauthorized", 403: "Forbidden", 404: "Not Found", 407: "Proxy Authentication Required",
    480: "Temporarily Unavailable", 486: "Busy Here", 487: "Request Terminated", 488: "Not Acceptable Here",
    491: "Request Pending", 500: "Server Internal Error", 503: "Service Unavailable", 603: "Decline",
}  # fmt: skip


def token(length: int = 12) -> str:
    return "".join(random.SystemRandom().choices("abcdefghijkmnpqrstuvwxyz23456789", k=length))


def sdp(
    host: str, port: int, *laws: Law, events: int | None = 101, direction: str = "", version: int = 1, extra: str = ""
) -> str:
    """A description with one audio stream; no law named means PCMA and PCMU."""
    laws = laws or (ALAW, ULAW)
    types = [str(law.payload_type) for law in laws] + ([str(events)] if events is not None else [])
    lines = ["v=0", f"o=peer 4711 {version} IN IP4 {host}", "s=-", f"c=IN IP4 {host}", "t=0 0"]
    lines.append(f"m=audio {port} RTP/AVP {' '.join(types)}")
    lines += [f"a=rtpmap:{law.payload_type} {law.name}/8000" for law in laws]
    if events is not None:
        lines += [f"a=rtpmap:{events} telephone-event/8000", f"a=fmtp:{events} 0-15"]
    lines += ["a=ptime:20"] + ([f"a={direction}"] if direction else []) + ([extra] if extra else [])
    return "\r\n".join(lines) + "\r\n"


def media_of(body: str) -> tuple[str, int]:
    """Where a description wants sound sent."""
    host = re.search(r"^c=IN IP4 (\S+)", body, re.M)
    port = re.search(r"^m=audio (\d+) ", body, re.M)
    assert host is not None, f"no address in:\n{body}"
    assert port is not None, f"no audio in:\n{body}"
    return host[1], int(port[1])


@dataclass(frozen=True, slots=True)
class Message:
    """A message that came, taken apart no further than a test needs."""

    at: float
    source: tuple[str, int]
    start: str
    fields: tuple[tuple[str, str], ...]
    body: str

    @property
    def method(self) -> str:
        """Of a request; `''` for a response."""
        return "" if self.start.startswith("SIP/2.0") else self.start.split(" ", 1)[0]

    @property
    def uri(self) -> str:
        return self.start.split(" ")[1]

    @property
    def status(self) -> int:
        """Of a response; 0 for a request."""
        return int(self.start.split(" ")[1]) if self.start.startswith("SIP/2.0") else 0

    def all(self, name: str) -> list[str]:
        return [value for field_name, value in self.fields if field_name.lower() == name.lower()]

    def __getitem__(self, name: str) -> str:
        values = self.all(name)
        assert values, f"no {name} in {self.start}"
        return values[0]

    @property
    def call_id(self) -> str:
        return next(iter(self.all("Call-ID")), "")

    @property
    def cseq(self) -> tuple[int, str]:
        number, method = self["CSeq"].split()
        return int(number), method

    def answers(self, method: str) -> bool:
        """Whether this is a response to such a request; what answers rubbish may have no CSeq."""
        return any(value.split()[-1:] == [method] for value in self.all("CSeq"))

    @property
    def to_tag(self) -> str:
        found = re.search(r";\s*tag=([^;>\s]+)", self["To"])
        return found[1] if found else ""

    @property
    def contact(self) -> str:
        found = re.search(r"<([^>]+)>", self["Contact"])
        return found[1] if found else self["Contact"].split(";")[0].strip()

    def is_(self, wanted: str | int) -> bool:
        """A method, a status, `2xx`, or a status with the method it answers: `200 BYE`."""
        if isinstance(wanted, int):
            return self.status == wanted
        if wanted[0].isdigit():
            code, _, method = wanted.partition(" ")
            pattern = code.replace("x", r"\d")
            return bool(re.fullmatch(pattern, str(self.status))) and (not method or self.answers(method))
        return self.method == wanted


def parse(data: bytes, source: tuple[str, int]) -> Message:
    head, _, body = data.decode("utf-8", "replace").partition("\r\n\r\n")
    start, *lines = head.split("\r\n")
    fields = tuple((line.partition(":")[0].strip(), line.partition(":")[2].strip()) for line in lines)
    return Message(time.monotonic(), source, start, fields, body)


@dataclass(slots=True)
class SipPeer(asyncio.DatagramProtocol):
    """One UDP socket; what came and was not asked for yet waits in order."""

    server: tuple[str, int]
    host: str = ""
    port: int = 0
    waiting: list[Message] = field(default_factory=list)
    log: list[str] = field(default_factory=list)
    begun: set[str] = field(default_factory=set)
    """Calls that came, by their Call-ID."""
    transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.host, self.port = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        if not data.strip():
            return
        message = parse(data, addr)
        self.log.append(f"<- {message.start} [{' '.join(message.all('CSeq'))}]")
        self.waiting.append(message)

    def send(self, text: str | bytes, to: tuple[str, int] | None = None) -> None:
        data = text.encode() if isinstance(text, str) else text
        self.log.append(f"-> {data.split(bytes((13, 10)))[0][:80].decode('utf-8', 'replace')}")
        assert self.transport is not None
        self.transport.sendto(data, to or self.server)

    async def receive(self, *wanted: str | int, call_id: str = "", within_s: float = WITHIN_S) -> Message:
        """The first message that waits or comes and is one of those; what came before it is passed over."""
        deadline = time.monotonic() + within_s
        while True:
            for index, message in enumerate(self.waiting):
                if (not call_id or message.call_id == call_id) and any(message.is_(one) for one in wanted):
                    del self.waiting[index]
                    return message
            if time.monotonic() > deadline:
                raise AssertionError(f"no {wanted} within {within_s} s; so far:\n" + "\n".join(self.log))
            await asyncio.sleep(POLL_S)

    def came(self, wanted: str | int, call_id: str = "") -> list[Message]:
        """Messages of a kind that wait, not taken."""
        return [m for m in self.waiting if m.is_(wanted) and (not call_id or m.call_id == call_id)]

    def invite(
        self, to: str, body: str | None, *, from_: str = "+46700000001", headers: str = "", via: str = ""
    ) -> "Talk":
        """Sends an INVITE; `via` overrides the sent-by that it names."""
        talk = Talk(
            peer=self,
            call_id=token() + "@peer",
            local=f"<sip:{from_}@{self.host}:{self.port}>;tag={token()}",
            remote=f"<sip:{to}@{self.server[0]}:{self.server[1]}>",
            target=f"sip:{to}@{self.server[0]}:{self.server[1]}",
            via=via,
        )
        talk.request("INVITE", body, headers)
        return talk

    async def called(self, within_s: float = WITHIN_S) -> "Talk":
        """Waits for an INVITE that begins a call; one that is only repeated (RFC 3261 section 17.1.1.2) begins none."""
        deadline = time.monotonic() + within_s
        while (invite := await self.receive("INVITE", within_s=deadline - time.monotonic())).call_id in self.begun:
            pass
        self.begun.add(invite.call_id)
        return Talk(
            peer=self,
            call_id=invite.call_id,
            local=f"{invite['To']};tag={token()}",
            remote=invite["From"],
            target=invite.contact,
            first=invite,
        )


@dataclass(slots=True)
class Talk:
    """One side of a dialog, written by hand: nothing is repeated, answered or acknowledged unless the test says so."""

    peer: SipPeer
    call_id: str
    local: str
    remote: str
    target: str
    via: str = ""
    cseq: int = 0
    branch: str = ""
    first: Message | None = None
    """The INVITE, when we were called."""
    sent: dict[str, str] = field(default_factory=dict)
    """The last request of each method, to be sent again as it was."""

    def _write(self, start: str, fields: list[str], body: str | None, headers: str) -> str:
        lines = [start, *fields]
        lines += [f"Call-ID: {self.call_id}", f"Contact: <sip:peer@{self.peer.host}:{self.peer.port}>"]
        lines += [line for line in headers.split("\n") if line]
        if body:
            lines += ["" if "Content-Type:" in headers else "Content-Type: application/sdp"]
        lines += [f"Content-Length: {len((body or '').encode())}"]
        return "\r\n".join(line for line in lines if line) + "\r\n\r\n" + (body or "")

    def request(self, method: str, body: str | None = None, headers: str = "", *, cseq: int | None = None) -> str:
        """Sends a request with a branch of its own (ACK and CANCEL take the INVITE's number; CANCEL its branch too)."""
        if method not in ("ACK", "CANCEL"):
            self.cseq += 1
        branch = self.branch if method == "CANCEL" else "z9hG4bK" + token()
        if method == "INVITE":
            self.branch = branch
        sent_by = self.via or f"{self.peer.host}:{self.peer.port}"
        text = self._write(
            f"{method} {self.target} SIP/2.0",
            [
                f"Via: SIP/2.0/UDP {sent_by};rport;branch={branch}", "Max-Forwards: 70",
                f"From: {self.local}", f"To: {self.remote}", f"CSeq: {cseq or self.cseq} {method}",
            ],
            body,
            headers,
        )  # fmt: skip
        self.sent[method] = text
        self.peer.send(text)
        return text

    def again(self, method: str) -> None:
        """Sends the last request of a method once more, byte for byte."""
        self.peer.send(self.sent[method])

    async def answered(self, *wanted: str | int, within_s: float = WITHIN_S) -> Message:
        """Waits for a response of this call."""
        return await self.peer.receive(*wanted, call_id=self.call_id, within_s=within_s)

    async def accepted(self, within_s: float = WITHIN_S) -> Message:
        """Waits for the 200 to our INVITE, acknowledges it and takes over its dialog."""
        response = await self.answered("200 INVITE", within_s=within_s)
        self.confirm(response)
        self.request("ACK", cseq=response.cseq[0])
        return response

    def confirm(self, response: Message) -> None:
        """Takes over the dialog of a response (RFC 3261 section 12.1.2)."""
        self.remote = response["To"]
        self.target = response.contact

    def refuse_ack(self, response: Message) -> None:
        """Acknowledges a refusal: the INVITE's branch and target, the response's To (RFC 3261 section 17.1.1.3)."""
        remote, self.remote = self.remote, response["To"]
        text = self._write(
            f"ACK {self.target} SIP/2.0",
            [
                f"Via: SIP/2.0/UDP {self.via or f'{self.peer.host}:{self.peer.port}'};rport;branch={self.branch}",
                "Max-Forwards: 70",
                f"From: {self.local}",
                f"To: {self.remote}",
                f"CSeq: {response.cseq[0]} ACK",
            ],
            None,
            "",
        )
        self.peer.send(text)
        self.remote = remote

    async def refused(self, *wanted: str | int, within_s: float = WITHIN_S) -> Message:
        """Waits for a final refusal of our INVITE and acknowledges it."""
        response = await self.answered(*wanted, within_s=within_s)
        self.refuse_ack(response)
        return response

    def respond(
        self, request: Message, status: int, body: str | None = None, headers: str = "", *, tag: str | None = None
    ) -> str:
        """Answers a request; `tag` names another fork of this call."""
        to = request["To"]
        if ";tag=" not in to and status > 100:
            to = f"{to};tag={tag}" if tag else self.local
        text = self._write(
            f"SIP/2.0 {status} {REASONS.get(status, 'Whatever')}",
            [*(f"Via: {via}" for via in request.all("Via")),
             *(f"Record-Route: {route}" for route in request.all("Record-Route")),
             f"From: {request['From']}", f"To: {to}", f"CSeq: {request['CSeq']}"],
            body,
            headers,
        )  # fmt: skip
        self.peer.send(text, request.source)
        return text

    async def answer(self, body: str, status: int = 200) -> Message:
        """Accepts the call that came and waits for the ACK."""
        assert self.first is not None
        self.respond(self.first, status, body)
        return await self.peer.receive("ACK", call_id=self.call_id)

    async def bye(self) -> Message:
        """Ends the call and waits for the answer."""
        self.request("BYE")
        return await self.answered("200 BYE")

    async def ended(self, within_s: float = WITHIN_S) -> Message:
        """Waits for their BYE and answers it."""
        bye = await self.peer.receive("BYE", call_id=self.call_id, within_s=within_s)
        self.respond(bye, 200)
        return bye


@asynccontextmanager
async def sip_peer(server: tuple[str, int], host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[SipPeer]:
    """A peer on a free port, or on that one, whose requests go to `server`."""
    loop = asyncio.get_running_loop()
    transport, peer = await loop.create_datagram_endpoint(lambda: SipPeer(server), local_addr=(host, port))
    try:
        yield peer
    finally:
        transport.close()
