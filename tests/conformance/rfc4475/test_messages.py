"""Every message of RFC 4475 gets the verdict that the manifest gives it; a few are looked into."""

from __future__ import annotations

import hashlib
from typing import assert_never

import pytest
from tests.conformance.rfc4475.corpus import names, octets, sums
from tests.conformance.rfc4475.page import PAGE, Entry, Verdict, entries, render

from offhook.sip.errors import Fault
from offhook.sip.message import Message, Request, Response
from offhook.sip.parser import KeepAlive, StreamParser, parse_datagram
from offhook.sip.validate import Capabilities, validate_request, validate_response

ENTRIES = {entry.name: entry for entry in entries()}
ELEMENT = Capabilities(
    body_types=("application/sdp", "multipart/mixed", "text/plain"), answers=("application/sdp",), extensions=("timer",)
)


def request(name: str) -> Request:
    message = parse_datagram(octets(name))
    assert isinstance(message, Request)
    return message


@pytest.mark.parametrize("name", names())
def test_octets_are_those_of_the_rfc(name: str) -> None:
    assert hashlib.sha256(octets(name)).hexdigest() == sums()[name]


def test_the_manifest_has_every_message() -> None:
    assert sorted(ENTRIES) == names() == sorted(sums())
    assert len(ENTRIES) == 49


@pytest.mark.parametrize("entry", ENTRIES.values(), ids=lambda entry: entry.name)
def test_verdict(entry: Entry) -> None:
    message = parse_datagram(octets(entry.name))
    if isinstance(message, Request):
        fault = validate_request(message, ELEMENT)
        status = None if fault is None else fault.status
        if fault is not None:
            answer = message.reply(fault.status, fault.reason, to_tag="t", headers=fault.headers).encode()
            assert answer.startswith(b"SIP/2.0 %d " % fault.status)
    else:
        status = None
        dropped = validate_response(message) is not None
        assert dropped is (entry.verdict is Verdict.DROPPED)
    match entry.verdict:
        case Verdict.ACCEPTED:
            assert status is None
        case Verdict.REJECTED:
            assert status == entry.status
        case Verdict.DROPPED:
            assert isinstance(message, Response)
        case _:
            assert_never(entry.verdict)


@pytest.mark.parametrize("name", [entry.name for entry in ENTRIES.values() if entry.verdict is Verdict.ACCEPTED])
def test_what_is_accepted_goes_out_as_it_came(name: str) -> None:
    message = parse_datagram(octets(name))
    again = parse_datagram(message.encode())
    message.headers.remove("Content-Length")
    again.headers.remove("Content-Length")
    assert again == message


@pytest.mark.parametrize("name", ["ncl", "mcl01"])
def test_a_stream_without_frames_is_closed_after_the_answer(name: str) -> None:
    parser = StreamParser()
    (fault,) = parser.feed(octets(name))
    assert isinstance(fault, Fault)
    assert (fault.status, fault.fatal, parser.closed) == (400, True, True)
    assert fault.request is not None


def test_a_stream_waits_for_the_rest_of_clerr() -> None:
    parser = StreamParser()
    assert parser.feed(octets("clerr")) == []
    assert not parser.closed


def test_a_stream_holds_both_requests_of_dblreq() -> None:
    # 3.1.1.8 is about datagrams; in a stream the two are two, with an empty line between them.
    found: list[Message | KeepAlive | Fault] = StreamParser().feed(octets("dblreq"))
    methods = [item.method for item in found if isinstance(item, Request)]
    assert methods == ["REGISTER", "INVITE"]


def test_wsinv() -> None:
    message = request("wsinv")
    assert [(via.transport, via.host, via.branch) for via in message.vias] == [
        ("UDP", "192.0.2.2", "390skdjuw"),
        ("TCP", "spindle.example.com", "z9hG4bK9ikj8"),
        ("UDP", "192.168.255.111", "z9hG4bK30239"),
    ]
    assert message.from_.display == 'J Rosenberg \\"'
    assert message.tags == ("98asjd8", "1918181833n")
    assert (message.max_forwards, message.cseq.number) == (68, 9)
    assert message.contact is not None
    assert (message.contact.q, message.contact.param("newparam")) == (0.33, "newvalue")
    assert message.headers.get("NewFangledHeader") == "newfangled value continued newfangled value"


def test_intmeth() -> None:
    message = request("intmeth")
    assert message.method == "!interesting-Method0123456789_*+`.%indeed'~"
    assert message.uri.user == "1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*"
    assert message.uri.password == "&it+has=1,weird!*pas$wo~d_too.(doesn't-it)"
    assert message.to.display == "BEL:\a NUL:\0 DEL:\x7f"
    assert message.from_.param("fromParam''~+*_!.-%") == "работающий"


def test_esc01() -> None:
    message = request("esc01")
    assert message.uri.username == "sips:user@example.com"
    assert message.to.uri.username == "user"
    assert message.contact is not None
    assert message.contact.uri.matches(message.contact.uri)
    assert message.contact.uri.username == "caller"


def test_escnull() -> None:
    contacts = request("escnull").contacts
    assert isinstance(contacts, list)
    assert [contact.uri.username for contact in contacts] == ["\0", "\0\0"]
    assert not contacts[0].uri.matches(contacts[1].uri)


def test_esc02() -> None:
    message = request("esc02")
    assert message.headers.count("Contact") == 2
    assert message.to.display == "%Z%45"


def test_dblreq_and_semiuri() -> None:
    assert request("dblreq").body == b""
    assert request("semiuri").uri.username == "user;par=u@example.net"
    assert request("semiuri").uri.params == ()


def test_contact_parameters_belong_where_the_brackets_say() -> None:
    bare, bracketed, escaped = (request(name).contact for name in ("cparam01", "cparam02", "regescrt"))
    assert bare is not None
    assert bracketed is not None
    assert escaped is not None
    assert (bare.param("unknownparam"), bare.uri.has("unknownparam")) == ("", False)
    assert (bracketed.param("unknownparam"), bracketed.uri.has("unknownparam")) == (None, True)
    assert escaped.uri.headers == (("Route", "%3Csip:sip.example.com%3E"),)


def test_bext01_names_what_it_does_not_know() -> None:
    fault = validate_request(request("bext01"), ELEMENT)
    assert fault is not None
    assert fault.headers == (("Unsupported", "nothingSupportsThis, nothingSupportsThisEither"),)


def test_invut_says_what_it_reads() -> None:
    fault = validate_request(request("invut"), ELEMENT)
    assert fault is not None
    assert fault.headers == (("Accept", "application/sdp, multipart/mixed, text/plain"),)


def test_the_page_is_up_to_date() -> None:
    assert PAGE.read_text(encoding="utf-8") == render(), "run python -m tests.conformance.rfc4475.page"
