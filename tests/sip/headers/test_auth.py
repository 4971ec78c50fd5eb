"""Challenges and credentials: RFC 3261 sections 20.7 and 20.44, RFC 7616 section 3."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.auth import Challenge, Credentials, parse_authentication_info


def test_challenge() -> None:
    value = Challenge.parse('DIGEST Realm = "a, \\"b\\"" , qop="auth,auth-int",stale=FALSE')
    assert isinstance(value, Challenge)
    assert (value.scheme, value.get("realm"), value.get("qop"), value.get("stale")) == (
        "digest",
        'a, "b"',
        "auth,auth-int",
        "FALSE",
    )
    assert value.get("nonce") is None
    assert str(value) == 'Digest realm="a, \\"b\\"", qop="auth,auth-int", stale=FALSE'
    assert str(Credentials.parse("Other a=b")) == "other a=b"
    assert Credentials.parse("Negotiate").params == ()


@pytest.mark.parametrize("text", ["", "=", 'Digest a="b', "Digest a", "Digest a=b c=d", "Digest a=b, A=c", "Digest ,"])
def test_malformed(text: str) -> None:
    with pytest.raises(SyntaxFault):
        Credentials.parse(text)


def test_authentication_info() -> None:
    assert parse_authentication_info('nextnonce="x", nc=00000001') == {"nextnonce": "x", "nc": "00000001"}
    with pytest.raises(SyntaxFault):
        parse_authentication_info('"')
