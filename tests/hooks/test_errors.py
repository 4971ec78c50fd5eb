"""Causes have stable words and sentences that say what to do."""

import pytest

from offhook.hooks.errors import DETAIL_CHARS, HookCause, HookFailure


@pytest.mark.parametrize("cause", list(HookCause))
def test_every_cause_has_a_word_and_a_sentence_with_its_detail(cause: HookCause) -> None:
    assert cause.value.startswith("hook_")
    sentence = HookFailure(cause=cause, detail="this happened").sentence
    assert "this happened" in sentence
    assert sentence.endswith(".")


def test_a_long_detail_is_cut_and_put_on_one_line() -> None:
    sentence = HookFailure(cause=HookCause.TLS, detail="a\nb " + "x" * 1000).sentence
    assert "\n" not in sentence
    assert "a b x" in sentence
    assert len(sentence) < DETAIL_CHARS + 120
    assert "…" in sentence


def test_braces_in_a_detail_are_only_text() -> None:
    assert "{0} {detail}" in HookFailure(cause=HookCause.DNS, detail="{0} {detail}").sentence


@pytest.mark.parametrize(
    ("cause", "status", "worth"),
    [
        (HookCause.REFUSED, None, True),
        (HookCause.RESET, None, True),
        (HookCause.DNS, None, True),
        (HookCause.CONNECT_TIMEOUT, None, True),
        (HookCause.BROKEN, None, True),
        (HookCause.STATUS, 500, True),
        (HookCause.STATUS, 599, True),
        (HookCause.STATUS, 404, False),
        (HookCause.STATUS, 205, False),
        (HookCause.TIMEOUT, None, False),
        (HookCause.BLOCKED, None, False),
        (HookCause.TLS, None, False),
        (HookCause.TOO_LARGE, None, False),
        (HookCause.URL, None, False),
        (HookCause.REDIRECT, 302, False),
    ],
)
def test_what_is_worth_a_retry(cause: HookCause, status: int | None, worth: bool) -> None:
    assert HookFailure(cause=cause, detail="x", status=status).worth_a_retry is worth
