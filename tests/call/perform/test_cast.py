"""Every verb has somebody who carries it out, and a name."""

import typing

import pytest

from offhook.call.perform.cast import AtOnce, TakesTime, performer_for, verb_name
from offhook.flow import verbs
from offhook.flow.verbs import Dial, Gather, Play, Record, Verb


def test_no_verb_is_forgotten() -> None:
    assert set(typing.get_args(AtOnce)) | set(typing.get_args(TakesTime)) == set(typing.get_args(Verb))


@pytest.mark.parametrize(
    ("verb", "needs_answer"),
    [
        (Play(sounds=()), True),
        (Gather(prompts=()), True),
        (Record(), True),
        (Dial(targets=()), False),
        (verbs.Pause(), False),
        (verbs.Enqueue(queue="q"), True),
        (verbs.TakeFromQueue(queue="q"), True),
        (verbs.Conference(room="r"), True),
    ],
)
def test_who_must_hear_something_is_answered(verb: TakesTime, needs_answer: bool) -> None:
    performer = performer_for(verb)
    assert performer.needs_answer is needs_answer
    assert performer.deadline is None


def test_verbs_that_the_world_times_do_nothing_on_a_timer() -> None:
    for verb in (Play(sounds=()), Record()):
        assert performer_for(verb).handle_timer(typing.cast("typing.Any", None)) is None


@pytest.mark.parametrize(
    ("verb", "name"),
    [
        (Play(sounds=()), "play"),
        (verbs.RecordCall(), "record_call"),
        (verbs.SetHangupHook(url=""), "set_hangup_hook"),
        (verbs.Hangup(), "hangup"),
        (verbs.Pause(), "pause"),
        (verbs.Notify(url=""), "notify"),
        (verbs.Goto(), "goto"),
        (verbs.Enqueue(queue="q"), "enqueue"),
        (verbs.TakeFromQueue(queue="q"), "take_from_queue"),
        (verbs.Conference(room="r"), "conference"),
    ],
)
def test_names_are_those_of_the_files(verb: Verb, name: str) -> None:
    assert verb_name(verb) == name
