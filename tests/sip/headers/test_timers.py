"""Headers that count seconds: RFC 4028, RFC 3261 sections 20.19 and 20.33."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.timers import Refresher, RetryAfter, SessionExpires, parse_min_se, parse_seconds


def test_session_expires() -> None:
    assert SessionExpires.parse("1800 ;Refresher=UAS") == SessionExpires(interval_s=1800, refresher=Refresher.UAS)
    assert str(SessionExpires(interval_s=90, refresher=Refresher.UAC)) == "90;refresher=uac"
    assert str(SessionExpires.parse("90;x=y")) == "90"
    for text in ("", "x", "90;refresher=me", "90;refresher"):
        with pytest.raises(SyntaxFault):
            SessionExpires.parse(text)


def test_retry_after() -> None:
    value = RetryAfter.parse("18000 (I'm \\) in a meeting);duration=3600")
    assert (value.delay_s, value.comment, value.params) == (18000, "I'm \\) in a meeting", (("duration", "3600"),))
    assert str(value) == "18000 (I'm \\) in a meeting);duration=3600"
    assert str(RetryAfter.parse("5")) == "5"
    for text in ("soon", "5 (", "5 x", "4294967296"):
        with pytest.raises(SyntaxFault):
            RetryAfter.parse(text)


def test_seconds() -> None:
    assert parse_min_se("90 ;a=b") == 90
    assert parse_seconds("Expires", "4294967295") == 2**32 - 1
    with pytest.raises(SyntaxFault, match="Expires"):
        parse_seconds("Expires", "4294967296")
