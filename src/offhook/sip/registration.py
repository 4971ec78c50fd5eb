"""A registration of ours at a trunk's registrar: RFC 3261 section 10.2, kept up, and tried again as RFC 5626 section
4.5 spaces it. One literal table; the endpoint carries the REGISTERs.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from offhook.sip.commands import RegistrationId, RegistrationOrder
from offhook.sip.core import Core
from offhook.sip.errors import SyntaxFault
from offhook.sip.events import RegistrationChanged, RegistrationState
from offhook.sip.grammar import escape
from offhook.sip.hop import Hop
from offhook.sip.message import Headers, Request, Response
from offhook.sip.outgoing import Outgoing, OutgoingRequests, Purpose
from offhook.sip.timers import Owner
from offhook.sip.uri import USER_ALLOWED

REFRESH_EARLIEST, REFRESH_LATEST = 0.75, 0.9
"""Parts of the granted time between which a refresh is drawn, so that many do not come together."""
BACK_OFF_BASE_S, BACK_OFF_MAX_S = 30.0, 1800.0
"""RFC 5626 section 4.5; the pause is drawn from the upper half."""
DOUBLINGS_MAX = 6
GRANTED_MIN_S = 10
"""A registrar that grants less is asked this often, not more."""
EXPIRES_MAX_S = 86_400
"""A registrar that asks for more in a 423 is not followed."""


class Input(Enum):
    """Everything that can happen to a registration."""

    __hash__ = object.__hash__

    START = "start"
    ACCEPTED = "2xx"
    TOO_BRIEF = "423"
    FAILED = "408, 5xx, transport error"
    REFUSED = "other 3xx-6xx"
    DUE = "timer"
    LOST = "connection closed"
    STOP = "stop"


class Action(Enum):
    """Everything that a registration can do."""

    __hash__ = object.__hash__

    SEND = "send REGISTER"
    REMOVE = "send REGISTER with Expires 0"
    LENGTHEN = "take Min-Expires"
    WATCH = "start refresh timer"
    BACK_OFF = "start growing pause"
    BACK_OFF_LONG = "start longest pause"
    STOP_TIMER = "stop timer"
    TELL = "tell user"


S, I, Do = RegistrationState, Input, Action  # noqa: E741 - a table is read in columns

TABLE: Mapping[tuple[RegistrationState, Input], tuple[tuple[Action, ...], RegistrationState]] = {
    (S.NEW, I.START): ((Do.SEND,), S.REGISTERING),
    (S.REGISTERING, I.ACCEPTED): ((Do.WATCH, Do.TELL), S.REGISTERED),
    (S.REGISTERING, I.TOO_BRIEF): ((Do.LENGTHEN, Do.SEND), S.REGISTERING),
    (S.REGISTERING, I.FAILED): ((Do.BACK_OFF, Do.TELL), S.WAITING),
    (S.REGISTERING, I.REFUSED): ((Do.BACK_OFF_LONG, Do.TELL), S.WAITING),
    (S.REGISTERING, I.STOP): ((), S.STOPPING),
    (S.REGISTERED, I.DUE): ((Do.SEND,), S.REFRESHING),
    (S.REGISTERED, I.LOST): ((Do.STOP_TIMER, Do.SEND), S.REFRESHING),
    (S.REGISTERED, I.STOP): ((Do.STOP_TIMER, Do.REMOVE), S.LEAVING),
    (S.REFRESHING, I.ACCEPTED): ((Do.WATCH,), S.REGISTERED),
    (S.REFRESHING, I.TOO_BRIEF): ((Do.LENGTHEN, Do.SEND), S.REFRESHING),
    (S.REFRESHING, I.FAILED): ((Do.BACK_OFF, Do.TELL), S.WAITING),
    (S.REFRESHING, I.REFUSED): ((Do.BACK_OFF_LONG, Do.TELL), S.WAITING),
    (S.REFRESHING, I.STOP): ((), S.STOPPING),
    (S.WAITING, I.DUE): ((Do.SEND,), S.REGISTERING),
    (S.WAITING, I.STOP): ((Do.STOP_TIMER, Do.REMOVE), S.LEAVING),
    (S.STOPPING, I.ACCEPTED): ((Do.REMOVE,), S.LEAVING),
    (S.STOPPING, I.TOO_BRIEF): ((Do.TELL,), S.GONE),
    (S.STOPPING, I.FAILED): ((Do.TELL,), S.GONE),
    (S.STOPPING, I.REFUSED): ((Do.TELL,), S.GONE),
    (S.LEAVING, I.ACCEPTED): ((Do.TELL,), S.GONE),
    (S.LEAVING, I.TOO_BRIEF): ((Do.TELL,), S.GONE),
    (S.LEAVING, I.FAILED): ((Do.TELL,), S.GONE),
    (S.LEAVING, I.REFUSED): ((Do.TELL,), S.GONE),
}
"""Every pair that is missing means nothing and changes nothing: a timer that was just stopped, a late answer."""


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", "    [*] --> new"]
    for (state, given), (actions, after) in TABLE.items():
        done = ", ".join(action.value for action in actions) or "nothing"
        lines.append(f"    {state.value} --> {after.value}: {given.value} / {done}")
    lines.append("    gone --> [*]")
    return "\n".join(lines) + "\n"


@dataclass(slots=True, kw_only=True)
class Registration:
    """Plain data."""

    id: RegistrationId
    order: RegistrationOrder
    call_id: str
    tag: str
    contact_user: str
    state: RegistrationState = RegistrationState.NEW
    cseq: int = 0
    expires_s: int = 0
    """What we ask for; 423 may have made it longer."""
    granted_s: int = 0
    failures: int = 0
    hop: Hop | None = None


class Registrations:
    """All registrations of one endpoint."""

    __slots__ = ("_core", "_outgoing", "by_id")

    def __init__(self, core: Core, outgoing: OutgoingRequests) -> None:
        self._core = core
        self._outgoing = outgoing
        self.by_id: dict[str, Registration] = {}

    def begin(self, order: RegistrationOrder) -> RegistrationId:
        """Register and stay registered until ``stop``."""
        ident = RegistrationId(self._core.token())
        user = order.contact_user or order.aor.uri.username or ""
        registration = Registration(
            id=ident,
            order=order,
            call_id=self._core.token(),
            tag=self._core.token(),
            contact_user=escape(user, USER_ALLOWED),
            expires_s=order.expires_s,
        )
        self.by_id[ident] = registration
        self._feed(registration, Input.START, None)
        return ident

    def stop(self, ident: RegistrationId) -> None:
        """Unregister; ``RegistrationChanged`` with GONE follows. Nothing happens if it is gone already."""
        registration = self.by_id.get(ident)
        if registration is not None:
            self._feed(registration, Input.STOP, None)

    def on_timer(self, ident: str) -> None:
        """The refresh or the pause is due."""
        registration = self.by_id.get(ident)
        if registration is not None:
            self._feed(registration, Input.DUE, None)

    def on_closed(self, hop: Hop) -> None:
        """A connection closed: the registrar can no longer reach us over it, so register anew."""
        for registration in list(self.by_id.values()):
            used = registration.hop
            if used is not None and used.transport == hop.transport and used.remote == hop.remote:
                self._feed(registration, Input.LOST, None)

    def on_answer(self, out: Outgoing, status: int, response: Response | None) -> None:
        """The final answer to a REGISTER."""
        registration = self.by_id.get(out.owner)
        if registration is None:
            return
        registration.hop = out.hop
        if status < 300:
            given = Input.ACCEPTED
            if response is not None:
                registration.granted_s = _granted(registration, out, response)
        elif status == 423 and response is not None and self._can_lengthen(registration, response):
            given = Input.TOO_BRIEF
        else:
            given = Input.FAILED if status == 408 or 500 <= status < 600 else Input.REFUSED
        self._feed(registration, given, response, status)

    def next_number(self, ident: str) -> int:
        """The next CSeq (section 10.2: one more for each REGISTER of a Call-ID)."""
        registration = self.by_id.get(ident)
        if registration is None:
            return 1
        registration.cseq += 1
        return registration.cseq

    def _feed(self, reg: Registration, given: Input, response: Response | None, status: int | None = None) -> None:
        row = TABLE.get((reg.state, given))
        if row is None:
            return
        actions, reg.state = row
        for action in actions:
            match action:
                case Action.SEND:
                    self._send(reg, reg.expires_s)
                case Action.REMOVE:
                    self._send(reg, 0)
                case Action.LENGTHEN:
                    assert response is not None
                    reg.expires_s = response.min_expires or reg.expires_s
                case Action.WATCH:
                    reg.failures = 0
                    part = REFRESH_EARLIEST + (REFRESH_LATEST - REFRESH_EARLIEST) * self._core.fraction()
                    self._start(reg, max(reg.granted_s, GRANTED_MIN_S) * part)
                case Action.BACK_OFF:
                    self._start(reg, self._pause(reg, response))
                    reg.failures += 1
                case Action.BACK_OFF_LONG:
                    self._start(reg, BACK_OFF_MAX_S)
                case Action.STOP_TIMER:
                    self._core.timers.cancel(Owner.REGISTRATION, reg.id, "due")
                case Action.TELL:
                    self._tell(reg, response, status)
        if reg.state is RegistrationState.GONE:
            self.by_id.pop(reg.id, None)
            self._outgoing.forget_login(reg.id)

    def _start(self, reg: Registration, after: float) -> None:
        self._core.timers.set(Owner.REGISTRATION, reg.id, "due", self._core.now.mono + after)

    def _pause(self, reg: Registration, response: Response | None) -> float:
        longest = min(BACK_OFF_MAX_S, BACK_OFF_BASE_S * 2.0 ** min(reg.failures, DOUBLINGS_MAX))
        pause = longest * (0.5 + 0.5 * self._core.fraction())
        asked = None if response is None else response.retry_after
        return pause if asked is None else max(pause, float(min(asked.delay_s, BACK_OFF_MAX_S)))

    def _can_lengthen(self, reg: Registration, response: Response) -> bool:
        wanted = response.min_expires
        return wanted is not None and reg.expires_s < wanted <= EXPIRES_MAX_S

    def _tell(self, reg: Registration, response: Response | None, status: int | None) -> None:
        if response is not None:
            reason = response.reason
        else:
            reason = "No Answer" if status == 408 else "Unreachable"
        self._core.emit(
            RegistrationChanged(
                registration=reg.id,
                state=reg.state,
                status=status,
                reason=reason,
                expires_s=reg.granted_s if reg.state is RegistrationState.REGISTERED else None,
            )
        )

    def _send(self, reg: Registration, expires_s: int) -> None:
        order = reg.order
        routes = tuple(uri if uri.has("lr") else uri.with_param("lr") for uri in order.routes)
        headers = Headers()
        for route in routes:
            headers.add("Route", f"<{route}>")
        headers.add("Max-Forwards", "70")
        headers.add("From", str(order.aor.with_tag(reg.tag)))
        headers.add("To", str(order.aor.with_tag(None)))
        headers.add("Call-ID", reg.call_id)
        headers.add("CSeq", f"{self.next_number(reg.id)} REGISTER")
        headers.add("Expires", str(expires_s))
        headers.add("Supported", "timer")
        headers.add("User-Agent", self._core.config.user_agent)
        self._outgoing.submit(
            Outgoing(
                id=self._core.token(),
                purpose=Purpose.REGISTER,
                owner=reg.id,
                request=Request("REGISTER", order.registrar, headers),
                next_hop=routes[0] if routes else order.registrar,
                account=order.account,
                contact_user=reg.contact_user,
            )
        )


def _granted(reg: Registration, out: Outgoing, response: Response) -> int:
    """Seconds granted (10.2.4): our Contact's ``expires``, else the header's, else what we asked for."""
    try:
        contacts = response.contacts
        ours = [c for c in contacts if c.uri.user == reg.contact_user] if isinstance(contacts, list) else []
        for contact in ours:
            if contact.expires_s is not None:
                return contact.expires_s
        return reg.expires_s if response.expires is None else response.expires
    except SyntaxFault:
        return reg.expires_s
