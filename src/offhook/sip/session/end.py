"""Ending a session: BYE both ways (RFC 3261 section 15), hanging up in any phase, and the timers that end one.

A callee never sends BYE before its 2xx was acknowledged or given up (section 15); hanging up waits for that.
"""

from __future__ import annotations

from typing import assert_never

from offhook.sip.events import EndCause, HangUpKind
from offhook.sip.message import Request
from offhook.sip.outgoing import Outgoing
from offhook.sip.session import answer, invite, modify
from offhook.sip.session.sessions import Sessions
from offhook.sip.session.state import Phase, Session
from offhook.sip.transaction.layer import Transaction
from offhook.sip.transaction.table import State


def hang_up(desk: Sessions, session: Session, reason: str | None) -> None:
    """End the session by what its phase asks for; doing it twice is as good as once. ``Ended`` follows."""
    session.reason = reason or session.reason
    phase = session.phase
    match phase:
        case Phase.CALLING:
            invite.cancel(desk, session)
        case Phase.INCOMING:
            answer.reject(desk, session, 480, None, [] if reason is None else [("Reason", reason)])
        case Phase.ANSWERED:
            session.bye_wanted = True
        case Phase.ACKING:
            # The 2xx must be acknowledged before the BYE (13.2.2.4), with an answer or without.
            out = desk.outgoing.by_id.get(session.invite)
            if out is not None and session.dialog is not None:
                desk.acknowledge(session, session.dialog, out.request, None)
            _leave(desk, session)
        case Phase.ESTABLISHED:
            _leave(desk, session)
        case Phase.CANCELLING | Phase.LEAVING | Phase.ENDED:
            pass
        case _:
            assert_never(phase)


def _leave(desk: Sessions, session: Session) -> None:
    session.phase = Phase.LEAVING
    session.waiting_change = None
    session.unacked = None
    for name in ("2xx", "no-ack", "session", "glare"):
        desk.stop(session, name)
    _refuse_open(desk, session)
    if session.dialog is not None:
        invite.bye(desk, session, session.dialog)


def after_ack(desk: Sessions, session: Session) -> None:
    """The ACK came: now a waiting BYE may leave (section 15)."""
    if session.bye_wanted and session.phase is Phase.ESTABLISHED:
        session.bye_wanted = False
        _leave(desk, session)


def on_no_ack(desk: Sessions, session: Session) -> None:
    """No ACK in 64*T1: the session is over, and the BYE says so (13.3.1.4)."""
    if session.unacked is None:
        return
    if session.bye_wanted:
        _leave(desk, session)
        return
    if session.reason is None:
        session.reason = 'SIP;cause=408;text="no ACK"'
    modify.leave(desk, session, HangUpKind.TIMEOUT)


def on_bye(desk: Sessions, session: Session, tx: Transaction, request: Request) -> None:
    """A BYE within the dialog (15.1.2): 200, and 487 to whatever of theirs is still open."""
    desk.respond(tx, 200)
    remote = request.from_.tag or ""
    if session.caller and (session.dialog is None or session.dialog.remote_tag != remote):
        # One branch of a fork went away; the others stand.
        session.early.pop(remote, None)
        return
    desk.trace(session, False, "BYE", tx.hop, request)
    desk.trace(session, True, "200 OK", tx.hop)
    _refuse_open(desk, session)
    if session.phase is Phase.LEAVING and not session.told_end:
        # Both hung up at once; ours came first here.
        desk.end(session, EndCause.LOCAL)
        return
    desk.gone(session, HangUpKind.BYE, request.headers.get("Reason"))
    desk.end(session, EndCause.REMOTE)


def on_bye_done(desk: Sessions, session: Session, out: Outgoing) -> None:
    """Our BYE got its answer, or none; the dialog is over in any case (15.1.1)."""
    if out.id == session.bye:
        desk.end(session, EndCause.LOCAL)


def on_timer(desk: Sessions, session: Session, name: str) -> None:
    """A timer of the session came due."""
    match name:
        case "2xx":
            answer.on_2xx_timer(desk, session)
        case "no-ack":
            on_no_ack(desk, session)
        case "cancel":
            invite.on_cancel_timer(desk, session)
        case "expires":
            answer.on_expires_timer(desk, session)
        case "ringing":
            answer.on_ringing_timer(desk, session)
        case "glare":
            modify.next_change(desk, session)
        case "reoffer":
            modify.on_reoffer_timer(desk, session)
        case "session":
            modify.on_session_timer(desk, session)
        case _:
            raise ValueError(f"a session has no timer {name}")


def on_transport_error(desk: Sessions, session: Session, tx: Transaction) -> None:
    """An answer of ours could not be sent (18.4). The caller will repeat or give up; before our 2xx that ends it."""
    if session.phase is Phase.INCOMING and tx.key == session.first:
        session.asked = ""
        desk.gone(session, HangUpKind.TRANSPORT, None)
        desk.end(session, EndCause.REMOTE)
        desk.layer.abandon(tx)


def _refuse_open(desk: Sessions, session: Session) -> None:
    """Requests of theirs that have no answer yet get 487 (15.1.2)."""
    tx = desk.layer.by_key.get(session.asked) if session.asked else None
    session.asked = ""
    if tx is not None and tx.state in (State.PROCEEDING, State.TRYING):
        desk.respond(tx, 487)
