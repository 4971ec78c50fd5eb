"""The session as caller, until it is established: RFC 3261 section 13.2, forking included.

Several early dialogs may stand; the first 2xx wins, and whatever else answers is acknowledged and ended (13.2.2.4).
A CANCEL waits for a provisional answer (9.1). 3xx are reported, not followed.
"""

from __future__ import annotations

from offhook.sip.commands import Body, InviteOrder, SessionId
from offhook.sip.dialog import Dialog, as_caller
from offhook.sip.events import Answered, EndCause, Established, Progress, Refused
from offhook.sip.grammar import escape
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.message import Headers, Request, Response
from offhook.sip.outgoing import Outgoing, Purpose
from offhook.sip.session import modify
from offhook.sip.session.sessions import ALLOW, Sessions, body_of, put_body
from offhook.sip.session.state import Phase, Session
from offhook.sip.session_timer import SessionTimer, accept, offer
from offhook.sip.transaction.layer import cancel_for
from offhook.sip.uri import USER_ALLOWED, Uri

EARLY_DIALOGS_MAX = 16
"""A fork wider than this is a fault or an attack; further branches are told of without a dialog."""


def call(desk: Sessions, order: InviteOrder) -> SessionId:
    """Send an INVITE (13.2.1). A failure to route it comes as ``Refused``."""
    core = desk.core
    ident, tag = SessionId(core.token()), core.token()
    user = order.contact_user or order.from_.uri.username
    session = Session(
        id=ident,
        caller=True,
        phase=Phase.CALLING,
        call_id=core.token(),
        tag=tag,
        contact_user=escape(user, USER_ALLOWED) if user else "",
        account=order.account,
        offers_in_invite=order.offer is not None,
        flow=order.hop,
        local_body=order.offer,
        timer=SessionTimer(min_se_s=core.config.session_timer.min_interval_s),
    )
    routes = tuple(uri if uri.has("lr") else uri.with_param("lr") for uri in order.routes)
    headers = Headers()
    for route in routes:
        headers.add("Route", f"<{route}>")
    headers.add("Max-Forwards", str(order.max_forwards))
    headers.add("From", str(order.from_.with_tag(tag)))
    headers.add("To", str(order.to.with_tag(None)))
    headers.add("Call-ID", session.call_id)
    headers.add("CSeq", "1 INVITE")
    headers.add("Allow", ALLOW)
    for name, value in offer(session.timer, core.config.session_timer):
        headers.add(name, value)
    headers.add("User-Agent", core.config.user_agent)
    for name, value in order.headers:
        headers.add(name, value)
    request = Request("INVITE", order.target, headers)
    put_body(request, order.offer)
    desk.add(session)
    _submit(desk, session, request, routes[0] if routes else order.target)
    return ident


def _submit(desk: Sessions, session: Session, request: Request, next_hop: Uri) -> None:
    out = Outgoing(
        id=desk.core.token(),
        purpose=Purpose.INVITE,
        owner=session.id,
        request=request,
        next_hop=next_hop,
        account=session.account,
        flow=session.flow,
        contact_user=session.contact_user,
    )
    session.invite = out.id
    desk.outgoing.submit(out)


def on_sent(desk: Sessions, session: Session, out: Outgoing) -> None:
    """The INVITE left, perhaps once more; a CANCEL for this one waits for its own provisional answer."""
    session.provisional = False
    session.early.clear()
    desk.trace(session, True, "INVITE", out.hop)


def on_provisional(desk: Sessions, session: Session, out: Outgoing, response: Response) -> None:
    """101 to 199 make or touch an early dialog (12.1); any 1xx lets a waiting CANCEL go."""
    session.provisional = True
    if session.phase is Phase.CANCELLING:
        send_cancel(desk, session, out)
        return
    if response.status == 100 or session.phase is not Phase.CALLING:
        return
    desk.trace(session, False, f"{response.status} {response.reason}", out.hop, response)
    tag = response.to.tag or ""
    if tag in session.early:
        session.early[tag].retarget(response)
    elif tag and len(session.early) < EARLY_DIALOGS_MAX:
        session.early[tag] = as_caller(out.request, response, flow=session.flow)
    desk.core.emit(
        Progress(session=session.id, status=response.status, reason=response.reason, early=tag, body=body_of(response))
    )


def on_success(desk: Sessions, session: Session, out: Outgoing, response: Response) -> None:
    """A 2xx: the first wins; a repeat gets its ACK again; one from another branch is ended (13.2.2.4)."""
    tag = response.to.tag or ""
    if (session.dialog is not None and session.dialog.remote_tag == tag) or tag in session.strays:
        repeat_ack(desk, session, response)
        return
    dialog = session.early.pop(tag, None) or as_caller(out.request, response, flow=session.flow)
    dialog.confirm(response)
    dialog.local_seq = max(dialog.local_seq, out.request.cseq.number)
    if session.phase is Phase.CALLING:
        desk.trace(session, False, f"{response.status} {response.reason}", out.hop)
        session.dialog = dialog
        accept(session.timer, response)
        body = body_of(response)
        if session.offers_in_invite:
            desk.core.emit(Answered(session=session.id, early=tag, body=body, ack_needed=False))
            _confirm(desk, session, out.request, None)
        else:
            session.phase = Phase.ACKING
            desk.core.emit(Answered(session=session.id, early=tag, body=body, ack_needed=True))
        return
    if session.dialog is None and session.phase is Phase.CANCELLING:
        # The 200 crossed our CANCEL: it stands, so it is acknowledged and ended (9.1, 15).
        desk.trace(session, False, f"{response.status} {response.reason}", out.hop)
        session.dialog = dialog
        session.phase = Phase.LEAVING
        desk.stop(session, "cancel")
    else:
        session.strays.append(tag)
    desk.acknowledge(session, dialog, out.request, None)
    bye(desk, session, dialog)


