"""Whom a call is for and whose it is, on a real directory: the ways out, the ways in, and who is kept out."""

from dataclasses import replace

import pytest

from offhook.flow.verbs import NumberTarget, PhoneTarget, SipTarget, UnusableTarget
from offhook.flow.view import HIDDEN_CALLER, Cause
from offhook.runtime.routing import Arrival, Caller, Placement, Routing, Source, dialled_number
from offhook.sip.commands import InviteOrder, RequestHandle, SessionId
from offhook.sip.events import Binding, IncomingInvite
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop
from offhook.sip.message import Headers
from offhook.sip.uri import Uri
from offhook.storage.prices import Price, PriceList
from offhook.storage.store import Storage

DOMAIN = "voice.example"
OURS, PHONE, FAR = "+46101000001", "+4600100", "+46700000001"
CARRIER = "192.0.2.10"


class Place:
    """A directory with one account, one trunk, one number and one phone; who is registered is a list."""

    def __init__(self, storage: Storage, *, any_caller_id: bool = False) -> None:
        self.directory = storage.directory
        self.account = self.directory.add_account("us").row.id
        self.trunk = self.directory.add_trunk("carrier", f"sip:{CARRIER}:5070;transport=tcp", prefixes=["+46"])
        self.number = self.directory.add_number(OURS, trunk=self.trunk.id, account=self.account)
        self.phone = self.directory.add_phone(self.account, PHONE).row
        self.bound: dict[str, list[Binding]] = {}
        self.routing = Routing(
            directory=self.directory,
            prices=PriceList({"+46": Price(set_up=100, per_minute=5700)}),
            bindings=lambda aor: tuple(self.bound.get(str(aor), ())),
            domain=DOMAIN,
            sip_hosts=["sip.example.com", "198.51.100.0/24", "[2001:db8::1]"],
            any_caller_id=any_caller_id,
        )
        self.caller = Caller(account=self.account, numbers=frozenset((FAR,)), dialled=OURS)

    def register(self, user: str) -> Binding:
        bound = Binding(
            contact=Uri.parse(f"sip:{user}@203.0.113.5:40000"), q=1.0, expires_at=0.0,
            hop=Hop("tcp", ("203.0.113.1", 5060), ("203.0.113.5", 40000), 7),
            instance=None, user_agent=None, call_id="x", cseq=1,
        )  # fmt: skip
        self.bound[f"sip:{user}@{DOMAIN}"] = [bound]
        return bound

    def to(self, number: str, caller_id: str = OURS) -> Placement:
        return self.routing.place(self.caller, NumberTarget(number=number), caller_id)

    def to_sip(self, uri: str, caller_id: str = OURS) -> Placement:
        return self.routing.place(self.caller, SipTarget(uri=uri), caller_id)

    def arrival(
        self, from_: str, to: str = f"sip:{OURS}@{DOMAIN}", *, peer: str = CARRIER, to_header: str = "", **headers: str
    ) -> Arrival:
        lines = Headers()
        for name, value in headers.items():
            lines.add(name.replace("_", "-"), value)
        return self.routing.arrival(
            IncomingInvite(
                session=SessionId("s"), handle=RequestHandle("h"), uri=Uri.parse(to), from_=NameAddr.parse(from_),
                to=NameAddr.parse(to_header or f"<{to}>"), offer=None, headers=lines,
                hop=Hop("udp", ("203.0.113.1", 5060), (peer, 5070)), credentials=(), max_forwards=70,
            )
        )  # fmt: skip


@pytest.fixture
def place(storage: Storage) -> Place:
    return Place(storage)


def ordered(placement: Placement) -> InviteOrder:
    assert placement.cause is None, placement.detail
    assert placement.order is not None
    return placement.order


# ── numbers ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("user", "number"),
    [
        ("+46101000001", "+46101000001"),
        ("46101000001", "+46101000001"),
        ("0046101000001", "+46101000001"),
        ("+46 (10) 100-00.01", "+46101000001"),
        ("+46101000001;npdi;rn=1", "+46101000001"),
        ("0701234567", "0701234567"),
        ("112", "112"),
        ("004611", "004611"),
        ("alice", "alice"),
        ("+46abc", "+46abc"),
        ("++46101000001", "++46101000001"),
        ("٤٦١٠١٠٠٠٠٠١", "٤٦١٠١٠٠٠٠٠١"),
        ("", ""),
        (None, ""),
    ],
)
def test_numbers_as_networks_write_them(user: str | None, number: str) -> None:
    assert dialled_number(user) == number


