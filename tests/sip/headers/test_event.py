"""Event, Subscription-State and Replaces: RFC 6665 section 8.2, RFC 3891 section 6.1."""

from __future__ import annotations

import pytest

from offhook.sip.errors import SyntaxFault
from offhook.sip.headers.event import Event, Replaces, SubscriptionState


def test_event() -> None:
    event = Event.parse("presence.winfo ; id=7")
    assert (event.package, event.id, str(event)) == ("presence.winfo", "7", "presence.winfo;id=7")
    assert Event.parse("refer").id is None
    with pytest.raises(SyntaxFault):
        Event.parse(";id=7")


def test_subscription_state() -> None:
    state = SubscriptionState.parse("Terminated;reason=noresource;expires=0")
    assert (state.state, state.reason, state.expires_s) == ("terminated", "noresource", 0)
    assert str(state) == "terminated;reason=noresource;expires=0"
    assert SubscriptionState.parse("active").expires_s is None
    with pytest.raises(SyntaxFault):
        _ = SubscriptionState.parse("active;expires=x").expires_s


def test_replaces() -> None:
    value = Replaces.parse("98732@sip.example.com ;from-tag=r33th4x0r ;To-Tag=ff87ff;early-only")
    assert value == Replaces(call_id="98732@sip.example.com", to_tag="ff87ff", from_tag="r33th4x0r", early_only=True)
    assert Replaces.parse(str(value)) == value
    assert str(Replaces(call_id="a", to_tag="1", from_tag="2")) == "a;to-tag=1;from-tag=2"
    for text in ("a", "a;to-tag=1", "a;to-tag=1;to-tag=2;from-tag=3", ";to-tag=1;from-tag=2"):
        with pytest.raises(SyntaxFault):
            Replaces.parse(text)
