"""Flows as plain JSON: nothing is lost on the way there and back, and yesterday's exports can be read."""

import json
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from tests.support.flows import flows, outcomes

from offhook.flow import plain
from offhook.flow.errors import NotOurExport
from offhook.flow.program import Document, Flow, Outcome, OutcomeKind, Step
from offhook.flow.verbs import Dial, Hangup, HangupAs, NumberTarget, Play, UrlSound


@settings(max_examples=50, deadline=None)
@given(flow=flows)
def test_any_flow_comes_back_from_json_as_it_was(flow: Flow) -> None:
    assert plain.to_flow(json.loads(json.dumps(plain.from_flow(flow)))) == flow


@given(outcome=outcomes)
def test_any_outcome_comes_back_from_json_as_it_was(outcome: Outcome) -> None:
    assert plain.to_outcome(json.loads(json.dumps(plain.from_outcome(outcome)))) == outcome


GOLDEN = {
    "steps": [
        {
            "verb": {
                "is": "dial",
                "targets": [{"is": "number", "number": "+46700000001"}],
                "caller_id": None,
                "ring_timeout_s": 15.0,
                "time_limit_s": None,
            },
            "branches": {"busy": {"is": "document", "url": "https://app.example/busy", "method": "POST"}},
            "digits": {"1": {"steps": []}},
            "otherwise": {"steps": [{"verb": {"is": "hangup", "how": "reject"}}]},
            "wording": {"connect": "+46700000001"},
        },
        {"verb": {"is": "play", "sounds": [{"is": "url_sound", "url": "https://app.example/a.mp3"}]}},
    ]
}


def test_an_export_written_by_an_earlier_program_is_read() -> None:
    assert plain.to_flow(GOLDEN) == Flow(
        steps=(
            Step(
                verb=Dial(targets=(NumberTarget(number="+46700000001"),), ring_timeout_s=15.0),
                branches=MappingProxyType({OutcomeKind.BUSY: Document(url="https://app.example/busy")}),
                digits=MappingProxyType({"1": Flow()}),
                otherwise=Flow(steps=(Step(verb=Hangup(how=HangupAs.REJECT)),)),
                wording=MappingProxyType({"connect": "+46700000001"}),
            ),
            Step(verb=Play(sounds=(UrlSound(url="https://app.example/a.mp3"),))),
        )
    )


@pytest.mark.parametrize(
    "data",
    [
        {"steps": [{"verb": {"is": "sing"}}]},
        {"steps": [{"verb": {"is": "number", "number": "+46"}}]},
        {"steps": [{"verb": {"is": "play", "sounds": [{"is": "song"}]}}]},
        {"steps": [{"verb": {"is": "hangup"}, "otherwise": {"is": "number", "number": "+46"}}]},
    ],
)
def test_what_stands_in_the_wrong_place_is_refused(data: dict[str, object]) -> None:
    with pytest.raises(NotOurExport):
        plain.to_flow(data)
