"""What is owed for a request that is wrong, in the order of RFC 3261 section 8.2, and which responses are dropped."""

from __future__ import annotations

import pytest

from offhook.sip.errors import Fault
from offhook.sip.message import Headers, Request, Response
from offhook.sip.parser import parse_datagram
from offhook.sip.validate import URI_MAX_CHARS, Capabilities, validate_request, validate_response

ELEMENT = Capabilities(
    methods=("INVITE", "ACK", "BYE", "OPTIONS"),
    extensions=("timer", "100rel"),
    body_types=("application/sdp",),
    answers=("application/sdp",),
)
CORE = (
    ("Via", "SIP/2.0/UDP a.example.com;branch=z9hG4bK1"),
    ("From", "<sip:a@example.com>;tag=1"),
    ("To", "<sip:b@example.com>"),
    ("Call-ID", "c"),
)


def request(method: str, *more: tuple[str, str], uri: str = "sip:b@example.com", body: bytes = b"") -> Request:
    return Request(method, uri, Headers((*CORE, ("CSeq", f"1 {method}"), *more)), body)


def status(message: Request, capabilities: Capabilities = ELEMENT) -> int | None:
    fault = validate_request(message, capabilities)
    return None if fault is None else fault.status


def test_a_good_request_has_no_fault() -> None:
    sdp = ("Content-Type", "application/sdp")
    assert status(request("INVITE", sdp, ("Accept", "text/plain, application/*"), body=b"v=0")) is None
    assert validate_request(request("PUBLISH")) is None


@pytest.mark.parametrize("name", ["Via", "From", "To", "Call-ID", "CSeq"])
def test_mandatory_headers(name: str) -> None:
    message = request("OPTIONS")
    message.headers.remove(name)
    assert validate_request(message) == Fault(status=400, reason=f"Missing {name}")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("Via", "SIP/2.0/UDP"),
        ("To", "nobody"),
        ("Call-ID", "a b"),
        ("CSeq", "OPTIONS 1"),
        ("CSeq", "2147483648 OPTIONS"),
        ("Max-Forwards", "256"),
        ("Contact", "*, <sip:a@example.com>"),
        ("Contact", "<sip:a@example.com>;expires=soon"),
        ("Contact", "<sip:a@example.com>;q=2"),
        ("Route", "<sip:a@example.com"),
        ("Record-Route", "sip"),
        ("Content-Type", "sdp"),
        ("Expires", "never"),
        ("Date", "Sat, 13 Nov 2010 23:29:00 CET"),
        ("Session-Expires", "90;refresher=me"),
        ("Require", "a b"),
    ],
)
def test_malformed_values_of_what_is_steered_by(name: str, value: str) -> None:
    message = request("OPTIONS")
    message.headers.set(name, value)
    assert status(message) == 400


@pytest.mark.parametrize("name", ["Reason", "Warning", "P-Asserted-Identity", "Referred-By", "Privacy", "User-Agent"])
def test_malformed_values_of_what_only_informs_are_passed_over(name: str) -> None:
    message = request("OPTIONS", (name, '"'))
    assert status(message) is None
    assert (message.reasons, message.warnings, message.p_asserted_identity, message.referred_by) == ((), (), (), None)
    assert message.privacy == frozenset()


def test_a_good_element_beside_a_malformed_one_is_kept() -> None:
    message = request("OPTIONS", ("Reason", "Q.850;cause=17, ;;"))
    assert [reason.cause for reason in message.reasons] == [17]


def test_twice_what_stands_once() -> None:
    assert validate_request(request("OPTIONS", ("f", "<sip:x@example.com>"))) == Fault(
        status=400, reason="More Than One From"
    )


def test_method() -> None:
    assert validate_request(request("REFER"), ELEMENT) == Fault(
        status=405, reason="Method Not Allowed", headers=(("Allow", "INVITE, ACK, BYE, OPTIONS"),)
    )
    assert status(request("DANCE")) == 501
    message = request("BYE")
    message.headers.set("CSeq", "1 INVITE")
    assert status(message) == 400


@pytest.mark.parametrize(
    ("uri", "expected"),
    [
        ("urn:service:sos", 416),
        ("sip:b@example.com?Subject=x", 400),
        ("sip:b@", 400),
        ("sip:" + "b" * URI_MAX_CHARS, 414),
        ("tel:+46701", None),
    ],
)
def test_request_uri(uri: str, expected: int | None) -> None:
    assert status(request("OPTIONS", uri=uri)) == expected


def test_version_comes_first() -> None:
    message = parse_datagram(b"OPTIONS sip:a SIP/3.0 \r\n\r\n")
    assert isinstance(message, Request)
    assert status(message) == 505


def test_extensions() -> None:
    assert status(request("OPTIONS", ("Require", "Timer"))) is None
    assert validate_request(request("OPTIONS", ("Require", "timer, Path")), ELEMENT) == Fault(
        status=420, reason="Bad Extension", headers=(("Unsupported", "Path"),)
    )
    assert status(request("ACK", ("Require", "path"))) is None


def test_body() -> None:
    plain = ("Content-Type", "text/plain")
    assert status(request("INVITE", body=b"x")) == 400
    assert validate_request(request("INVITE", plain, body=b"x"), ELEMENT) == Fault(
        status=415, reason="Unsupported Media Type", headers=(("Accept", "application/sdp"),)
    )
    assert status(request("INVITE", plain, ("Content-Disposition", "icon;handling=optional"), body=b"x")) is None
    assert status(request("INVITE", plain, ("Content-Disposition", "icon"), body=b"x")) == 415
    assert status(request("INVITE", plain, body=b"x"), Capabilities()) is None
    assert validate_request(request("INVITE", plain, ("e", "gzip"), body=b"x")) == Fault(
        status=415, reason="Unsupported Media Type", headers=(("Accept-Encoding", "identity"),)
    )
    assert status(request("INVITE", ("c", "application/sdp"), ("e", "identity"), body=b"x")) is None


def test_accept() -> None:
    assert status(request("INVITE", ("Accept", "application/sdp;q=0"))) == 406
    assert status(request("INVITE", ("Accept", ""))) == 406
    assert status(request("OPTIONS", ("Accept", "text/plain"))) is None
    assert status(request("INVITE", ("Accept", "text/plain")), Capabilities()) is None


def response(code: int, *more: tuple[str, str]) -> Response:
    return Response(code, "", Headers((*CORE, ("CSeq", "1 OPTIONS"), *more)))


def test_responses() -> None:
    assert validate_response(response(200)) is None
    assert validate_response(response(99)) == "the status is not from 100 to 699"
    assert validate_response(response(700)) is not None
    assert validate_response(response(200, ("Via", "SIP/2.0/UDP b.example.com"))) == "more than one Via is left"
    assert validate_response(response(200, ("Contact", "<"))) is not None
    assert validate_response(Response(200, "")) == "Missing Via"
    assert validate_response(Response(200, "", version="SIP/3.0")) == "the version is not SIP/2.0"
    assert validate_response(Response(200, "", flaw="Malformed Header Line")) == "Malformed Header Line"
