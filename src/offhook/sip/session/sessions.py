"""What every part of the INVITE session needs: finding sessions, sending within their dialogs, answering, ending.

Nothing here decides what a message means; that is ``invite`` (we call), ``answer`` (they call), ``modify`` (offers in
an established session) and ``end``. All of them are functions on plain data.
"""

from __future__ import annotations

from offhook.sip.commands import Body, SessionId
from offhook.sip.core import Core
from offhook.sip.dialog import Dialog
from offhook.sip.events import EndCause, Ended, HangUpKind, Milestone, RemoteHungUp
from offhook.sip.hop import Hop
from offhook.sip.message import Message, Request, Response
from offhook.sip.outgoing import Outgoing, OutgoingRequests, Purpose, contact_line
from offhook.sip.session.state import Ack, Phase, Session
from offhook.sip.timers import Owner
from offhook.sip.transaction.layer import Transaction, TransactionLayer
from offhook.sip.uri import Uri

ALLOW = "INVITE, ACK, CANCEL, BYE, OPTIONS, INFO, UPDATE"
TIMERS = ("2xx", "no-ack", "cancel", "expires", "ringing", "glare", "reoffer", "session")
"""Names of all timers a session may have."""

Lines = list[tuple[str, str]]


class UnknownSession(LookupError):
    """There is no such session, or no longer: its ``Ended`` has been emitted."""


class Sessions:
    """All INVITE sessions of one endpoint."""

    __slots__ = ("by_dialog", "by_id", "core", "layer", "outgoing")

    def __init__(self, core: Core, layer: TransactionLayer, outgoing: OutgoingRequests) -> None:
        self.core = core
        self.layer = layer
        self.outgoing = outgoing
        self.by_id: dict[str, Session] = {}
        self.by_dialog: dict[tuple[str, str], str] = {}
        """Call-ID and our tag; the peer's tag is not needed, since ours is unguessable and never used twice."""

    def add(self, session: Session) -> None:
        """Take in a new or a restored session."""
        self.by_id[session.id] = session
        self.by_dialog[session.call_id, session.tag] = session.id

    def find(self, call_id: str, tag: str | None) -> Session | None:
        """The session that a request within a dialog belongs to."""
        return self.by_id.get(self.by_dialog.get((call_id, tag or ""), ""))

    def get(self, ident: SessionId) -> Session:
        """The session; raises ``UnknownSession``."""
        session = self.by_id.get(ident)
        if session is None:
            raise UnknownSession(f"session {ident} does not exist or has ended")
        return session

    def settle(self, session: Session) -> None:
        """Forget a session that is over and for which no late message needs care."""
        if session.phase is Phase.ENDED and not session.invite and session.told_end:
            self.by_id.pop(session.id, None)
            self.by_dialog.pop((session.call_id, session.tag), None)
            self.outgoing.forget_login(session.id)

    def tell_end(self, session: Session, cause: EndCause) -> None:
        """Say ``Ended``, once."""
        if not session.told_end:
            session.told_end = True
            self.core.emit(Ended(session=session.id, cause=cause))

    def end(self, session: Session, cause: EndCause) -> None:
        """It is over: no timers, no requests of ours under way."""
        session.phase = Phase.ENDED
        session.unacked = None
        session.waiting_change = None
        for name in TIMERS:
            self.core.timers.cancel(Owner.SESSION, session.id, name)
        change = self.outgoing.by_id.get(session.change)
        if change is not None:
            # A re-INVITE in Proceeding has no timer of its own, and its answer may have been lost.
            self.outgoing.linger(change)
        self.tell_end(session, cause)
        self.settle(session)

    def gone(self, session: Session, how: HangUpKind, reason: str | None) -> None:
        """The other side went away: say so, and that it is over."""
        if not session.told_end:
            self.core.emit(RemoteHungUp(session=session.id, how=how, reason=reason))
        self.tell_end(session, EndCause.REMOTE)

    def start(self, session: Session, name: str, after: float) -> None:
        """Set a timer of the session; one of ``TIMERS``."""
        self.core.timers.set(Owner.SESSION, session.id, name, self.core.now.mono + after)

    def stop(self, session: Session, name: str) -> None:
        """Cancel a timer of the session."""
        self.core.timers.cancel(Owner.SESSION, session.id, name)

    def trace(self, session: Session, sent: bool, what: str, hop: Hop | None, message: Message | None = None) -> None:
        """Tell of a message that explains the call; `message`: one whose Reason may say more."""
        if self.core.config.trace and not session.told_end:
            self.core.emit(
                Milestone(
                    session=SessionId(session.id),
                    sent=sent,
                    what=what,
                    hop=hop,
                    at=self.core.now.wall,
                    call_id=session.call_id,
                    reason=None if message is None else message.headers.get("Reason"),
                )
            )

    def respond(
        self,
        tx: Transaction,
        status: int,
        *,
        session: Session | None = None,
        reason: str | None = None,
        lines: Lines | None = None,
        body: Body | None = None,
    ) -> bytes:
        """Answer a request; with ``session`` the answer carries our Contact, as what makes a dialog must."""
        headers: Lines = []
        if session is not None:
            way = self.core.way(tx.hop.transport, tx.hop.local)
            headers.append(("Contact", contact_line(way, session.contact_user)))
        if lines:
            headers += lines
        response = tx.request.reply(
            status,
            reason,
            to_tag=tx.to_tag,
            headers=headers,
            body=b"" if body is None else body.content,
            content_type=None if body is None else body.content_type,
        )
        return self.layer.respond(tx, response)

    def send(
        self,
        session: Session,
        dialog: Dialog,
        purpose: Purpose,
        request: Request,
        next_hop: Uri,
        *,
        contact: bool = False,
    ) -> Outgoing:
        """Send a request within a dialog; returns what will carry it, which may have failed already."""
        out = Outgoing(
            id=self.core.token(),
            purpose=purpose,
            owner=session.id,
            request=request,
            next_hop=next_hop,
            account=session.account,
            flow=dialog.flow,
            contact_user=session.contact_user if contact else None,
        )
        if purpose is Purpose.BYE and dialog is session.dialog:
            session.bye = out.id
        elif purpose in (Purpose.REOFFER, Purpose.UPDATE):
            session.change = out.id
        self.outgoing.submit(out)
        return out

    def acknowledge(self, session: Session, dialog: Dialog, invite: Request, body: Body | None) -> None:
        """The ACK of a 2xx (13.2.2.4): the INVITE's number and credentials; kept, to be repeated with the 2xx."""
        request, next_hop = dialog.request("ACK", seq=invite.cseq.number)
        for name in ("Authorization", "Proxy-Authorization"):
            for value in invite.headers.all(name):
                request.headers.add(name, value)
        put_body(request, body)
        self.send(session, dialog, Purpose.ACK, request, next_hop)

    def keep_ack(self, session: Session, out: Outgoing, data: bytes) -> None:
        """An ACK left: keep it for repeats of its 2xx."""
        assert out.hop is not None
        request = out.request
        session.acks[request.to.tag or ""] = Ack(seq=request.cseq.number, data=data, hop=out.hop)
        if session.dialog is not None and session.dialog.remote_tag == (request.to.tag or ""):
            self.trace(session, True, "ACK", out.hop)


def put_body(message: Message, body: Body | None) -> None:
    """Give a message its body."""
    if body is not None:
        message.headers.set("Content-Type", body.content_type)
        message.body = body.content


def body_of(message: Request | Response) -> Body | None:
    """A message's body; None if it has none."""
    if not message.body:
        return None
    return Body(message.body, message.headers.get("Content-Type") or "application/sdp")
