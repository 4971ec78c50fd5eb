"""A request of ours until its final answer: where to send it (RFC 3263), again with credentials (RFC 3261 section
22.2), again to the next address when one is dead (RFC 3263 section 4.3). Who ordered it sees one answer.

An ACK for a 2xx is sent and forgotten. CANCEL is not sent from here: it follows its INVITE's hop (section 9.1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from offhook.sip.commands import Account, QueryId
from offhook.sip.core import Core
from offhook.sip.digest import DigestClient, Login
from offhook.sip.events import Resolve
from offhook.sip.hop import Hop, Target, Way
from offhook.sip.message import Request, Response
from offhook.sip.next_hop import Lookup, Question, SrvRecord, Unroutable, answer, next_step, start
from offhook.sip.timers import Owner
from offhook.sip.transaction.layer import Transaction, TransactionLayer
from offhook.sip.uri import Uri


class Purpose(Enum):
    """What a request of ours is for; says who gets its answer."""

    __hash__ = object.__hash__

    INVITE = "invite"
    REOFFER = "reoffer"
    UPDATE = "update"
    ACK = "ack"
    BYE = "bye"
    REGISTER = "register"
    OPTIONS = "options"


@dataclass(slots=True, kw_only=True)
class Outgoing:
    """Plain data."""

    id: str
    purpose: Purpose
    owner: str
    """The session, registration or OPTIONS that ordered it."""
    request: Request
    """Without Via; the Contact is made to fit the hop if ``contact_user`` is given."""
    next_hop: Uri
    """The URI that says where to send: the first route, or the Request-URI (section 8.1.2)."""
    account: Account | None = None
    flow: Hop | None = None
    """Send exactly here; nothing is looked up."""
    contact_user: str | None = None
    """Escaped user part of a Contact to add, "" for none; None adds no Contact."""
    lookup: Lookup | None = None
    spare: Target | None = None
    """UDP, if TCP was taken for the request's size only and cannot be had (section 18.1.1)."""
    hop: Hop | None = None
    tx: str = ""
    """The transaction that carries it now; "" while a name is looked up."""
    query: str = ""
    abandoned: bool = False
    """Nobody wants it any more: no other address, no credentials."""
    done: bool = False


class OutgoingUser(Protocol):
    """Who ordered."""

    def on_sent(self, out: Outgoing, data: bytes) -> None:
        """It left, for the first time or on another way; ``out.hop`` says where to."""

    def on_provisional(self, out: Outgoing, response: Response) -> None:
        """A 1xx, 100 included."""

    def on_success(self, out: Outgoing, response: Response) -> None:
        """A 2xx; an INVITE may get several."""

    def on_failure(self, out: Outgoing, status: int, response: Response | None) -> None:
        """The final answer, 300 to 699. Without response nobody answered: 408 is silence, 503 a transport error."""

    def next_number(self, out: Outgoing) -> int:
        """A CSeq for the same request with credentials (section 22.2)."""


