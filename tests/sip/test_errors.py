"""Faults carry what a person and a peer need to know, and no more."""

from __future__ import annotations

from offhook.sip.errors import EXCERPT_CHARS, Fault, SyntaxFault, Unparseable


def test_a_syntax_fault_names_element_reason_and_text() -> None:
    fault = SyntaxFault("CSeq", "is not a number and a method", "x")
    assert (fault.what, fault.why, fault.text) == ("CSeq", "is not a number and a method", "x")
    assert str(fault) == "CSeq: is not a number and a method: 'x'"
    assert str(SyntaxFault("Via", "is missing")) == "Via: is missing"


def test_a_long_text_is_cut() -> None:
    assert SyntaxFault("Via", "is malformed", "x" * 1000).text == "x" * EXCERPT_CHARS + "…"


def test_the_others() -> None:
    assert Unparseable("no SIP start line").reason == "no SIP start line"
    fault = Fault(status=400, reason="Bad Request")
    assert (fault.headers, fault.request, fault.fatal) == ((), None, False)
