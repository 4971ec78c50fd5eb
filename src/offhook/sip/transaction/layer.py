"""The transaction layer: finds the transaction of a message (sections 17.1.3, 17.2.3) and runs the four tables.

It knows no dialog and no method beyond INVITE, ACK and CANCEL. Transactions are plain data; what to do stands in the
tables; this file only carries the actions out.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum
from typing import Protocol

from offhook.sip.core import Core
from offhook.sip.hop import DEFAULT_PORT, Hop
from offhook.sip.message import Headers, Message, Request, Response
from offhook.sip.timers import Owner, TimerValues
from offhook.sip.transaction.client import CLIENT
from offhook.sip.transaction.invite_client import INVITE_CLIENT
from offhook.sip.transaction.invite_server import INVITE_SERVER
from offhook.sip.transaction.server import SERVER
from offhook.sip.transaction.table import Action, Input, Machine, State


class Kind(Enum):
    """Which of the four machines."""

    __hash__ = object.__hash__

    INVITE_CLIENT = "invite-client"
    CLIENT = "client"
    INVITE_SERVER = "invite-server"
    SERVER = "server"


MACHINES: dict[Kind, Machine] = {
    Kind.INVITE_CLIENT: INVITE_CLIENT,
    Kind.CLIENT: CLIENT,
    Kind.INVITE_SERVER: INVITE_SERVER,
    Kind.SERVER: SERVER,
}
# By state first, so that a look-up makes no tuple; the tables stay as the RFC's figures are.
_ROWS = {
    kind: {state: {given: row for (at, given), row in machine.table.items() if at is state} for state in machine.states}
    for kind, machine in MACHINES.items()
}
_SERVERS = (Kind.INVITE_SERVER, Kind.SERVER)


@dataclass(slots=True, kw_only=True)
class Transaction:
    """One transaction; plain data."""

    key: str
    kind: Kind
    hop: Hop
    """Where its messages go; for a server this is where responses go (section 18.2.2)."""
    request: Request
    owner: str = ""
    """Client: the ``Outgoing``. Server: the session, once there is one."""
    state: State = State.INITIAL
    sent: bytes = b""
    """The last message sent, for repeats."""
    ack: bytes = b""
    interval: float = 0.0
    """The present value of timer A, E or G, in seconds."""
    to_tag: str = ""
    """Server: the tag of our responses; all carry the same (section 8.2.6.2)."""
    status: int = 0
    """Server: the last status sent. Client: the last received."""
    merge: str = ""
    """What makes a repeat that came another way recognisable (section 8.2.2.2)."""


class TransactionUser(Protocol):
    """Who is told."""

    def on_request(self, tx: Transaction, request: Request, hop: Hop) -> None:
        """A new request; answer it through ``respond``, now or later."""

    def on_ack(self, tx: Transaction | None, ack: Request, hop: Hop) -> None:
        """An ACK for a 2xx."""

    def on_response(self, tx: Transaction, response: Response) -> None:
        """A provisional answer, or the final one; further 2xx of an INVITE."""

    def on_timeout(self, tx: Transaction) -> None:
        """Client: no answer. INVITE server: no ACK."""

    def on_transport_error(self, tx: Transaction) -> None:
        """Something could not be sent (section 8.1.3.1)."""

    def on_terminated(self, tx: Transaction) -> None:
        """Gone; always the last."""


def client_key(branch: str, method: str) -> str:
    """Section 17.1.3: the branch and the CSeq's method."""
    return f"c|{branch}|{method}"


def server_key(request: Request, method: str | None = None) -> str:
    """Section 17.2.3: branch, sent-by and method, or for RFC 2543 what identified a request then.

    An ACK belongs to its INVITE. ``method`` finds another method's transaction, as CANCEL does (section 9.2).
    """
    method = method or request.method
    if method == "ACK":
        method = "INVITE"
    via = request.via
    if via.is_rfc3261:
        return f"s|{via.branch}|{via.sent_by.lower()}|{method}"
    # The To tag is compared apart, since an ACK's is the response's.
    return "|".join(
        (
            "s2543",
            str(request.uri),
            request.from_.tag or "",
            request.call_id,
            str(request.cseq.number),
            via.transport,
            via.sent_by.lower(),
            via.branch or "",
            method,
        )
    )


def stamp_via(request: Request, hop: Hop) -> None:
    """Write where a request really came from into its top Via (section 18.2.1, RFC 3581 section 4)."""
    via = request.via
    host, port = hop.remote[0], hop.remote[1]
    stamped = via
    if via.host.strip("[]").lower() != host.lower() or via.wants_rport:
        stamped = stamped.with_param("received", host)
    if via.wants_rport:
        stamped = stamped.with_param("rport", str(port))
    if stamped is not via:
        request.headers.remove_first("Via")
        request.headers.prepend("Via", str(stamped))


