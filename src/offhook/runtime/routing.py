"""Who is meant: the way out for a target, and whose an incoming call is. Look-ups in memory and no waiting.

Three ways out: a phone that registered here, the trunk with the longest matching prefix, a SIP host that the operator
allows. Three ways in: a trunk's address, a phone that proves itself, anybody else (who is refused).
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from enum import Enum
from ipaddress import IPv4Network, IPv6Network, ip_address, ip_network

from offhook.call.events import Tariff
from offhook.flow.verbs import NumberTarget, PhoneTarget, SipTarget, Target, UnusableTarget
from offhook.flow.view import HIDDEN_CALLER, Cause
from offhook.sip.commands import Account, InviteOrder
from offhook.sip.errors import SyntaxFault
from offhook.sip.events import Binding, IncomingInvite
from offhook.sip.grammar import escape
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop
from offhook.sip.uri import USER_ALLOWED, Uri
from offhook.storage.directory import Directory
from offhook.storage.prices import PriceList
from offhook.storage.rows import NumberRow, TrunkRow

__all__ = ["Arrival", "Caller", "Placement", "Routing", "Source", "dialled_number"]

ANONYMOUS_USER, ANONYMOUS_HOST = "anonymous", "anonymous.invalid"
"""RFC 3323 section 4.1.1.3."""
PHONE_NUMBER_PREFIX = "+4600"
HOPS = 70
"""RFC 3261 section 20.22."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """On whose behalf a leg is placed."""

    account: str
    """Account or subaccount id."""
    numbers: frozenset[str] = frozenset()
    """Numbers of the two parties, which may be shown when a call is passed on."""
    dialled: str = ""
    """What was called; the user of a SIP target that names none."""
    hops_left: int = HOPS
    """What is left of Max-Forwards: a call that is passed on to us again and again must end (RFC 7332)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """A way out, or why there is none."""

    order: InviteOrder | None = None
    tariff: Tariff = field(default_factory=Tariff)
    cause: Cause | None = None
    detail: str = ""
    way: str = ""
    """For the timeline: `phone`, `trunk` or `sip`; nothing where there is none."""
    trunk: str = ""
    """The name of the trunk, if it goes by one."""


class Source(Enum):
    """Where an incoming call comes from."""

    TRUNK = "trunk"
    PHONE = "phone"
    """Says it is one of our phones; must prove it."""
    STRANGER = "stranger"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """Whose an incoming call is."""

    source: Source
    number: NumberRow | None
    """The number that decides what runs: the one dialled, or the phone's own."""
    from_: str
    to: str
    trunk: str = ""
    """The name of the trunk it came by."""


def _refused(cause: Cause, detail: str) -> Placement:
    return Placement(cause=cause, detail=detail)


def dialled_number(user: str | None) -> str:
    """The user part of a URI as a number in E.164 where it is one, else as it stands."""
    text = (user or "").partition(";")[0].translate(str.maketrans("", "", " -.()"))
    digits = text.removeprefix("+")
    if not (digits.isascii() and digits.isdecimal()) or digits != text:
        return text
    if text.startswith("00") and len(text) > 9:
        return "+" + text[2:]
    return "+" + text if len(text) > 6 and not text.startswith("0") else text