def acknowledge(desk: Sessions, session: Session, body: Body) -> None:
    """Our answer to the offer in the 2xx, in the ACK; nothing happens if the session does not wait for it."""
    if session.phase is Phase.ACKING and (out := desk.outgoing.by_id.get(session.invite)) is not None:
        session.local_body = body
        _confirm(desk, session, out.request, body)


def _confirm(desk: Sessions, session: Session, invite: Request, body: Body | None) -> None:
    assert session.dialog is not None
    session.phase = Phase.ESTABLISHED
    session.early.clear()
    desk.acknowledge(session, session.dialog, invite, body)
    desk.core.emit(Established(session=session.id, body=None))
    modify.watch(desk, session)
    modify.next_change(desk, session)


def repeat_ack(desk: Sessions, session: Session, response: Response) -> None:
    """Each repeat of a 2xx gets the same ACK again; before the first has left, none."""
    ack = session.acks.get(response.to.tag or "")
    if ack is not None and ack.seq == response.cseq.number:
        desk.core.send(ack.data, ack.hop)


def on_failure(desk: Sessions, session: Session, out: Outgoing, status: int, response: Response | None) -> None:
    """The end of our INVITE, but for 422, which names the interval to try again with (RFC 4028 section 7.3)."""
    if response is not None:
        desk.trace(session, False, f"{status} {response.reason}", out.hop, response)
        if status == 422 and session.phase is Phase.CALLING and _longer(session, response):
            request = out.request
            for name, value in offer(session.timer, desk.core.config.session_timer):
                request.headers.set(name, value)
            request.headers.set("CSeq", f"{request.cseq.number + 1} INVITE")
            _submit(desk, session, request, out.next_hop)
            return
    session.early.clear()
    # Nothing late can win any more: the transaction itself absorbs repeats.
    session.invite = ""
    if session.phase is Phase.CANCELLING:
        desk.end(session, EndCause.LOCAL)
    elif session.phase is Phase.CALLING:
        desk.core.emit(_refused(session, status, response))
        desk.end(session, EndCause.REFUSED)


def _longer(session: Session, response: Response) -> bool:
    wanted = response.min_se
    if wanted is None or wanted <= session.timer.min_se_s:
        return False
    session.timer.min_se_s = wanted
    session.timer.interval_s = max(session.timer.interval_s, wanted)
    return True


def _refused(session: Session, status: int, response: Response | None) -> Refused:
    if response is None:
        reason = "Request Timeout" if status == 408 else "Service Unavailable"
        return Refused(session=session.id, status=status, reason=reason, retry_after_s=None, contacts=(), headers=None)
    contacts: list[NameAddr] = []
    if 300 <= status < 400 and isinstance(response.contacts, list):
        contacts = sorted(response.contacts, key=lambda contact: -contact.q)
    after = response.retry_after
    return Refused(
        session=session.id,
        status=status,
        reason=response.reason,
        retry_after_s=None if after is None else after.delay_s,
        contacts=tuple(contacts),
        headers=response.headers,
    )


def cancel(desk: Sessions, session: Session) -> None:
    """Stop calling (9.1): at once if nothing has left or a provisional answer came, else when one comes."""
    out = desk.outgoing.by_id.get(session.invite)
    session.phase = Phase.CANCELLING
    if out is None or not out.tx:
        if out is not None:
            desk.outgoing.give_up(out)
        session.invite = ""
        desk.end(session, EndCause.LOCAL)
        return
    desk.outgoing.give_up(out)
    if session.provisional:
        send_cancel(desk, session, out)


def send_cancel(desk: Sessions, session: Session, out: Outgoing) -> None:
    """The CANCEL, once; 64*T1 later its INVITE is given up even without a final answer (9.1)."""
    invite = desk.layer.by_key.get(out.tx)
    if session.cancelled or invite is None:
        return
    session.cancelled = True
    request = cancel_for(invite.request)
    if session.reason is not None:
        request.headers.add("Reason", session.reason)
    desk.layer.request(request, invite.hop, session.id)
    desk.trace(session, True, "CANCEL", invite.hop, request)
    desk.start(session, "cancel", desk.core.config.timers.patience)


def on_cancel_timer(desk: Sessions, session: Session) -> None:
    """No final answer 64*T1 after the CANCEL."""
    out = desk.outgoing.by_id.get(session.invite)
    session.invite = ""
    if out is not None and (tx := desk.layer.by_key.get(out.tx)) is not None:
        desk.layer.abandon(tx)
    desk.end(session, EndCause.LOCAL)


def bye(desk: Sessions, session: Session, dialog: Dialog) -> None:
    """End one dialog (15.1.1)."""
    request, next_hop = dialog.request("BYE")
    if session.reason is not None:
        request.headers.add("Reason", session.reason)
    out = desk.send(session, dialog, Purpose.BYE, request, next_hop)
    if dialog is session.dialog:
        desk.trace(session, True, "BYE", out.hop, request)
