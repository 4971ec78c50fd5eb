"""JSON with a little patience: what it forgives, and what it says about the rest."""

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.flow.dialects.elks_json import TRAILING_COMMA, read_json
from offhook.flow.errors import BrokenDocument, DocumentError, NestingTooDeep, NotText

values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=9),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
)


@settings(max_examples=40, deadline=None)
@given(value=values)
def test_what_is_json_is_read_as_json(value: Any) -> None:
    assert read_json(json.dumps(value).encode()) == (value, ())


@settings(max_examples=40, deadline=None)
@given(value=st.lists(values, min_size=1, max_size=2))
def test_a_trailing_comma_changes_nothing_but_the_warning(value: list[Any]) -> None:
    text = json.dumps(value)[:-1] + " , ]"
    assert read_json(text.encode()) == (value, (TRAILING_COMMA,))


@pytest.mark.parametrize("body", [b"", b" \r\n", b"\xef\xbb\xbf", "\N{NO-BREAK SPACE}".encode()])
def test_nothing_but_blanks_is_an_empty_object(body: bytes) -> None:
    assert read_json(body) == ({}, ())


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{", "line 1, column 2"),
        (b'{"a": 1,,}', "line 1, column 9"),
        (b'{"a"\n:}', "line 2, column 2"),
        (b'"\x01"', "control character"),
        (b"{} {}", "Extra data"),
        (b"[-Infinity]", "-Infinity is no JSON value"),
        (b"[-1e999]", "a number is too large"),
        (b"[" + b"9" * 5000 + b"]", "too many digits"),
    ],
)
def test_what_is_no_json_says_where_it_breaks(body: bytes, said: str) -> None:
    with pytest.raises(BrokenDocument, match=said):
        read_json(body)


def test_half_a_character_is_refused_and_a_whole_one_is_not() -> None:
    with pytest.raises(NotText, match="half a character"):
        read_json(b'{"a": ["\\ud83d"]}')
    with pytest.raises(NotText, match="half a character"):
        read_json(b'{"\\ud83d": 1}')
    assert read_json(b'["\\ud83d\\ude00"]') == (["\N{GRINNING FACE}"], ())


def test_depth_is_an_error_and_no_overflow() -> None:
    with pytest.raises(NestingTooDeep):
        read_json(b"[" * 60_000)


def test_no_depth_hurts_the_look_for_half_characters() -> None:
    deep = b"[" * 800 + b'{"\\ud83d\\ude00": "%s"}' + b"]" * 800
    read_json(deep % b"whole")
    with pytest.raises(NotText):
        read_json(deep % b"\\ud83d")


# It takes milliseconds; a pattern that looks at each character once for each before it would take minutes.
@pytest.mark.timeout(20)
@pytest.mark.parametrize("unit", [b'"', b'\\"', b",", b", ", b'",', b'"\\'])
def test_no_repetition_makes_it_slow(unit: bytes) -> None:
    body = b"{" + unit * (60_000 // len(unit))
    with pytest.raises(DocumentError):
        read_json(body)
