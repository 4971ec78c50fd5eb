"""A transaction layer on its own, and a user that only writes down what it is told."""

from __future__ import annotations

from tests.support.wire import seeded

from offhook.sip.commands import EndpointConfig
from offhook.sip.core import Core
from offhook.sip.hop import Hop, Now, Transport, Way
from offhook.sip.message import Request, Response
from offhook.sip.parser import parse_datagram
from offhook.sip.transaction.layer import Transaction, TransactionLayer

US, THEM = ("192.0.2.1", 5060), ("192.0.2.9", 5060)


class Recorder:
    """A ``TransactionUser`` and the layer it uses; ``told`` is what it heard, ``sent`` what left."""

    def __init__(self, transport: Transport = "udp") -> None:
        ways = tuple(Way(transport=each, local=US, advertised=US) for each in ("udp", "tcp"))
        self.core = Core(EndpointConfig(ways=ways, domain="example.test"), seeded("layer"), Now(0.0, 0.0))
        self.hop = Hop(transport, US, THEM, None if transport == "udp" else 1)
        if transport != "udp":
            self.core.connections[transport, THEM] = self.hop
        self.layer = TransactionLayer(self.core, self)
        self.told: list[str] = []
        self.incoming: list[Transaction] = []

    # TransactionUser

    def on_request(self, tx: Transaction, request: Request, hop: Hop) -> None:
        self.told.append(request.method)
        self.incoming.append(tx)

    def on_ack(self, tx: Transaction | None, ack: Request, hop: Hop) -> None:
        self.told.append("ACK" if tx is not None else "ACK without transaction")

    def on_response(self, tx: Transaction, response: Response) -> None:
        self.told.append(str(response.status))

    def on_timeout(self, tx: Transaction) -> None:
        self.told.append("timeout")

    def on_transport_error(self, tx: Transaction) -> None:
        self.told.append("transport error")

    def on_terminated(self, tx: Transaction) -> None:
        self.told.append("terminated")

    # The bench

    def request(self, method: str = "INVITE", branch: str = "z9hG4bK-a", to: str = "", **changes: str) -> Request:
        """A request of this side's, or theirs; what its headers say can be changed."""
        via = changes.get("via", f"SIP/2.0/UDP 192.0.2.9:5060;branch={branch}")
        text = (
            f"{method} sip:bob@192.0.2.1 SIP/2.0\r\nVia: {via}\r\nMax-Forwards: 70\r\n"
            f"From: <sip:alice@192.0.2.9>;tag={changes.get('from_tag', 'a')}\r\nTo: <sip:bob@192.0.2.1>{to}\r\n"
            f"Call-ID: {changes.get('call_id', 'c1')}\r\nCSeq: {changes.get('cseq', '1')} {method}\r\n"
            f"{changes.get('more', '')}Content-Length: 0\r\n\r\n"
        )
        message = parse_datagram(text.encode())
        assert isinstance(message, Request)
        return message

    def send(self, method: str = "INVITE") -> Transaction:
        """Send a request of ours."""
        return self.layer.request(self.request(method), self.hop, "owner")

    def answer(self, tx: Transaction, status: int, tag: str = "b") -> bool:
        """The other side's response to a request of ours."""
        return self.layer.receive_response(tx.request.reply(status, to_tag=tag))

    def sent(self) -> list[str]:
        """First words of what left since the last look."""
        out = []
        while self.core.outbox:
            data, _ = self.core.outbox.popleft()
            words = data.split(b"\r\n", 1)[0].decode().split(" ")
            out.append(words[1] if words[0] == "SIP/2.0" else words[0])
        return out

    def pass_time(self, seconds: float) -> list[tuple[float, str]]:
        """Let time go by; returns what left and when."""
        end, out = self.core.now.mono + seconds, []
        while (at := self.core.timers.next()) is not None and at <= end:
            self.core.now = Now(max(at, self.core.now.mono), at)
            key = self.core.timers.pop_due(at)
            assert key is not None
            self.layer.timer(key[1], key[2])
            out += [(round(at, 3), what) for what in self.sent()]
        self.core.now = Now(end, end)
        return out
