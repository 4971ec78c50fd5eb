"""Who is called and how: nobody is treated specially unless somebody said so."""

import dataclasses
from typing import get_args

import pytest

from offhook.flow.targets import (
    LegStage,
    NumberTarget,
    PhoneTarget,
    SipTarget,
    StatusHook,
    Target,
    Treatment,
    UnusableTarget,
    target_text,
)


@pytest.mark.parametrize(
    "target",
    [NumberTarget(number="+46700000001"), SipTarget(uri="sip:a@b"), PhoneTarget(user="a"), UnusableTarget(text="mum")],
)
def test_anybody_is_treated_as_the_dial_has_it(target: Target) -> None:
    assert target.treatment == Treatment(
        caller_id=None,
        ring_timeout_s=None,
        time_limit_s=None,
        send_digits="",
        briefing=None,
        record=False,
        told=None,
    )


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (NumberTarget(number="+46700000001"), "+46700000001"),
        (SipTarget(uri="sip:a@b"), "sip:a@b"),
        (PhoneTarget(user="120000000001"), "120000000001"),
        (UnusableTarget(text="mum"), "mum"),
    ],
)
def test_a_target_in_words_is_what_the_customer_wrote(target: Target, text: str) -> None:
    assert target_text(target) == text


def test_a_status_hook_is_told_of_the_end_unless_it_asks_for_more() -> None:
    assert StatusHook(url="https://app.example/status") == StatusHook(
        url="https://app.example/status", method="POST", stages=frozenset({LegStage.COMPLETED}), extra=()
    )
    assert [stage.value for stage in LegStage] == ["initiated", "ringing", "answered", "completed"]


@pytest.mark.parametrize("cls", [StatusHook, Treatment, *get_args(Target)])
def test_all_of_it_is_frozen(cls: type) -> None:
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
