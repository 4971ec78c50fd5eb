"""One endpoint on a bench: a test plays the other side with typed messages and reads every octet that comes out."""

from __future__ import annotations

from typing import TypeVar

from tests.support.wire import WALL_AT_START, seeded

from offhook.sip.commands import Account, Body, EndpointConfig, InviteOrder, SessionId
from offhook.sip.endpoint import Endpoint
from offhook.sip.events import Event, Milestone
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop, Now, Way
from offhook.sip.message import Message, Request, Response
from offhook.sip.parser import parse_datagram
from offhook.sip.uri import Uri

US = ("192.0.2.1", 5060)
THEM = ("192.0.2.9", 5060)
HOP = Hop("udp", US, THEM)
OFFER = Body(b"v=0 offer\r\n")
ANSWER = Body(b"v=0 answer\r\n")

E = TypeVar("E")


class Bench:
    """The endpoint under test at 192.0.2.1; the peer is at 192.0.2.9."""

    def __init__(self, **settings: object) -> None:
        ways = tuple(Way(transport=transport, local=US, advertised=US) for transport in ("udp", "tcp"))
        self.config = EndpointConfig(ways=ways, domain="example.test", **settings)  # type: ignore[arg-type]
        self.mono = 10.0
        self.wall = WALL_AT_START
        """How far the wall clock is ahead of the monotonic one."""
        self.entropy = seeded("bench")
        self.endpoint = Endpoint(self.config, self.entropy, self.now)
        self.raw: list[tuple[bytes, Hop]] = []
        self._branches = 0

    @property
    def now(self) -> Now:
        return Now(self.mono, self.wall + self.mono)

    def receive(self, message: str | bytes | Message, hop: Hop = HOP) -> list[Message]:
        """Let a message arrive; returns what is sent for it."""
        if isinstance(message, (Request, Response)):
            message = message.encode()
        data = message if isinstance(message, bytes) else _wire_form(message)
        if hop.transport == "udp":
            self.endpoint.handle_datagram(data, hop, self.now)
        else:
            self.endpoint.handle_stream(data, hop, self.now)
        return self.sent()

    def sent(self) -> list[Message]:
        """Everything sent since the last look."""
        out: list[Message] = []
        while (sending := self.endpoint.poll_transmit()) is not None:
            self.raw.append(sending)
            out.append(parse_datagram(sending[0]))
        return out

    def pass_time(self, seconds: float) -> list[Message]:
        """Let time go by, timer by timer; returns what is sent meanwhile."""
        end, out = self.mono + seconds, []
        while (at := self.endpoint.poll_deadline()) is not None and at <= end:
            self.mono = max(self.mono, at)
            self.endpoint.handle_timer(self.now)
            out += self.sent()
        self.mono = end
        return out

    def next_sent(self, seconds: float) -> list[Message]:
        """Let time go by until something is sent, at most so long."""
        end = self.mono + seconds
        while (at := self.endpoint.poll_deadline()) is not None and at <= end:
            self.mono = max(self.mono, at)
            self.endpoint.handle_timer(self.now)
            if out := self.sent():
                return out
        self.mono = end
        return []

    def events(self) -> list[Event]:
        """Everything told since the last look, milestones left out."""
        out: list[Event] = []
        while (event := self.endpoint.poll_event()) is not None:
            if not isinstance(event, Milestone):
                out.append(event)
        return out

    def one(self, kind: type[E]) -> E:
        """The one event of this kind among those not looked at; it must be there."""
        found = [event for event in self.events() if isinstance(event, kind)]
        assert len(found) == 1, found
        return found[0]

    def request(
        self,
        method: str,
        *,
        to_tag: str = "",
        cseq: int = 1,
        call_id: str = "call-1",
        from_tag: str = "them",
        headers: str = "",
        body: str = "",
        branch: str = "",
        uri: str = "sip:+4610@192.0.2.1",
        contact: str = "<sip:them@192.0.2.9>",
        via: str = "",
    ) -> str:
        """A request of the peer's, with a new branch unless one is given."""
        self._branches += 1
        branch = branch or f"z9hG4bK-p{self._branches}"
        via = via or f"SIP/2.0/UDP 192.0.2.9:5060;branch={branch}"
        to = f"<sip:+4610@192.0.2.1>{';tag=' + to_tag if to_tag else ''}"
        contact_line = f"Contact: {contact}\n" if contact else ""
        body_line = "Content-Type: application/sdp\n" if body and "Content-Type" not in headers else ""
        return (
            f"{method} {uri} SIP/2.0\nVia: {via}\nMax-Forwards: 70\n"
            f"From: <sip:them@192.0.2.9>;tag={from_tag}\nTo: {to}\nCall-ID: {call_id}\n"
            f"CSeq: {cseq} {method}\n{contact_line}{headers}{body_line}\n{body}"
        )

    def reply(self, request: Message, status: int, *, tag: str = "peer", headers: str = "", body: str = "") -> str:
        """A response of the peer's to a request that we sent."""
        assert isinstance(request, Request)
        lines = [("Contact", "<sip:peer@192.0.2.9>")] if "Contact" not in headers else []
        for line in headers.strip().splitlines():
            name, _, value = line.partition(":")
            lines.append((name, value.strip()))
        response = request.reply(
            status,
            to_tag=tag or None,
            headers=lines,
            body=body.encode(),
            content_type="application/sdp" if body else None,
        )
        return response.encode().decode()

    def call(self, **changes: object) -> tuple[SessionId, Request]:
        """Make a call to the peer; returns the session and the INVITE on the wire."""
        fields: dict[str, object] = {
            "target": Uri.parse("sip:bob@192.0.2.9"),
            "from_": NameAddr.parse("<sip:+4620@example.test>"),
            "to": NameAddr.parse("<sip:bob@192.0.2.9>"),
            "offer": OFFER,
        }
        fields.update(changes)
        session = self.endpoint.invite(InviteOrder(**fields), self.now)  # type: ignore[arg-type]
        sent = self.sent()
        assert len(sent) == 1
        assert isinstance(sent[0], Request)
        return session, sent[0]

    def established_caller(self, **changes: object) -> tuple[SessionId, Request]:
        """A call of ours that was answered; returns the session and its INVITE."""
        session, invite = self.call(**changes)
        self.receive(self.reply(invite, 200, body="v=0 answer\r\n"))
        self.events()
        return session, invite

    def established_callee(self, **changes: str) -> tuple[SessionId, str]:
        """A call of theirs that we answered; returns the session and our tag. Their CSeq was 1."""
        changes.setdefault("body", "v=0 offer\r\n")
        self.receive(self.request("INVITE", **changes))  # type: ignore[arg-type]
        session = next(event.session for event in self.events() if hasattr(event, "handle"))
        self.endpoint.answer(session, ANSWER, self.now)
        ok = self.sent()[-1]
        tag = ok.to.tag or ""
        self.receive(self.request("ACK", to_tag=tag))
        self.events()
        return session, tag


ACCOUNT = Account(username="alice", password="secret")


def _wire_form(text: str) -> bytes:
    head, _, body = text.replace("\r\n", "\n").partition("\n\n")
    data = body.replace("\n", "\r\n").encode()
    if "Content-Length" not in head:
        head += f"\nContent-Length: {len(data)}"
    return head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + data


def statuses(messages: list[Message]) -> list[int | str]:
    """Methods and statuses, in order."""
    return [message.method if isinstance(message, Request) else message.status for message in messages]
