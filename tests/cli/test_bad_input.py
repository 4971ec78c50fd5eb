"""Whatever is typed, with a server or without: one line on standard error that says what to do, and a status that is
not 0. What is wrong with each command in particular is tried beside it.
"""

from typing import Any

import pytest

NO_CALL = "c" + "0" * 32
NEEDS_A_SERVER = [
    ("call", "+46700000002", "--from", "+46100000001", "--voice-start", "https://a.example/"),
    ("call", "go-on", NO_CALL, "{}"),
    ("call", "hang-up", NO_CALL),
    ("call", "mute", NO_CALL),
    ("call", "unmute", NO_CALL),
    ("call", "keys", NO_CALL, "1"),
    ("call", "record", NO_CALL, "start"),
    ("restart",),
    ("phone", "run", "--as", "+4600100"),
]
WRONG = [
    ("timeline", NO_CALL),
    ("timeline", NO_CALL, "--follow"),
    ("timeline", NO_CALL, "--export", "out.json"),
    ("timeline", "nonsense"),
    ("timeline", "../../v1/status"),
    ("timeline", "a\0b"),
    ("timeline", "x" * 5000),
    ("calls", "--account", "nobody"),
    ("calls", "--config", "none.toml"),
    ("deliveries", "--account", "nobody"),
    ("deliveries", "--call", "nonsense"),
    ("deliveries", "--since", "yesterday"),
    ("deliveries", "--since", "9" * 30 + "d"),
    ("deliveries", "show", "msg_none"),
    ("deliveries", "replay", "msg_none"),
    ("deliveries", "replay"),
    ("deliveries", "replay", "msg_none", "--since", "1d"),
    ("account", "add", ""),
    ("account", "add", "x", "--currency", "kronor"),
    ("account", "credit", "much", "--account", "nobody"),
    ("account", "credit", "9" * 30, "--account", "nobody"),
    ("account", "credit", "5", "--account", "nobody"),
    ("account", "fallback", "none", "--account", "nobody"),
    ("account", "quirks", "none", "--account", "nobody"),
    ("account", "webhooks", "--account", "nobody"),
    ("account", "webhooks", "--retry-timeouts", "--account", "nobody"),
    ("account", "delivery", "--account", "nobody"),
    ("account", "delivery", "listed", "--pauses", "a,b", "--account", "nobody"),
    ("account", "delivery", "steady", "--every", "nan", "--account", "nobody"),
    ("account", "signing-key", "show", "--account", "nobody"),
    ("account", "signing-key", "rotate", "--account", "nobody"),
    ("account", "caller-id", "list", "--account", "nobody"),
    ("account", "caller-id", "add", "hello", "--trusted", "--account", "nobody"),
    ("account", "caller-id", "add", "+46700000009", "--account", "nobody"),
    ("account", "caller-id", "remove", "+46700000009", "--account", "nobody"),
    ("number", "add", "+46101234567", "--trunk", "none", "--account", "nobody"),
    ("number", "add", "hello", "--trunk", "none"),
    ("number", "list", "--account", "nobody"),
    ("number", "fallback", "+46101234567", "none"),
    ("number", "fallback", "hello", "none"),
    ("number", "remove", "+46101234567"),
    ("number", "remove", "../trunks/x"),
    ("phone", "add", "+46101234567"),
    ("phone", "add", "+4600100", "--account", "nobody"),
    ("phone", "run", "--as", "+4600100", "--digits", "hello"),
    ("phone", "run", "--as", "+4600100", "--record", "none/x.wav"),
    ("trunk", "add", "x", "--address", "sip.example.com"),
    ("trunk", "add", "x", "--address", "sip:a.example", "--from-address", "everywhere"),
    ("trunk", "add", "x", "--address", "sip:a.example", "--username", "a\r\nb"),
    ("trunk", "add", "x", "--address", "sip:a.example", "--register"),
    ("trunk", "remove", "none"),
    ("say", "", "--out", "x.wav"),
    ("say", "hello", "--out", "none/x.wav"),
]


def shown(words: tuple[str, ...]) -> str:
    return ascii(" ".join(words))[:60]


def one_line(done: Any) -> None:
    assert done.status == 1, done
    assert done.err.startswith("offhook: "), done
    assert done.err.count("\n") == 1, done.err
    assert len(done.err) < 1500


@pytest.mark.parametrize("words", [*NEEDS_A_SERVER, *WRONG], ids=shown)
def test_without_a_server(run: Any, words: tuple[str, ...]) -> None:
    refused = run(*words)
    one_line(refused)
    if words in NEEDS_A_SERVER:
        assert "start one with: offhook serve" in refused.err


@pytest.mark.parametrize("words", [*NEEDS_A_SERVER[:-2], *WRONG], ids=shown)
def test_with_one(run: Any, running: Any, words: tuple[str, ...]) -> None:
    one_line(run(*words))
