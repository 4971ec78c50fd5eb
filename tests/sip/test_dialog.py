"""Dialogs: RFC 3261 section 12, clause by clause."""

from offhook.sip.dialog import Dialog, as_callee, as_caller, in_request_uri
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop
from offhook.sip.message import Request, Response
from offhook.sip.parser import parse_datagram
from offhook.sip.uri import Uri

LOCAL = ("192.0.2.1", 5060)
HOP = Hop("udp", LOCAL, ("192.0.2.9", 5060))


def invite(
    more: str = "", via: str = "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-a", contact: str = "sip:a@192.0.2.9"
) -> Request:
    text = (
        f"INVITE sip:bob@192.0.2.1 SIP/2.0\r\nVia: {via}\r\nFrom: Alice <sip:alice@a.test>;tag=at\r\n"
        f"To: <sip:bob@b.test>\r\nCall-ID: c1\r\nCSeq: 7 INVITE\r\nContact: <{contact}>\r\n{more}"
        "Content-Length: 0\r\n\r\n"
    )
    message = parse_datagram(text.encode())
    assert isinstance(message, Request)
    return message


def response(request: Request, more: str = "", tag: str = "bt", status: int = 200) -> Response:
    lines = [tuple(line.split(": ", 1)) for line in more.splitlines()]
    return request.reply(status, to_tag=tag, headers=lines)  # type: ignore[arg-type]


def dialog(*routes: str) -> Dialog:
    return Dialog(
        call_id="c1",
        local=NameAddr.parse("<sip:us@a.test>;tag=us"),
        remote=NameAddr.parse("<sip:them@b.test>;tag=them"),
        local_seq=4,
        remote_seq=None,
        routes=tuple(NameAddr.parse(route) for route in routes),
        target=Uri.parse("sip:them@192.0.2.9:5070"),
    )


def test_12_1_1_callee_takes_record_route_in_order_and_the_contact() -> None:
    made = as_callee(invite("Record-Route: <sip:p2.test;lr>, <sip:p1.test;lr>\r\n"), "bt", HOP)
    assert [str(route.uri) for route in made.routes] == ["sip:p2.test;lr", "sip:p1.test;lr"]
    assert made.target == Uri.parse("sip:a@192.0.2.9")
    assert (made.local.tag, made.remote.tag, made.remote_seq, made.local_seq) == ("bt", "at", 7, 0)
    assert made.call_id == "c1"


def test_12_1_2_caller_takes_record_route_reversed() -> None:
    request = invite()
    answer = response(
        request, "Record-Route: <sip:p2.test;lr>\nRecord-Route: <sip:p1.test;lr>\nContact: <sip:b@h.test>"
    )
    made = as_caller(request, answer, flow=None)
    assert [str(route.uri) for route in made.routes] == ["sip:p1.test;lr", "sip:p2.test;lr"]
    assert made.target == Uri.parse("sip:b@h.test")
    assert (made.local.tag, made.remote.tag, made.local_seq) == ("at", "bt", 7)


def test_a_2xx_without_contact_leaves_the_request_uri() -> None:
    request = invite()
    assert as_caller(request, response(request), flow=None).target == request.uri


def test_13_2_2_4_the_2xx_sets_the_route_set_anew() -> None:
    request = invite()
    early = as_caller(request, response(request, "Record-Route: <sip:old.test;lr>", status=180), flow=HOP)
    early.confirm(response(request, "Record-Route: <sip:new.test;lr>\nContact: <sip:b@h.test>"))
    assert [str(route.uri) for route in early.routes] == ["sip:new.test;lr"]
    assert early.confirmed
    assert early.flow is None, "a proxy stayed on the path, so requests go through it"


def test_12_2_1_1_without_routes_the_target_is_request_uri_and_next_hop() -> None:
    here = dialog()
    request, next_hop = here.request("BYE")
    assert request.raw_uri == "sip:them@192.0.2.9:5070"
    assert next_hop == here.target
    assert str(request.cseq) == "5 BYE"
    assert (request.from_.tag, request.to.tag, request.call_id) == ("us", "them", "c1")
    assert request.max_forwards == 70
    assert str(here.request("INFO")[0].cseq) == "6 INFO"


