"""The circuit breaker in pretended seconds: every cell of its table, its limits, and that a restored one goes on."""

import json
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.hooks.breaker import (
    FAILURES_IN_A_ROW,
    LONGEST_PAUSE_S,
    MAX_HOSTS,
    PAUSE_S,
    PROBE_S,
    TABLE,
    WINDOW_S,
    Advice,
    Breaker,
    Changed,
    HostKey,
    Input,
    State,
    means_down,
)
from offhook.hooks.delivery import Now
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.request import receiver


def key(name: str = "h", account: str = "a") -> HostKey:
    return HostKey(account, receiver(f"https://{name}/"))


HOST = key()


def at(seconds: float) -> Now:
    return Now(mono=seconds, wall=1_000_000 + seconds)


def opened(now: float = 0.0) -> Breaker:
    breaker = Breaker()
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed(HOST, at(now))
    assert breaker.state(HOST) is State.OPEN
    return breaker


def test_the_table_says_what_happens_in_every_state_that_can_be() -> None:
    impossible = {
        (State.CLOSED, Input.PAUSE_OVER),
        (State.HALF_OPEN, Input.PAUSE_OVER),
        (State.CLOSED, Input.PROBE_LOST),
        (State.OPEN, Input.PROBE_LOST),
    }
    assert set(product(State, Input)) - impossible == set(TABLE)
    assert {TABLE[state, Input.ANSWERED] for state in State} == {State.CLOSED}


def test_a_host_of_which_nothing_is_known_is_asked() -> None:
    breaker = Breaker()
    assert breaker.advice(HOST, at(0)) is Advice.ASK
    breaker.answered(HOST, at(0))
    assert len(breaker) == 0


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker()
    for _ in range(FAILURES_IN_A_ROW - 1):
        breaker.failed(HOST, at(0))
        assert breaker.advice(HOST, at(0)) is Advice.ASK
    breaker.failed(HOST, at(1))
    assert breaker.advice(HOST, at(1)) is Advice.AVOID
    assert breaker.poll_event() == Changed(host=HOST, before=State.CLOSED, state=State.OPEN, pause_s=PAUSE_S)
    assert breaker.poll_event() is None
    assert breaker.figures() == {"closed": 0, "open": 1, "half_open": 0}


def test_an_answer_between_them_begins_the_row_anew() -> None:
    breaker = Breaker()
    for _ in range(3):
        breaker.failed(HOST, at(0))
        breaker.failed(HOST, at(0))
        breaker.answered(HOST, at(0))
    assert breaker.state(HOST) is State.CLOSED


def test_half_of_ten_open_it_though_none_came_in_a_row() -> None:
    breaker = Breaker()
    for turn in range(5):
        assert breaker.state(HOST) is State.CLOSED
        breaker.failed(HOST, at(turn))
        if turn < 4:
            breaker.answered(HOST, at(turn))
    breaker.failed(HOST, at(5))
    assert breaker.state(HOST) is State.OPEN


def test_a_third_of_failures_does_not_open_it() -> None:
    breaker = Breaker()
    for turn in range(100):
        (breaker.failed if turn % 3 == 0 else breaker.answered)(HOST, at(turn / 10))
    assert breaker.state(HOST) is State.CLOSED


def test_what_is_long_ago_does_not_count() -> None:
    breaker = Breaker()
    for turn in range(10):
        breaker.failed(HOST, at(turn * (WINDOW_S + 1)))
    assert breaker.state(HOST) is State.CLOSED


def test_a_failure_of_another_account_says_nothing() -> None:
    breaker = opened()
    assert breaker.advice(key(account="b"), at(0)) is Advice.ASK
    assert breaker.advice(key("other"), at(0)) is Advice.ASK


def test_one_call_probes_after_the_pause_and_its_answer_closes_it() -> None:
    breaker = opened()
    assert breaker.advice(HOST, at(PAUSE_S - 0.1)) is Advice.AVOID
    assert breaker.advice(HOST, at(PAUSE_S)) is Advice.PROBE
    assert breaker.advice(HOST, at(PAUSE_S)) is Advice.AVOID
    breaker.answered(HOST, at(PAUSE_S + 1))
    assert breaker.advice(HOST, at(PAUSE_S + 1)) is Advice.ASK
    # Nothing of the bad time is remembered: two failures more do not open it.
    breaker.failed(HOST, at(PAUSE_S + 2))
    breaker.failed(HOST, at(PAUSE_S + 2))
    assert breaker.state(HOST) is State.CLOSED


