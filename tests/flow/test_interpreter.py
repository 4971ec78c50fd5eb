"""A position in a flow: branch precedence, documents, ends, loops, and going on after a restore."""

import json
from types import MappingProxyType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.flows import flows, nexts, outcomes

from offhook.flow.errors import NotOurExport, OutOfTurn
from offhook.flow.interpreter import (
    Diverted,
    DocumentFailed,
    DocumentRead,
    End,
    Fetch,
    Input,
    Interpreter,
    Perform,
    Phase,
    branch_for,
)
from offhook.flow.limits import MAX_DOCUMENTS_WITHOUT_WAIT, MAX_STEPS_WITHOUT_WAIT
from offhook.flow.program import Document, Flow, Next, Outcome, OutcomeKind, Step
from offhook.flow.verbs import Gather, Hangup, NamedSound, Play
from offhook.flow.view import Cause

OK = Outcome(kind=OutcomeKind.OK)
FAILED = Outcome(kind=OutcomeKind.FAILED, why="badsource")
AT_ONCE = Outcome(kind=OutcomeKind.FAILED, why="badsource", waited=False)


def play(name: str, *, otherwise: Next | None = None, **branches: Next) -> Step:
    return Step(
        verb=Play(sounds=(NamedSound(name=name),)),
        branches=MappingProxyType({OutcomeKind(kind): following for kind, following in branches.items()}),
        otherwise=otherwise,
    )


def flow(*steps: Step) -> Flow:
    return Flow(steps=steps)


def pressed(keys: str) -> Outcome:
    return Outcome(kind=OutcomeKind.DIGITS, digits=keys)


MENU = Step(
    verb=Gather(prompts=()),
    branches=MappingProxyType({OutcomeKind.DIGITS: flow(play("any key")), OutcomeKind.FAILED: flow(play("failed"))}),
    digits=MappingProxyType({"1": flow(play("one")), "01": flow(play("zero one"))}),
    otherwise=flow(play("otherwise")),
)


# ── which branch ─────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("outcome", "expected"),
    [
        (pressed("1"), "one"),
        (pressed("01"), "zero one"),
        (pressed("2"), "any key"),
        (FAILED, "failed"),
        (OK, "otherwise"),
    ],
)
def test_exact_keys_go_before_the_kind_and_the_kind_before_otherwise(outcome: Outcome, expected: str) -> None:
    position, _ = Interpreter.begin(flow(MENU, play("not reached")))
    _, effects = position.apply(outcome)
    assert effects == (Perform(step=play(expected)),)


def test_keys_of_another_kind_of_outcome_do_not_choose_a_keys_branch() -> None:
    assert branch_for(MENU, Outcome(kind=OutcomeKind.FAILED, digits="1")) == flow(play("failed"))


def test_without_any_branch_the_next_step_follows_and_after_the_last_one_the_end() -> None:
    position, effects = Interpreter.begin(flow(play("first"), play("second")))
    assert effects == (Perform(step=play("first")),)
    position, effects = position.apply(FAILED)
    assert effects == (Perform(step=play("second")),)
    position, effects = position.apply(OK)
    assert effects == (End(cause=Cause.NORMAL),)
    assert position.phase is Phase.OVER


def test_an_inline_flow_is_a_jump_and_does_not_come_back() -> None:
    position, _ = Interpreter.begin(flow(play("a", ok=flow(play("b"))), play("left behind")))
    position, effects = position.apply(OK)
    assert effects == (Perform(step=play("b")),)
    _, effects = position.apply(OK)
    assert effects == (End(cause=Cause.NORMAL),)


def test_a_branch_to_an_empty_flow_ends_although_steps_follow() -> None:
    position, _ = Interpreter.begin(flow(play("a", otherwise=flow()), play("left behind")))
    assert position.apply(OK)[1] == (End(cause=Cause.NORMAL),)


def test_nothing_runs_after_a_hangup() -> None:
    position, _ = Interpreter.begin(flow(Step(verb=Hangup(), otherwise=flow(play("never"))), play("never")))
    assert position.apply(OK)[1] == (End(cause=Cause.NORMAL),)


def test_an_empty_flow_ends_at_once() -> None:
    assert Interpreter.begin(flow())[1] == (End(cause=Cause.NORMAL),)


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────

PAGE = Document(url="https://app.example/next")


