"""What of a URL, a document and its parameters may be seen in a timeline."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.call.masking import (
    BODY_MAX_CHARS,
    SECRET_NAMES,
    is_keys,
    params_without_keys,
    shown_body,
    shown_number,
    shown_url,
)


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://app.example/hook", "https://app.example/hook"),
        ("https://user:pass@app.example:8443/hook", "https://…@app.example:8443/hook"),
        ("https://app.example/hook?key=s3cret&step=2", "https://app.example/hook?key=…&step=…"),
        ("https://app.example/hook?s3cret#f", "https://app.example/hook?…"),
        ("not a url", "not a url"),
        ("http://[broken/hook", "http://[broken/hook"),
    ],
)
def test_secrets_are_blanked(url: str, shown: str) -> None:
    assert shown_url(url) == shown


def test_it_is_cut_to_size() -> None:
    assert len(shown_url("https://app.example/" + "x" * 1000)) == 300
    assert len(shown_url("http://[" + "x" * 1000)) == 300


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("body", "shown"),
    [
        ('{"play": "https://a.example/x.mp3"}', '{"play": "https://a.example/x.mp3"}'),
        ('{"play": "https://u:p@a.example/x?apikey=s"}', '{"play": "https://…@a.example/x?apikey=…"}'),
        (r'{"play": "https:\/\/u:p@a.example\/x?k=s"}', '{"play": "https://…@a.example/x?k=…"}'),
        ('{"connect": "sip:bob:s3cret@pbx.example"}', '{"connect": "sip:bob:…@pbx.example"}'),
        ('{"connect": "sip:+46701234567@pbx.example"}', '{"connect": "sip:+46701234567@pbx.example"}'),
        ('{"apikey": "s3cret", "digits": 4}', '{"apikey": "…", "digits": 4}'),
        ("{'secretKey': 's3cret'}", "{'secretKey': '…'}"),
        ('{"token": 12345}', '{"token": …}'),
        ("apikey=s3cret&step=2", "apikey=…&step=2"),
        ('<Say apiKey="s3cret">x</Say>', '<Say apiKey="…">x</Say>'),
        ("<secret kind='a'>s3cret</secret>", "<secret kind='a'>…</secret>"),
        ("Authorization: Basic dXNlcjpwYXNz", "Authorization: … …"),
        ("Bearer abcdefgh.ijkl", "Bearer …"),
        ("the monkey= eats", "the monkey= eats"),
        ("the key to success is patience", "the key to success is patience"),
        ("", ""),
    ],
)
def test_secrets_of_a_document_are_blanked(body: str, shown: str) -> None:
    assert shown_body(body.encode()) == shown


@pytest.mark.parametrize("name", sorted(SECRET_NAMES))
def test_every_name_of_a_secret_is_known_however_it_is_written(name: str) -> None:
    for body in (
        f'{{"{name}": "s3cret"}}',
        f"{name.upper()}=s3cret&a=b",
        f'<a {name} = "s3cret"/>',
        f"<{name}>s3cret</{name}>",
        f"{name}: s3cret",
    ):
        assert "s3cret" not in shown_body(body.encode()), body


def test_a_document_is_cut_to_size_and_no_secret_is_cut_in_two() -> None:
    assert len(shown_body(b"x " * 10_000)) == BODY_MAX_CHARS
    for before in range(2_900, 3_080):
        body = b"x " * (before // 2) + b" https://user:s3cret-s3cret-s3cret-s3cret-s3cret@app.example/" + b"y" * 100_000
        assert "s3cret" not in shown_body(body)
    assert shown_body(b"x" * 100_000) == "", "one word without an end may be anything"


def test_the_beginning_of_a_document_ends_before_the_word_that_is_cut() -> None:
    assert shown_body(b"one two thr", cut=True) == "one two …"
    assert shown_body(b'{"play":"https://u:s3cr', cut=True) == '{"play":"…'
    assert shown_body(b"", cut=True) == "…"
    assert len(shown_body(b"x " * 10_000, cut=True)) == BODY_MAX_CHARS


def test_octets_that_are_no_text() -> None:
    assert shown_body(b"\xff\xfe{}") == "\ufffd\ufffd{}"


@given(st.binary(max_size=400), st.sampled_from([b"https://u:p@", b'"apikey": "', b"<secret>", b"sip:a:b@", b"Basic "]))
def test_whatever_is_sent_can_be_shown(rest: bytes, before: bytes) -> None:
    assert len(shown_body(before + rest + before)) <= BODY_MAX_CHARS


# ── keys ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("text", "keys"),
    [("1", True), ("4111*#AD", True), ("4111w11PpW1", True), ("", False), ("ok", False), ("1 2", False)],
)
def test_what_is_keys(text: str, keys: bool) -> None:
    assert is_keys(text) is keys


def test_parameters_are_shown_without_keys_and_with_all_else() -> None:
    log: list[dict[str, Any]] = [
        {"ivr": "https://a.example", "digits": 4, "result": "4111", "1": {"play": "x"}},
        {"play": "å", "result": "ok"},
    ]
    params = [["result", "4111"], ["Digits", "41w11"], ["to", "+46700000001"], ["result", "ok"], ["note", "[broken"]]
    *plain, (name, shown) = params_without_keys([*params, ["actions", json.dumps(log)]])
    assert plain == [["result", "…"], ["Digits", "…"], *params[2:]]
    assert name == "actions"
    assert json.loads(shown) == [{**log[0], "result": "…"}, log[1]]
    deep = "[" * 100_000
    assert params_without_keys([("note", deep), ("legs", "[]"), ("actions", '{"result": "1"}')]) == [
        ["note", deep], ["legs", "[]"], ["actions", '{"result": "\\u2026"}']
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+46701234567", "+467…67"), ("+4600100", "+4…00"), ("12345", "1…"), ("bob", "b…"), ("", "…")],
)
def test_a_number_in_a_log_is_not_whole(number: str, shown: str) -> None:
    assert shown_number(number) == shown
