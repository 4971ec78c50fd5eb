"""didML documents to flows: what holds for all; every verb, attribute, alias and default has a conformance case."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.didml_documents import almost_documents, read_or_refuse, xml_documents

from offhook.flow.dialects.didml_reading import SKIPPED, VERBS, read
from offhook.flow.dialects.didml_tree import MAX_WARNINGS
from offhook.flow.errors import DocumentTooLarge, TooManySteps
from offhook.flow.limits import MAX_DOCUMENT_BYTES, MAX_STEPS_PER_DOCUMENT
from offhook.flow.program import Flow
from offhook.flow.verbs import Hangup, UrlSound

ADDRESS = "https://app.example/voice/a.xml"


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=100) | almost_documents() | xml_documents().map(str.encode))
def test_anything_at_all_is_a_flow_or_an_error_that_says_why_not(body: bytes) -> None:
    read_or_refuse(body)


@pytest.mark.parametrize(
    "body", [b"", b" \r\n", b"<Response/>", b"<Response></Response>", b"<?xml version='1.0'?><Response/>"]
)
def test_nothing_to_do(body: bytes) -> None:
    assert read(body, ADDRESS).flow == Flow()
    assert read(body, ADDRESS).warnings == ()


def test_what_cannot_be_reached_is_not_kept() -> None:
    hangup, *rest = read(b"<Response><hangup/><say>x</say><nonsense/></Response>", "").flow.steps
    assert (hangup.verb, rest) == (Hangup(), [])


def test_addresses_are_relative_to_where_the_document_came_from() -> None:
    (step,) = read(b"<Response><play>b.mp3</play></Response>", "http://h.example/x/y/?z=1#f").flow.steps
    assert step.verb.sounds == (UrlSound(url="http://h.example/x/y/b.mp3"),)  # type: ignore[union-attr]


def test_size_is_looked_at_first() -> None:
    with pytest.raises(DocumentTooLarge):
        read(b"<" * (MAX_DOCUMENT_BYTES + 1), ADDRESS)


def test_a_verb_may_be_two_steps_and_steps_are_counted() -> None:
    said = b"<say action='/a'>x</say>"
    most = MAX_STEPS_PER_DOCUMENT // 2
    assert len(read(b"<Response>" + said * most + b"</Response>", ADDRESS).flow.steps) == MAX_STEPS_PER_DOCUMENT
    with pytest.raises(TooManySteps):
        read(b"<Response>" + said * (most + 1) + b"</Response>", ADDRESS)


def test_warnings_do_not_go_on_without_end() -> None:
    many = "".join(f"<a{n}/>" for n in range(MAX_WARNINGS + 5))
    assert len(read(f"<Response>{many}</Response>".encode(), ADDRESS).warnings) == MAX_WARNINGS


@pytest.mark.parametrize("name", [*VERBS, *SKIPPED])
def test_every_verb_can_stand_empty_or_is_refused_with_a_sentence(name: str) -> None:
    read_or_refuse(f"<Response><{name}/></Response>".encode())