def test_12_2_1_1_loose_routes_keep_the_target_in_the_request_uri() -> None:
    request, next_hop = dialog("<sip:p1.test;lr>", "<sip:p2.test;lr>").request("BYE")
    assert request.raw_uri == "sip:them@192.0.2.9:5070"
    assert request.headers.all("Route") == ["<sip:p1.test;lr>", "<sip:p2.test;lr>"]
    assert str(next_hop) == "sip:p1.test;lr"


def test_12_2_1_1_a_strict_router_stands_in_the_request_uri_and_the_target_last() -> None:
    request, next_hop = dialog("<sip:p1.test;method=INVITE?x=y>", "<sip:p2.test;lr>").request("BYE")
    assert request.raw_uri == "sip:p1.test"
    assert request.headers.all("Route") == ["<sip:p2.test;lr>", "<sip:them@192.0.2.9:5070>"]
    assert next_hop.host == "p1.test"


def test_19_1_1_what_a_request_uri_may_not_hold() -> None:
    assert str(in_request_uri(Uri.parse("sip:p.test;transport=tcp;method=BYE?Subject=x"))) == "sip:p.test;transport=tcp"


def test_13_2_2_4_an_ack_has_its_invites_number_and_takes_none() -> None:
    here = dialog()
    assert str(here.request("ACK", seq=2)[0].cseq) == "2 ACK"
    assert here.local_seq == 4


def test_12_2_2_lower_and_equal_numbers_are_out_of_order() -> None:
    here = dialog()
    request = invite()
    assert here.takes(request), "an empty number takes any"
    assert here.remote_seq == 7
    assert not here.takes(request)
    request.headers.set("CSeq", "6 INVITE")
    assert not here.takes(request)
    request.headers.set("CSeq", "900 INVITE")
    assert here.takes(request), "gaps are no fault"


def test_12_2_2_a_target_refresh_moves_the_target() -> None:
    here = dialog()
    here.retarget(invite(contact="sip:a@198.51.100.5"))
    assert str(here.target) == "sip:a@198.51.100.5"
    bare = invite()
    bare.headers.remove("Contact")
    here.retarget(bare)
    assert str(here.target) == "sip:a@198.51.100.5"


def test_a_direct_caller_that_can_be_reached_has_no_flow() -> None:
    assert as_callee(invite(), "bt", HOP).flow is None


def test_a_caller_behind_nat_is_answered_where_it_came_from() -> None:
    hop = Hop("udp", LOCAL, ("198.51.100.7", 41000))
    via = "SIP/2.0/UDP 10.0.0.5:5060;branch=z9hG4bK-a;rport=41000;received=198.51.100.7"
    made = as_callee(invite(via=via, contact="sip:a@10.0.0.5:5060"), "bt", hop)
    assert made.flow == hop
    moved = Hop("udp", LOCAL, ("198.51.100.7", 41001))
    made.retarget(invite(via=via, contact="sip:a@10.0.0.5:5060"), moved)
    assert made.flow == moved, "a refresh by another mapping moves the flow"
    mapped = as_callee(invite(via=via, contact="sip:a@198.51.100.7:41000"), "bt", hop)
    assert mapped.flow is None, "it knows its public address itself"


def test_a_caller_on_a_connection_of_its_own_keeps_it() -> None:
    stream = Hop("tcp", LOCAL, ("192.0.2.9", 51000), 3)
    via = "SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK-a"
    assert as_callee(invite(via=via), "bt", stream).flow == stream
    routed = invite("Record-Route: <sip:p.test;lr;transport=tcp>\r\n", via=via)
    assert as_callee(routed, "bt", stream).flow is None


def test_12_1_1_a_peer_of_rfc_2543_may_have_no_tag() -> None:
    request = invite()
    request.headers.set("From", "<sip:alice@a.test>")
    assert as_callee(request, "bt", HOP).remote_tag == ""
