"""The shared words of RFC 3261 section 25.1."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.sip import grammar
from offhook.sip.errors import SyntaxFault

TEXT = st.text(st.characters(blacklist_categories=("Cs",), blacklist_characters="\r\n"), max_size=30)


@given(TEXT)
def test_quoting_is_undone(text: str) -> None:
    assert grammar.unquote(grammar.quote(text)) == text
    assert grammar.quoted_prefix("x", grammar.quote(text) + " rest") == (text, " rest")


@given(TEXT)
def test_escaping_is_undone(text: str) -> None:
    escaped = grammar.escape(text, "")
    assert grammar.unescape(escaped) == text
    assert not grammar.has_bad_escape(escaped)
    assert escaped.isascii()


@given(st.binary(max_size=20))
def test_escaping_keeps_octets_that_are_not_utf8(data: bytes) -> None:
    text = data.decode("utf-8", "surrogateescape")
    assert grammar.unescape(grammar.escape(text, "")).encode("utf-8", "surrogateescape") == data
    assert "�" in grammar.readable("\udcff")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a, b,c", ["a", "b", "c"]),
        ("", [""]),
        ("a,,b", ["a", "", "b"]),
        ('"a, b" <sip:x,y@z>;p="c,d", e', ['"a, b" <sip:x,y@z>;p="c,d"', "e"]),
        ('"\\"," <a>', ['"\\"," <a>']),
        ("<a>,", ["<a>", ""]),
    ],
)
def test_split_list(text: str, expected: list[str]) -> None:
    assert grammar.split_list("x", text) == expected


@pytest.mark.parametrize("text", ['"a', "<a", 'a "b', '"a" <b, c'])
def test_unbalanced_lists(text: str) -> None:
    with pytest.raises(SyntaxFault):
        grammar.split_list("x", text)


def test_params() -> None:
    params = grammar.parse_params("x", ' ; a = 1;B;c="d;\\"e" ; received=2001:db8::1')
    assert params == (("a", "1"), ("B", None), ("c", '"d;\\"e"'), ("received", "2001:db8::1"))
    assert [grammar.find_param(params, name) for name in ("A", "b", "c", "z")] == ["1", "", 'd;"e', None]
    assert grammar.format_params(params) == ';a=1;B;c="d;\\"e";received=2001:db8::1'
    assert grammar.parse_params("x", "  ") == ()
    assert grammar.replace_param(params, "b", "two words")[1] == ("B", '"two words"')
    assert grammar.replace_param((("a", "1"), ("b", None)), "A", None) == (("a", None), ("b", None))
    assert grammar.replace_param((), "a", "1") == (("a", "1"),)
    assert grammar.remove_param((("a", "1"), ("b", None)), "A") == (("b", None),)


@pytest.mark.parametrize("text", [";", ";;a", "a", ";a=", ';a="b', ";a=1 2", ";a b", "=", ';"a"'])
def test_malformed_params(text: str) -> None:
    with pytest.raises(SyntaxFault):
        grammar.parse_params("x", text)


def test_numbers() -> None:
    assert grammar.number("x", "0068", maximum=255) == 68
    assert grammar.number("x", "0" * 5000, maximum=255) == 0
    for text in ("256", "1" * 5000, "-1", "", "1 ", "²", "٣"):
        with pytest.raises(SyntaxFault):
            grammar.number("x", text, maximum=255)


def test_token_lists() -> None:
    assert grammar.token_list("x", ["a, b", "", " ,c ,, d"]) == ("a", "b", "c", "d")
    for line in ("a b", "a;b", '"a"'):
        with pytest.raises(SyntaxFault):
            grammar.token_list("x", [line])


def test_words() -> None:
    assert grammar.is_token("z9hG4bK-._!%*+`'~")
    assert not grammar.is_token("")
    assert not grammar.is_token("a b")
    assert grammar.is_call_id('a<>:\\"/[]?{}()@b')
    assert not grammar.is_call_id("a@b@c")
    assert grammar.is_display_tokens("A. Bell")
    assert not grammar.is_display_tokens("Bell, A.")
    assert grammar.unquote("plain") == "plain"
    assert grammar.normal_escapes("%41%2f%3B") == "A%2F%3B"
    assert grammar.has_bad_escape("%4")
    with pytest.raises(SyntaxFault):
        grammar.quoted_prefix("x", '"a')