def response_hop(request: Request, hop: Hop) -> Hop:
    """Where responses to a request go (section 18.2.2, RFC 3581): for UDP by Via, always from where it was received.

    Against section 18.2.2 a ``maddr`` is not followed: by it anybody could have our answers and their repeats sent to
    a third party. It is for multicast, which we do not listen to.
    """
    via = request.via
    if hop.transport != "udp":
        return hop
    if via.wants_rport:
        return hop
    return Hop("udp", hop.local, (hop.remote[0], via.port or DEFAULT_PORT["udp"]))


class TransactionLayer:
    """All transactions of one endpoint."""

    __slots__ = ("_core", "_merges", "_owned", "_user", "by_key")

    def __init__(self, core: Core, user: TransactionUser) -> None:
        self._core = core
        self._user = user
        self.by_key: dict[str, Transaction] = {}
        self._merges: dict[str, str] = {}
        self._owned: dict[str, list[Transaction]] = {}
        """By owner, so that one session is exported without a look at all others."""

    # What arrives

    def receive_request(self, request: Request, hop: Hop) -> None:
        """A validated request from the wire."""
        key = server_key(request)
        tx = self.by_key.get(key)
        if tx is not None and key.startswith("s2543") and not _same_2543(tx, request):
            tx = None
        if request.method == "ACK":
            if tx is not None:
                self._feed(tx, Input.ACK, request)
            else:
                self._user.on_ack(None, request, hop)
            return
        if tx is not None:
            self._feed(tx, Input.REQUEST, request)
            return
        stamp_via(request, hop)
        kind = Kind.INVITE_SERVER if request.method == "INVITE" else Kind.SERVER
        tx = Transaction(key=key, kind=kind, hop=response_hop(request, hop), request=request)
        tx.to_tag = request.to.tag or self._core.token()
        merged = False
        if request.to.tag is None and request.method != "CANCEL":
            number, method = request.cseq
            tx.merge = f"{request.call_id}|{request.from_.tag}|{number}|{method}"
            merged = self._merges.setdefault(tx.merge, key) != key
        self.by_key[key] = tx
        if merged:
            # Section 8.2.2.2: the same request by another path.
            tx.state = State.PROCEEDING if kind is Kind.INVITE_SERVER else State.TRYING
            tx.merge = ""
            self.respond(tx, request.reply(482, to_tag=tx.to_tag))
            return
        row = _ROWS[kind][State.INITIAL][Input.REQUEST]
        tx.state = row[1]
        self._user.on_request(tx, request, hop)

    def receive_response(self, response: Response) -> bool:
        """A validated response from the wire; False if no transaction waits for it."""
        tx = self.by_key.get(client_key(response.via.branch or "", response.cseq.method))
        if tx is None:
            return False
        tx.status = response.status
        self._feed(tx, _class_of(response.status), response)
        return True

    # What the user asks for

    def request(self, request: Request, hop: Hop, owner: str) -> Transaction:
        """Send a request whose top Via is ours. The user hears of nothing before this returns."""
        key = client_key(request.via.branch or "", request.method)
        kind = Kind.INVITE_CLIENT if request.method == "INVITE" else Kind.CLIENT
        tx = Transaction(key=key, kind=kind, hop=hop, request=request, owner=owner)
        self.by_key[key] = tx
        self._owned.setdefault(owner, []).append(tx)
        self._feed(tx, Input.REQUEST, request)
        return tx

    def claim(self, tx: Transaction, owner: str) -> None:
        """A server transaction belongs to a session from now on."""
        tx.owner = owner
        self._owned.setdefault(owner, []).append(tx)

    def owned_by(self, owner: str) -> list[Transaction]:
        """The transactions of a session, or of a request of ours."""
        return self._owned.get(owner, [])

    def respond(self, tx: Transaction, response: Response) -> bytes:
        """Send a response; what the state does not allow any more is discarded. Returns the octets.

        Raises ``ValueError`` for what RFC 4320 forbids: 408, or a provisional answer but 100, to a non-INVITE.
        """
        if tx.kind is Kind.SERVER and (response.status == 408 or 100 < response.status < 200):
            raise ValueError(f"{response.status} is no answer to {tx.request.method} (RFC 4320)")
        before = tx.sent
        self._feed(tx, _class_of(response.status), response)
        if tx.sent is not before:
            tx.status = response.status
        return tx.sent

    def repeat(self, tx: Transaction) -> None:
        """Send the last response again, as the user must with a 2xx (section 13.3.1.4)."""
        self._repeat(tx, None)

    def abandon(self, tx: Transaction) -> None:
        """The user waits no longer."""
        self._feed(tx, Input.ABANDON, None)

    def knows(self, request: Request) -> bool:
        """Whether a request belongs to a transaction that stands."""
        return server_key(request) in self.by_key

    def invite_of(self, cancel: Request) -> Transaction | None:
        """The INVITE that a CANCEL means (section 9.2)."""
        return self.by_key.get(server_key(cancel, "INVITE"))

    # Time and transport

    def timer(self, key: str, name: str) -> None:
        """A timer of ours came due."""
        tx = self.by_key.get(key)
        if tx is not None:
            self._feed(tx, _TIMER_INPUT[name], None)

    def failed(self, hop: Hop) -> None:
        """Nothing can be sent to a hop. Rare, so all transactions are looked through."""
        hit = [tx for tx in self.by_key.values() if tx.hop.transport == hop.transport and tx.hop.remote == hop.remote]
        for tx in hit:
            self._feed(tx, Input.TRANSPORT_ERROR, None)

    def adopt(self, tx: Transaction) -> None:
        """Take in a transaction from an export."""
        self.by_key[tx.key] = tx
        if tx.owner:
            self._owned.setdefault(tx.owner, []).append(tx)
        if tx.merge:
            self._merges[tx.merge] = tx.key

    # Running the tables

    def _feed(self, tx: Transaction, given: Input, message: Message | None) -> None:
        row = _ROWS[tx.kind][tx.state].get(given)
        if row is None:
            return
        actions, tx.state = row
        for action in actions:
            _CARRY_OUT[action](self, tx, message)
        if row[1] is State.TERMINATED:
            self._forget(tx)

    def _forget(self, tx: Transaction) -> None:
        if self.by_key.pop(tx.key, None) is None:
            return
        cancel = self._core.timers.cancel
        for name in TIMERS_OF[tx.kind]:
            cancel(Owner.TRANSACTION, tx.key, name)
        if tx.merge and self._merges.get(tx.merge) == tx.key:
            del self._merges[tx.merge]
        if tx.owner:
            self._disown(tx)
        self._user.on_terminated(tx)

    def _disown(self, tx: Transaction) -> None:
        left = [each for each in self._owned.pop(tx.owner, ()) if each is not tx]
        if left:
            self._owned[tx.owner] = left

    def _start(self, tx: Transaction, name: str, after: float) -> None:
        self._core.timers.set(Owner.TRANSACTION, tx.key, name, self._core.now.mono + after)

    def _send(self, tx: Transaction, message: Message | None) -> None:
        assert message is not None
        tx.sent = message.encode()
        self._out(tx)

    def _repeat(self, tx: Transaction, message: Message | None) -> None:
        if tx.sent:
            self._out(tx)

    def _out(self, tx: Transaction) -> None:
        hop, core = tx.hop, self._core
        if hop.connection is not None and tx.kind in _SERVERS:
            standing = core.connections.get((hop.transport, hop.remote))
            if standing is None or standing.connection != hop.connection:
                # 18.2.2: the connection has closed, so open one to where the sender says that it listens.
                port = tx.request.via.port or DEFAULT_PORT[hop.transport]
                tx.hop = Hop(hop.transport, hop.local, (hop.remote[0], port))
        core.send(tx.sent, tx.hop)

    def _send_ack(self, tx: Transaction, message: Message | None) -> None:
        assert isinstance(message, Response)
        tx.ack = ack_for_failure(tx.request, message).encode()
        self._core.send(tx.ack, tx.hop)

    def _repeat_ack(self, tx: Transaction, message: Message | None) -> None:
        self._core.send(tx.ack, tx.hop)

    def _deliver(self, tx: Transaction, message: Message | None) -> None:
        if isinstance(message, Response):
            self._user.on_response(tx, message)
        elif isinstance(message, Request):
            self._user.on_ack(tx, message, tx.hop)

    def _report_timeout(self, tx: Transaction, message: Message | None) -> None:
        self._user.on_timeout(tx)

    def _report_error(self, tx: Transaction, message: Message | None) -> None:
        self._user.on_transport_error(tx)

    def _start_repeating(self, tx: Transaction, name: str) -> None:
        if not tx.hop.reliable:
            tx.interval = self._core.config.timers.t1
            self._start(tx, name, tx.interval)

    def _slow_down(self, tx: Transaction, name: str, ceiling: float | None, *, straight: bool = False) -> None:
        wanted = tx.interval * 2
        tx.interval = wanted if ceiling is None else ceiling if straight else min(wanted, ceiling)
        self._start(tx, name, tx.interval)