def test_a_flow_may_begin_with_a_document() -> None:
    position, effects = Interpreter.begin(PAGE)
    assert effects == (Fetch(document=PAGE, outcome=None),)
    assert position.apply(DocumentRead(flow=flow(play("a"))))[1] == (Perform(step=play("a")),)


def test_a_document_is_asked_for_with_the_outcome_that_led_to_it() -> None:
    position, _ = Interpreter.begin(flow(play("a", otherwise=PAGE)))
    position, effects = position.apply(FAILED)
    assert effects == (Fetch(document=PAGE, outcome=FAILED),)
    assert position.phase is Phase.FETCHING


def test_a_failed_document_ends_the_flow_with_its_cause() -> None:
    position, _ = Interpreter.begin(PAGE)
    _, effects = position.apply(DocumentFailed(cause=Cause.HOOK_FAILED, detail="three tries"))
    assert effects == (End(cause=Cause.HOOK_FAILED, detail="three tries"),)


def test_an_empty_document_ends_the_flow_normally() -> None:
    position, _ = Interpreter.begin(PAGE)
    assert position.apply(DocumentRead(flow=flow()))[1] == (End(cause=Cause.NORMAL),)


# ── out of turn ──────────────────────────────────────────────────────────────────────────────────────────────────────

PERFORMING = Interpreter.begin(flow(play("a")))[0]
FETCHING = Interpreter.begin(PAGE)[0]
OVER = Interpreter.begin(flow())[0]


@pytest.mark.parametrize(
    ("position", "happened"),
    [
        (PERFORMING, DocumentRead(flow=flow())),
        (PERFORMING, DocumentFailed(cause=Cause.HOOK_FAILED)),
        (FETCHING, OK),
        (OVER, OK),
        (OVER, DocumentRead(flow=flow())),
        (OVER, DocumentFailed(cause=Cause.HOOK_FAILED)),
    ],
)
def test_what_is_not_waited_for_is_refused(position: Interpreter, happened: Input) -> None:
    with pytest.raises(OutOfTurn):
        position.apply(happened)


# ── loops ────────────────────────────────────────────────────────────────────────────────────────────────────────────

SILENT_PAGE = flow(play("no sound", otherwise=PAGE))


def test_documents_that_send_the_call_to_each_other_end_it_when_no_time_passes() -> None:
    position, _ = Interpreter.begin(PAGE)
    for _ in range(MAX_DOCUMENTS_WITHOUT_WAIT - 1):
        position, _ = position.apply(DocumentRead(flow=SILENT_PAGE))
        position, effects = position.apply(AT_ONCE)
        assert isinstance(effects[0], Fetch)
    position, _ = position.apply(DocumentRead(flow=SILENT_PAGE))
    position, effects = position.apply(AT_ONCE)
    (end,) = effects
    assert isinstance(end, End)
    assert end.cause is Cause.FLOW_LOOP
    assert f"{MAX_DOCUMENTS_WITHOUT_WAIT} documents" in end.detail


def test_documents_may_send_the_call_to_each_other_for_ever_when_time_passes() -> None:
    position, _ = Interpreter.begin(PAGE)
    for _ in range(3 * MAX_DOCUMENTS_WITHOUT_WAIT):
        position, _ = position.apply(DocumentRead(flow=SILENT_PAGE))
        position, effects = position.apply(OK)
        assert isinstance(effects[0], Fetch)


def test_more_steps_than_the_limit_without_time_passing_end_the_call() -> None:
    position, effects = Interpreter.begin(flow(*[play("a")] * (MAX_STEPS_WITHOUT_WAIT + 1)))
    for _ in range(MAX_STEPS_WITHOUT_WAIT):
        assert effects == (Perform(step=play("a")),)
        position, effects = position.apply(AT_ONCE)
    (end,) = effects
    assert isinstance(end, End)
    assert end.cause is Cause.FLOW_LOOP
    assert f"{MAX_STEPS_WITHOUT_WAIT} actions" in end.detail


def test_time_that_passes_forgives_the_steps_before() -> None:
    position, effects = Interpreter.begin(flow(*[play("a")] * (2 * MAX_STEPS_WITHOUT_WAIT)))
    for n in range(2 * MAX_STEPS_WITHOUT_WAIT):
        assert effects == (Perform(step=play("a")),)
        position, effects = position.apply(OK if n == MAX_STEPS_WITHOUT_WAIT - 1 else AT_ONCE)
    assert effects == (End(cause=Cause.NORMAL),)


