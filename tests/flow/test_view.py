"""Views: how long a call lasted."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.view import CallId, CallState, CallView, Direction, LegView

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def view(start: datetime | None, end: datetime | None) -> CallView:
    return CallView(
        id=CallId("0" * 32), direction=Direction.INCOMING, from_="+46", to="+47", created=CREATED, start=start, end=end
    )


@pytest.mark.parametrize(("seconds", "duration"), [(0, 0), (0.4, 0), (0.6, 1), (7, 7), (3600.2, 3600), (-1, 0)])
def test_a_call_lasts_from_its_answer_to_its_end_in_whole_seconds(seconds: float, duration: int) -> None:
    assert view(CREATED, CREATED + timedelta(seconds=seconds)).duration_s == duration


def test_an_outcome_is_about_the_leg_of_its_number() -> None:
    legs = tuple(
        LegView(to=f"+4{number}", from_="+46", state=CallState.ONGOING, duration_s=0, number=number)
        for number in (1, 2)
    )
    call = replace(view(CREATED, None), legs=legs)
    assert call.leg_of(Outcome(kind=OutcomeKind.OK, leg=2)) == legs[1]
    assert call.leg_of(Outcome(kind=OutcomeKind.OK)) is None


def test_a_call_that_was_not_answered_or_is_not_over_has_no_duration() -> None:
    assert view(None, CREATED).duration_s is None
    assert view(CREATED, None).duration_s is None