class Routing:
    """Look-ups that every call makes."""

    def __init__(
        self,
        *,
        directory: Directory,
        prices: PriceList,
        bindings: Callable[[Uri], tuple[Binding, ...]],
        domain: str,
        sip_hosts: Iterable[str],
        any_caller_id: bool,
        trunk_at: Callable[[str], str | None] = lambda _: None,
    ) -> None:
        """`trunk_at`: the id of the trunk that is known by its name and has this address."""
        self._directory = directory
        self._prices = prices
        self._bindings = bindings
        self._domain = domain
        self._any_caller_id = any_caller_id
        self._trunk_at = trunk_at
        self._hosts: set[str] = set()
        self._networks: list[IPv4Network | IPv6Network] = []
        for host in sip_hosts:
            try:
                self._networks.append(ip_network(host.strip("[]")))
            except ValueError:
                self._hosts.add(host.lower())

    # ── the ways out ─────────────────────────────────────────────────────────────────────────────────────────────

    def place(self, caller: Caller, target: Target, caller_id: str) -> Placement:
        """The way to a target, for somebody who wants to show a caller ID."""
        if not self.may_show(caller, caller_id):
            return _refused(Cause.NOT_ALLOWED, f"caller ID {caller_id} is no number of this account")
        if caller.hops_left <= 0:
            return _refused(Cause.NETWORK_ERROR, "the call has been passed on too often: it goes in a circle")
        found = self._found(caller, target, caller_id)
        if found.order is None:
            return found
        return replace(found, order=replace(found.order, max_forwards=caller.hops_left))

    def _found(self, caller: Caller, target: Target, caller_id: str) -> Placement:
        match target:
            case NumberTarget(number=number):
                phone = self._directory.number(number)
                if phone is not None and phone.kind != "trunk" and phone.active:
                    return self._to_phone(phone, caller_id)
                if number.startswith(PHONE_NUMBER_PREFIX):
                    return _refused(Cause.NOT_FOUND, f"no phone has the number {number}")
                return self._by_trunk(number, caller_id)
            case SipTarget(uri=uri, with_plus=with_plus):
                dialled = caller.dialled if with_plus else caller.dialled.removeprefix("+")
                return self._to_sip(uri, dialled, caller_id)
            case PhoneTarget(user=user):
                found = self._directory.phone(user)
                if found is None or not found.active:
                    return _refused(Cause.NOT_FOUND, f"no phone registers here as {user!r}")
                return self._to_phone(found, caller_id)
            case UnusableTarget(text=text):
                return _refused(Cause.NOT_FOUND, f"{text!r} is neither a number in E.164 nor a SIP URI")

    def may_show(self, caller: Caller, caller_id: str) -> bool:
        """Whether an account may show a caller ID."""
        return (
            self._any_caller_id
            or caller_id == HIDDEN_CALLER
            or caller_id in caller.numbers
            or self._directory.may_show(caller.account, caller_id)
        )

    def _to_phone(self, phone: NumberRow, caller_id: str) -> Placement:
        user = phone.number.removeprefix("+")
        # A phone may register with the + or without it.
        bindings = self._bindings(Uri.sip(user, self._domain)) or self._bindings(Uri.sip(phone.number, self._domain))
        if not bindings:
            return _refused(Cause.UNAVAILABLE, f"phone {phone.number} is not registered")
        # A phone has one place at a time: the registration that it prefers, or else the newest, is the one that rings.
        binding = bindings[0]
        order = self._order(binding.contact, Uri.sip(user, self._domain), caller_id, self._domain, hop=binding.hop)
        return Placement(order=order, tariff=self._tariff(phone.number), way="phone")

    def _by_trunk(self, number: str, caller_id: str) -> Placement:
        trunks = self._directory.trunks_to(number)
        if not trunks:
            return _refused(Cause.NOT_ALLOWED, f"no trunk takes {number}: add a prefix for it to a trunk")
        trunk = trunks[0]
        uri = Uri.parse(trunk.address)
        target = replace(uri, user=number)
        # A carrier that knows us by a registration wants its own domain in From.
        domain = uri.host if trunk.username else self._domain
        order = self._order(target, Uri.sip(number, uri.host), caller_id, domain, account=self._account(trunk))
        return Placement(order=order, tariff=self._tariff(number), way="trunk", trunk=trunk.name)

    def _to_sip(self, text: str, dialled: str, caller_id: str) -> Placement:
        try:
            uri = Uri.parse(text)
        except SyntaxFault as fault:
            return _refused(Cause.NOT_FOUND, str(fault))
        if (
            uri.host.lower() == self._domain.lower()
            and (phone := self._directory.phone(uri.username or "")) is not None
        ):
            return self._to_phone(phone, caller_id)
        # Where it would really go: maddr outweighs the host (RFC 3261 section 19.1.1).
        for host in (uri.host, uri.param("maddr")):
            if host is not None and not self._host_allowed(host):
                return _refused(
                    Cause.NOT_ALLOWED, f"This SIP server ({host}) is not one of your allowed servers (sip_allow)"
                )
        user = uri.user if uri.user is not None else escape(dialled, USER_ALLOWED) or None
        # Headers of a URI are wishes for the request and no part of where it goes (section 19.1.5): none is taken.
        target = replace(uri, user=user, headers=())
        plain = Uri(target.scheme, target.user, None, target.host, target.port)
        return Placement(order=self._order(target, plain, caller_id, self._domain), way="sip")

    def _host_allowed(self, host: str) -> bool:
        try:
            address = ip_address(host.strip("[]"))
        except ValueError:
            return host.lower() in self._hosts
        return any(address in network for network in self._networks)

    def _order(
        self,
        target: Uri,
        to: Uri,
        caller_id: str,
        domain: str,
        *,
        hop: Hop | None = None,
        account: Account | None = None,
    ) -> InviteOrder:
        headers: tuple[tuple[str, str], ...] = ()
        if caller_id == HIDDEN_CALLER:
            # RFC 3323 section 4.1: anonymous to whoever is called.
            from_ = NameAddr(uri=Uri.sip(ANONYMOUS_USER, ANONYMOUS_HOST), display="Anonymous")
            headers = (("Privacy", "id"),)
        else:
            from_ = NameAddr(uri=Uri.sip(caller_id, domain))
        contact = None if account is None else account.username
        return InviteOrder(
            target=target,
            from_=from_,
            to=NameAddr(uri=to),
            offer=None,
            account=account,
            hop=hop,
            headers=headers,
            contact_user=contact,
        )

    def _account(self, trunk: TrunkRow) -> Account | None:
        if not trunk.username:
            return None
        return Account(username=trunk.username, password=self._directory.trunk_password(trunk))

    def _tariff(self, number: str) -> Tariff:
        price = self._prices.price(number)
        return Tariff(set_up=price.set_up, per_minute=price.per_minute)

    # ── the ways in ──────────────────────────────────────────────────────────────────────────────────────────────

    def arrival(self, invite: IncomingInvite) -> Arrival:
        """Whose call an INVITE is, before anybody has proved anything."""
        to = dialled_number(invite.uri.username)
        phone = self.phone_of(invite.from_.uri)
        if phone is not None:
            return Arrival(source=Source.PHONE, number=phone, from_=phone.number, to=to)
        trunk = self._trunk_of(invite.hop.remote[0])
        if trunk is not None:
            number = self._directory.number(to)
            if number is None or number.kind != "trunk":
                asked = dialled_number(invite.to.uri.username)
                number, to = self._directory.number(asked), asked
            if number is not None and (number.kind != "trunk" or not number.active):
                number = None
            return Arrival(source=Source.TRUNK, number=number, from_=_shown(invite), to=to, trunk=trunk)
        return Arrival(source=Source.STRANGER, number=None, from_=_shown(invite), to=to)

    def phone_of(self, uri: Uri) -> NumberRow | None:
        """The phone that an address of record names, if it is one of ours."""
        if uri.scheme not in ("sip", "sips") or uri.host.lower() != self._domain.lower():
            return None
        phone = self._directory.phone(uri.username or "")
        return phone if phone is not None and phone.active else None

    def is_trunk(self, host: str) -> bool:
        """Whether calls from an address are a trunk's."""
        return self._trunk_of(host) is not None

    def _trunk_of(self, host: str) -> str | None:
        """The name of the trunk that an address is one of; the oldest, if several trunks share it."""
        for row in self._directory.trunks_from(host):
            return row.name
        if (found := self._trunk_at(host)) is not None:
            named = self._directory.trunk(found)
            return "" if named is None else named.name
        return next((row.name for row in self._directory.trunks() if _same_host(row, host)), None)


