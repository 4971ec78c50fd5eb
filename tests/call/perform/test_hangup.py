"""Hangup: before an answer the network is told how, after it every end is a plain one (46elks `hangup`)."""

import pytest
from tests.support.calls import A, incoming, outgoing

from offhook.call.commands import HangUpLeg
from offhook.flow.verbs import Hangup, HangupAs, Play, UrlSound
from offhook.flow.view import CallState, Cause


@pytest.mark.parametrize(
    ("how", "cause", "state"),
    [
        (HangupAs.BUSY, Cause.BUSY, CallState.BUSY),
        (HangupAs.REJECT, Cause.REJECTED, CallState.FAILED),
        (HangupAs.NOT_FOUND, Cause.NOT_FOUND, CallState.FAILED),
        (HangupAs.NORMAL, Cause.REJECTED, CallState.FAILED),
    ],
)
def test_before_an_answer_the_caller_is_told_how(how: HangupAs, cause: Cause, state: CallState) -> None:
    world = incoming(Hangup(how=how))
    assert world.new() == [HangUpLeg(leg=A, cause=cause)]
    world.ends(A, cause)
    assert (world.finished.cause, world.finished.state, world.finished.start) == (cause, state, None)


@pytest.mark.parametrize("how", list(HangupAs))
def test_after_an_answer_it_is_a_plain_end(how: HangupAs) -> None:
    world = outgoing(Hangup(how=how))
    assert world.new() == [HangUpLeg(leg=A, cause=Cause.NORMAL)]
    world.ends(A)
    assert (world.finished.cause, world.finished.state) == (Cause.NORMAL, CallState.SUCCESS)


def test_nothing_comes_after_it() -> None:
    world = outgoing(Hangup(), Play(sounds=(UrlSound(url="https://app.example/1.wav"),)))
    assert world.new() == [HangUpLeg(leg=A, cause=Cause.NORMAL)]
    assert world.results == [("ok", None)]