# ── surviving a restart ──────────────────────────────────────────────────────────────────────────────────────────────


def _fitting(position: Interpreter, data: st.DataObject) -> Input:
    if position.phase is Phase.PERFORMING:
        return data.draw(outcomes)
    return data.draw(
        st.builds(DocumentRead, flow=flows) | st.builds(DocumentFailed, cause=st.sampled_from(Cause), detail=st.text())
    )


@settings(max_examples=50, deadline=None)
@given(start=nexts, data=st.data())
def test_a_position_restored_at_any_point_goes_on_as_the_first_would_have(start: Next, data: st.DataObject) -> None:
    position, effects = Interpreter.begin(start)
    for _ in range(8):
        restored = Interpreter.restore(json.loads(json.dumps(position.export())))
        assert restored == position
        assert (restored.waiting_for,) == effects
        if position.phase is Phase.OVER:
            break
        happened = _fitting(position, data)
        after_restore = restored.apply(happened)
        position, effects = position.apply(happened)
        assert after_restore == (position, effects)


@pytest.mark.parametrize(
    "change",
    [
        {"version": 0},
        {"version": None},
        {"phase": "sleeping"},
        {"remaining": []},
        {"remaining": None},
        {"remaining": [{"verb": {"is": "sing"}}]},
        {"phase": "fetching"},
        {"phase": "over"},
        {"document": {"steps": []}},
        {"cause": "boredom"},
    ],
)
def test_what_is_no_export_is_refused(change: dict[str, object]) -> None:
    with pytest.raises(NotOurExport):
        Interpreter.restore({**PERFORMING.export(), **change})


def test_an_export_without_a_field_is_refused() -> None:
    data = PERFORMING.export()
    del data["detail"]
    with pytest.raises(NotOurExport):
        Interpreter.restore(data)


# ── going on elsewhere ───────────────────────────────────────────────────────────────────────────────────────────────

ELSEWHERE = Document(url="https://backup.example/")


def test_a_fallback_is_asked_with_what_the_failed_document_was_to_be_asked_with() -> None:
    position, _ = Interpreter.begin(flow(play("one", otherwise=Document(url="https://app.example/")), play("two")))
    position, _ = position.apply(OK)
    position, effects = position.apply(Diverted(to=ELSEWHERE))
    assert effects == (Fetch(document=ELSEWHERE, outcome=OK),)
    assert position.documents_without_wait == 2
    _, effects = position.apply(DocumentFailed(cause=Cause.HOOK_FAILED))
    assert effects == (End(cause=Cause.HOOK_FAILED),)


def test_an_inline_fallback_takes_the_place_of_the_document() -> None:
    position, _ = Interpreter.begin(Document(url="https://app.example/"))
    position, effects = position.apply(Diverted(to=flow(play("sorry"))))
    assert effects == (Perform(step=play("sorry")),)
    _, effects = position.apply(OK)
    assert effects == (End(cause=Cause.NORMAL),)


def test_a_change_from_outside_leaves_the_verb_and_all_that_was_to_follow() -> None:
    position, _ = Interpreter.begin(flow(play("one", ok=flow(play("never"))), play("two")))
    position, effects = position.apply(Diverted(to=ELSEWHERE, outcome=FAILED))
    assert effects == (Fetch(document=ELSEWHERE, outcome=FAILED),)
    position, effects = position.apply(Diverted(to=flow(play("three"))))
    assert effects == (Perform(step=play("three")),)
    assert position.remaining == (play("three"),)


def test_documents_that_fail_and_fall_back_without_end_are_a_loop() -> None:
    again = Document(url="https://app.example/")
    fallback = flow(play("no sound", otherwise=again))
    position, effects = Interpreter.begin(again)
    for _ in range(MAX_DOCUMENTS_WITHOUT_WAIT):
        assert isinstance(effects[0], Fetch)
        position, effects = position.apply(Diverted(to=fallback))
        position, effects = position.apply(AT_ONCE)
    assert isinstance(effects[0], End)
    assert effects[0].cause is Cause.FLOW_LOOP


def test_a_flow_that_is_over_goes_on_nowhere() -> None:
    position, _ = Interpreter.begin(Flow())
    with pytest.raises(OutOfTurn):
        position.apply(Diverted(to=ELSEWHERE))
