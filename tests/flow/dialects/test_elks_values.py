"""Single values of 46elks documents."""

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.flow.dialects.elks_values import (
    TONES,
    flag,
    found,
    local_name,
    number,
    quantity,
    sound,
    target,
    text_of,
    url_of,
)
from offhook.flow.errors import WrongType, WrongUrl
from offhook.flow.verbs import LocalSound, NamedSound, NumberTarget, SipTarget, UnusableSound, UnusableTarget, UrlSound


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("+46700000001", "+46700000001"),
        (" 46700000001", "+46700000001"),
        ("  46 70-000 00 01", "+46700000001"),
        (" +46700000001 ", "+46700000001"),
        ("+46 (70) 000.00-01", "+46700000001"),
        ("+4600123", "+4600123"),
        ("46700000001", None),
        ("0046700000001", None),
        (" 0700000001", None),
        ("+0700000001", None),
        ("+1234", None),
        ("+1234567890123456", None),
        ("+46700000001x", None),
        ("+4670000000\N{ARABIC-INDIC DIGIT ONE}", None),
        ("", None),
        (" ", None),
    ],
)
def test_a_number(text: str, expected: str | None) -> None:
    assert number(text) == expected


@given(text=st.text(max_size=30))
def test_a_number_is_e164_or_none(text: str) -> None:
    e164 = number(text)
    assert e164 is None or (e164[0] == "+" and e164[1:].isascii() and e164[1:].isdigit() and 5 <= len(e164[1:]) <= 15)


@pytest.mark.parametrize(
    "uri",
    [
        "sip:pbx.example",
        "sips:pbx.example:5061",
        "SIP:Alice@PBX.example",
        "sip:a.b;c=1@pbx.example",
        "sip:10@[2001:db8::1]:5060;transport=tcp",
        "sip:alice:secret@192.0.2.1;lr",
    ],
)
def test_a_sip_uri_is_kept_as_it_is(uri: str) -> None:
    assert target(f" {uri} ") == SipTarget(uri=uri)


@pytest.mark.parametrize("text", ["sip:", "sip:@", "sips://x", "sip:a b@c", "sip:<a>@c", "sipper", "tel:+46700000001"])
def test_what_is_neither_number_nor_sip_uri_is_unusable(text: str) -> None:
    assert target(text) == UnusableTarget(text=text)


def test_a_plus_that_a_form_lost_is_given_back() -> None:
    assert target("sips: 46700000001@pbx.example") == SipTarget(uri="sips:+46700000001@pbx.example")
    assert target(" 46700000001") == NumberTarget(number="+46700000001")


@pytest.mark.parametrize("name", sorted(TONES))
def test_tones_also_of_a_country(name: str) -> None:
    assert sound(f"sound/{name}") == NamedSound(name=name)
    assert sound(f"sound/{name}/se") == NamedSound(name=f"{name}/se")
    assert isinstance(sound(f"sound/{name}/sverige"), UnusableSound)


def test_a_sound_by_url_in_any_case_of_its_scheme() -> None:
    assert sound(" HTTPS://app.example/a.mp3 ") == UrlSound(url="HTTPS://app.example/a.mp3")


@pytest.mark.parametrize(
    "text",
    ["", "beep", "/a.mp3", "sound/", "sound/beep/", "local/", "local", "en_US", "EN_us/hello", "file:///etc/passwd"],
)
def test_what_is_no_sound_is_unusable(text: str) -> None:
    assert sound(text) == UnusableSound(text=text)


@pytest.mark.parametrize("name", ["a", "A-b_c.d 1", "x" * 64, "hälsning"])
def test_names_of_local_sounds(name: str) -> None:
    assert local_name(f"local/{name}") == name
    assert sound(f"local/{name}") == LocalSound(name=name)


@pytest.mark.parametrize("name", [".a", "..", "a/b", "a\\b", "x" * 65, "a\x00", ""])
def test_names_that_could_be_paths_are_none(name: str) -> None:
    assert local_name(f"local/{name}") is None


# ── URLs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_url_errors_name_their_key() -> None:
    with pytest.raises(WrongType, match="`next` must be a URL, and a list was found"):
        url_of([], "next", "")
    with pytest.raises(WrongUrl, match=r"`next` .* an empty text was found"):
        url_of(" ", "next", "")
    assert url_of("https://app.example/", "next", "") == "https://app.example/"


# ── how much, and whether ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (5, 5.0),
        (2.5, 2.5),
        ("15", 15.0),
        (" 15.5 ", 15.5),
        ("-3", -3.0),
        ("", None),
        ("  ", None),
        (10**400, math.inf),
        (-(10**400), -math.inf),
    ],
)
def test_quantities(value: Any, expected: float | None) -> None:
    assert quantity(value, "timeout", "a number") == expected


@pytest.mark.parametrize("value", [True, False, None, [], {}, "x", "1e5", "nan", "inf", "1_0", "0x10", "१", "9" * 400])
def test_what_is_no_quantity_is_an_error(value: Any) -> None:
    with pytest.raises(WrongType, match="`timeout` must be a number"):
        quantity(value, "timeout", "a number")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        *((True, True), ("yes", True), ("True", True), (1, True), ("1", True), (" ", None)),
        *((False, False), ("NO", False), ("false", False), (0, False), ("0", False), ("", None)),
    ],
)
def test_flags(value: Any, expected: bool | None) -> None:
    assert flag(value, "skippable") is expected


@pytest.mark.parametrize("value", [None, [], {}, 2, 1.0, "on", "maybe"])
def test_what_is_no_flag_is_an_error(value: Any) -> None:
    with pytest.raises(WrongType, match="`skippable` must be yes or no"):
        flag(value, "skippable")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (True, "true"),
        (False, "false"),
        (5, "the number 5"),
        (1.5, "the number 1.5"),
        ("a", "the text “a”"),
        (" ", "an empty text"),
        ([], "a list"),
        ({}, "an object"),
        (None, "null"),
    ],
)
def test_what_was_found_in_words(value: Any, words: str) -> None:
    assert found(value) == words


def test_text_of_something_else_is_an_error() -> None:
    assert text_of("a", "play", "a sound") == "a"
    with pytest.raises(WrongType, match="`play` must be a sound, and the number 5 was found"):
        text_of(5, "play", "a sound")
