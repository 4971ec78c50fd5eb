"""Reason: RFC 3326."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.reason import Reason


def test_reason() -> None:
    value = Reason.parse('SIP ;cause=600 ;text="Busy \\"Everywhere\\""')
    assert value == Reason(protocol="SIP", cause=600, text='Busy "Everywhere"')
    assert Reason.parse(str(value)) == value
    assert str(Reason(protocol="Q.850")) == "Q.850"
    assert Reason.parse("Q.850;cause=x").cause is None
    assert Reason.parse("Q.850;cause=12345").cause is None
    for text in ("", ";cause=1", "a b", "SIP;;"):
        with pytest.raises(SyntaxFault):
            Reason.parse(text)
