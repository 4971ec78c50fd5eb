"""Flows as text for people."""

from types import MappingProxyType

from hypothesis import given, settings
from tests.support.flows import flows, verbs_of_any_kind

from offhook.flow.describe import describe_flow, describe_verb
from offhook.flow.program import Document, Flow, OutcomeKind, Step
from offhook.flow.verbs import (
    Conference,
    Dial,
    Gather,
    Hangup,
    HangupAs,
    LegStage,
    NamedSound,
    NumberTarget,
    Play,
    Speech,
    StatusHook,
    Treatment,
    Verb,
)

PAGE = Document(url="https://app.example/next")


def test_a_flow_with_all_kinds_of_branches() -> None:
    hang_up = Flow(steps=(Step(verb=Hangup(how=HangupAs.BUSY)),))
    flow = Flow(
        steps=(
            Step(
                verb=Gather(prompts=(NamedSound(name="beep"),), timeout_s=2.5, finish_keys=frozenset()),
                digits=MappingProxyType({"1": hang_up, "2": PAGE}),
                branches=MappingProxyType({OutcomeKind.FAILED: Flow()}),
                otherwise=PAGE,
            ),
            Step(verb=Play(sounds=(Speech(text='say "hi"'), NamedSound(name="busy")), loop=0, skippable=False)),
        )
    )
    assert describe_flow(flow) == "\n".join(
        [
            "gather prompts=[named_sound(beep)] min_digits=1 max_digits=1 timeout_s=2.5 tries=3 finish_keys=none"
            " skippable=yes",
            "  keys 1 ->",
            "    hangup how=busy",
            "  keys 2 -> POST https://app.example/next",
            "  failed -> end",
            "  otherwise -> POST https://app.example/next",
            'play sounds=[speech(text="say \\"hi\\"", language=en, voice=""), named_sound(busy)] loop=0 skippable=no',
        ]
    )


def test_what_only_some_say_is_shown_where_it_is_said() -> None:
    plain = NumberTarget(number="+1")
    hook = StatusHook(url="https://s", stages=frozenset({LegStage.RINGING, LegStage.COMPLETED}))
    briefed = NumberTarget(number="+2", treatment=Treatment(briefing=PAGE, told=hook))
    assert describe_verb(Dial(targets=(plain, briefed), record=True)) == (
        "dial targets=[number(+1), number(number=+2, treatment=treatment(caller_id=none, ring_timeout_s=none,"
        ' time_limit_s=none, send_digits="", briefing=document(url=https://app.example/next, method=POST), record=no,'
        " told=status_hook(url=https://s, method=POST, stages=completed+ringing, extra=[])))] caller_id=none"
        " ring_timeout_s=60 time_limit_s=none record=yes"
    )
    assert describe_verb(Conference(room="blue")) == (
        "conference room=blue muted=no beeps=both starts=yes ends=no wait=none max_parties=none"
    )


@settings(max_examples=50, deadline=None)
@given(flow=flows)
def test_any_flow_can_be_described(flow: Flow) -> None:
    assert describe_flow(flow)


@settings(max_examples=50, deadline=None)
@given(verb=verbs_of_any_kind)
def test_any_verb_is_one_line(verb: Verb) -> None:
    assert len(describe_verb(verb).split("\n")) == 1
