"""Views: how long a call lasted."""

from datetime import UTC, datetime, timedelta

import pytest

from offhook.flow.view import CallId, CallView, Direction

CREATED = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def view(start: datetime | None, end: datetime | None) -> CallView:
    return CallView(
        id=CallId("0" * 32), direction=Direction.INCOMING, from_="+46", to="+47", created=CREATED, start=start, end=end
    )


@pytest.mark.parametrize(("seconds", "duration"), [(0, 0), (0.4, 0), (0.6, 1), (7, 7), (3600.2, 3600), (-1, 0)])
def test_a_call_lasts_from_its_answer_to_its_end_in_whole_seconds(seconds: float, duration: int) -> None:
    assert view(CREATED, CREATED + timedelta(seconds=seconds)).duration_s == duration


def test_a_call_that_was_not_answered_or_is_not_over_has_no_duration() -> None:
    assert view(None, CREATED).duration_s is None
    assert view(CREATED, None).duration_s is None
