"""Statuses and causes, one by one and by class."""

import pytest

from offhook.flow.view import Cause
from offhook.runtime.sip_causes import Q850_CAUSES, cause_of, reason_of, status_of


@pytest.mark.parametrize(
    ("status", "cause"),
    [
        (302, Cause.UNAVAILABLE),
        (400, Cause.REJECTED),
        (403, Cause.NOT_ALLOWED),
        (404, Cause.NOT_FOUND),
        (408, Cause.NO_ANSWER),
        (480, Cause.UNAVAILABLE),
        (486, Cause.BUSY),
        (488, Cause.INCOMPATIBLE_MEDIA),
        (500, Cause.NETWORK_ERROR),
        (503, Cause.CONGESTION),
        (599, Cause.NETWORK_ERROR),
        (600, Cause.BUSY),
        (603, Cause.REJECTED),
        (699, Cause.REJECTED),
    ],
)
def test_a_refusal_has_a_cause(status: int, cause: Cause) -> None:
    assert cause_of(status) is cause


@pytest.mark.parametrize("cause", list(Cause))
def test_every_cause_can_be_told_to_a_caller(cause: Cause) -> None:
    assert 400 <= status_of(cause) <= 699


@pytest.mark.parametrize(
    ("cause", "status"), [(Cause.BUSY, 486), (Cause.REJECTED, 603), (Cause.NOT_FOUND, 404), (Cause.HOOK_FAILED, 503)]
)
def test_what_the_api_promises_is_what_the_network_hears(cause: Cause, status: int) -> None:
    assert status_of(cause) == status


@pytest.mark.parametrize("cause", [Cause.BUSY, Cause.REJECTED, Cause.NOT_FOUND, Cause.INCOMPATIBLE_MEDIA])
def test_a_cause_survives_the_network(cause: Cause) -> None:
    assert cause_of(status_of(cause)) is cause


def test_an_ordinary_end_needs_no_reason() -> None:
    assert reason_of(Cause.NORMAL) is None
    assert reason_of(Cause.SERVER_SHUTDOWN) == 'SIP;cause=503;text="server_shutdown"'


def test_causes_of_the_old_network() -> None:
    assert Q850_CAUSES[17] is Cause.BUSY
