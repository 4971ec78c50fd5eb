"""The session as callee, until it is established: RFC 3261 section 13.3, and CANCEL as section 9.2 has it.

A 2xx is repeated from here until its ACK comes (13.3.1.4). Reliable provisional answers are neither offered nor given.
"""

from __future__ import annotations

from offhook.sip.commands import Body, RequestHandle, SessionId
from offhook.sip.dialog import as_callee
from offhook.sip.events import EndCause, Established, HangUpKind, IncomingInvite, OfferAnswered
from offhook.sip.hop import Hop
from offhook.sip.message import Request
from offhook.sip.session import modify
from offhook.sip.session.sessions import ALLOW, Lines, Sessions, body_of
from offhook.sip.session.state import Phase, Session, Unacked
from offhook.sip.session_timer import answer as timer_answer
from offhook.sip.transaction.layer import Transaction
from offhook.sip.transaction.table import State

RINGING_REPEAT_S = 60.0
"""13.3.1.1: a provisional answer every minute keeps proxies from giving up."""


def incoming(desk: Sessions, tx: Transaction, request: Request, hop: Hop) -> None:
    """A call for us: 100 at once unless the application wants to say when, the rest is its own (8.2, 13.3.1)."""
    uri = request.uri
    session = Session(
        id=SessionId(desk.core.token()),
        caller=False,
        phase=Phase.INCOMING,
        call_id=request.call_id,
        tag=tx.to_tag,
        contact_user=uri.user or "" if uri.scheme in ("sip", "sips") else "",
        dialog=as_callee(request, tx.to_tag, hop),
        first=tx.key,
        asked=tx.key,
        asked_offer=bool(request.body),
    )
    desk.layer.claim(tx, session.id)
    desk.add(session)
    desk.trace(session, False, "INVITE", hop)
    if desk.core.config.trying_at_once:
        desk.respond(tx, 100)
    if request.expires:
        desk.start(session, "expires", request.expires)
    forwards = request.max_forwards
    desk.core.emit(
        IncomingInvite(
            session=session.id,
            handle=RequestHandle(tx.key),
            uri=uri,
            from_=request.from_,
            to=request.to,
            offer=body_of(request),
            headers=request.headers,
            hop=hop,
            credentials=(*request.authorization, *request.proxy_authorization),
            max_forwards=70 if forwards is None else forwards,
        )
    )


def trying(desk: Sessions, session: Session) -> None:
    """Send 100, which an answer within 200 ms makes superfluous (17.2.1)."""
    tx = _waiting(desk, session)
    if tx is not None and not tx.sent:
        desk.respond(tx, 100)


def ring(desk: Sessions, session: Session, status: int, body: Body | None) -> None:
    """Send 101 to 199; nothing happens once the call has been answered or is over."""
    if not 100 < status < 200:
        raise ValueError(f"{status} is no provisional answer above 100")
    tx = _waiting(desk, session)
    if tx is None:
        return
    desk.respond(tx, status, session=session, body=body)
    desk.trace(session, True, f"{status} {_phrase(tx)}", tx.hop)
    desk.start(session, "ringing", RINGING_REPEAT_S)


def on_ringing_timer(desk: Sessions, session: Session) -> None:
    """Say it again (13.3.1.1)."""
    tx = _waiting(desk, session)
    if tx is not None:
        desk.layer.repeat(tx)
        desk.start(session, "ringing", RINGING_REPEAT_S)


def accept(desk: Sessions, session: Session, body: Body) -> None:
    """Send 200 with our answer, or our offer if theirs is missing; nothing happens once the caller is gone."""
    tx = _waiting(desk, session)
    if tx is None:
        return
    desk.stop(session, "ringing")
    desk.stop(session, "expires")
    lines: Lines = [("Allow", ALLOW), ("Server", desk.core.config.user_agent)]
    lines += timer_answer(session.timer, tx.request, desk.core.config.session_timer)
    session.phase = Phase.ANSWERED
    send_2xx(desk, session, tx, lines, body)


