"""What the fragment of a webhook URL may ask for, by the pages of Twilio and jambonz that describe it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.overrides import ALL, NOTHING_ASKED, Overrides, RetryOn, is_kind, overrides_of


def test_the_example_that_everybody_copies() -> None:
    asked = overrides_of("https://app.example/voice?x=1#rc=2&rp=all&ct=2000&rt=5000&tt=8000")
    assert asked == Overrides(retries=2, retry_on=ALL, connect_s=2, read_s=5, total_s=8)


@pytest.mark.parametrize("url", ["https://h/", "https://h/#", "https://h/#top", "https://h/?rc=2", "https://h/#x=y&z"])
def test_nothing_is_asked(url: str) -> None:
    assert overrides_of(url) == NOTHING_ASKED


@pytest.mark.parametrize(
    ("fragment", "kinds"),
    [
        ("rp=4xx", {RetryOn.CLIENT_ERROR}),
        ("rp=5xx,ct", {RetryOn.SERVER_ERROR, RetryOn.CONNECTION}),
        ("rp=RT%2C%20ct", {RetryOn.TIME_OUT, RetryOn.CONNECTION}),
        ("rp=4xx,all", set(RetryOn)),
    ],
)
def test_policies(fragment: str, kinds: set[RetryOn]) -> None:
    assert overrides_of(f"https://h/#{fragment}") == Overrides(retry_on=frozenset(kinds))


@pytest.mark.parametrize(
    "fragment",
    [
        *("rc=6", "rc=-1", "rc=two", "rc=", "rc=1.5", "rc=²", "rc=99999999999999999999"),
        *("ct=99", "ct=10001", "rt=99", "rt=15001", "tt=99", "tt=15001", "tt=1e3"),
        *("rp=", "rp=3xx", "e=ashburn"),
    ],
)
def test_what_cannot_be_used_is_said(fragment: str) -> None:
    asked = overrides_of(f"https://h/#{fragment}")
    (warning,) = asked.warnings
    assert warning.startswith(f"#{fragment.partition('=')[0]}=")
    assert asked == Overrides(warnings=asked.warnings)


def test_the_rest_is_used_all_the_same() -> None:
    asked = overrides_of("https://h/#rc=9&rp=5xx,often&ct=100")
    assert (asked.retries, asked.retry_on, asked.connect_s) == (None, frozenset({RetryOn.SERVER_ERROR}), 0.1)
    assert len(asked.warnings) == 2


def test_limits_are_allowed() -> None:
    asked = overrides_of("https://h/#rc=5&ct=10000&rt=15000&tt=15000")
    assert asked == Overrides(retries=5, connect_s=10, read_s=15, total_s=15)


def test_a_name_given_twice_counts_once() -> None:
    assert overrides_of("https://h/#rc=1&rc=2").retries == 1


def test_a_fragment_of_many_pairs_is_not_read() -> None:
    asked = overrides_of("https://h/#rc=1" + "&x=1" * 20)
    assert asked.retries is None
    assert "16" in asked.warnings[0]


def test_a_long_value_is_cut_in_its_warning() -> None:
    (warning,) = overrides_of("https://h/#rc=" + "x" * 5000).warnings
    assert len(warning) < 150


def test_our_own_word_for_time_outs() -> None:
    assert overrides_of("https://h/?x#a=1&retry=timeout") == Overrides(retry_timeouts=True)
    assert not overrides_of("https://h/#retry=no").retry_timeouts


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        *((HookFailure(cause=cause, detail=""), RetryOn.CONNECTION) for cause in (HookCause.REFUSED, HookCause.DNS)),
        *((HookFailure(cause=cause, detail=""), RetryOn.CONNECTION) for cause in (HookCause.TLS, HookCause.BROKEN)),
        (HookFailure(cause=HookCause.TIMEOUT, detail=""), RetryOn.TIME_OUT),
        (HookFailure(cause=HookCause.STATUS, detail="404", status=404), RetryOn.CLIENT_ERROR),
        (HookFailure(cause=HookCause.STATUS, detail="503", status=503), RetryOn.SERVER_ERROR),
    ],
)
def test_every_failure_is_of_one_kind(failure: HookFailure, kind: RetryOn) -> None:
    assert [each for each in RetryOn if is_kind(failure, frozenset({each}))] == [kind]


@pytest.mark.parametrize(
    "failure",
    [
        HookFailure(cause=HookCause.URL, detail=""),
        HookFailure(cause=HookCause.BLOCKED, detail=""),
        HookFailure(cause=HookCause.TOO_LARGE, detail=""),
        HookFailure(cause=HookCause.REDIRECT, detail="", status=302),
        HookFailure(cause=HookCause.STATUS, detail="304", status=304),
    ],
)
def test_what_would_fail_again_the_same_way_is_never_repeated(failure: HookFailure) -> None:
    assert not is_kind(failure, ALL)


@given(st.text(max_size=200))
def test_any_url_can_be_read(text: str) -> None:
    asked = overrides_of(f"https://h/#{text}")
    assert asked.retries is None or 0 <= asked.retries <= 5
    assert asked.total_s is None or 0.1 <= asked.total_s <= 15
