"""The limits on documents, each at its edge."""

import pytest

from offhook.flow.errors import DocumentTooLarge, NestingTooDeep, TooManySteps
from offhook.flow.limits import MAX_DEPTH, MAX_DOCUMENT_BYTES, MAX_STEPS_PER_DOCUMENT, check_flow, check_size
from offhook.flow.program import Document, Flow, Step
from offhook.flow.verbs import Hangup


def nested(depth: int) -> Flow:
    flow = Flow(steps=(Step(verb=Hangup(), otherwise=Document(url="https://app.example/")),))
    for _ in range(depth - 1):
        flow = Flow(steps=(Step(verb=Hangup(), otherwise=flow),))
    return flow


def test_a_document_may_have_64_kib_and_not_a_byte_more() -> None:
    check_size(b" " * MAX_DOCUMENT_BYTES)
    with pytest.raises(DocumentTooLarge, match="65537 bytes and the limit is 65536"):
        check_size(b" " * (MAX_DOCUMENT_BYTES + 1))


def test_flows_may_be_nested_up_to_the_limit() -> None:
    check_flow(nested(MAX_DEPTH))
    with pytest.raises(NestingTooDeep, match=f"deeper than {MAX_DEPTH}"):
        check_flow(nested(MAX_DEPTH + 1))


def test_no_depth_overflows_the_check_itself() -> None:
    with pytest.raises(NestingTooDeep):
        check_flow(nested(20_000))


def test_steps_are_counted_over_all_branches() -> None:
    inner = Flow(steps=(Step(verb=Hangup()),) * (MAX_STEPS_PER_DOCUMENT - 1))
    check_flow(Flow(steps=(Step(verb=Hangup(), otherwise=inner),)))
    with pytest.raises(TooManySteps, match=f"more than {MAX_STEPS_PER_DOCUMENT} actions"):
        check_flow(Flow(steps=(Step(verb=Hangup(), otherwise=inner), Step(verb=Hangup()))))
