"""Via: RFC 3261 section 20.42 and RFC 3581."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.via import Via


def test_via() -> None:
    via = Via.parse("SIP / 2.0 / udp  first.example.com: 4000;ttl=16 ;maddr=224.2.0.1 ;branch=z9hG4bKa7c6a8dlze.1")
    assert (via.transport, via.host, via.port, via.sent_by) == (
        "UDP",
        "first.example.com",
        4000,
        "first.example.com:4000",
    )
    assert (via.maddr, via.branch, via.is_rfc3261) == ("224.2.0.1", "z9hG4bKa7c6a8dlze.1", True)
    assert str(via) == "SIP/2.0/UDP first.example.com:4000;ttl=16;maddr=224.2.0.1;branch=z9hG4bKa7c6a8dlze.1"
    assert Via.parse(str(via)) == via


def test_rport_and_received() -> None:
    asked = Via.parse("SIP/2.0/UDP [2001:db8::1];rport")
    assert (asked.wants_rport, asked.rport, asked.received, asked.branch, asked.is_rfc3261) == (
        True,
        None,
        None,
        None,
        False,
    )
    told = asked.with_param("rport", "5062").with_param("received", "[2001:db8::2]")
    assert (told.rport, told.received, told.sent_by) == (5062, "2001:db8::2", "[2001:db8::1]")
    assert told.with_(host="a", port=1).sent_by == "a:1"
    for value in ("99999", "123456", "x"):
        assert asked.with_param("rport", value).rport is None


@pytest.mark.parametrize(
    "text",
    ["", "SIP/2.0/UDP", "SIP/2.0 a", "SIP/2.0/UDP a:99999", "SIP/2.0/UDP a;;", "SIP/2.0/UDP a b", "SIP/2.0/UDP [::1"],
)
def test_malformed(text: str) -> None:
    with pytest.raises(SyntaxFault):
        Via.parse(text)
