"""SIP URIs: RFC 3261 section 19.1, its examples and its rules of comparison; RFC 3966 for tel."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.uri import Uri


def test_parts_are_kept_as_written() -> None:
    uri = Uri.parse("SIP:a%6Cice;x:pa$s@Example.COM:5070;transport=TCP;lr?subject=a%20b&priority=urgent")
    assert uri == Uri(
        "sip",
        "a%6Cice;x",
        "pa$s",
        "Example.COM",
        5070,
        (("transport", "TCP"), ("lr", None)),
        (("subject", "a%20b"), ("priority", "urgent")),
    )
    assert str(uri) == "sip:a%6Cice;x:pa$s@Example.COM:5070;transport=TCP;lr?subject=a%20b&priority=urgent"
    assert uri.username == "alice;x"
    assert (uri.param("TRANSPORT"), uri.param("lr"), uri.param("maddr")) == ("TCP", "", None)
    assert uri.has("lr")
    assert not uri.has("maddr")


@pytest.mark.parametrize(
    "text",
    [
        "sip:example.com",
        "sips:alice@[2001:db8::1]:5061",
        "sip:alice:@example.com",
        "sip:1_unusual.URI~(to-be!sure)&isn't+it$/crazy?,/;;*@example.com",
        "tel:+46-70-123;phone-context=example.com;isub",
        "urn:service:sos",
        "nobodyKnowsThisScheme:totallyopaquecontent".lower(),
    ],
)
def test_round_trip(text: str) -> None:
    assert str(Uri.parse(text)) == text


@pytest.mark.parametrize(
    "text",
    [
        "",
        "alice@example.com",
        "sip:",
        "sip:alice@",
        "sip:@example.com",
        "sip:al ice@example.com",
        "sip:alice@example.com; lr",
        "sip:alice@example.com:99999",
        "sip:alice@example.com:port",
        "sip:al%ice@example.com",
        "sip:alice@example.com;",
        "sip:alice@example.com?",
        "sip:alice@example.com?name",
        "sip:alice@example.com?a=b=c",
        "sip:alice@[2001:db8::1",
        "tel:",
        "tel:alice",
        "http://exa mple.com",
        ":x",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(SyntaxFault):
        Uri.parse(text)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:%61lice@atlanta.com;transport=TCP", "sip:alice@AtLanTa.CoM;Transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com;newparam=5"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;newparam=5"),
        (
            "sip:biloxi.com;transport=tcp;method=REGISTER?to=sip:bob%40biloxi.com",
            "sip:biloxi.com;method=REGISTER;transport=tcp?to=sip:bob%40biloxi.com",
        ),
        (
            "sip:alice@atlanta.com?subject=project%20x&priority=urgent",
            "sip:alice@atlanta.com?priority=urgent&subject=project%20x",
        ),
        ("tel:+46-70.123(4)", "tel:+46701234"),
        ("urn:service:sos", "URN:service:sos"),
    ],
)
def test_equivalent(one: str, other: str) -> None:
    assert Uri.parse(one).matches(Uri.parse(other))
    assert Uri.parse(other).matches(Uri.parse(one))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("sip:ALICE@AtLanTa.CoM;Transport=udp", "sip:alice@AtLanTa.CoM;Transport=UDP"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:5060"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com;transport=udp"),
        ("sip:bob@biloxi.com", "sip:bob@biloxi.com:6000;transport=tcp"),
        ("sip:carol@chicago.com", "sip:carol@chicago.com?Subject=next%20meeting"),
        ("sip:bob@phone21.boxesbybob.com", "sip:bob@192.0.2.4"),
        ("sip:carol@chicago.com;security=on", "sip:carol@chicago.com;security=off"),
        ("sip:a%3Bb@example.com", "sip:a;b@example.com"),
        ("sip:bob@biloxi.com", "sips:bob@biloxi.com"),
        ("sip:bob@biloxi.com", "sip:bob:secret@biloxi.com"),
        ("tel:+4670;ext=1", "tel:+4670"),
        ("urn:a", "urn:b"),
    ],
)
def test_different(one: str, other: str) -> None:
    assert not Uri.parse(one).matches(Uri.parse(other))
    assert not Uri.parse(other).matches(Uri.parse(one))


def test_built_from_readable_parts() -> None:
    uri = Uri.sip("a b@c#\N{SNOWMAN}", "2001:db8::1", 5060, params=(("lr", None),))
    assert str(uri) == "sip:a%20b%40c%23%E2%98%83@[2001:db8::1]:5060;lr"
    assert Uri.parse(str(uri)).username == "a b@c#\N{SNOWMAN}"
    assert str(Uri.sip(None, "example.com", scheme="sips")) == "sips:example.com"
    with pytest.raises(SyntaxFault, match="host"):
        Uri.sip("a", "exa mple")


def test_escaped_octets_that_are_not_utf8_survive() -> None:
    username = Uri.parse("sip:%00%FF@example.com").username
    assert username is not None
    assert str(Uri.sip(username, "example.com")) == "sip:%00%FF@example.com"


def test_copies() -> None:
    uri = Uri.parse("sip:alice:pw@example.com;transport=tcp?a=b")
    assert str(uri.bare) == "sip:alice@example.com"
    assert str(uri.with_(host="example.net", headers=())) == "sip:alice:pw@example.net;transport=tcp"
    assert str(uri.bare.with_param("ob").with_param("x", "a;b").with_param("OB", "1")) == (
        "sip:alice@example.com;ob=1;x=a%3Bb"
    )
