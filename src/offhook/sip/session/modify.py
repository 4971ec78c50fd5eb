"""Changing an established session: re-INVITE both ways (RFC 3261 section 14), UPDATE from the peer (RFC 3311), and the
session timer's refreshes (RFC 4028).

Only whose turn it is to offer is known here, never what is offered. One change at a time: ours wait, theirs are told to
try again (14.1, 14.2). Our own offers go by re-INVITE, which every peer knows; UPDATE carries refreshes without a body.
"""

from __future__ import annotations

from offhook.sip.commands import Body
from offhook.sip.events import HangUpKind, OfferAnswered, OfferReceived, OfferRefused
from offhook.sip.message import Request, Response
from offhook.sip.outgoing import Outgoing, Purpose
from offhook.sip.session import answer as callee
from offhook.sip.session import invite as caller
from offhook.sip.session.sessions import ALLOW, Lines, Sessions, body_of, put_body
from offhook.sip.session.state import Phase, Session
from offhook.sip.session_timer import accept as timer_accept
from offhook.sip.session_timer import answer as timer_answer
from offhook.sip.session_timer import refresh
from offhook.sip.timers import Owner
from offhook.sip.transaction.layer import Transaction, cancel_for

RETRY_AFTER_MAX_S = 10
"""14.2: a second offer while the first is open is put off by up to this."""
REOFFER_TIMEOUT_S = 60.0
"""A re-INVITE asks no person; without a final answer for so long it is cancelled."""
GLARE_STEP_S = 0.01
"""14.1: back-offs are drawn in units of 10 ms."""


def offered(desk: Sessions, session: Session, tx: Transaction, request: Request) -> None:
    """A re-INVITE or an UPDATE, in order and within the dialog."""
    body = body_of(request)
    if _put_off(desk, session, tx, request, body):
        return
    desk.trace(session, False, request.method, tx.hop)
    if request.method == "UPDATE" and body is None:
        _agree(session, request, tx)
        lines = timer_answer(session.timer, request, desk.core.config.session_timer)
        desk.respond(tx, 200, session=session, lines=lines)
        watch(desk, session)
        return
    if request.method == "INVITE":
        desk.respond(tx, 100)
    desk.layer.claim(tx, session.id)
    session.asked = tx.key
    session.asked_offer = body is not None
    desk.core.emit(
        OfferReceived(session=session.id, method="INVITE" if request.method == "INVITE" else "UPDATE", body=body)
    )


def _put_off(desk: Sessions, session: Session, tx: Transaction, request: Request, body: Body | None) -> bool:
    """Answer what cannot be taken up now; True if that was done."""
    phase = session.phase
    if phase in (Phase.LEAVING, Phase.ENDED):
        desk.respond(tx, 481)
        return True
    if request.method == "UPDATE" and body is None:
        return False
    if session.asked:
        # Their first INVITE, or another change of theirs, has no answer yet (14.2, RFC 3311 section 5.2).
        later = int(desk.core.fraction() * (RETRY_AFTER_MAX_S + 1))
        desk.respond(tx, 500, lines=[("Retry-After", str(later))])
        return True
    open_offer = session.unacked is not None and session.unacked.offers
    if session.change or open_offer or session.bye_wanted or phase in (Phase.CALLING, Phase.CANCELLING, Phase.ACKING):
        desk.respond(tx, 491)
        return True
    if request.method == "INVITE" and session.unacked is not None:
        # Whoever sends a new INVITE in this dialog has our 2xx; only its ACK was lost or is late.
        callee.on_ack(desk, session, None, session.unacked.seq, tx.hop)
        return _changing(desk, session, tx)
    return False


def _changing(desk: Sessions, session: Session, tx: Transaction) -> bool:
    """Our own offer is open: 491 (14.2)."""
    if session.change:
        desk.respond(tx, 491)
        return True
    return False


