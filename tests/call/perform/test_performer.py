"""The outcomes that performers share."""

from offhook.call.perform.performer import OK, failed
from offhook.flow.program import Outcome, OutcomeKind


def test_outcomes() -> None:
    assert Outcome(kind=OutcomeKind.OK) == OK
    assert failed("badsource") == Outcome(kind=OutcomeKind.FAILED, why="badsource")