# ── the ways out ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_number_goes_out_by_the_trunk_of_its_prefix(place: Place) -> None:
    placement = place.to("+46700000009")
    order = ordered(placement)
    assert str(order.target) == f"sip:+46700000009@{CARRIER}:5070;transport=tcp"
    assert str(order.to) == f"<sip:+46700000009@{CARRIER}>"
    assert str(order.from_) == f"<sip:{OURS}@{DOMAIN}>"
    assert (order.hop, order.account, order.offer) == (None, None, None)
    assert (placement.tariff.set_up, placement.tariff.per_minute) == (100, 5700)


def test_the_longest_prefix_wins_and_a_carrier_with_an_account_sees_its_own_domain(place: Place) -> None:
    place.directory.add_trunk("mobile", "sip:mobile.example", username="us", password="pw", prefixes=["+4670"])
    order = ordered(place.to("+46700000009"))
    assert order.target.host == "mobile.example"
    assert order.from_.uri.host == "mobile.example"
    assert order.account is not None
    assert (order.account.username, order.account.password) == ("us", "pw")
    assert order.contact_user == "us"


def test_a_number_that_no_trunk_takes_is_refused_with_what_to_do(place: Place) -> None:
    refused = place.to("+4930123456")
    assert refused.cause is Cause.NOT_ALLOWED
    assert "add a prefix" in refused.detail


def test_what_is_no_number_is_not_found(place: Place) -> None:
    refused = place.routing.place(place.caller, UnusableTarget(text="call me"), OURS)
    assert refused.cause is Cause.NOT_FOUND


@pytest.mark.parametrize("user", ["4600100", "+4600100"])
def test_a_phone_is_called_where_it_registered_with_a_plus_or_without(place: Place, user: str) -> None:
    bound = place.register(user)
    order = ordered(place.to(PHONE))
    assert (order.target, order.hop) == (bound.contact, bound.hop)
    assert str(order.to) == f"<sip:4600100@{DOMAIN}>"


def test_a_phone_is_called_by_the_name_it_registers_with(place: Place) -> None:
    bound = place.register("4600100")
    order = ordered(place.routing.place(place.caller, PhoneTarget(user="4600100"), OURS))
    assert order.target == bound.contact
    nobody = place.routing.place(place.caller, PhoneTarget(user="120000000001"), OURS)
    assert nobody.cause is Cause.NOT_FOUND
    assert "no phone registers here" in nobody.detail


def test_a_phone_that_is_not_there_or_not_ours(place: Place) -> None:
    assert place.to(PHONE).cause is Cause.UNAVAILABLE
    assert place.to("+4600999").cause is Cause.NOT_FOUND
    place.register("4600100")
    place.directory.deallocate(place.phone.id)
    assert place.to(PHONE).cause is Cause.NOT_FOUND


# ── SIP targets ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@sip.example.com",
        "sip:bob@SIP.Example.com:5080;transport=tcp",
        "sip:bob@198.51.100.7",
        "sip:bob@[2001:db8::1]",
        "sips:bob@sip.example.com",
    ],
)
def test_sip_hosts_that_the_operator_allows(place: Place, uri: str) -> None:
    order = ordered(place.to_sip(uri))
    assert str(order.target) == uri
    assert order.to.uri.params == ()


@pytest.mark.parametrize(
    "uri",
    [
        "sip:bob@evil.example",
        "sip:bob@127.0.0.1",
        "sip:bob@198.51.101.7",
        "sip:bob@[2001:db8::2]",
        "sip:bob@sip.example.com;maddr=127.0.0.1",
        "sip:bob@sip.example.com;maddr=evil.example",
        "tel:+46700000001",
        f"sip:stranger@{DOMAIN}",
    ],
)
def test_sip_hosts_that_nobody_allowed(place: Place, uri: str) -> None:
    refused = place.to_sip(uri)
    assert refused.cause is Cause.NOT_ALLOWED
    assert refused.order is None


def test_maddr_may_name_an_allowed_host(place: Place) -> None:
    assert ordered(place.to_sip("sip:bob@sip.example.com;maddr=198.51.100.7")).target.param("maddr") == "198.51.100.7"


def test_a_sip_uri_that_is_none(place: Place) -> None:
    assert place.to_sip("sip:bob@@").cause is Cause.NOT_FOUND


def test_without_a_user_what_was_called_is_the_user(place: Place) -> None:
    assert ordered(place.to_sip("sip:sip.example.com")).target.user == OURS


