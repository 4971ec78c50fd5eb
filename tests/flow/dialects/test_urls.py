"""URLs that can be asked, and texts that cannot."""

import pytest

from offhook.flow.dialects.urls import absolute_url, is_web, resolved_url


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("/x", "https://app.example/x"),
        ("./x", "https://app.example/a/x"),
        ("../x", "https://app.example/x"),
        ("?x=1", "https://app.example/a/b?x=1"),
        ("//other.example/x", None),
        ("x", None),
        ("http://other.example/x", "http://other.example/x"),
        ("https://app.example:0/", None),
        ("https://app.example:70000/", None),
        ("https://[::1/", None),
        ("https://:80/", None),
        ("https://app.example/a\nb", None),
        ("https://app.example/\ud83d", None),
        ("javascript:alert(1)", None),
    ],
)
def test_urls_are_absolute_or_none(text: str, expected: str | None) -> None:
    assert absolute_url(text, "https://app.example/a/b") == expected


def test_without_an_address_a_path_is_no_url() -> None:
    assert absolute_url("/x", "") is None


def test_an_address_that_is_none_makes_no_url() -> None:
    assert absolute_url("/x", "https://[oops/") is None


def test_blanks_are_encoded_inside_and_dropped_outside() -> None:
    assert absolute_url(" https://app.example/a b ", "") == "https://app.example/a%20b"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("HTTP://a", True), ("https://a", True), ("httpx://a", False), ("http:/a", False), ("", False)],
)
def test_what_begins_as_a_web_address_does(text: str, expected: bool) -> None:
    assert is_web(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x.xml", "https://app.example/a/x.xml"),
        (" x y.xml?b=1#c ", "https://app.example/a/x%20y.xml?b=1#c"),
        ("../x", "https://app.example/x"),
        ("?x=1", "https://app.example/a/b?x=1"),
        ("//other.example/x", "https://other.example/x"),
        ("HTTPS://other.example/x", "HTTPS://other.example/x"),
        ("", None),
        (" ", None),
        ("mailto:anna@app.example", None),
        ("//[oops/x", None),
        ("http://", None),
    ],
)
def test_whatever_is_no_url_of_its_own_is_relative(text: str, expected: str | None) -> None:
    assert resolved_url(text, "https://app.example/a/b") == expected


def test_without_an_address_nothing_is_relative() -> None:
    assert resolved_url("x.xml", "") is None