Carrier = Callable[[TransactionLayer, Transaction, Message | None], None]


def _lasting(name: str, seconds: Callable[[TimerValues], float], *, none_if_reliable: bool) -> Carrier:
    def start(layer: TransactionLayer, tx: Transaction, message: Message | None) -> None:
        after = 0.0 if none_if_reliable and tx.hop.reliable else seconds(layer._core.config.timers)
        layer._start(tx, name, after)

    return start


def _repeating(name: str) -> Carrier:
    return lambda layer, tx, message: layer._start_repeating(tx, name)


def _stopping(name: str) -> Carrier:
    return lambda layer, tx, message: layer._core.timers.cancel(Owner.TRANSACTION, tx.key, name)


_CARRY_OUT: dict[Action, Carrier] = {
    Action.SEND: TransactionLayer._send,
    Action.REPEAT: TransactionLayer._repeat,
    Action.SEND_ACK: TransactionLayer._send_ack,
    Action.REPEAT_ACK: TransactionLayer._repeat_ack,
    Action.DELIVER: TransactionLayer._deliver,
    Action.REPORT_TIMEOUT: TransactionLayer._report_timeout,
    Action.REPORT_ERROR: TransactionLayer._report_error,
    Action.START_A: _repeating("A"),
    Action.START_E: _repeating("E"),
    Action.START_G: _repeating("G"),
    # Table 4 of RFC 3261; L and M of RFC 6026 run their time on every transport.
    Action.START_B: _lasting("B", lambda t: t.patience, none_if_reliable=False),
    Action.START_D: _lasting("D", lambda t: t.patience, none_if_reliable=True),
    Action.START_F: _lasting("F", lambda t: t.patience, none_if_reliable=False),
    Action.START_H: _lasting("H", lambda t: t.patience, none_if_reliable=False),
    Action.START_I: _lasting("I", lambda t: t.t4, none_if_reliable=True),
    Action.START_J: _lasting("J", lambda t: t.patience, none_if_reliable=True),
    Action.START_K: _lasting("K", lambda t: t.t4, none_if_reliable=True),
    Action.START_L: _lasting("L", lambda t: t.patience, none_if_reliable=False),
    Action.START_M: _lasting("M", lambda t: t.patience, none_if_reliable=False),
    Action.DOUBLE_A: lambda layer, tx, message: layer._slow_down(tx, "A", None),
    Action.DOUBLE_E: lambda layer, tx, message: layer._slow_down(tx, "E", layer._core.config.timers.t2),
    Action.SLOW_E: lambda layer, tx, message: layer._slow_down(tx, "E", layer._core.config.timers.t2, straight=True),
    Action.DOUBLE_G: lambda layer, tx, message: layer._slow_down(tx, "G", layer._core.config.timers.t2),
    Action.STOP_A: _stopping("A"),
    Action.STOP_B: _stopping("B"),
    Action.STOP_E: _stopping("E"),
    Action.STOP_F: _stopping("F"),
    Action.STOP_G: _stopping("G"),
    Action.STOP_H: _stopping("H"),
}
_TIMER_INPUT = {given.value[-1]: given for given in Input if given.value.startswith("timer ")}
TIMERS_OF = {
    kind: tuple(given.value[-1] for given in machine.inputs if given.value.startswith("timer "))
    for kind, machine in MACHINES.items()
}


