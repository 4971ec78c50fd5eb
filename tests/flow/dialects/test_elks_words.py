"""46elks' words, where cases cannot say it: formats, and what a view without this or that becomes."""

from datetime import UTC, datetime, timedelta, timezone

import pytest

from offhook.flow.dialects import elks_words
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.view import CallId, CallView, Direction

MOMENT = datetime(2016, 11, 3, 15, 8, 14, 609873, tzinfo=UTC)
ID = CallId("719b1eefbf65b1f89c013e6433dbf537")


def test_live_times_have_microseconds_and_stored_ones_milliseconds() -> None:
    assert elks_words.live_time(MOMENT) == "2016-11-03T15:08:14.609873"
    assert elks_words.stored_time(MOMENT) == "2016-11-03T15:08:14.609000"


def test_times_always_have_six_fraction_digits() -> None:
    assert elks_words.live_time(MOMENT.replace(microsecond=0)) == "2016-11-03T15:08:14.000000"
    assert elks_words.stored_time(MOMENT.replace(microsecond=999)) == "2016-11-03T15:08:14.000000"


@pytest.mark.parametrize("zone", [UTC, timezone(timedelta(hours=2)), timezone(timedelta(hours=-9))])
def test_times_are_said_in_utc(zone: timezone) -> None:
    assert elks_words.live_time(MOMENT.astimezone(zone)) == "2016-11-03T15:08:14.609873"


def test_times_without_a_zone_are_taken_for_utc() -> None:
    assert elks_words.live_time(MOMENT.replace(tzinfo=None)) == "2016-11-03T15:08:14.609873"


VIEW = CallView(id=ID, direction=Direction.OUTGOING, from_="+46700000001", to="+46700000002", created=MOMENT)


def test_after_nothing_an_outcome_has_its_plain_word() -> None:
    assert dict(elks_words.continued(VIEW, Outcome(kind=OutcomeKind.OK)))["result"] == "ok"


def test_the_log_and_the_legs_of_a_call_in_which_nothing_ran_are_empty() -> None:
    assert elks_words.actions(VIEW) == []
    assert elks_words.legs(VIEW) == []


def test_an_outgoing_call_from_a_phones_number_is_not_one_that_a_phone_began() -> None:
    by_api = CallView(id=ID, direction=Direction.OUTGOING, from_="+46001", to="+46700000002", created=MOMENT)
    assert "id" not in dict(elks_words.begun(by_api))


def test_an_answered_call_that_has_not_been_given_its_end_lasted_no_time() -> None:
    answered = CallView(
        id=ID, direction=Direction.OUTGOING, from_="+46700000001", to="+46700000002", created=MOMENT, start=MOMENT
    )
    assert dict(elks_words.ended(answered))["duration"] == "0"
