"""Orders and settings: defaults that RFCs name, and secrets that no log shows."""

import inspect

import offhook.sip.commands as commands
from offhook.sip.commands import Account, EndpointConfig, SessionTimerPolicy
from offhook.sip.hop import Way

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


def test_every_public_class_says_what_it_is() -> None:
    for name, kind in vars(commands).items():
        if inspect.isclass(kind) and kind.__module__ == commands.__name__:
            assert kind.__doc__, name
            assert kind.__dataclass_params__.frozen, name
