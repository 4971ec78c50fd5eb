"""Lists of tokens, Privacy and Warning: RFC 3261 sections 20.5, 20.37 and 20.43, RFC 3323 section 4.2."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.lists import Warning, parse_methods, parse_option_tags, parse_privacy


def test_lists() -> None:
    assert parse_methods(["INVITE, Ack", "BYE"]) == ("INVITE", "Ack", "BYE")
    assert parse_option_tags("Require", ["100REL, timer"]) == ("100rel", "timer")
    assert parse_privacy(["id; Header", "user,x y"]) == {"id", "header", "user"}
    with pytest.raises(SyntaxFault, match="Require"):
        parse_option_tags("Require", ["a b"])


def test_warning() -> None:
    value = Warning.parse('307 isi.edu:5060 "Session parameter \\"foo\\" not understood"')
    assert (value.code, value.agent, value.text) == (307, "isi.edu:5060", 'Session parameter "foo" not understood')
    assert Warning.parse(str(value)) == value
    for text in ("", '1812 overture "In Progress"', "399 a b", '399 "x"'):
        with pytest.raises(SyntaxFault):
            Warning.parse(text)