def _class_of(status: int) -> Input:
    if status < 200:
        return Input.PROVISIONAL
    return Input.SUCCESS if status < 300 else Input.FAILURE


def _same_2543(tx: Transaction, request: Request) -> bool:
    """Section 17.2.3, the part about the To tag: an ACK carries the response's, a repeat the request's own."""
    if request.method == "ACK":
        return (request.to.tag or "") in (tx.to_tag, "")
    return request.to.tag == tx.request.to.tag or request.to.tag == tx.to_tag


def ack_for_failure(invite: Request, response: Response) -> Request:
    """The ACK of a response from 300 to 699 (section 17.1.1.3)."""
    return _sibling("ACK", invite, response.headers.get("To"))


def cancel_for(invite: Request) -> Request:
    """The CANCEL of an INVITE that is under way (section 9.1)."""
    return _sibling("CANCEL", invite, None)


def _sibling(method: str, invite: Request, to: str | None) -> Request:
    headers = Headers()
    source = invite.headers
    headers.add("Via", str(invite.via))
    for route in source.all("Route"):
        headers.add("Route", route)
    headers.add("Max-Forwards", "70")
    headers.add("From", source.get("From") or "")
    headers.add("To", to or source.get("To") or "")
    headers.add("Call-ID", invite.call_id)
    headers.add("CSeq", f"{invite.cseq.number} {method}")
    return Request(method, invite.uri, headers)