def test_pauses_double_up_to_a_minute() -> None:
    breaker, now, pauses = opened(), 0.0, []
    breaker.poll_event()
    for _ in range(6):
        now += LONGEST_PAUSE_S
        assert breaker.advice(HOST, at(now)) is Advice.PROBE
        breaker.failed(HOST, at(now))
        breaker.poll_event()
        event = breaker.poll_event()
        assert event is not None
        pauses.append(event.pause_s)
    assert pauses == [10, 20, 40, 60, 60, 60]


def test_a_new_bad_time_begins_with_a_short_pause() -> None:
    breaker = opened()
    breaker.advice(HOST, at(PAUSE_S))
    breaker.failed(HOST, at(PAUSE_S))
    breaker.answered(HOST, at(PAUSE_S))
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed(HOST, at(100))
    assert breaker.advice(HOST, at(100 + PAUSE_S)) is Advice.PROBE


def test_a_probe_that_is_never_heard_of_does_not_hold_up_the_next() -> None:
    breaker = opened()
    assert breaker.advice(HOST, at(PAUSE_S)) is Advice.PROBE
    assert breaker.advice(HOST, at(PAUSE_S + PROBE_S - 0.1)) is Advice.AVOID
    assert breaker.advice(HOST, at(PAUSE_S + PROBE_S)) is Advice.PROBE


def test_the_answer_to_a_call_without_fallback_closes_it() -> None:
    breaker = opened()
    breaker.failed(HOST, at(1))
    assert breaker.state(HOST) is State.OPEN
    breaker.answered(HOST, at(2))
    assert breaker.state(HOST) is State.CLOSED


def test_hosts_are_not_kept_without_end() -> None:
    breaker = Breaker()
    for number in range(MAX_HOSTS + 5):
        breaker.failed(key(f"h{number}"), at(number))
    assert len(breaker) == MAX_HOSTS
    assert breaker.state(key("h3")) is State.CLOSED


@pytest.mark.parametrize("cause", HookCause)
def test_what_speaks_against_a_host(cause: HookCause) -> None:
    there = {HookCause.STATUS, HookCause.REDIRECT, HookCause.TOO_LARGE, HookCause.LOCAL}
    assert means_down(HookFailure(cause=cause, detail="", status=None)) is (cause not in there)


@pytest.mark.parametrize(("status", "down"), [(404, False), (429, False), (499, False), (500, True), (503, True)])
def test_a_5xx_speaks_against_a_host(status: int, down: bool) -> None:
    assert means_down(HookFailure(cause=HookCause.STATUS, detail=str(status), status=status)) is down


def test_an_export_of_another_version_is_refused() -> None:
    with pytest.raises(ValueError, match="version 9"):
        Breaker.restore({"version": 9}, at(0))


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["advice", "answered", "failed"]),
        st.sampled_from([HOST, key("other"), key(account="b")]),
        st.floats(min_value=0, max_value=40),
    ),
    max_size=40,
)


def told(breaker: Breaker, what: str, host: HostKey, now: Now) -> Any:
    answer = getattr(breaker, what)(host, now)
    return answer, breaker.poll_event(), breaker.poll_event(), breaker.poll_event(), breaker.figures()


@given(STEPS)
def test_one_that_was_restored_on_another_clock_goes_on_as_the_first(steps: list[tuple[str, HostKey, float]]) -> None:
    first, twin, seconds = Breaker(), Breaker(), 0.0
    for what, host, pause in steps:
        # Whole quarters of seconds: sums of floats on two clocks must not differ in their last bit.
        seconds += round(pause * 4) / 4
        data = json.loads(json.dumps(first.export(at(seconds))))
        other = Now(mono=seconds + 4096, wall=1_000_000 + seconds)
        twin = Breaker.restore(data, other)
        assert told(first, what, host, at(seconds)) == told(twin, what, host, other)


def test_hosts_are_counted_by_their_states() -> None:
    breaker = opened()
    breaker.failed(key("one"), at(0))
    for _ in range(FAILURES_IN_A_ROW):
        breaker.failed(key("two"), at(0))
    assert breaker.advice(key("two"), at(PAUSE_S)) is Advice.PROBE
    assert breaker.figures() == {"closed": 1, "open": 1, "half_open": 1}