def accept_offer(desk: Sessions, session: Session, body: Body) -> None:
    """Agree to what ``OfferReceived`` told of; nothing happens if it was withdrawn or the session is over."""
    tx = _asked(desk, session)
    if tx is None:
        return
    _agree(session, tx.request, tx)
    lines: Lines = [("Allow", ALLOW)]
    lines += timer_answer(session.timer, tx.request, desk.core.config.session_timer)
    if tx.request.method == "INVITE":
        callee.send_2xx(desk, session, tx, lines, body)
        return
    session.asked = ""
    session.local_body = body
    desk.respond(tx, 200, session=session, lines=lines, body=body)
    desk.trace(session, True, "200 OK", tx.hop)
    watch(desk, session)
    next_change(desk, session)


def refuse_offer(desk: Sessions, session: Session, status: int, lines: Lines) -> None:
    """Turn it down with 300 to 699; the session goes on as it was (14.2)."""
    if not 300 <= status < 700:
        raise ValueError(f"{status} is no refusal")
    tx = _asked(desk, session)
    if tx is None:
        return
    session.asked = ""
    desk.respond(tx, status, lines=lines)
    desk.trace(session, True, str(status), tx.hop)
    next_change(desk, session)


def reoffer(desk: Sessions, session: Session, body: Body) -> None:
    """Offer something new; it waits until nothing else is open. A newer offer replaces one that still waits."""
    if session.phase in (Phase.LEAVING, Phase.ENDED, Phase.CANCELLING):
        return
    if session.phase is Phase.INCOMING:
        raise ValueError("an unanswered call has no session to change; use ring or answer")
    session.waiting_change = body
    next_change(desk, session)


def next_change(desk: Sessions, session: Session) -> None:
    """Send the offer that waits, if its time has come."""
    if session.waiting_change is None or session.phase is not Phase.ESTABLISHED:
        return
    if session.change or session.asked or session.unacked is not None or desk.core.timers.is_set(*_glare(session)):
        return
    body, session.waiting_change = session.waiting_change, None
    _send_offer(desk, session, body)


def _send_offer(desk: Sessions, session: Session, body: Body) -> None:
    assert session.dialog is not None
    request, next_hop = session.dialog.request("INVITE")
    request.headers.add("Allow", ALLOW)
    for name, value in refresh(session.timer):
        request.headers.add(name, value)
    put_body(request, body)
    session.change_body = body
    desk.start(session, "reoffer", REOFFER_TIMEOUT_S)
    out = desk.send(session, session.dialog, Purpose.REOFFER, request, next_hop, contact=True)
    desk.trace(session, True, "re-INVITE", out.hop)


def on_success(desk: Sessions, session: Session, out: Outgoing, response: Response) -> None:
    """A 2xx to our re-INVITE or UPDATE."""
    if out.id != session.change:
        caller.repeat_ack(desk, session, response)
        return
    session.change = ""
    desk.stop(session, "reoffer")
    dialog = session.dialog
    assert dialog is not None
    dialog.retarget(response)
    timer_accept(session.timer, response)
    desk.trace(session, False, f"{response.status} {response.reason}", out.hop)
    body, session.change_body = session.change_body, None
    if out.purpose is Purpose.REOFFER:
        desk.acknowledge(session, dialog, out.request, None)
        if session.phase is Phase.ESTABLISHED:
            session.local_body = body
            desk.core.emit(OfferAnswered(session=session.id, body=body_of(response)))
    if session.phase is Phase.ESTABLISHED:
        watch(desk, session)
        next_change(desk, session)


