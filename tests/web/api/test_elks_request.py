"""Parameters as customers write them: times, whole numbers, yes and no, what clears a setting."""

from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.storage.rows import AccountRow
from offhook.web.api.elks_request import (
    Bounds,
    ElksError,
    ElksRequest,
    amount,
    url_or_empty,
    whole_number,
    yes_or_no,
)

ACCOUNT = AccountRow(id="u", parent=None, name="a", created=datetime(2026, 1, 1, tzinfo=UTC), secret_hash=b"")


def request(**params: str) -> ElksRequest:
    nothing: Any = None
    return ElksRequest(account=ACCOUNT, method="GET", parts=(), params=params, scope={}, receive=nothing, send=nothing)


@given(st.datetimes(timezones=st.sampled_from([UTC, timezone(timedelta(hours=5, minutes=30))])))
def test_every_spelling_of_a_time_means_the_same(moment: datetime) -> None:
    try:
        expected = moment.astimezone(UTC)
    except OverflowError:
        with pytest.raises(ElksError):
            Bounds.of(request(start=moment.isoformat()))
        return
    spellings = [moment.isoformat(), moment.isoformat().replace("+", " "), expected.isoformat().replace("+00:00", "Z")]
    spellings.append(expected.replace(tzinfo=None).isoformat())
    assert {Bounds.of(request(start=spelling)).before for spelling in spellings} == {expected}


@given(st.text(max_size=40))
def test_any_text_is_a_time_or_an_error_that_names_the_parameter(text: str) -> None:
    try:
        after = Bounds.of(request(end=text)).after
    except ElksError as error:
        status, sentence = error.status, error.sentence
    else:
        assert (after is None) is not bool(text.strip())
        return
    assert (status, sentence[:11]) == (403, "Invalid end")


def test_bounds_are_exclusive() -> None:
    bounds = Bounds.of(request(start="2026-01-02", end="2026-01-01"))
    days = [datetime(2026, 1, 1, tzinfo=UTC) + timedelta(hours=12) * n for n in range(3)]
    assert [bounds.hold(day) for day in days] == [False, True, False]
    assert Bounds.of(request()).hold(days[0])


@pytest.mark.parametrize(("text", "value"), [("5", 5), (" 5 ", 5), ("5.9", 5), ("-3", -3), ("1e3", 1000)])
def test_whole_numbers(text: str, value: int) -> None:
    assert whole_number(text, "x") == value


@pytest.mark.parametrize(("text", "kept"), [("0", 1), ("1e15", 1), ("-1", 0), ("1e16", 0), ("9" * 99, 0)])
def test_amounts_that_can_be_kept(text: str, kept: bool) -> None:
    """A row with 10^30 would be refused by the database, after the answer had been 200."""
    if kept:
        assert amount(text, "x") == whole_number(text, "x")
    else:
        with pytest.raises(ElksError, match="Invalid x"):
            amount(text, "x")


@pytest.mark.parametrize("text", ["", "five", "nan", "inf", "1e400", "0x10"])
def test_what_is_no_whole_number(text: str) -> None:
    with pytest.raises(ElksError, match="Invalid x"):
        whole_number(text, "x")


def test_yes_and_no() -> None:
    assert [yes_or_no(request(a=text), "a") for text in ("yes", "TRUE", "1")] == [True] * 3
    assert [yes_or_no(request(a=text), "a") for text in ("no", "false", "0")] == [False] * 3
    assert [yes_or_no(request(a=text), "a") for text in ("", " ")] == [None] * 2
    assert yes_or_no(request(), "a") is None


def test_urls_and_what_clears_them() -> None:
    texts = ("https://a.example/b c", "none", " ", "", "NONE")
    assert [url_or_empty(request(u=text), "u") for text in texts] == ["https://a.example/b%20c", "", "", "", ""]
    assert url_or_empty(request(), "u") is None
    with pytest.raises(ElksError, match="The u you tried to use is not a valid URL"):
        url_or_empty(request(u="ftp://a.example"), "u")


@pytest.mark.parametrize(
    ("asked", "limit"),
    [({}, 100), ({"limit": ""}, 100), ({"limit": "100"}, 100), ({"limit": "10000"}, 100), ({"limit": "99"}, 99)],
)
def test_a_page_has_a_hundred_at_most_and_if_nothing_is_said(asked: dict[str, str], limit: int) -> None:
    assert Bounds.of(request(**asked)).limit == limit
