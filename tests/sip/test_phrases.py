"""Reason phrases: RFC 3261 section 21."""

from __future__ import annotations

import pytest

from offhook.sip.phrases import phrase


@pytest.mark.parametrize(
    ("status", "text"),
    [
        (180, "Ringing"),
        (486, "Busy Here"),
        (499, "Request Failure"),
        (199, "Early Dialog Terminated"),
        (999, "Unknown"),
    ],
)
def test_phrase(status: int, text: str) -> None:
    assert phrase(status) == text