class OutgoingRequests:
    """All requests of ours that are under way in one endpoint."""

    __slots__ = ("_core", "_layer", "_queries", "_user", "by_id", "by_owner", "logins")

    def __init__(self, core: Core, layer: TransactionLayer, user: OutgoingUser) -> None:
        self._core = core
        self._layer = layer
        self._user = user
        self.by_id: dict[str, Outgoing] = {}
        self.by_owner: dict[str, dict[str, Outgoing]] = {}
        """The same, by who ordered."""
        self._queries: dict[str, str] = {}
        self.logins: dict[str, DigestClient] = {}
        """By who ordered: what a challenge to one request taught serves the next (section 22.3)."""

    def submit(self, out: Outgoing) -> None:
        """Send it, or first ask where to. A failure is told before this returns, too."""
        self._keep(out)
        login = self.logins.get(out.owner)
        if login is not None and out.purpose is not Purpose.ACK:
            # An ACK has its INVITE's credentials (22.1), since it cannot be challenged.
            login.prepare(out.request, cnonce=self._core.token())
        if out.flow is not None:
            self._launch(out, out.flow)
            return
        try:
            out.lookup = start(out.next_hop, self._core.transports)
        except Unroutable:
            self._fail(out, 503, None)
            return
        self._advance(out, 503, None)

    def give_up(self, out: Outgoing) -> None:
        """Nobody waits for the answer any more; what is under way is left to end by itself."""
        out.abandoned = True
        if not out.tx:
            self._forget(out)

    def linger(self, out: Outgoing) -> None:
        """Give up, but leave 64*T1 for an INVITE's final answer to come and be acknowledged (section 9.1)."""
        self.give_up(out)
        if out.id in self.by_id:
            after = self._core.config.timers.patience
            self._core.timers.set(Owner.OUTGOING, out.id, "linger", self._core.now.mono + after)

    def on_timer(self, ident: str) -> None:
        """No final answer came for one that lingered: it counts as silence."""
        out = self.by_id.get(ident)
        if out is None or out.done:
            return
        tx = self._layer.by_key.get(out.tx)
        self._fail(out, 408, None)
        if tx is not None:
            self._layer.abandon(tx)

    def forget_login(self, owner: str) -> None:
        """Who ordered is gone."""
        self.logins.pop(owner, None)

    def resolved(self, query: QueryId, answers: Sequence[SrvRecord] | Sequence[str]) -> None:
        """The answer to a ``Resolve``; an unknown query is one that nobody waits for."""
        out = self.by_id.get(self._queries.pop(query, ""))
        if out is None or out.lookup is None:
            return
        out.query = ""
        answer(out.lookup, answers, self._core.entropy)
        self._advance(out, 503, None)

    def on_response(self, tx: Transaction, response: Response) -> None:
        """From the transaction layer."""
        out = self.by_id.get(tx.owner)
        if out is None or out.tx != tx.key:
            return
        status = response.status
        if status < 200:
            self._user.on_provisional(out, response)
        elif status < 300:
            out.done = True
            if (login := self.logins.get(out.owner)) is not None:
                login.learn(response)
            self._user.on_success(out, response)
        elif status in (401, 407) and self._prove(out, response):
            return
        elif status == 503:
            self._advance(out, status, response)
        else:
            self._fail(out, status, response)

    def on_silence(self, tx: Transaction) -> None:
        """From the transaction layer: no answer at all, which counts as 408 (section 8.1.3.1)."""
        out = self.by_id.get(tx.owner)
        if out is not None and out.tx == tx.key and not out.done:
            self._advance(out, 408, None)

    def on_transport_error(self, tx: Transaction) -> None:
        """From the transaction layer: it counts as 503 (section 8.1.3.1)."""
        out = self.by_id.get(tx.owner)
        if out is not None and out.tx == tx.key and not out.done:
            self._advance(out, 503, None)

    def on_terminated(self, tx: Transaction) -> None:
        """From the transaction layer."""
        out = self.by_id.get(tx.owner)
        if out is not None and out.tx == tx.key:
            self._forget(out)

    def adopt(self, out: Outgoing) -> None:
        """Take in a request from an export; a look-up that was under way is asked for again."""
        self._keep(out)
        step = None if out.lookup is None or not out.query else next_step(out.lookup)
        if isinstance(step, Question):
            self._ask(out, step)

    def _keep(self, out: Outgoing) -> None:
        self.by_id[out.id] = out
        self.by_owner.setdefault(out.owner, {})[out.id] = out

    def _drop(self, out: Outgoing) -> None:
        if self.by_id.pop(out.id, None) is not None:
            standing = self.by_owner[out.owner]
            del standing[out.id]
            if not standing:
                del self.by_owner[out.owner]

    def _advance(self, out: Outgoing, status: int, response: Response | None) -> None:
        """Go on to the next address, or fail with the last one's answer."""
        if out.abandoned:
            self._fail(out, status, response)
            return
        if out.spare is not None:
            spare, out.spare = out.spare, None
            if response is None and status == 503:
                self._launch(out, self._hop_to(spare))
                return
        step = None if out.lookup is None else next_step(out.lookup)
        if step is None:
            self._fail(out, status, response)
        elif isinstance(step, Question):
            out.tx = ""
            out.query = self._core.token()
            self._ask(out, step)
        else:
            self._launch(out, self._hop_to(self._for_size(out, step)))

    def _ask(self, out: Outgoing, question: Question) -> None:
        self._queries[out.query] = out.id
        self._core.emit(Resolve(query=QueryId(out.query), kind=question.kind, name=question.name))

    def _for_size(self, out: Outgoing, target: Target) -> Target:
        """Section 18.1.1: a large request goes by a transport that controls congestion, unless the URI insists."""
        limit = self._core.config.large_request_bytes
        if (
            target.transport != "udp"
            or limit is None
            or "tcp" not in self._core.transports
            or (out.next_hop.param("transport") or "").lower() == "udp"
            or _size(out.request) <= limit
        ):
            return target
        out.spare = target
        return Target("tcp", target.host, target.port)

    def _hop_to(self, target: Target) -> Hop:
        way = self._core.way(target.transport)
        return self._core.live(Hop(target.transport, way.local, (target.host, target.port)))

    def _launch(self, out: Outgoing, hop: Hop) -> None:
        way = self._core.way(hop.transport, hop.local)
        request = out.request
        headers = request.headers.copy()
        headers.prepend("Via", via_line(way, self._core.branch()))
        if out.contact_user is not None:
            headers.set("Contact", contact_line(way, out.contact_user))
        sending = Request(request.method, request.uri, headers, request.body)
        out.hop = hop
        if out.purpose is Purpose.ACK:
            data = sending.encode()
            self._core.send(data, hop)
            self._drop(out)
            self._user.on_sent(out, data)
            return
        tx = self._layer.request(sending, hop, out.id)
        out.tx = tx.key
        self._user.on_sent(out, tx.sent)

    def _prove(self, out: Outgoing, response: Response) -> bool:
        """Answer a challenge (sections 22.2 and 22.3); False if that is not possible or has failed already."""
        if out.account is None or out.abandoned or out.hop is None:
            return False
        login = self.logins.get(out.owner)
        if login is None:
            login = DigestClient(Login(username=out.account.username, password=out.account.password))
        if not login.answer(out.request, response, cnonce=self._core.token()):
            return False
        self.logins[out.owner] = login
        out.request.headers.set("CSeq", f"{self._user.next_number(out)} {out.request.method}")
        self._launch(out, out.hop)
        return True

    def _fail(self, out: Outgoing, status: int, response: Response | None) -> None:
        out.done = True
        if not out.tx or response is None:
            self._forget(out)
        self._user.on_failure(out, status, response)

    def _forget(self, out: Outgoing) -> None:
        self._drop(out)
        self._queries.pop(out.query, None)
        self._core.timers.cancel(Owner.OUTGOING, out.id, "linger")


def via_line(way: Way, branch: str) -> str:
    """Our Via; the empty rport asks for symmetric answers (RFC 3581 section 3)."""
    host, port = way.advertised
    return f"SIP/2.0/{way.transport.upper()} {bracketed(host)}:{port};rport;branch={branch}"


def contact_line(way: Way, user: str) -> str:
    """Our Contact for what comes or goes one way; ``user`` is escaped already."""
    host, port = way.advertised
    at = f"{user}@" if user else ""
    transport = "" if way.transport == "udp" else f";transport={way.transport}"
    return f"<sip:{at}{bracketed(host)}:{port}{transport}>"


def bracketed(host: str) -> str:
    """A host as URIs want it: IPv6 in brackets."""
    return f"[{host}]" if ":" in host else host


def _size(request: Request) -> int:
    """About how many octets it will be; the Via and Contact to come are worth some 150."""
    headers = sum(len(name) + len(value) + 4 for _, name, value in request.headers.lines())
    return headers + len(request.body) + len(request.raw_uri) + 200