def on_failure(desk: Sessions, session: Session, out: Outgoing, status: int, response: Response | None) -> None:
    """Our re-INVITE or UPDATE failed: put off by 491, over by 481 and 408, otherwise the old session stays (14.1)."""
    if out.id != session.change:
        return
    session.change = ""
    desk.stop(session, "reoffer")
    body, session.change_body = session.change_body, None
    if session.phase is not Phase.ESTABLISHED:
        return
    reason = "" if response is None else response.reason
    desk.trace(session, False, f"{status} {reason}".rstrip(), out.hop)
    if status in (408, 481) or (response is None and status == 503):
        # 12.2.1.2: the dialog is gone, or nobody is there.
        silent = HangUpKind.TRANSPORT if status == 503 else HangUpKind.TIMEOUT
        leave(desk, session, silent)
        return
    if status == 422 and response is not None and (response.min_se or 0) > session.timer.min_se_s:
        session.timer.min_se_s = response.min_se or session.timer.min_se_s
        session.timer.interval_s = max(session.timer.interval_s, session.timer.min_se_s)
        session.waiting_change = session.waiting_change or body or session.local_body
    elif status == 491:
        # 14.1: the owner of the Call-ID waits 2.1 to 4 s, the other side up to 2 s.
        low, high = (2.1, 4.0) if session.caller else (0.0, 2.0)
        steps = int(desk.core.fraction() * (int((high - low) / GLARE_STEP_S) + 1))
        session.waiting_change = session.waiting_change or body or session.local_body
        desk.start(session, "glare", low + steps * GLARE_STEP_S)
    elif out.purpose is Purpose.UPDATE:
        # The peer does not take UPDATE after all: refresh by re-INVITE with what stands.
        session.timer.by_update = False
        session.waiting_change = session.waiting_change or session.local_body
    elif body is not None and body is not session.local_body:
        desk.core.emit(OfferRefused(session=session.id, status=status, reason=reason))
    next_change(desk, session)


def on_reoffer_timer(desk: Sessions, session: Session) -> None:
    """The peer goes on being provisional about our re-INVITE: cancel it (9.1), and count silence as 408."""
    out = desk.outgoing.by_id.get(session.change)
    tx = None if out is None else desk.layer.by_key.get(out.tx)
    if out is None or tx is None:
        return
    desk.layer.request(cancel_for(tx.request), tx.hop, session.id)
    desk.trace(session, True, "CANCEL", tx.hop)
    desk.outgoing.linger(out)


def watch(desk: Sessions, session: Session) -> None:
    """Start the session timer anew after a refresh, by whomever (RFC 4028 section 7.2)."""
    after = session.timer.due_after_s
    if after is None:
        desk.stop(session, "session")
    else:
        desk.start(session, "session", after)


def on_session_timer(desk: Sessions, session: Session) -> None:
    """Time to refresh, or to give up on a peer that did not (RFC 4028 section 10)."""
    if session.phase is not Phase.ESTABLISHED or session.dialog is None:
        return
    timer = session.timer
    if not timer.ours:
        session.reason = 'SIP;cause=408;text="session timer expired"'
        leave(desk, session, HangUpKind.TIMEOUT)
        return
    # Should this refresh fail, the next comes before the interval is over.
    desk.start(session, "session", timer.interval_s / 4)
    if session.change or session.asked or session.unacked is not None:
        return
    if timer.by_update:
        request, next_hop = session.dialog.request("UPDATE")
        for name, value in refresh(timer):
            request.headers.add(name, value)
        out = desk.send(session, session.dialog, Purpose.UPDATE, request, next_hop, contact=True)
        desk.trace(session, True, "UPDATE", out.hop)
    elif session.local_body is not None:
        _send_offer(desk, session, session.local_body)


def leave(desk: Sessions, session: Session, how: HangUpKind) -> None:
    """The peer seems gone: tell so at once, and send a BYE in case it is not (12.2.1.2, 13.3.1.4)."""
    desk.gone(session, how, None)
    session.phase = Phase.LEAVING
    session.unacked = None
    session.waiting_change = None
    for name in ("2xx", "no-ack", "session", "glare"):
        desk.stop(session, name)
    if session.dialog is not None:
        caller.bye(desk, session, session.dialog)


def _agree(session: Session, request: Request, tx: Transaction) -> None:
    """A target refresh that succeeds moves the dialog (12.2.2)."""
    if session.dialog is not None:
        session.dialog.retarget(request, tx.hop)


def _asked(desk: Sessions, session: Session) -> Transaction | None:
    if session.phase is Phase.INCOMING:
        raise ValueError("the first INVITE is answered with answer or reject")
    return desk.layer.by_key.get(session.asked) if session.asked else None


def _glare(session: Session) -> tuple[Owner, str, str]:
    return Owner.SESSION, session.id, "glare"
