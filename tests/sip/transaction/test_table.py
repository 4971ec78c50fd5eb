"""The tables as documents: whole, without contradiction, and drawn as the docs show them."""

import pytest
from tests.support.diagrams import PAGE, page

from offhook.sip.transaction.layer import _CARRY_OUT, MACHINES, Kind
from offhook.sip.transaction.table import Action, Input, Machine, State, repeated

ALL = pytest.mark.parametrize("machine", MACHINES.values(), ids=lambda machine: machine.name)


@ALL
def test_every_pair_is_in_the_table_or_passed_over_on_purpose(machine: Machine) -> None:
    pairs = {(state, given) for state in machine.states for given in machine.inputs}
    passed = {pair for pair in machine.passes if pair[1] in machine.inputs}
    assert pairs - set(machine.table) - passed == set(), "nobody said what happens here"
    assert set(machine.table) & passed == set(), "both carried out and passed over"
    assert set(machine.table) <= pairs


@ALL
def test_every_state_can_be_reached_and_left(machine: Machine) -> None:
    reached = {State.INITIAL} | {after for _, after in machine.table.values()}
    assert reached == set(machine.states)
    for state in machine.states:
        if state is not State.TERMINATED:
            assert any(at is state and after is not state for (at, _), (_, after) in machine.table.items())


@ALL
def test_every_state_that_waits_ends_by_a_timer_or_by_somebody(machine: Machine) -> None:
    """Each started timer has a row that hears it in the state it was started for."""
    for (_, _), (actions, after) in machine.table.items():
        for action in actions:
            if action.value.startswith("start "):
                timer = Input(f"timer {action.value[-1]}")
                assert (after, timer) in machine.table, (action, after)


def test_section_17_1_1_no_timer_runs_in_proceeding() -> None:
    machine = MACHINES[Kind.INVITE_CLIENT]
    timers = [given for given in machine.inputs if given.value.startswith("timer")]
    assert not [given for given in timers if (State.PROCEEDING, given) in machine.table]


def test_every_action_can_be_carried_out() -> None:
    assert set(_CARRY_OUT) == set(Action)


def test_repeated_makes_every_pair() -> None:
    made = repeated((State.CALLING, State.TRYING), (Input.ACK, Input.SUCCESS))
    assert len(made) == 4
    assert (State.TRYING, Input.ACK) in made


def test_the_docs_show_these_tables() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "run: python -m tests.support.diagrams"