def _same_host(trunk: TrunkRow, host: str) -> bool:
    """A trunk given by a numeric address sends its calls from there, unless it was told otherwise."""
    if trunk.from_addresses:
        return False
    try:
        return ip_address(Uri.parse(trunk.address).host.strip("[]")) == ip_address(host)
    except (ValueError, SyntaxFault):
        return False


def _shown(invite: IncomingInvite) -> str:
    """The caller as a customer may see it: its identity by the network if it gives one, hidden if it wants to be."""
    privacy = (invite.headers.get("Privacy") or "").lower()
    if any(word.strip() in ("id", "user", "header") for word in privacy.split(";")) or _is_hidden(invite.from_.uri):
        return HIDDEN_CALLER
    number = dialled_number(invite.from_.uri.username)
    asserted = None if number.startswith("+") else _asserted(invite)
    return number if asserted is None else asserted


def _is_hidden(uri: Uri) -> bool:
    """RFC 3323 section 4.1.1.3, and what gateways write instead."""
    user = (uri.username or "").lower()
    return user in ("", ANONYMOUS_USER, "unknown", "restricted") or uri.host.lower() == ANONYMOUS_HOST


def _asserted(invite: IncomingInvite) -> str | None:
    """The number that the network vouches for (RFC 3325 section 9.1: a SIP URI, a tel URI, or one of each)."""
    try:
        found = [NameAddr.parse(value).uri for value in invite.headers.values("P-Asserted-Identity")]
    except SyntaxFault:
        return None
    numbers = [dialled_number(uri.username) for uri in found if not _is_hidden(uri)]
    return next((number for number in numbers if number.startswith("+")), numbers[0] if numbers else None)