def send_2xx(desk: Sessions, session: Session, tx: Transaction, lines: Lines, body: Body) -> None:
    """A 2xx to an INVITE or re-INVITE, to be repeated until its ACK comes (13.3.1.4)."""
    desk.respond(tx, 200, session=session, lines=lines, body=body)
    t1 = desk.core.config.timers.t1
    session.unacked = Unacked(seq=tx.request.cseq.number, tx=tx.key, interval=t1, offers=not session.asked_offer)
    session.asked = ""
    session.local_body = body
    desk.trace(session, True, "200 OK", tx.hop)
    desk.start(session, "2xx", t1)
    desk.start(session, "no-ack", desk.core.config.timers.patience)


def on_2xx_timer(desk: Sessions, session: Session) -> None:
    """Repeat the 2xx, on every transport, at growing pauses up to T2 (13.3.1.4)."""
    unacked = session.unacked
    tx = None if unacked is None else desk.layer.by_key.get(unacked.tx)
    if unacked is None or tx is None:
        return
    desk.layer.repeat(tx)
    unacked.interval = min(2 * unacked.interval, desk.core.config.timers.t2)
    desk.start(session, "2xx", unacked.interval)


def on_ack(desk: Sessions, session: Session, body: Body | None, seq: int, hop: Hop) -> None:
    """The ACK of our 2xx; another's, or a repeat, means nothing."""
    unacked = session.unacked
    if unacked is None or unacked.seq != seq:
        return
    session.unacked = None
    desk.stop(session, "2xx")
    desk.stop(session, "no-ack")
    first = session.phase is Phase.ANSWERED
    if first:
        session.phase = Phase.ESTABLISHED
        if session.dialog is not None:
            session.dialog.confirmed = True
        desk.trace(session, False, "ACK", hop)
        desk.core.emit(Established(session=session.id, body=body if unacked.offers else None))
    elif unacked.offers:
        desk.core.emit(OfferAnswered(session=session.id, body=body))
    modify.watch(desk, session)
    modify.next_change(desk, session)


def reject(desk: Sessions, session: Session, status: int, reason: str | None, lines: Lines) -> None:
    """Send 300 to 699; nothing happens once the call has been answered or is over."""
    if not 300 <= status < 700:
        raise ValueError(f"{status} is no refusal")
    tx = _waiting(desk, session)
    if tx is None:
        return
    session.asked = ""
    desk.respond(tx, status, reason=reason, lines=lines)
    desk.trace(session, True, f"{status} {_phrase(tx)}", tx.hop)
    desk.end(session, EndCause.LOCAL)


def on_expires_timer(desk: Sessions, session: Session) -> None:
    """The INVITE's Expires passed without an answer: 487 (13.3.1)."""
    tx = _waiting(desk, session)
    if tx is not None:
        session.asked = ""
        desk.respond(tx, 487)
        desk.trace(session, True, "487 Request Terminated", tx.hop)
        desk.gone(session, HangUpKind.TIMEOUT, None)
        desk.end(session, EndCause.REMOTE)


def on_cancel(desk: Sessions, cancel: Transaction, request: Request) -> None:
    """A CANCEL (9.2): 481 without its INVITE, else 200; and 487 to an INVITE that has no final answer yet."""
    invite = desk.layer.invite_of(request)
    if invite is None:
        desk.respond(cancel, 481)
        return
    cancel.to_tag = invite.to_tag
    desk.respond(cancel, 200)
    if invite.state is not State.PROCEEDING:
        return
    desk.respond(invite, 487)
    session = desk.by_id.get(invite.owner)
    if session is None:
        return
    if session.asked == invite.key:
        session.asked = ""
    if session.phase is Phase.INCOMING:
        desk.trace(session, False, "CANCEL", cancel.hop, request)
        desk.trace(session, True, "487 Request Terminated", invite.hop)
        desk.gone(session, HangUpKind.CANCEL, request.headers.get("Reason"))
        desk.end(session, EndCause.REMOTE)
    else:
        modify.next_change(desk, session)


def _waiting(desk: Sessions, session: Session) -> Transaction | None:
    if session.caller:
        raise ValueError("a call that we made cannot be answered here")
    if session.phase is not Phase.INCOMING:
        return None
    return desk.layer.by_key.get(session.first)


def _phrase(tx: Transaction) -> str:
    return tx.sent.split(b"\r\n", 1)[0].split(b" ", 2)[2].decode("utf-8", "replace")
