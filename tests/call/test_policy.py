"""The numbers that are ours to choose, and money by the minute begun."""

import pytest

from offhook.call.events import Tariff
from offhook.call.leg import Leg, LegState
from offhook.call.plain import Mono
from offhook.call.policy import (
    call_state,
    cause_before_answer,
    charge_due,
    charge_for_answer,
    ring_timeout_s,
    too_short,
    why_ended,
)
from offhook.call.stage import PARTY
from offhook.flow.verbs import HangupAs
from offhook.flow.view import CallState, Cause


def leg(**tariff: int) -> Leg:
    return Leg(id=PARTY, incoming=False, to="", from_="", state=LegState.UP, tariff=Tariff(**tariff))


@pytest.mark.parametrize(("asked", "given"), [(-1, 1), (0.2, 1), (45, 45), (3600, 600)])
def test_ringing_is_clamped(asked: float, given: float) -> None:
    assert ring_timeout_s(asked) == given


@pytest.mark.parametrize(
    ("ms", "voiced", "short"), [(1000, 100, False), (999, 999, True), (5000, 99, True), (60_000, 0, True)]
)
def test_what_is_too_short(ms: int, voiced: int, short: bool) -> None:
    assert too_short(ms, voiced) is short


def test_each_minute_begun_is_charged_once() -> None:
    a = leg(set_up=300, per_minute=100)
    assert charge_for_answer(a, Mono(10.0)) == 400
    assert charge_due(a, Mono(69.9)) == 0
    assert charge_due(a, Mono(70.0)) == 100
    assert charge_due(a, Mono(70.0)) == 0
    assert charge_due(a, Mono(200.0)) == 200, "late timers catch up"


def test_a_leg_without_a_price_by_the_minute_has_no_next_charge() -> None:
    a = leg(set_up=300)
    assert charge_for_answer(a, Mono(0.0)) == 300
    assert a.next_charge is None
    assert charge_due(a, Mono(1e6)) == 0


@pytest.mark.parametrize(
    ("cause", "answered", "state"),
    [
        (Cause.BUSY, False, CallState.BUSY),
        (Cause.NO_ANSWER, False, CallState.FAILED),
        (Cause.HOOK_FAILED, True, CallState.SUCCESS),
    ],
)
def test_what_a_call_was(cause: Cause, answered: bool, state: CallState) -> None:
    assert call_state(cause, answered=answered) is state


@pytest.mark.parametrize(
    ("cause", "why"), [(Cause.NORMAL, "hangup"), (Cause.CANCELLED, "hangup"), (Cause.NO_CREDIT, "no_credit")]
)
def test_why_a_verb_was_cut_off(cause: Cause, why: str) -> None:
    assert why_ended(cause) == why


@pytest.mark.parametrize(
    ("how", "last", "cause"),
    [
        (HangupAs.BUSY, None, Cause.BUSY),
        (HangupAs.REJECT, Cause.BUSY, Cause.REJECTED),
        (HangupAs.NOT_FOUND, None, Cause.NOT_FOUND),
        (HangupAs.NORMAL, Cause.BUSY, Cause.BUSY),
        (None, Cause.NO_ANSWER, Cause.NO_ANSWER),
        (None, None, Cause.REJECTED),
    ],
)
def test_what_an_unanswered_caller_is_told(how: HangupAs | None, last: Cause | None, cause: Cause) -> None:
    assert cause_before_answer(how, last) is cause
