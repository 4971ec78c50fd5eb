"""Pause: time passes, and nothing else."""

import pytest
from tests.support.calls import A, incoming, outgoing

from offhook.call.commands import AnswerLeg, HangUpLeg, PrepareSound
from offhook.flow.verbs import Pause, Play, UrlSound
from offhook.flow.view import Cause

PLAY = Play(sounds=(UrlSound(url="https://app.example/1.wav"),))


def test_it_waits_and_goes_on() -> None:
    world = outgoing(Pause(seconds=2.5), PLAY)
    world.new()
    assert world.after(2.4) == []
    assert [type(each) for each in world.after(0.1)] == [PrepareSound]
    assert world.results == [("ok", None)]
    assert world.call.view().performed[0].outcome.waited


def test_it_leaves_a_caller_unanswered() -> None:
    world = incoming(Pause(seconds=3.0), PLAY)
    assert world.new() == []
    assert world.after(3.0)[0] == AnswerLeg(leg=A)


@pytest.mark.parametrize("seconds", [0.0, -1.0])
def test_no_time_at_all_is_no_waiting(seconds: float) -> None:
    world = outgoing(Pause(seconds=seconds))
    assert world.new() == [HangUpLeg(leg=A, cause=Cause.NORMAL)]
    assert not world.call.view().performed[0].outcome.waited


def test_keys_do_not_shorten_it_and_wait_for_nobody() -> None:
    world = outgoing(Pause(seconds=2.0))
    world.new()
    assert world.presses("12") == []
    assert world.call.export()["facts"]["scripts"][0][1]["typed_ahead"] == ""


def test_the_party_leaves_meanwhile() -> None:
    world = outgoing(Pause(seconds=2.0))
    world.ends(A)
    assert world.results == [("failed", "hangup")]
