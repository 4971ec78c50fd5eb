"""Orders and settings: defaults that RFCs name, and secrets that no log shows."""

import inspect

import pytest
from tests.support.bench import Bench

import offhook.sip.commands as commands
from offhook.sip.commands import (
    Account,
    Body,
    EndpointConfig,
    InviteOrder,
    RegistrationOrder,
    RequestHandle,
    SessionTimerPolicy,
)
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Way
from offhook.sip.uri import Uri

WAY = Way(transport="udp", local=("192.0.2.1", 5060), advertised=("192.0.2.1", 5060))


def test_defaults_are_the_rfcs() -> None:
    config = EndpointConfig(ways=(WAY,), domain="example.test")
    assert config.large_request_bytes == 1300, "RFC 3261 section 18.1.1"
    assert config.timers.t1 == 0.5, "RFC 3261 table 4"
    assert SessionTimerPolicy().min_interval_s == 90, "RFC 4028 section 4"
    assert SessionTimerPolicy().interval_s == 1800, "RFC 4028 section 4"


def test_secrets_are_not_shown() -> None:
    account = Account(username="alice", password="hush")
    config = EndpointConfig(ways=(WAY,), domain="example.test", digest_secret=b"0123456789abcdef-hush")
    assert "hush" not in repr(account)
    assert "hush" not in repr(config)


@pytest.mark.parametrize("evil", ["x\r\nVia: y", "x\ny", "x\ry"])
def test_nothing_breaks_out_of_its_line(evil: str) -> None:
    alice = NameAddr.parse("<sip:a@example.test>")
    target = Uri.parse("sip:b@example.test")
    with pytest.raises(ValueError, match="line break"):
        Body(b"", evil)
    with pytest.raises(ValueError, match="line break"):
        InviteOrder(target=target, from_=alice, to=alice, offer=None, headers=(("X-Note", evil),))
    with pytest.raises(ValueError, match="line break"):
        InviteOrder(target=target, from_=alice.with_(display=evil), to=alice, offer=None)
    with pytest.raises(ValueError, match="line break"):
        RegistrationOrder(registrar=target, aor=alice.with_(display=evil), account=None)


def test_verbs_refuse_line_breaks_before_anything_has_changed() -> None:
    bench = Bench()
    session, _ = bench.established_callee()
    evil = "x\r\nVia: y"
    lines = (("X", evil),)
    handle = RequestHandle("any")
    for say in (
        lambda: bench.endpoint.hang_up(session, bench.now, reason=evil),
        lambda: bench.endpoint.reject(session, 486, bench.now, reason=evil),
        lambda: bench.endpoint.reject(session, 486, bench.now, headers=lines),
        lambda: bench.endpoint.refuse_offer(session, bench.now, headers=lines),
        lambda: bench.endpoint.reject_request(handle, 403, bench.now, lines),
        lambda: bench.endpoint.refuse_new(reason=evil),
    ):
        with pytest.raises(ValueError, match="line break"):
            say()
    assert bench.sent() == []
    assert bench.endpoint.sessions_count == 1


def test_every_public_class_says_what_it_is() -> None:
    for name, kind in vars(commands).items():
        if inspect.isclass(kind) and kind.__module__ == commands.__name__:
            assert kind.__doc__, name
            assert kind.__dataclass_params__.frozen, name
