"""Who gets what: messages to transactions, transactions to sessions, registrar and registrations, timers to their
owners. RFC 3261 section 8.2 stands here, in the order in which it wants a request looked at.
"""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace

from offhook.sip import overload
from offhook.sip.commands import Account, EndpointConfig, Entropy, OptionsId
from offhook.sip.core import Core
from offhook.sip.dialog import Dialog
from offhook.sip.errors import Fault, SyntaxFault, Unparseable
from offhook.sip.events import (
    Binding,
    CloseHop,
    InfoReceived,
    OptionsAnswered,
    StrayKind,
    StrayMessage,
)
from offhook.sip.gate import Gate
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop, HopChange, Now
from offhook.sip.message import Headers, Message, Request, Response
from offhook.sip.outgoing import Outgoing, OutgoingRequests, Purpose, bracketed
from offhook.sip.parser import KeepAlive, StreamParser, is_keep_alive, parse_datagram
from offhook.sip.registrar import Registrar
from offhook.sip.registration import Registrations
from offhook.sip.session import answer, end, invite, modify
from offhook.sip.session.sessions import ALLOW, Sessions, body_of
from offhook.sip.session.state import Phase, Session
from offhook.sip.session_timer import too_small
from offhook.sip.timers import Owner
from offhook.sip.transaction.layer import Kind, Transaction, TransactionLayer, response_hop, stamp_via
from offhook.sip.uri import Uri
from offhook.sip.validate import Capabilities, validate_request, validate_response

ALLOW_OUTSIDE = f"{ALLOW}, REGISTER"
ACCEPT = "application/sdp"
SUPPORTED = ("timer",)
FULL_RETRY_AFTER_S = 5
CAPABILITIES = Capabilities(methods=tuple(ALLOW_OUTSIDE.split(", ")), extensions=SUPPORTED, answers=(ACCEPT,))


