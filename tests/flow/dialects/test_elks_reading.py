"""Reading of 46elks documents, where cases cannot say it: anything at all is read or refused."""

import json
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tests.support.elks_documents import almost_documents, json_values, read_or_refuse

from offhook.flow.describe import describe_flow
from offhook.flow.dialects.elks_reading import MAX_WARNINGS, read
from offhook.flow.limits import MAX_DEPTH


@settings(max_examples=200, deadline=None)
@given(document=json_values)
@example(document={"hangup": 1e308, "timeout": 1e308})
@example(document={"connect": ",", "timeout": -0.0})
def test_any_json_is_read_or_refused(document: Any) -> None:
    read_or_refuse(json.dumps(document).encode())


@settings(max_examples=200, deadline=None)
@given(body=st.binary(max_size=60) | almost_documents())
def test_any_bytes_are_read_or_refused(body: bytes) -> None:
    read_or_refuse(body)


def test_the_innermost_of_the_deepest_document_is_read() -> None:
    text = '{"hangup": "busy"}'
    for _ in range(MAX_DEPTH - 1):
        text = f'{{"play": "sound/beep", "next": {text}}}'
    assert "hangup how=busy" in describe_flow(read(text.encode(), "").flow)


def test_warnings_are_few_and_none_is_said_twice() -> None:
    many = {"play": "sound/beep", **{f"unknown{n}": 1 for n in range(100)}}
    assert len(read(json.dumps(many).encode(), "").warnings) == MAX_WARNINGS
    twice = b'{"play": "sound/beep", "next": {"hangup": "x"}, "failed": {"hangup": "reject"}, "a": 1, }'
    warnings = read(twice, "").warnings
    assert len(warnings) == len(set(warnings)) == 3


def test_reading_does_not_change_when_the_document_is_read_again() -> None:
    body = b'{"ivr": "sound/beep", "1": {"connect": "+46700000001"}, "next": "https://app.example/"}'
    assert read(body, "") == read(body, "")


@pytest.mark.parametrize("body", [b'{"play": "sound/beep"}', b'{"whenhangup": "https://app.example/"}'])
def test_wording_cannot_be_changed(body: bytes) -> None:
    step = read(body, "").flow.steps[-1]
    with pytest.raises(TypeError):
        step.wording["play"] = "else"  # type: ignore[index]


def test_wording_has_the_action_and_its_options_alone() -> None:
    body = b'{"maxlength": 5, "record": "true", "timelimit": "9", "next": {}, "recordcall": "true", "x": 1}'
    start_recording, record = read(body, "").flow.steps
    assert dict(record.wording) == {"record": "true", "timelimit": "9"}
    assert dict(start_recording.wording) == {}
