"""CSeq and RAck: RFC 3261 section 20.16, RFC 3262 section 7.2."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.cseq import CSeq, RAck


def test_cseq() -> None:
    assert CSeq.parse("0009   INVITE") == CSeq(9, "INVITE") == (9, "INVITE")
    assert str(CSeq.parse("2147483647 A")) == "2147483647 A"


@pytest.mark.parametrize("text", ["", "1", "INVITE 1", "1 INVITE x", "2147483648 A", "-1 A", "1 (A)"])
def test_malformed_cseq(text: str) -> None:
    with pytest.raises(SyntaxFault):
        CSeq.parse(text)


def test_rack() -> None:
    assert RAck.parse("776656 1 INVITE") == RAck(776656, 1, "INVITE")
    assert str(RAck(1, 2, "INVITE")) == "1 2 INVITE"
    for text in ("", "1", "1 INVITE", "4294967296 1 INVITE"):
        with pytest.raises(SyntaxFault):
            RAck.parse(text)
