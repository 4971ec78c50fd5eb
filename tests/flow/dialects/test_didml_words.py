"""didML's words: ids and times. Every parameter of every webhook has a conformance case."""

import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from offhook.flow.dialects.didml_words import (
    actions,
    begun,
    call_sid,
    continued,
    ended,
    leg_sid,
    without_plus,
)
from offhook.flow.program import Outcome, OutcomeKind, Step
from offhook.flow.verbs import Hangup
from offhook.flow.view import CallId, CallView, Direction, Performed

NOON = datetime(2026, 1, 2, 12, tzinfo=UTC)
CALL = CallId("0123456789abcdef0123456789abcdef")
VIEW = CallView(id=CALL, direction=Direction.INCOMING, from_="+19495550100", to="+18005797676", created=NOON)
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


def test_a_call_is_a_uuid() -> None:
    assert call_sid(CALL) == "01234567-89ab-cdef-0123-456789abcdef"


def test_legs_have_ids_of_their_own_that_stay() -> None:
    sids = [leg_sid(CALL, number) for number in range(50)]
    assert sids[0] == call_sid(CALL)
    assert len(set(sids)) == 50
    assert all(UUID.fullmatch(sid) for sid in sids)
    # Written out, because customers keep them over a restart and an update.
    assert sids[1] == "678da071-a7ed-c9a9-fb58-7c59d18f42ec"
    assert leg_sid(CallId("f" * 32), 1) not in sids


def test_only_a_plus_in_front_goes() -> None:
    assert (without_plus("+1949"), without_plus("sip:a+b@c"), without_plus("")) == ("1949", "sip:a+b@c", "")


def test_times_are_utc_whatever_they_came_in() -> None:
    away = NOON.astimezone(timezone(timedelta(hours=-8)))
    assert dict(ended(replace(VIEW, created=away)))["StartTime"] == "2026-01-02T12:00:00Z"
    assert dict(ended(replace(VIEW, created=NOON.replace(tzinfo=None))))["StartTime"] == "2026-01-02T12:00:00Z"


def test_a_flow_that_began_with_a_document_in_a_setting_brought_nothing() -> None:
    assert continued(VIEW, Outcome(kind=OutcomeKind.OK)) == begun(VIEW)


@pytest.mark.parametrize(
    ("outcome", "result"),
    [
        (Outcome(kind=OutcomeKind.OK), "completed"),
        (Outcome(kind=OutcomeKind.DIGITS, digits="42"), "42"),
        (Outcome(kind=OutcomeKind.BUSY), "busy"),
        (Outcome(kind=OutcomeKind.FAILED, why="no_answer"), "no-answer"),
        (Outcome(kind=OutcomeKind.FAILED, why="badsource"), "failed"),
    ],
)
def test_the_log_has_what_came_with_words_for_it(outcome: Outcome, result: str) -> None:
    def ran(**wording: str) -> Performed:
        return Performed(step=Step(verb=Hangup(), wording=wording), outcome=outcome)

    assert actions(replace(VIEW, performed=(ran(), ran(connect="+46")))) == [{"connect": "+46", "result": result}]
