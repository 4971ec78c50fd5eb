"""The whole SIP stack as one machine: octets and time in; octets, events and a deadline out. RFC 3261.

After every ``handle_…`` and every verb, drain ``poll_transmit`` and ``poll_event`` and ask ``poll_deadline``. A verb
that a race with the other side has made pointless does nothing; one that never fits (to answer a call that we made)
raises ``ValueError``, a session that is unknown or over ``UnknownSession``. It refuses to do I/O, to read a body and to
decide who may call or register: all that is the application's.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from offhook.sip import snapshot
from offhook.sip.commands import (
    Account,
    Body,
    EndpointConfig,
    Entropy,
    HeaderLines,
    InviteOrder,
    OptionsId,
    QueryId,
    RegistrationId,
    RegistrationOrder,
    RequestHandle,
    SessionId,
    one_line,
    one_line_each,
)
from offhook.sip.digest import Algorithm, Verdict
from offhook.sip.dispatch import Dispatch
from offhook.sip.events import Binding, Event
from offhook.sip.hop import Hop, HopChange, Now
from offhook.sip.next_hop import SrvRecord
from offhook.sip.session import answer, end, invite, modify
from offhook.sip.session.sessions import UnknownSession
from offhook.sip.uri import Uri

__all__ = ["Endpoint", "UnknownSession"]


class Endpoint:
    """One SIP endpoint: every call, every registered phone, every registration of ours."""

    __slots__ = ("_core", "_inside")

    def __init__(self, config: EndpointConfig, entropy: Entropy, now: Now) -> None:
        self._inside = Dispatch(config, entropy, now)
        self._core = self._inside.core

    # The world

    def handle_datagram(self, data: bytes, hop: Hop, now: Now) -> None:
        """One datagram, and the hop it came by (``hop.remote`` is its source)."""
        self._core.now = now
        self._inside.datagram(data, hop)

    def handle_stream(self, data: bytes, hop: Hop, now: Now) -> None:
        """Octets of a connection (``hop.connection`` is set), cut anywhere."""
        self._core.now = now
        self._inside.stream(data, hop)

    def handle_hop(self, change: HopChange, hop: Hop, now: Now) -> None:
        """A connection opened or closed, or nothing can be sent to ``hop.remote`` (section 18.4)."""
        self._core.now = now
        self._inside.hop_changed(change, hop)

    def handle_timer(self, now: Now) -> None:
        """Time has passed; call it no later than ``poll_deadline`` said. Too early or too late does no harm."""
        self._core.now = now
        self._inside.timers_due()

    def handle_resolved(self, query: QueryId, answers: Sequence[SrvRecord] | Sequence[str], now: Now) -> None:
        """What a ``Resolve`` asked for: SRV records or numeric addresses, best first; empty if there are none."""
        self._core.now = now
        self._inside.outgoing.resolved(query, answers)

    def poll_transmit(self) -> tuple[bytes, Hop] | None:
        """The next octets to send and where; None when there are none."""
        outbox = self._core.outbox
        return outbox.popleft() if outbox else None

    def poll_event(self) -> Event | None:
        """The next thing to know; None when there is none."""
        events = self._core.events
        return events.popleft() if events else None

    def poll_deadline(self) -> float | None:
        """When to call ``handle_timer``, in monotonic seconds; None: not before something else happens."""
        return self._core.timers.next()

    # Calls

    def invite(self, order: InviteOrder, now: Now) -> SessionId:
        """Make a call."""
        self._core.now = now
        return invite.call(self._inside.sessions, order)

    def trying(self, session: SessionId, now: Now) -> None:
        """Say 100 where that was left to the application; nothing if more has been said already, or it is over."""
        self._core.now = now
        found = self._inside.sessions.by_id.get(session)
        if found is not None:
            answer.trying(self._inside.sessions, found)

    def ring(self, session: SessionId, now: Now, status: int = 180, body: Body | None = None) -> None:
        """Tell a caller of progress: 180, or 183 with early media; any 101 to 199."""
        self._core.now = now
        answer.ring(self._inside.sessions, self._inside.sessions.get(session), status, body)

    def answer(self, session: SessionId, body: Body, now: Now) -> None:
        """Accept a call with our answer; with our offer if the INVITE had none."""
        self._core.now = now
        answer.accept(self._inside.sessions, self._inside.sessions.get(session), body)

    def reject(
        self, session: SessionId, status: int, now: Now, *, reason: str | None = None, headers: HeaderLines = ()
    ) -> None:
        """Turn a call down with 300 to 699."""
        one_line(reason)
        one_line_each(headers)
        self._core.now = now
        answer.reject(self._inside.sessions, self._inside.sessions.get(session), status, reason, list(headers))

    def hang_up(self, session: SessionId, now: Now, *, reason: str | None = None) -> None:
        """End a call, whatever its state: CANCEL, BYE, 480, or later when the RFC allows; ``Ended`` follows.

        ``reason`` is a Reason header's value (RFC 3326). A session that is unknown or over is none to hang up.
        """
        one_line(reason)
        self._core.now = now
        found = self._inside.sessions.by_id.get(session)
        if found is not None:
            end.hang_up(self._inside.sessions, found, reason)

    def acknowledge(self, session: SessionId, body: Body, now: Now) -> None:
        """Our answer to the offer of ``Answered`` with ``ack_needed``."""
        self._core.now = now
        invite.acknowledge(self._inside.sessions, self._inside.sessions.get(session), body)

    def reoffer(self, session: SessionId, body: Body, now: Now) -> None:
        """Change an established session by re-INVITE; ``OfferAnswered`` or ``OfferRefused`` follows."""
        self._core.now = now
        modify.reoffer(self._inside.sessions, self._inside.sessions.get(session), body)

    def accept_offer(self, session: SessionId, body: Body, now: Now) -> None:
        """Answer ``OfferReceived``; with our offer if its ``body`` was None."""
        self._core.now = now
        modify.accept_offer(self._inside.sessions, self._inside.sessions.get(session), body)

    def refuse_offer(self, session: SessionId, now: Now, status: int = 488, headers: HeaderLines = ()) -> None:
        """Turn ``OfferReceived`` down; the session goes on as it was."""
        one_line_each(headers)
        self._core.now = now
        modify.refuse_offer(self._inside.sessions, self._inside.sessions.get(session), status, list(headers))

    # Requests that wait: incoming INVITE and REGISTER

    def check_credentials(
        self, handle: RequestHandle, ha1_by_algorithm: Mapping[Algorithm, str], now: Now
    ) -> Verdict | None:
        """Verify a request's digest (section 22.4) against H(user:realm:password) by base algorithm.

        None if it holds no credentials for our realm (``config.domain``); ``event.credentials`` says whom it claims to
        be. ``LookupError`` if the request no longer waits. Ask once for each request: a second time is a replay.
        """
        self._core.now = now
        return self._inside.gate.check(handle, ha1_by_algorithm)

    def challenge(self, handle: RequestHandle, now: Now, *, stale: bool = False) -> None:
        """Answer 401 with our challenges; for an INVITE its session ends, the next try is a new one."""
        self._core.now = now
        self._inside.gate.challenge(handle, stale=stale)

    def accept_register(self, handle: RequestHandle, now: Now) -> None:
        """Carry out a REGISTER; ``BindingsChanged`` follows if it changed anything."""
        self._core.now = now
        self._inside.gate.accept_register(handle)

    def reject_request(self, handle: RequestHandle, status: int, now: Now, headers: HeaderLines = ()) -> None:
        """Refuse an INVITE or REGISTER with 300 to 699."""
        one_line_each(headers)
        self._core.now = now
        self._inside.gate.reject(handle, status, headers)

    def lookup(self, aor: Uri, now: Now) -> tuple[Binding, ...]:
        """Where a registered address can be reached, best first; call with ``InviteOrder(target=contact, hop=hop)``."""
        self._core.now = now
        return self._inside.bindings(aor)

    # Trunks

    def register(self, order: RegistrationOrder, now: Now) -> RegistrationId:
        """Register with a trunk and stay so; ``RegistrationChanged`` tells how it goes."""
        self._core.now = now
        return self._inside.registrations.begin(order)

    def unregister(self, registration: RegistrationId, now: Now) -> None:
        """Take a registration back; ``RegistrationChanged`` with GONE follows."""
        self._core.now = now
        self._inside.registrations.stop(registration)

    def options(self, target: Uri, now: Now, *, hop: Hop | None = None, account: Account | None = None) -> OptionsId:
        """Ask whether somebody is there (section 11); ``OptionsAnswered`` follows."""
        self._core.now = now
        return self._inside.ask_options(target, hop, account)

    # Overload

    def refuse_new(self, status: int = 503, reason: str = "Service Unavailable", retry_after_s: int = 5) -> None:
        """From now on new calls get this, statelessly and at the least cost; everything else goes on."""
        one_line(reason)
        self._inside.refusal = (status, reason, retry_after_s)

    def take_new(self) -> None:
        """Take new calls again."""
        self._inside.refusal = None

    # Outliving the process

    def export(self, session: SessionId | None = None, now: Now | None = None) -> dict[str, Any]:
        """Everything alive, or one session with its transactions and timers, as data that JSON can say.

        Drain the polls first: what waits there is not in it. Deadlines are told by the wall clock of the last input, or
        of `now`: it may have been set since.
        """
        self._core.now = now or self._core.now
        return snapshot.take(self._inside) if session is None else snapshot.take_session(self._inside, session)

    def registered(self) -> list[Uri]:
        """The addresses that can be reached."""
        return [record.aor for record in self._inside.registrar.records.values()]

    def export_bindings(self, aor: Uri, now: Now | None = None) -> dict[str, Any] | None:
        """Where one registered address can be reached, for ``restore``; None if it cannot. `now` as for ``export``."""
        self._core.now = now or self._core.now
        return snapshot.take_record(self._inside, aor)

    @classmethod
    def restore(
        cls, parts: Iterable[Mapping[str, Any]], config: EndpointConfig, entropy: Entropy, now: Now
    ) -> Endpoint:
        """An endpoint that goes on where the exports were taken; deadlines that passed meanwhile are due at once.

        Connections are taken as still open: say ``handle_hop(CLOSED, …)`` of those that are not. Raises ``ValueError``
        for an export of another version or with a fault in it.
        """
        endpoint = cls(config, entropy, now)
        for part in parts:
            endpoint.take_in(part)
        return endpoint

    def take_in(self, part: Mapping[str, Any]) -> None:
        """Go on with one more export, beside what is there; before anything else is said or heard. Raises
        ``ValueError`` as ``restore`` does."""
        snapshot.put(self._inside, part)

    def sessions(self) -> list[SessionId]:
        """Those whose ``Ended`` has not been told."""
        return [SessionId(each.id) for each in self._inside.sessions.by_id.values() if not each.told_end]

    def counts(self) -> dict[str, int]:
        """What is kept, by its kind: what stays when nothing happens any more, and the RFC's timers have run, leaks."""
        inside = self._inside
        return {
            "sessions": self.sessions_count,
            "sessions_kept": len(inside.sessions.by_id),
            "dialogs": len(inside.sessions.by_dialog),
            "transactions": len(inside.layer.by_key),
            "requests": len(inside.outgoing.by_id),
            "logins": len(inside.outgoing.logins),
            "waiting_requests": len(inside.gate.waiting),
            "timers": len(self._core.timers),
            "streams": len(inside.streams),
            "connections": len(self._core.connections),
        }

    @property
    def sessions_count(self) -> int:
        """Calls alive, ended ones that still absorb late messages not counted."""
        return sum(1 for session in self._inside.sessions.by_id.values() if not session.told_end)
