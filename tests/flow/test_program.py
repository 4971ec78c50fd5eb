"""Steps and flows: what they are when nothing more is said, and that nothing shared can be changed."""

import pytest

from offhook.flow.program import Document, Flow, Outcome, OutcomeKind, Step
from offhook.flow.verbs import Hangup


def test_a_step_without_branches_falls_through() -> None:
    step = Step(verb=Hangup())
    assert (dict(step.branches), dict(step.digits), step.otherwise, dict(step.wording)) == ({}, {}, None, {})


def test_the_empty_mappings_of_steps_cannot_be_filled() -> None:
    with pytest.raises(TypeError):
        Step(verb=Hangup()).branches[OutcomeKind.OK] = Flow()  # type: ignore[index]


def test_an_outcome_has_waited_unless_it_says_otherwise() -> None:
    assert Outcome(kind=OutcomeKind.OK) == Outcome(kind=OutcomeKind.OK, why=None, digits="", waited=True)


def test_a_document_is_asked_for_by_post() -> None:
    assert Document(url="https://app.example/").method == "POST"


def test_a_flow_without_steps_is_a_flow() -> None:
    assert Flow().steps == ()
