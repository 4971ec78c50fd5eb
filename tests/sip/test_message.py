"""Messages as values: typed views, building, and the response to a request (RFC 3261 section 8.2.6)."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.message import STAR, CSeq, Headers, NameAddr, Request, Response, Uri, Via

INVITE_HEADERS = (
    ("v", "SIP/2.0/UDP a.example.com;branch=z9hG4bK1;received=192.0.2.1, SIP/2.0/TCP b.example.com;branch=z9hG4bK2"),
    ("Via", "SIP/2.0/TLS c.example.com;branch=z9hG4bK3"),
    ("Record-Route", "<sip:p1.example.com;lr>, <sip:p2.example.com;lr>"),
    ("Max-Forwards", "68"),
    ("f", '"Alice, A." <sip:alice@example.com>;tag=a1'),
    ("t", "sip:bob@example.com"),
    ("i", "call@a.example.com"),
    ("CSeq", "7 INVITE"),
    ("m", "<sip:alice@192.0.2.1>;expires=60;q=0.5, <sip:alice@192.0.2.2>"),
    ("Timestamp", "54"),
    ("x", "1800;refresher=uas"),
)


def invite(*more: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:bob@example.com", Headers((*INVITE_HEADERS, *more)))


def test_core_views() -> None:
    request = invite()
    assert request.via.branch == "z9hG4bK1"
    assert [via.transport for via in request.vias] == ["UDP", "TCP", "TLS"]
    assert request.from_.display == "Alice, A."
    assert request.tags == ("a1", None)
    assert request.call_id == "call@a.example.com"
    assert request.cseq == CSeq(7, "INVITE")
    assert request.max_forwards == 68
    assert [str(route.uri.host) for route in request.record_routes] == ["p1.example.com", "p2.example.com"]
    assert request.contact is not None
    assert (request.contact.expires_s, request.contact.q) == (60, 0.5)
    assert request.session_expires is not None
    assert request.session_expires.interval_s == 1800
    assert request.uri == Uri("sip", "bob", host="example.com")
    assert repr(request) == "<Request INVITE sip:bob@example.com>"


def test_a_view_is_parsed_once_and_anew_after_a_change() -> None:
    request = invite()
    assert request.from_ is request.from_
    request.headers.set("From", "<sip:carol@example.com>;tag=c")
    assert request.from_.tag == "c"


def test_views_of_what_is_not_there() -> None:
    empty = Request("OPTIONS", Uri.parse("sip:example.com"))
    assert (empty.max_forwards, empty.expires, empty.min_expires, empty.min_se, empty.session_expires) == (None,) * 5
    assert (empty.content_type, empty.content_disposition, empty.accept, empty.event, empty.replaces) == (None,) * 5
    assert (empty.refer_to, empty.referred_by, empty.rseq, empty.rack, empty.retry_after) == (None,) * 5
    assert (empty.subscription_state, empty.contact) == (None, None)
    assert empty.contacts == []
    assert (empty.routes, empty.record_routes, empty.path, empty.service_route) == ((),) * 4
    assert (empty.allow, empty.supported, empty.require, empty.proxy_require, empty.unsupported) == ((),) * 5
    assert (empty.www_authenticate, empty.proxy_authenticate, empty.authorization) == ((),) * 3
    assert (empty.proxy_authorization, empty.p_asserted_identity, empty.reasons, empty.warnings) == ((),) * 4
    assert (empty.content_encoding, empty.privacy) == ((), frozenset())
    for view in ("via", "from_", "to", "call_id", "cseq"):
        with pytest.raises(SyntaxFault, match="is missing"):
            getattr(empty, view)


def test_views_of_the_rest() -> None:
    request = invite(
        ("Expires", "3600"),
        ("Min-Expires", "60"),
        ("Min-SE", "90;x=y"),
        ("Allow", "INVITE, ACK"),
        ("Allow", "BYE"),
        ("Require", "100Rel"),
        ("k", "timer, ,replaces"),
        ("Proxy-Require", "foo"),
        ("Unsupported", "bar"),
        ("c", "application/SDP;charset=utf-8"),
        ("Content-Disposition", "session;handling=optional"),
        ("e", "gzip"),
        ("Accept", "application/sdp, text/*"),
        ("WWW-Authenticate", 'Digest realm="a, b", nonce="n"'),
        ("Proxy-Authenticate", 'Digest realm="p"'),
        ("Authorization", 'Digest username="u"'),
        ("Proxy-Authorization", 'Digest username="v"'),
        ("o", "refer;id=2"),
        ("Subscription-State", "active;expires=9"),
        ("r", "<sip:carol@example.com?Replaces=x>"),
        ("b", "sip:bob@example.com"),
        ("Replaces", "abc;to-tag=1;from-tag=2"),
        ("P-Asserted-Identity", '"A" <sip:a@example.com>, <tel:+461>'),
        ("Privacy", "id; critical"),
        ("Reason", 'Q.850;cause=16;text="ok", SIP;cause=200'),
        ("Warning", '399 example.com "what"'),
        ("RSeq", "5"),
        ("RAck", "5 7 INVITE"),
        ("Retry-After", "5"),
        ("Path", "<sip:e.example.com;lr>"),
        ("Service-Route", "<sip:s.example.com;lr>"),
        ("Route", "<sip:r.example.com;lr>"),
    )
    assert (request.expires, request.min_expires, request.min_se, request.rseq) == (3600, 60, 90, 5)
    assert request.allow == ("INVITE", "ACK", "BYE")
    assert request.require == ("100rel",)
    assert request.supported == ("timer", "replaces")
    assert (request.proxy_require, request.unsupported, request.content_encoding) == (("foo",), ("bar",), ("gzip",))
    assert request.content_type is not None
    assert request.content_type.essence == "application/sdp"
    assert request.content_disposition is not None
    assert request.content_disposition.optional
    assert request.accept is not None
    assert request.accept[1].covers("text/plain")
    assert request.www_authenticate[0].get("realm") == "a, b"
    assert request.proxy_authenticate[0].get("realm") == "p"
    assert request.authorization[0].get("username") == "u"
    assert request.proxy_authorization[0].get("username") == "v"
    assert request.event is not None
    assert (request.event.package, request.event.id) == ("refer", "2")
    assert request.subscription_state is not None
    assert request.subscription_state.expires_s == 9
    assert request.refer_to is not None
    assert request.refer_to.uri.headers == (("Replaces", "x"),)
    assert request.referred_by is not None
    assert request.replaces is not None
    assert request.replaces.to_tag == "1"
    assert [str(a.uri) for a in request.p_asserted_identity] == ["sip:a@example.com", "tel:+461"]
    assert request.privacy == {"id", "critical"}
    assert [reason.cause for reason in request.reasons] == [16, 200]
    assert request.warnings[0].text == "what"
    assert request.rack == (5, 7, "INVITE")
    assert request.retry_after is not None
    assert request.retry_after.delay_s == 5
    assert (len(request.path), len(request.service_route), len(request.routes)) == (1, 1, 1)


def test_star_contact() -> None:
    request = Request("REGISTER", "sip:example.com", Headers([("Contact", "*")]))
    assert request.contacts is STAR
    assert request.contact is None


def test_reply_copies_what_the_rfc_lists_and_nothing_else() -> None:
    response = invite().reply(180, to_tag="b1")
    assert response.encode() == (
        b"SIP/2.0 180 Ringing\r\n"
        b"Via: SIP/2.0/UDP a.example.com;branch=z9hG4bK1;received=192.0.2.1, "
        b"SIP/2.0/TCP b.example.com;branch=z9hG4bK2\r\n"
        b"Via: SIP/2.0/TLS c.example.com;branch=z9hG4bK3\r\n"
        b"Record-Route: <sip:p1.example.com;lr>, <sip:p2.example.com;lr>\r\n"
        b'From: "Alice, A." <sip:alice@example.com>;tag=a1\r\n'
        b"To: sip:bob@example.com;tag=b1\r\n"
        b"Call-ID: call@a.example.com\r\n"
        b"CSeq: 7 INVITE\r\n"
        b"Content-Length: 0\r\n\r\n"
    )
    assert response.to.tag == "b1"


def test_reply_of_100_has_no_tag_and_the_timestamp() -> None:
    response = invite().reply(100, to_tag="b1")
    assert response.to.tag is None
    assert response.headers.get("Timestamp") == "54"
    assert "Record-Route" not in response.headers


def test_reply_of_failure_has_no_record_route() -> None:
    response = invite().reply(486, "Busy", to_tag="b1", headers=[("Retry-After", "5")])
    assert "Record-Route" not in response.headers
    assert (response.reason, response.headers.get("retry-after")) == ("Busy", "5")


def test_reply_keeps_a_tag_that_is_there_and_leaves_a_malformed_to_alone() -> None:
    request = invite()
    request.headers.set("To", "<sip:bob@example.com>;tag=theirs")
    assert request.reply(200, to_tag="ours").to.tag == "theirs"
    request.headers.set("To", '"Mr. J <sip:bob@example.com>')
    assert request.reply(400, to_tag="ours").headers.get("To") == '"Mr. J <sip:bob@example.com>'


def test_reply_with_body() -> None:
    response = invite().reply(200, to_tag="b", body=b"v=0\r\n", content_type="application/sdp")
    assert response.encode().endswith(b"Content-Type: application/sdp\r\nContent-Length: 5\r\n\r\nv=0\r\n")


def test_encode_replaces_content_length() -> None:
    request = Request("MESSAGE", "sip:example.com", Headers([("l", "99"), ("Subject", "\N{SNOWMAN}")]), b"hi")
    assert request.encode() == (
        b"MESSAGE sip:example.com SIP/2.0\r\nSubject: \xe2\x98\x83\r\nContent-Length: 2\r\n\r\nhi"
    )


@pytest.mark.parametrize("value", ["a\r\nEvil: 1", "a\nb", "a\rb"])
def test_a_line_break_never_leaves(value: str) -> None:
    with pytest.raises(ValueError, match="line break"):
        Request("MESSAGE", "sip:example.com", Headers([("Subject", value)])).encode()
    with pytest.raises(ValueError, match="line break"):
        Response(200, value).encode()


def test_equality_is_of_what_is_said() -> None:
    assert invite() == invite()
    assert invite() != invite(("Subject", "x"))
    assert invite() != "INVITE"
    assert Response(200, "OK") == Response(200, "OK")
    assert Response(200, "OK") != Response(200, "Okay")
    assert Response(200, "OK") != 200
    assert repr(Response(200, "OK")) == "<Response 200 OK>"


def test_uri_given_as_text_is_parsed_when_asked_for() -> None:
    request = Request("OPTIONS", "sip:a b")
    assert request.raw_uri == "sip:a b"
    with pytest.raises(SyntaxFault):
        _ = request.uri
    request.uri = Uri.parse("sip:b@example.com")
    assert request.raw_uri == "sip:b@example.com"


def test_builders() -> None:
    via = Via(transport="UDP", host="192.0.2.1", port=5060, params=(("rport", None), ("branch", "z9hG4bKx")))
    assert str(via) == "SIP/2.0/UDP 192.0.2.1:5060;rport;branch=z9hG4bKx"
    assert str(CSeq(1, "ACK")) == "1 ACK"
    name = NameAddr(uri=Uri.sip("+4670", "example.com"), display='Kalle "K"').with_tag("t")
    assert str(name) == '"Kalle \\"K\\"" <sip:+4670@example.com>;tag=t'
    assert NameAddr.parse(str(name)) == name
