"""Refusing by octets (RFC 3261 section 8.2.7): the same answer as the ordinary way gives, or none."""

import pytest
from tests.support.bench import HOP, US, Bench, statuses

from offhook.sip.events import IncomingInvite, StrayMessage
from offhook.sip.hop import Hop
from offhook.sip.overload import HEAD_MAX_BYTES, draft, tag_for

NAT = Hop("udp", US, ("198.51.100.7", 41000))


def raw(text: str) -> bytes:
    return text.replace("\n", "\r\n").encode()


def test_a_new_call_is_refused_without_being_parsed_and_without_a_trace() -> None:
    bench = Bench()
    bench.endpoint.refuse_new(retry_after_s=7)
    invite = bench.request("INVITE", branch="z9hG4bK-i", body="v=0 offer\r\n")
    (refusal,) = bench.receive(invite)
    assert (statuses([refusal]), refusal.headers.get("Retry-After")) == ([503], "7")
    assert (refusal.call_id, str(refusal.cseq), refusal.from_.tag) == ("call-1", "1 INVITE", "them")
    assert refusal.via.branch == "z9hG4bK-i"
    (again,) = bench.receive(invite)
    assert again.to.tag == refusal.to.tag != None  # noqa: E711 - both at once
    assert bench.events() == []
    assert bench.endpoint.poll_deadline() is None
    assert bench.receive(bench.request("ACK", branch="z9hG4bK-i", to_tag=refusal.to.tag or "")) == []
    assert isinstance(bench.events()[0], StrayMessage)


def test_calls_that_stand_are_not_disturbed() -> None:
    bench = Bench()
    invite = bench.request("INVITE", branch="z9hG4bK-i", body="v=0 offer\r\n")
    bench.receive(invite)
    assert bench.one(IncomingInvite)
    session, tag = bench.established_callee(call_id="call-2")
    bench.endpoint.refuse_new()
    assert statuses(bench.receive(invite)) == [100], "a repeat of what was taken"
    assert statuses(bench.receive(bench.request("INVITE", call_id="call-2", to_tag=tag, cseq=2, body="v=0 x\r\n"))) == [
        100
    ]
    bench.endpoint.hang_up(session, bench.now)
    assert statuses(bench.sent()) == [487, "BYE"]


def test_options_say_so_too_and_taking_again_ends_it() -> None:
    bench = Bench()
    bench.endpoint.refuse_new()
    assert statuses(bench.receive(bench.request("OPTIONS"))) == [503]
    bench.endpoint.take_new()
    assert statuses(bench.receive(bench.request("OPTIONS", cseq=2))) == [200]
    assert statuses(bench.receive(bench.request("INVITE", cseq=3))) == [100]


VIA = "SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-o"
ODD = {
    "a Via without the cookie": "SIP/2.0/UDP 192.0.2.9:5060;branch=1",
    "a Via of another host": "SIP/2.0/UDP 192.0.2.8:5060;branch=z9hG4bK-o",
    "two Vias in one line": f"{VIA}, SIP/2.0/UDP 192.0.2.7;branch=z9hG4bK-p",
    "an rport that is filled in": f"{VIA};rport=9",
    "an rport-like parameter": f"{VIA};rportx",
    "maddr": f"{VIA};maddr=192.0.2.7",
}


@pytest.mark.parametrize("via", ODD.values(), ids=ODD.keys())
def test_what_is_unusual_is_read_and_refused_the_ordinary_way(via: str) -> None:
    bench = Bench()
    invite = bench.request("INVITE", via=via)
    assert draft(raw(invite), HOP) is None
    bench.endpoint.refuse_new()
    assert statuses(bench.receive(invite)) == [503]
    assert bench.events() == []


def test_streams_are_read_first() -> None:
    bench = Bench()
    stream = Hop("tcp", US, ("192.0.2.9", 50001), 1)
    bench.endpoint.refuse_new()
    invite = bench.request("INVITE", via="SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK-t")
    assert draft(raw(invite), stream) is None
    assert statuses(bench.receive(invite, stream)) == [503]
    assert bench.raw[-1][1] == stream


@pytest.mark.parametrize(
    "change",
    [
        ("INVITE sip", "OPTIONS sip"),
        ("From:", "X-From:"),
        ("Via:", "X-Via:"),
        ("CSeq:", "X-CSeq:"),
        ("Call-ID: call-1\n", "Call-ID: call-1\nCall-ID: call-1\n"),
        ("To: <sip:+4610@192.0.2.1>", "To: <sip:+4610@192.0.2.1> ; tag=x"),
        ("\n\n", "\n"),
    ],
)
def test_no_draft_is_made_of_what_does_not_begin_a_call(change: tuple[str, str]) -> None:
    assert draft(raw(Bench().request("INVITE")), HOP) is not None
    assert draft(raw(Bench().request("INVITE").replace(*change)), HOP) is None


def test_a_head_without_end_is_not_searched() -> None:
    assert draft(raw(Bench().request("INVITE", headers=f"X: {'x' * HEAD_MAX_BYTES}\n")), HOP) is None


def test_rfc_3581_holds_here_as_well() -> None:
    bench = Bench()
    bench.endpoint.refuse_new()
    for via in ("SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-o;rport", "SIP/2.0/UDP 10.0.0.1:5060;rport;branch=z9hG4bK-o"):
        (refusal,) = bench.receive(bench.request("INVITE", via=via), NAT)
        assert (refusal.via.received, refusal.via.rport) == ("198.51.100.7", 41000)
        assert bench.raw[-1][1] == NAT
    assert bench.endpoint._inside.layer.by_key == {}


def test_compact_and_folded_headers_are_known() -> None:
    bench = Bench()
    bench.endpoint.refuse_new()
    text = (
        "INVITE sip:b@192.0.2.1 SIP/2.0\nv: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-o\n"
        "f: <sip:a@192.0.2.9>\n ;tag=x\n"
        "t: <sip:b@192.0.2.1>\ni: c9\nCSeq: 1 INVITE\nMax-Forwards: 70\n\n"
    )
    (refusal,) = bench.receive(text)
    assert (refusal.from_.tag, refusal.call_id) == ("x", "c9")


def test_the_tag_depends_on_the_branch_alone() -> None:
    assert tag_for(b"z9hG4bK-1") == tag_for(b"z9hG4bK-1") != tag_for(b"z9hG4bK-2")
