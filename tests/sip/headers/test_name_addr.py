"""Names and addresses: RFC 3261 sections 20.10 and 25.1."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.name_addr import STAR, NameAddr, parse_contacts
from offhook.sip.uri import Uri


@pytest.mark.parametrize(
    ("text", "display", "uri", "params"),
    [
        ('"A. \\"B\\", C" <sip:a@b;lr>;tag=1', 'A. "B", C', "sip:a@b;lr", (("tag", "1"),)),
        ("Bob  Smith <sip:a@b>", "Bob  Smith", "sip:a@b", ()),
        ("caller<sip:a@b>", "caller", "sip:a@b", ()),
        ('"" <sip:a@b>', "", "sip:a@b", ()),
        ("<sip:a@b?x=y>", None, "sip:a@b?x=y", ()),
        ("sip:a@b ; tag = 2;x", None, "sip:a@b", (("tag", "2"), ("x", None))),
        ("tel:+46701", None, "tel:+46701", ()),
        ('"\udce5" <sip:a@b>', "�", "sip:a@b", ()),
    ],
)
def test_parts(text: str, display: str | None, uri: str, params: tuple[object, ...]) -> None:
    address = NameAddr.parse(text)
    assert (address.display, str(address.uri), address.params) == (display, uri, params)
    assert NameAddr.parse(str(address)) == address


@pytest.mark.parametrize(
    "text",
    [
        '"A <sip:a@b>',
        '"A" sip:a@b',
        "A, B <sip:a@b>",
        "<sip:a@b",
        "sip:a@b?x=y",
        "sip:a,b@c",
        "< sip:a@b >",
        "<sip:a@b>x",
        "",
    ],
)
def test_malformed(text: str) -> None:
    with pytest.raises(SyntaxFault):
        NameAddr.parse(text)


def test_parameters() -> None:
    contact = NameAddr.parse("<sip:a@b>;expires=60;q=0.7;TAG=x;flag")
    assert (contact.expires_s, contact.q, contact.tag, contact.param("flag")) == (60, 0.7, "x", "")
    plain = NameAddr(uri=Uri.parse("sip:a@b"))
    assert (plain.expires_s, plain.q, plain.tag) == (None, 1.0, None)
    assert str(plain.with_tag("t").with_param("expires", "9").with_(display="A")) == "A <sip:a@b>;tag=t;expires=9"
    assert plain.with_tag("t").with_tag(None) == plain
    for text in ("<sip:a@b>;q=2", "<sip:a@b>;q=x", "<sip:a@b>;q=0.1234"):
        with pytest.raises(SyntaxFault):
            _ = NameAddr.parse(text).q
    with pytest.raises(SyntaxFault):
        _ = NameAddr.parse("<sip:a@b>;expires=x").expires_s


def test_contacts() -> None:
    assert parse_contacts(["*"]) is STAR
    assert str(STAR) == "*"
    contacts = parse_contacts(["<sip:a@b>", "<sip:c@d>"])
    assert isinstance(contacts, list)
    assert [str(contact.uri) for contact in contacts] == ["sip:a@b", "sip:c@d"]
    with pytest.raises(SyntaxFault, match="star"):
        parse_contacts(["*", "<sip:a@b>"])
