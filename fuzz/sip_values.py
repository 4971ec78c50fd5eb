"""Fuzz target: any text is a header value or a `SyntaxFault`; what parses is written and read back as the same."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Any

from fuzz.runner import run
from fuzz.sip_corpus import values
from hypothesis import strategies as st

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.auth import Challenge, Credentials, parse_authentication_info
from offhook.sip.headers.cseq import CSeq, RAck
from offhook.sip.headers.event import Event, Replaces, SubscriptionState
from offhook.sip.headers.lists import Warning, parse_methods, parse_privacy
from offhook.sip.headers.media_type import Disposition, MediaType
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.headers.reason import Reason
from offhook.sip.headers.table import Headers
from offhook.sip.headers.timers import RetryAfter, SessionExpires, parse_min_se
from offhook.sip.headers.via import Via
from offhook.sip.uri import Uri

PARSERS: tuple[Callable[[str], Any], ...] = (
    Uri.parse,
    Via.parse,
    NameAddr.parse,
    CSeq.parse,
    RAck.parse,
    MediaType.parse,
    Disposition.parse,
    SessionExpires.parse,
    RetryAfter.parse,
    Reason.parse,
    Event.parse,
    SubscriptionState.parse,
    Replaces.parse,
    Warning.parse,
    Challenge.parse,
    Credentials.parse,
)
READERS: tuple[Callable[[str], Any], ...] = (
    parse_authentication_info,
    parse_min_se,
    lambda text: parse_methods([text]),
    lambda text: parse_privacy([text]),
    lambda text: Headers([("Contact", text)]).values("Contact"),
)
STRATEGY = st.one_of(values(), st.text(st.characters(blacklist_characters="\r\n"), max_size=60))


def check(text: str) -> None:
    """The invariant of reading one value."""
    for read in READERS:
        with suppress(SyntaxFault):
            read(text)
    for parse in PARSERS:
        try:
            value = parse(text)
        except SyntaxFault:
            continue
        assert parse(str(value)) == value, (text, str(value))
        if isinstance(value, Uri):
            assert value.matches(value)
            _ = value.username, value.bare


if __name__ == "__main__":
    run("sip_values", STRATEGY, check)