def test_without_its_plus_where_the_host_knows_numbers_so(place: Place) -> None:
    target = SipTarget(uri="sip:sip.example.com", with_plus=False)
    assert ordered(place.routing.place(place.caller, target, OURS)).target.user == OURS.removeprefix("+")


def test_what_a_phone_dialled_cannot_write_into_the_request(place: Place) -> None:
    """A phone's Request-URI may hold any escaped octet, ends of lines included."""
    caller = Caller(account=place.account, dialled="1\r\nX-Evil: yes")
    order = ordered(place.routing.place(caller, SipTarget(uri="sip:sip.example.com"), OURS))
    assert "\r" not in str(order.target)
    assert order.target.username == "1\r\nX-Evil: yes"


def test_headers_of_a_uri_are_not_taken(place: Place) -> None:
    order = ordered(place.to_sip("sip:bob@sip.example.com?Subject=hello&Route=%3Csip:evil.example%3E"))
    assert order.target.headers == ()
    assert order.headers == ()


def test_a_uri_of_ours_names_a_phone(place: Place) -> None:
    bound = place.register("4600100")
    assert ordered(place.to_sip(f"sip:+4600100@{DOMAIN.upper()}")).target == bound.contact


# ── caller IDs ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_whom_an_account_may_show(place: Place) -> None:
    other = place.directory.add_account("others").row.id
    theirs = place.directory.add_number("+46101000002", trunk=place.trunk.id, account=other).number
    place.directory.add_caller_id(place.account, "+46812345678")
    for allowed in (OURS, FAR, PHONE, "+46812345678", HIDDEN_CALLER):
        assert place.to("+46700000009", caller_id=allowed).cause is None
    for refused in (theirs, "+46700000002", "Bank", ""):
        placement = place.to("+46700000009", caller_id=refused)
        assert placement.cause is Cause.NOT_ALLOWED
        assert refused in placement.detail


def test_any_caller_id_for_trying_things(storage: Storage) -> None:
    order = ordered(Place(storage, any_caller_id=True).to("+46700000009", caller_id="My Bank"))
    assert str(order.from_) == f"<sip:My%20Bank@{DOMAIN}>"


def test_the_way_out_has_a_name(place: Place) -> None:
    found = place.to("+46700000009")
    assert (found.way, found.trunk) == ("trunk", "carrier")
    refused = place.to("+4930123456")
    assert (refused.way, refused.trunk) == ("", "")


def test_a_trunk_that_is_known_by_its_name_is_named(storage: Storage) -> None:
    place = Place(storage)
    named = place.directory.add_trunk("by name", "sip:carrier.example")
    place.routing._trunk_at = {"192.0.2.55": named.id, "192.0.2.56": "gone"}.get
    assert place.arrival(f"<sip:{FAR}@x>", peer="192.0.2.55").trunk == "by name"
    assert place.arrival(f"<sip:{FAR}@x>", peer="192.0.2.56").source is Source.TRUNK


def test_a_hidden_caller_is_hidden_from_whom_it_calls(place: Place) -> None:
    """RFC 3323 section 4.1."""
    order = ordered(place.to("+46700000009", caller_id=HIDDEN_CALLER))
    assert str(order.from_) == "Anonymous <sip:anonymous@anonymous.invalid>"
    assert ("Privacy", "id") in order.headers


# ── the ways in ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("dialled", [OURS, "46101000001", "0046101000001"])
def test_a_call_from_the_trunks_address_is_for_the_number_it_dialled(place: Place, dialled: str) -> None:
    arrival = place.arrival(f"<sip:{FAR}@{CARRIER}>", f"sip:{dialled}@{DOMAIN}")
    assert arrival == Arrival(source=Source.TRUNK, number=place.number, from_=FAR, to=OURS, trunk="carrier")


def test_a_trunk_that_dials_our_account_name_says_the_number_in_to(place: Place) -> None:
    arrival = place.arrival(f"<sip:{FAR}@x>", f"sip:us@{DOMAIN}", to_header=f"<sip:{OURS}@x>")
    assert (arrival.number, arrival.to) == (place.number, OURS)


def test_a_trunk_cannot_call_a_phone_or_a_number_given_back(place: Place) -> None:
    assert place.arrival(f"<sip:{FAR}@x>", f"sip:{PHONE}@{DOMAIN}").number is None
    place.directory.deallocate(place.number.id)
    assert place.arrival(f"<sip:{FAR}@x>").number is None


