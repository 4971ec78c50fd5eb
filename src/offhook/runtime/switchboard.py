"""All live calls: how they begin, and what the endpoint's events are for.

Takes calls from trunks and phones and from the APIs, gives each its task, and forgets it when it is over. Whether a
phone is who it says is settled here, with the secrets that only the directory knows.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Callable
from dataclasses import dataclass

import structlog

from offhook.call.call import Call
from offhook.call.changes import Change, Objection
from offhook.call.commands import LegId
from offhook.call.events import HangUp
from offhook.call.masking import shown_number
from offhook.flow.dialects.choose import DIALECTS, read_start
from offhook.flow.dialects.dialect import Dialect, Reading
from offhook.flow.errors import DocumentError
from offhook.flow.program import Flow, Next
from offhook.flow.verbs import StatusHook, Target
from offhook.flow.view import HIDDEN_CALLER, CallId, CallView, Cause
from offhook.runtime.book import row_of
from offhook.runtime.call_task import now as call_now
from offhook.runtime.live_call import LiveCall
from offhook.runtime.routing import Arrival, Caller, Source
from offhook.runtime.services import Services
from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.source_guard import REFUSE_S, SourceGuard
from offhook.sdp.description import SdpError
from offhook.sdp.offer_answer import OfferAnswer
from offhook.sip import events as sip
from offhook.sip.digest import Algorithm, Verdict, compute_ha1
from offhook.sip.headers.auth import Credentials
from offhook.sip.uri import Uri
from offhook.storage.facts import Fact
from offhook.storage.rows import CallRow, NumberRow

__all__ = ["CallOrder", "Switchboard"]

log = structlog.get_logger(__name__)

BAD_REQUEST, FORBIDDEN, NOT_FOUND = 400, 403, 404
PARTY = LegId(0)
PHONE_FACT, PHONE_VERSION = "phone", 1


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOrder:
    """A call that an API asks for; already validated."""

    owner: str
    from_: str
    target: Target
    start: Next
    hangup_hook: str | None
    ring_timeout_s: float
    dialect: Dialect
    record: bool = False
    """Record both parties, for the customer to fetch."""
    id: CallId | None = None
    """What it was promised to be called; `None`: whatever."""
    told: StatusHook | None = None
    """Who is told how the party fares."""
    send_digits: str = ""
    """Keys for the party after its answer, before anything else."""
    fallback: Next | None = None
    """What it goes on with where its web application fails; `None`: what its account has."""
    time_limit_s: float | None = None
    """How long the call may last from its answer."""


@dataclass(frozen=True, slots=True)
class _Refusal:
    cause: Cause
    why: str


def new_call_id() -> CallId:
    """128 bits of chance."""
    return CallId(secrets.token_hex(16))


class Switchboard:
    """The registry of what is happening."""

    def __init__(self, *, driver: SipDriver, services: Services) -> None:
        self._driver = driver
        self._services = services
        self.live: dict[CallId, LiveCall] = {}
        self.on_registration: list[Callable[[sip.RegistrationChanged], None]] = []
        services.forget = self.forget
        self._guesses = SourceGuard()
        driver.unheard = self._unheard
        self._idle = asyncio.Event()
        self._idle.set()

    # ── calls from the APIs ──────────────────────────────────────────────────────────────────────────────────────

    def place(self, order: CallOrder) -> CallView:
        """Make a call; its INVITE leaves as soon as its ports are there. Returns at once."""
        return self._outgoing(order).call.view()

    def give_up(self, order: CallOrder) -> CallView:
        """A call that an earlier server promised, may have placed, and left no facts of. It is over as it begins, since
        it is not to ring twice, and its customer is told what they would be told of any call."""
        return self._outgoing(order, refused=Cause.SERVER_RESTART).call.view()

    def _outgoing(self, order: CallOrder, refused: Cause | None = None) -> LiveCall:
        call = Call.outgoing(
            id=order.id or new_call_id(),
            from_=order.from_,
            target=order.target,
            now=call_now(),
            owner=order.owner,
            dialect=order.dialect,
            start=order.start,
            ring_timeout=order.ring_timeout_s,
            hangup_hook=order.hangup_hook,
            record=order.record,
            told=order.told,
            send_digits=order.send_digits,
            fallback=self._account_fallback(order.owner, order.dialect) if order.fallback is None else order.fallback,
            care=self._services.care,
            time_limit_s=order.time_limit_s,
            quirks=self._quirks(order.owner),
            refused=refused,
        )
        caller = Caller(account=order.owner, numbers=frozenset((order.from_, call.view().to)), dialled=call.view().to)
        # Its row and its facts are one transaction: the next server closes a row without facts, and tells nobody.
        with self._services.book.together():
            live = self._enter(call, caller, order.dialect)
            live.task.begin()
        return live

    def resumed(self, live: LiveCall, entries: int) -> None:
        """A call that was restored; its timeline goes on after so many entries."""
        self.live[live.id] = live
        self._idle.clear()
        self._services.book.resumed(live.call.view(), entries)

    def hang_up(self, call: CallId, cause: Cause = Cause.NORMAL) -> bool:
        """End a live call, because somebody outside wants it. False: there is none."""
        live = self.live.get(call)
        if live is None:
            return False
        live.note("call.hangup_asked", {"cause": cause.value})
        live.post(HangUp(cause=cause))
        return True

    def change(self, call: CallId, wanted: Change) -> Objection | None:
        """Change a live call, unless there is an objection to it as the call stands now."""
        live = self.live.get(call)
        if live is None:
            return Objection.CALL_OVER
        # What came before is heard before: a party that has just gone is not muted, though that was answered.
        live.task.settle()
        objection = live.call.objection(wanted)
        if objection is None:
            if isinstance(wanted, HangUp):
                live.note("call.hangup_asked", {"cause": wanted.cause.value})
            live.post(wanted)
            live.task.settle()
        return objection

    def view(self, call: CallId) -> CallView | None:
        """A live call as its customer may see it."""
        live = self.live.get(call)
        return None if live is None else live.call.view()

    def row(self, call: CallId) -> CallRow | None:
        """A live call as lists show it."""
        live = self.live.get(call)
        return None if live is None else row_of(live.call.view(), live.dialect)

    def write_down(self, call: CallId) -> None:
        """Somebody reads a timeline now: put what is new in that of a live call."""
        if (live := self.live.get(call)) is not None:
            live.write_down()

    def forget(self, live: LiveCall) -> None:
        """A call is over."""
        self.live.pop(live.id, None)
        if not self.live:
            self._idle.set()

    async def drained(self, within_s: float) -> bool:
        """Wait until no call is left. False: some still are."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), within_s)
        return self._idle.is_set()

    def end_all(self, cause: Cause) -> None:
        """End what is left."""
        for live in list(self.live.values()):
            live.post(HangUp(cause=cause))

    # ── what the endpoint says ───────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: sip.Event) -> None:
        """Take an event of the SIP endpoint."""
        match event:
            case sip.IncomingInvite():
                self._invited(event)
            case sip.RegisterReceived():
                self._registering(event)
            case sip.RegistrationChanged():
                for listener in self.on_registration:
                    listener(event)
            case sip.BindingsChanged():
                log.info("phone.bindings", phone=shown_number(event.aor.username or ""), count=len(event.bindings))
                self._keep_bindings(event.aor)
            case sip.OptionsAnswered() | sip.Resolve() | sip.CloseHop() | sip.StrayMessage():
                pass
            case _:
                self._services.legs.handle(event)

    def _keep_bindings(self, aor: Uri) -> None:
        """Before the phone is told that it is registered."""
        key = f"{aor.username}@{aor.host.lower()}"
        data = self._driver.endpoint.export_bindings(aor, now())
        if data is None:
            self._services.keeper.drop(PHONE_FACT, key)
        else:
            self._services.keeper.write(Fact(kind=PHONE_FACT, key=key, version=PHONE_VERSION, data=data))

    def keep_all(self) -> None:
        """Write the facts of all that lives anew: the wall clock was set, and their deadlines are told by it."""
        keeper = self._services.keeper
        for live in self.live.values():
            keeper.touch(live)
        self._services.rooms.keep_all()
        for aor in self._driver.endpoint.registered():
            self._keep_bindings(aor)

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _enter(self, call: Call, caller: Caller, dialect: Dialect) -> LiveCall:
        live = LiveCall(call, caller, dialect, self._services)
        self.live[live.id] = live
        self._idle.clear()
        self._services.book.opened(call.view(), dialect)
        return live

    def _invited(self, invite: sip.IncomingInvite) -> None:
        arrival = self._services.routing.arrival(invite)
        if arrival.source is not Source.TRUNK and self._unheard(invite.hop.remote[0]):
            self._reject(invite, FORBIDDEN)
            return
        if arrival.source is Source.STRANGER:
            log.info("call.stranger", peer=invite.hop.remote[0])
            self._guessed(invite)
            self._reject(invite, FORBIDDEN)
            return
        if arrival.source is Source.PHONE and not self._proved(invite, arrival.number):
            return
        number = arrival.number
        if number is None or number.account is None:
            # Nobody's call, so that nobody could read its timeline; the operator may have forgotten a number.
            log.info("call.no_number", peer=invite.hop.remote[0], trunk=arrival.trunk, to=shown_number(arrival.to))
            self._reject(invite, NOT_FOUND)
            return
        # One transaction, as for a call by order.
        with self._services.book.together():
            self._begin_incoming(invite, arrival, number, number.account)

    def _begin_incoming(self, invite: sip.IncomingInvite, arrival: Arrival, number: NumberRow, owner: str) -> None:
        dialect = DIALECTS[number.dialect]
        start, fault = _start_of(number, dialect)
        refusal, offered = self._refusal(invite, owner)
        fallback = _read_fallback(number.fallback, dialect, number.method) or self._account_fallback(owner, dialect)
        call = Call.incoming(
            id=new_call_id(),
            from_=arrival.from_,
            to=arrival.to,
            now=call_now(),
            owner=owner,
            dialect=dialect,
            start=start,
            refused=None if refusal is None else refusal.cause,
            caller_name="" if arrival.from_ == HIDDEN_CALLER else invite.from_.display or "",
            fallback=fallback,
            care=self._services.care,
            quirks=self._quirks(owner),
        )
        caller = Caller(
            account=owner,
            # What a phone dials is nobody's word: only a network's number is a party's.
            numbers=frozenset((arrival.from_, arrival.to) if arrival.source is Source.TRUNK else (arrival.from_,)),
            dialled=arrival.to,
            hops_left=invite.max_forwards - 1,
        )
        live = self._enter(call, caller, dialect)
        try:
            live.legs[PARTY] = self._services.legs.incoming(live, PARTY, invite, offered)
        except Exception:
            # The driver refuses the caller; the call must not stay among the live ones.
            live.task.abandon()
            raise
        arrived = {"leg": PARTY, "way": arrival.source.value}
        live.note("leg.arrived", arrived | {"trunk": arrival.trunk} if arrival.trunk else arrived)
        if refusal is not None:
            live.note("call.refused", {"cause": refusal.cause.value, "why": refusal.why})
        if fault:
            live.note("number.unusable", {"number": number.number, "why": fault})
        live.task.begin()

    def _refusal(self, invite: sip.IncomingInvite, owner: str) -> "tuple[_Refusal | None, OfferAnswer | None]":
        """Why a call is refused before anybody is asked what to do with it; if it is not, what its caller offers."""
        if not self._services.book.can_pay(owner):
            return _Refusal(Cause.NO_CREDIT, "the account has no credit left"), None
        try:
            return None, self._services.legs.read_offer(invite)
        except SdpError as error:
            return _Refusal(Cause.INCOMPATIBLE_MEDIA, str(error)), None

    def _quirks(self, owner: str) -> frozenset[str]:
        """What an account's applications rely on, or those of the account that a subaccount belongs to."""
        account = self._services.directory.account(owner)
        while account is not None:
            if account.quirks or account.parent is None:
                return frozenset(account.quirks)
            account = self._services.directory.account(account.parent)
        return frozenset()

    def _account_fallback(self, owner: str, dialect: Dialect) -> Next | None:
        """An account's, or of the account that a subaccount belongs to."""
        account = self._services.directory.account(owner)
        while account is not None:
            if account.fallback:
                return _read_fallback(account.fallback, dialect)
            account = None if account.parent is None else self._services.directory.account(account.parent)
        return None

    def _reject(self, invite: sip.IncomingInvite, status: int) -> None:
        self._driver.endpoint.reject(invite.session, status, now())
        self._driver.pump()

    def _registering(self, event: sip.RegisterReceived) -> None:
        if self._unheard(event.hop.remote[0]):
            self._driver.endpoint.reject_request(event.handle, FORBIDDEN, now())
        elif self._proved(event, self._services.routing.phone_of(event.aor)):
            self._driver.endpoint.accept_register(event.handle, now())

    def _proved(self, request: sip.IncomingInvite | sip.RegisterReceived, phone: NumberRow | None) -> bool:
        """Whether a request comes from the phone it names; if not yet, it has been challenged or refused.

        A phone that does not exist, or is another's, is challenged as one whose password is wrong: nobody learns which
        numbers there are.
        """
        endpoint, handle = self._driver.endpoint, request.handle
        user = self._claimed(request.credentials)
        if user is None:
            endpoint.challenge(handle, now())
            return False
        secret = None if phone is None else self._services.directory.phone_secret(phone)
        known = self._services.directory.phone(user)
        if phone is None or secret is None or known is None or known.id != phone.id:
            secret = None
        ha1s = {} if secret is None else _ha1s(user, self._services.domain, secret)
        verdict = endpoint.check_credentials(handle, ha1s, now())
        if verdict is Verdict.OK:
            return True
        if verdict is Verdict.MALFORMED:
            endpoint.reject_request(handle, BAD_REQUEST, now())
            return False
        if verdict is Verdict.WRONG:
            self._guessed(request)
        if verdict is not Verdict.STALE:
            why = "no credentials" if verdict is None else verdict.value
            log.info("phone.refused", peer=request.hop.remote[0], phone=phone and shown_number(phone.number), why=why)
        endpoint.challenge(handle, now(), stale=verdict is Verdict.STALE)
        return False

    def _claimed(self, credentials: tuple[Credentials, ...]) -> str | None:
        """The user that a request claims to be, to us: what it shows to others is not ours to judge (section 22.3)."""
        for each in credentials:
            if each.get("realm") == self._services.domain:
                return each.get("username")
        return None

    def _guessed(self, request: sip.IncomingInvite | sip.RegisterReceived) -> None:
        """Count a wrong password or a stranger's call against where it came from."""
        peer = request.hop.remote[0]
        if self._guesses.guessed(peer, now().mono):
            log.warning("sip.source_refused", peer=peer, for_s=REFUSE_S)

    def _unheard(self, host: str) -> bool:
        """Whether an address has guessed so often that it is not listened to now; a trunk's never is."""
        return self._guesses.refuses(host, now().mono) and not self._services.routing.is_trunk(host)


def _start_of(number: NumberRow, dialect: Dialect) -> tuple[Next, str]:
    """What a number runs; an empty flow, and why, if that cannot be read."""
    if not number.voice_start.strip():
        return Flow(), ""
    try:
        start = read_start(number.voice_start, dialect, method=number.method)
    except DocumentError as error:
        return Flow(), str(error)
    return (start.flow, "") if isinstance(start, Reading) else (start, "")


def _read_fallback(text: str, dialect: Dialect, method: str = "POST") -> Next | None:
    """A fallback as it was set; one that cannot be read (any more) is none."""
    if not text:
        return None
    try:
        fallback = read_start(text, dialect, key="fallback", method=method)
    except DocumentError as error:
        log.warning("fallback.unusable", why=str(error))
        return None
    return fallback.flow if isinstance(fallback, Reading) else fallback


def _ha1s(user: str, realm: str, secret: str) -> dict[Algorithm, str]:
    """What a phone may prove itself with, by algorithm."""
    return {each: compute_ha1(each, user, realm, secret) for each in (Algorithm.SHA256, Algorithm.MD5)}
