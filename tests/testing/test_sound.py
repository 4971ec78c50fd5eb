"""The sound of a scenario: what sending keys takes; playing and recording are proved by the scenarios."""

import pytest

from offhook.testing.sound import keys_s


@pytest.mark.parametrize(("keys", "seconds"), [("", 0.0), ("1", 0.2), ("12Pp3", 1.15), ("wW", 1.5)])
def test_how_long_keys_take(keys: str, seconds: float) -> None:
    assert keys_s(keys) == seconds