class Dispatch:
    """The inside of an endpoint. Implements ``TransactionUser`` and ``OutgoingUser``."""

    __slots__ = (
        "core",
        "gate",
        "layer",
        "outgoing",
        "refusal",
        "registrar",
        "registrations",
        "sessions",
        "streams",
    )

    def __init__(self, config: EndpointConfig, entropy: Entropy, now: Now) -> None:
        self.core = Core(config, entropy, now)
        self.layer = TransactionLayer(self.core, self)
        self.outgoing = OutgoingRequests(self.core, self.layer, self)
        self.sessions = Sessions(self.core, self.layer, self.outgoing)
        self.registrar = Registrar(self.core)
        self.registrations = Registrations(self.core, self.outgoing)
        self.gate = Gate(self.core, self.layer, self.sessions, self.registrar)
        self.streams: dict[int, StreamParser] = {}
        self.refusal: tuple[int, str, int] | None = None

    # What arrives

    def datagram(self, data: bytes, hop: Hop) -> None:
        """One datagram."""
        if self.refusal is not None and self._refuse_unread(data, hop):
            return
        if is_keep_alive(data):
            return
        try:
            message = parse_datagram(data)
        except Unparseable as fault:
            self._stray(StrayKind.UNPARSEABLE, hop, fault.reason)
            return
        self._receive(message, hop)

    def stream(self, data: bytes, hop: Hop) -> None:
        """Octets of a connection."""
        if hop.connection is None:
            raise ValueError("octets of a stream need the number of their connection")
        parser = self.streams.get(hop.connection)
        if parser is None:
            parser = self.streams[hop.connection] = StreamParser()
            self.core.connections.setdefault((hop.transport, hop.remote), hop)
        for item in parser.feed(data):
            if isinstance(item, KeepAlive):
                if item is KeepAlive.PING:
                    # RFC 5626 section 3.5.1: a double CRLF gets a single one.
                    self.core.send(b"\r\n", hop)
            elif isinstance(item, Fault):
                if item.request is not None:
                    self._owe(item.request, item, hop)
                if item.fatal:
                    self._stray(StrayKind.UNPARSEABLE, hop, item.reason)
                    self.core.emit(CloseHop(hop=hop))
            else:
                self._receive(item, hop)

    def hop_changed(self, change: HopChange, hop: Hop) -> None:
        """A connection came or went, or nothing can be sent somewhere."""
        far = (hop.transport, hop.remote)
        if change is HopChange.OPENED:
            if hop.connection is not None:
                self.core.connections[far] = hop
            return
        standing = self.core.connections.get(far)
        if hop.connection is not None:
            self.streams.pop(hop.connection, None)
            if standing is not None and standing.connection == hop.connection:
                del self.core.connections[far]
        if change is HopChange.FAILED:
            self.layer.failed(hop)
        elif hop.transport != "udp":
            self.registrations.on_closed(hop)

    def timers_due(self) -> None:
        """Everything that is due."""
        timers, mono = self.core.timers, self.core.now.mono
        while (key := timers.pop_due(mono)) is not None:
            owner, ident, name = key
            if owner is Owner.TRANSACTION:
                self.layer.timer(ident, name)
            elif owner is Owner.SESSION:
                session = self.sessions.by_id.get(ident)
                if session is not None:
                    end.on_timer(self.sessions, session, name)
            elif owner is Owner.REGISTRATION:
                self.registrations.on_timer(ident)
            elif owner is Owner.BINDING:
                self.registrar.on_timer(ident)
            elif owner is Owner.OUTGOING:
                self.outgoing.on_timer(ident)
            else:
                self.gate.on_timer(ident)

    def _receive(self, message: Message, hop: Hop) -> None:
        if isinstance(message, Response):
            why = validate_response(message)
            if why is not None:
                self._stray(StrayKind.DISCARDED, hop, why)
            elif not self.layer.receive_response(message):
                self._stray(StrayKind.RESPONSE, hop, f"{message.status} to {message.cseq.method}")
            return
        fault = validate_request(message, CAPABILITIES)
        if fault is not None:
            self._owe(message, fault, hop)
        elif (refusal := self._present_refusal()) is not None and self._refuse(message, hop, refusal):
            return
        else:
            self.layer.receive_request(message, hop)

    def _owe(self, request: Request, fault: Fault, hop: Hop) -> None:
        """Answer a faulty request without a transaction, which could not be told from others (section 8.2.7)."""
        if request.method == "ACK" or request.headers.get("Via") is None:
            self._stray(StrayKind.DISCARDED, hop, fault.reason)
            return
        back, branch = hop, ""
        # A Via that cannot be read leaves where the request came from; a 400 is owed all the same (RFC 4475 3.1.2.1).
        with suppress(SyntaxFault):
            stamp_via(request, hop)
            back, branch = response_hop(request, hop), request.via.branch or ""
        try:
            tag = overload.tag_for(branch.encode("utf-8", "replace"))
            response = request.reply(fault.status, fault.reason, to_tag=tag, headers=fault.headers)
            self.core.send(response.encode(), back)
        except (SyntaxFault, ValueError) as unanswerable:
            self._stray(StrayKind.DISCARDED, hop, str(unanswerable))

    def _stray(self, kind: StrayKind, hop: Hop, why: str) -> None:
        self.core.emit(StrayMessage(kind=kind, hop=hop, why=why))

    # Overload

    def _refuse_unread(self, data: bytes, hop: Hop) -> bool:
        assert self.refusal is not None
        draft = overload.draft(data, hop)
        if draft is None or draft.key in self.layer.by_key:
            return False
        self.core.send(draft.refusal(*self.refusal), hop)
        return True

    def _present_refusal(self) -> tuple[int, str, int] | None:
        """What new requests get: what the application said, or 503 when there is no room for a transaction."""
        if self.refusal is None and len(self.layer.by_key) >= self.core.config.transactions_max:
            return 503, "Service Unavailable", FULL_RETRY_AFTER_S
        return self.refusal

    def _refuse(self, request: Request, hop: Hop, refusal: tuple[int, str, int]) -> bool:
        if request.to.tag is not None or request.method in ("ACK", "CANCEL") or self.layer.knows(request):
            return False
        if request.method != "INVITE" and self.refusal is not None:
            return False
        status, reason, after = refusal
        stamp_via(request, hop)
        tag = overload.tag_for((request.via.branch or request.call_id).encode("utf-8", "replace"))
        response = request.reply(status, reason, to_tag=tag, headers=[("Retry-After", str(after))])
        self.core.send(response.encode(), response_hop(request, hop))
        return True

    # From the transaction layer

    def on_request(self, tx: Transaction, request: Request, hop: Hop) -> None:
        """What a request is about; its method and headers have been looked at (section 8.2, ``CAPABILITIES``)."""
        method = request.method
        respond = self.sessions.respond
        if method == "CANCEL":
            answer.on_cancel(self.sessions, tx, request)
        elif _unreadable(request):
            respond(tx, 415, lines=[("Accept", ACCEPT)])
        elif request.to.tag is not None:
            self._within(tx, request)
        elif method == "INVITE":
            if too_small(request, self.core.config.session_timer):
                self._too_small(tx)
            else:
                answer.incoming(self.sessions, tx, request, hop)
        elif method == "REGISTER":
            self.gate.registering(tx, request, hop)
        elif method == "OPTIONS":
            self._options(tx)
        else:
            # BYE, INFO and UPDATE live only in a dialog (sections 12.2.2 and 15.1.2).
            respond(tx, 481)

    def _within(self, tx: Transaction, request: Request) -> None:
        """A request within a dialog (section 12.2.2)."""
        sessions, respond, method = self.sessions, self.sessions.respond, request.method
        session = sessions.find(request.call_id, request.to.tag)
        dialog = None if session is None else _dialog_of(session, request.from_.tag or "")
        if session is None or dialog is None or session.phase is Phase.ENDED or method == "REGISTER":
            respond(tx, 481)
        elif not dialog.takes(request):
            respond(tx, 500, lines=[("Retry-After", "1")])
        elif method == "BYE":
            end.on_bye(sessions, session, tx, request)
        elif method in ("INVITE", "UPDATE"):
            if too_small(request, self.core.config.session_timer):
                self._too_small(tx)
            else:
                modify.offered(sessions, session, tx, request)
        elif method == "INFO":
            respond(tx, 200)
            if (body := body_of(request)) is not None and not session.told_end:
                self.core.emit(InfoReceived(session=session.id, body=body))
        else:
            self._options(tx)

    def _too_small(self, tx: Transaction) -> None:
        least = self.core.config.session_timer.min_interval_s
        self.sessions.respond(tx, 422, lines=[("Min-SE", str(least))])

    def _options(self, tx: Transaction) -> None:
        """Section 11.2. While new calls are refused, so is this: a peer that asks may then go elsewhere."""
        if self.refusal is not None:
            status, reason, after = self.refusal
            self.sessions.respond(tx, status, reason=reason, lines=[("Retry-After", str(after))])
            return
        lines = [
            ("Allow", ALLOW_OUTSIDE),
            ("Accept", ACCEPT),
            ("Accept-Encoding", "identity"),
            ("Accept-Language", "en"),
            ("Supported", ", ".join(SUPPORTED)),
            ("Server", self.core.config.user_agent),
        ]
        self.sessions.respond(tx, 200, lines=lines)

    def on_ack(self, tx: Transaction | None, ack: Request, hop: Hop) -> None:
        """An ACK for a 2xx, found by its dialog (section 13.3.1.4)."""
        session = self.sessions.find(ack.call_id, ack.to.tag)
        if session is None:
            self._stray(StrayKind.ACK, hop, "no dialog")
            return
        answer.on_ack(self.sessions, session, body_of(ack), ack.cseq.number, hop)
        end.after_ack(self.sessions, session)

    def on_response(self, tx: Transaction, response: Response) -> None:
        """A response that concerns a request of ours."""
        try:
            self.outgoing.on_response(tx, response)
        except SyntaxFault as fault:
            # A header that nobody had to look at before; the response is as good as none (section 8.1.3.2).
            self._stray(StrayKind.DISCARDED, tx.hop, str(fault))

    def on_timeout(self, tx: Transaction) -> None:
        """Client: silence. INVITE server: a refusal without ACK, which changes nothing any more (17.2.1)."""
        if tx.kind in (Kind.CLIENT, Kind.INVITE_CLIENT):
            self.outgoing.on_silence(tx)

    def on_transport_error(self, tx: Transaction) -> None:
        """Something could not be sent (section 18.4)."""
        if tx.kind in (Kind.CLIENT, Kind.INVITE_CLIENT):
            self.outgoing.on_transport_error(tx)
        elif (session := self.sessions.by_id.get(tx.owner)) is not None:
            end.on_transport_error(self.sessions, session, tx)

    def on_terminated(self, tx: Transaction) -> None:
        """A transaction is gone."""
        if tx.kind is Kind.SERVER:
            self.gate.forget(tx.key)
            return
        if tx.kind is not Kind.INVITE_CLIENT and tx.kind is not Kind.CLIENT:
            return
        out = self.outgoing.by_id.get(tx.owner)
        self.outgoing.on_terminated(tx)
        if out is None or out.id in self.outgoing.by_id:
            return
        session = self.sessions.by_id.get(out.owner)
        if session is not None and session.invite == out.id:
            session.invite = ""
            self.sessions.settle(session)

    # From our own requests

    def on_sent(self, out: Outgoing, data: bytes) -> None:
        """A request of ours left."""
        session = self.sessions.by_id.get(out.owner)
        if session is None:
            return
        if out.purpose is Purpose.INVITE:
            invite.on_sent(self.sessions, session, out)
        elif out.purpose is Purpose.ACK:
            self.sessions.keep_ack(session, out, data)

    def on_provisional(self, out: Outgoing, response: Response) -> None:
        """A 1xx; only that of a first INVITE matters."""
        session = self.sessions.by_id.get(out.owner)
        if session is not None and out.purpose is Purpose.INVITE and out.id == session.invite:
            invite.on_provisional(self.sessions, session, out, response)

    def on_success(self, out: Outgoing, response: Response) -> None:
        """A 2xx."""
        session = self.sessions.by_id.get(out.owner)
        if out.purpose is Purpose.REGISTER:
            self.registrations.on_answer(out, response.status, response)
        elif out.purpose is Purpose.OPTIONS:
            self._answered_options(out, response.status, True)
        elif session is None:
            return
        elif out.purpose is Purpose.INVITE:
            invite.on_success(self.sessions, session, out, response)
        elif out.purpose is Purpose.BYE:
            end.on_bye_done(self.sessions, session, out)
        else:
            modify.on_success(self.sessions, session, out, response)

    def on_failure(self, out: Outgoing, status: int, response: Response | None) -> None:
        """The end of a request of ours that did not succeed."""
        session = self.sessions.by_id.get(out.owner)
        if out.purpose is Purpose.REGISTER:
            self.registrations.on_answer(out, status, response)
        elif out.purpose is Purpose.OPTIONS:
            self._answered_options(out, status, response is not None)
        elif session is None:
            return
        elif out.purpose is Purpose.INVITE:
            if out.id == session.invite:
                invite.on_failure(self.sessions, session, out, status, response)
        elif out.purpose is Purpose.BYE:
            end.on_bye_done(self.sessions, session, out)
        elif out.purpose is not Purpose.ACK:
            modify.on_failure(self.sessions, session, out, status, response)

    def next_number(self, out: Outgoing) -> int:
        """A CSeq for the same request, with credentials."""
        if out.purpose is Purpose.REGISTER:
            return self.registrations.next_number(out.owner)
        number = out.request.cseq.number + 1
        session = self.sessions.by_id.get(out.owner)
        dialog = None if session is None else session.dialog
        if dialog is not None and out.purpose is not Purpose.INVITE and dialog.remote_tag == out.request.to.tag:
            number = dialog.local_seq = max(dialog.local_seq + 1, number)
        return number

    # What the application asks for, beyond calls

    def ask_options(self, target: Uri, hop: Hop | None, account: Account | None) -> OptionsId:
        """Section 11.1."""
        ident = OptionsId(self.core.token())
        config = self.core.config
        host, _ = config.ways[0].advertised
        headers = Headers()
        headers.add("Max-Forwards", "70")
        headers.add("From", f"<sip:{bracketed(host)}>;tag={self.core.token()}")
        headers.add("To", str(NameAddr(uri=target.bare)))
        headers.add("Call-ID", self.core.token())
        headers.add("CSeq", "1 OPTIONS")
        headers.add("Accept", ACCEPT)
        headers.add("User-Agent", config.user_agent)
        self.outgoing.submit(
            Outgoing(
                id=self.core.token(),
                purpose=Purpose.OPTIONS,
                owner=ident,
                request=Request("OPTIONS", target, headers),
                next_hop=target,
                account=account,
                flow=hop,
                contact_user="",
            )
        )
        return ident

    def bindings(self, aor: Uri) -> tuple[Binding, ...]:
        """The registrar's, each with a hop that stands now."""
        return tuple(_living(binding, self.core.live(binding.hop)) for binding in self.registrar.lookup(aor))

    def _answered_options(self, out: Outgoing, status: int, alive: bool) -> None:
        self.outgoing.forget_login(out.owner)
        self.core.emit(OptionsAnswered(options=OptionsId(out.owner), status=status, alive=alive))


def _dialog_of(session: Session, remote_tag: str) -> Dialog | None:
    """The dialog with this peer: the one that counts, or an early one."""
    dialog = session.dialog
    if dialog is not None and dialog.remote_tag == remote_tag:
        return dialog
    return session.early.get(remote_tag)


def _unreadable(request: Request) -> bool:
    """Section 8.2.3: a session description of a type that nobody here reads, unless it may be ignored."""
    if not request.body or request.method not in ("INVITE", "UPDATE"):
        return False
    disposition, kind = request.content_disposition, request.content_type
    return not (disposition is not None and disposition.optional) and (kind is None or kind.essence != ACCEPT)


def _living(binding: Binding, hop: Hop) -> Binding:
    return binding if hop is binding.hop else replace(binding, hop=hop)