def test_a_trunk_told_where_its_calls_come_from_is_known_by_that_alone(place: Place) -> None:
    place.directory.add_trunk("other", "sip:192.0.2.77", from_addresses=["198.51.100.0/24"])
    assert place.arrival(f"<sip:{FAR}@x>", peer="198.51.100.9").source is Source.TRUNK
    assert place.arrival(f"<sip:{FAR}@x>", peer="198.51.100.9").trunk == "other"
    assert place.arrival(f"<sip:{FAR}@x>", peer="192.0.2.77").source is Source.STRANGER
    assert place.arrival(f"<sip:{FAR}@x>", peer="192.0.2.99").source is Source.STRANGER


def test_a_trunk_with_a_name_sends_its_calls_from_nowhere_we_know(place: Place) -> None:
    place.directory.add_trunk("named", "sip:carrier.example")
    assert place.arrival(f"<sip:{FAR}@x>", peer="203.0.113.99").source is Source.STRANGER


def test_who_says_it_is_a_phone_must_prove_it_wherever_it_comes_from(place: Place) -> None:
    for peer in (CARRIER, "203.0.113.5"):
        arrival = place.arrival(f"<sip:4600100@{DOMAIN}>", f"sip:{FAR}@{DOMAIN}", peer=peer)
        assert arrival == Arrival(source=Source.PHONE, number=place.phone, from_=PHONE, to=FAR)
    elsewhere = place.arrival("<sip:4600100@elsewhere.example>", peer="203.0.113.5")
    assert elsewhere.source is Source.STRANGER


def test_a_number_of_a_trunk_is_no_phone(place: Place) -> None:
    assert place.routing.phone_of(Uri.sip(OURS, DOMAIN)) is None
    assert place.routing.phone_of(Uri.parse("tel:+4600100")) is None
    place.directory.deallocate(place.phone.id)
    assert place.routing.phone_of(Uri.sip("4600100", DOMAIN)) is None


@pytest.mark.parametrize(
    ("from_", "headers", "shown"),
    [
        (f"<sip:{FAR}@x>", {}, FAR),
        ("<sip:0046700000001@x>", {}, FAR),
        ("<tel:+46-70-0000001>", {}, FAR),
        ('"Alice" <sip:alice@x>', {}, "alice"),
        (f"<sip:{FAR}@x>", {"Privacy": "id"}, HIDDEN_CALLER),
        (f"<sip:{FAR}@x>", {"Privacy": "user; critical"}, HIDDEN_CALLER),
        (f"<sip:{FAR}@x>", {"Privacy": "none"}, FAR),
        ("<sip:anonymous@anonymous.invalid>", {}, HIDDEN_CALLER),
        ("<sip:Restricted@x>", {}, HIDDEN_CALLER),
        ("<sip:x.example>", {}, HIDDEN_CALLER),
        # Whoever hides in From is hidden, whatever the network knows (RFC 3323 section 4.1).
        ("<sip:anonymous@anonymous.invalid>", {"P_Asserted_Identity": f"<sip:{FAR}@x>"}, HIDDEN_CALLER),
        # A From that is no number: the network's word counts (RFC 3325 section 9.1).
        ("<sip:pbx@x>", {"P_Asserted_Identity": f'"Doe, John" <sip:{FAR}@x>'}, FAR),
        ("<sip:pbx@x>", {"P_Asserted_Identity": f"<sip:john@x>, <tel:{FAR}>"}, FAR),
        ("<sip:pbx@x>", {"P_Asserted_Identity": "<sip:john@x>"}, "john"),
        ("<sip:pbx@x>", {"P_Asserted_Identity": "<<<"}, "pbx"),
        ("<sip:pbx@x>", {"P_Asserted_Identity": "<sip:anonymous@anonymous.invalid>"}, "pbx"),
        (f"<sip:{FAR}@x>", {"P_Asserted_Identity": "<sip:+46999@x>"}, FAR),
    ],
)
def test_how_a_caller_is_shown(place: Place, from_: str, headers: dict[str, str], shown: str) -> None:
    assert place.arrival(from_, **headers).from_ == shown


def test_a_call_that_was_passed_on_keeps_count_and_ends_when_it_goes_in_a_circle(place: Place) -> None:
    place.register(PHONE.removeprefix("+"))
    assert ordered(place.to(PHONE)).max_forwards == 70
    place.caller = replace(place.caller, hops_left=3)
    assert ordered(place.to(PHONE)).max_forwards == 3
    place.caller = replace(place.caller, hops_left=0)
    refused = place.to(PHONE)
    assert (refused.order, refused.cause) == (None, Cause.NETWORK_ERROR)
    assert "circle" in refused.detail
