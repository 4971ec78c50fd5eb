"""Times in the tables."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy.dialects.sqlite import dialect

from offhook.storage.schema import UtcTime


@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2200, 1, 1), timezones=st.just(UTC)))  # noqa: DTZ001
def test_times_survive_to_the_microsecond(moment: datetime) -> None:
    kept = UtcTime().process_bind_param(moment, dialect())
    assert UtcTime().process_result_value(kept, dialect()) == moment


def test_zones_are_brought_to_utc_and_none_stays() -> None:
    moment = datetime(1970, 1, 1, 2, tzinfo=timezone(timedelta(hours=2)))
    assert UtcTime().process_bind_param(moment, dialect()) == 0
    assert UtcTime().process_bind_param(None, dialect()) is None
    assert UtcTime().process_result_value(None, dialect()) is None


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(TypeError):
        UtcTime().process_bind_param(datetime(2026, 1, 1), dialect())  # noqa: DTZ001
