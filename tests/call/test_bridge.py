"""The joint rules of two legs: for every pair of states they come to rest, and what must hold then holds."""

import itertools

import pytest

from offhook.call.bridge import Bridge
from offhook.call.commands import AnswerLeg, EarlyMediaLeg, HangUpLeg, JoinLegs, LegId, PartLegs
from offhook.call.events import Now, Tariff
from offhook.call.leg import Leg, LegState
from offhook.flow.view import Cause

NOW = Now(1.0, 1001.0)
A, B = LegId(0), LegId(1)
FIRST_INCOMING = [s for s in LegState if s is not LegState.PLACING]
FIRST_OUTGOING = [LegState.UP, LegState.ENDING, LegState.ENDED]
SECOND = [s for s in LegState if s not in (LegState.OFFERED, LegState.ANSWERING)]


def leg(id: LegId, state: LegState, *, incoming: bool) -> Leg:
    return Leg(id=id, incoming=incoming, to="", from_="", state=state, tariff=Tariff())


@pytest.mark.parametrize(
    ("incoming", "a_state", "b_state", "early", "joined"),
    [
        (incoming, a, b, early, joined)
        for incoming, states in ((True, FIRST_INCOMING), (False, FIRST_OUTGOING))
        for a, b, early, joined in itertools.product(states, SECOND, (False, True), (False, True))
    ],
)
def test_every_pair_of_states_comes_to_rest(
    incoming: bool, a_state: LegState, b_state: LegState, early: bool, joined: bool
) -> None:
    a, b = leg(A, a_state, incoming=incoming), leg(B, b_state, incoming=False)
    bridge = Bridge(a=A, b=B, early=early, joined=joined)
    commands = bridge.settle(a, b, NOW)
    assert bridge.settle(a, b, NOW) == []
    assert len(commands) == len(set(commands)), "nothing is said twice"
    if b.up:
        assert not a.unanswered, "who called is answered once the other answered"
        if a.up:
            assert bridge.joined
    if a.gone or b.gone:
        assert not bridge.joined
    if a.gone:
        assert b.gone, "nobody is left ringing for a party that left"


def test_an_answer_is_passed_on_and_then_both_are_joined() -> None:
    a, b = leg(A, LegState.RINGING, incoming=True), leg(B, LegState.UP, incoming=False)
    bridge = Bridge(a=A, b=B, early=True)
    assert bridge.settle(a, b, NOW) == [AnswerLeg(leg=A)]
    a.state = LegState.UP
    assert bridge.settle(a, b, NOW) == [JoinLegs(a=A, b=B)]
    b.state = LegState.ENDED
    assert bridge.settle(a, b, NOW) == [PartLegs(a=A, b=B)]


def test_early_sound_is_passed_on_only_where_it_may_be() -> None:
    for early, said in ((True, [EarlyMediaLeg(leg=A), JoinLegs(a=A, b=B)]), (False, [])):
        a, b = leg(A, LegState.RINGING, incoming=True), leg(B, LegState.EARLY, incoming=False)
        assert Bridge(a=A, b=B, early=early).settle(a, b, NOW) == said


@pytest.mark.parametrize(("state", "cause"), [(LegState.UP, Cause.NORMAL), (LegState.RINGING, Cause.CANCELLED)])
def test_the_other_is_let_go_when_the_party_left(state: LegState, cause: Cause) -> None:
    a, b = leg(A, LegState.ENDED, incoming=True), leg(B, state, incoming=False)
    assert Bridge(a=A, b=B, early=True).settle(a, b, NOW) == [HangUpLeg(leg=B, cause=cause)]
