"""Verbs are plain values: what nobody says has the default that their pages promise."""

import dataclasses
from typing import get_args

import pytest

from offhook.flow import verbs
from offhook.flow.verbs import Dial, Gather, Hangup, HangupAs, Play, Record


def test_defaults_of_gather() -> None:
    gather = Gather(prompts=())
    assert (gather.min_digits, gather.max_digits, gather.timeout_s, gather.tries) == (1, 1, 10.0, 3)
    assert gather.finish_keys == frozenset("#")
    assert gather.skippable


def test_defaults_of_the_others() -> None:
    assert Play(sounds=()) == Play(sounds=(), loop=1, skippable=True)
    assert Dial(targets=()) == Dial(targets=(), caller_id=None, ring_timeout_s=60.0, time_limit_s=None)
    assert Record() == Record(deliver_to=None, keep_as=None, max_s=120.0, silence_s=3.0, finish_keys=frozenset("#"))
    assert Hangup().how is HangupAs.NORMAL


def test_defaults_of_what_only_some_dialects_have() -> None:
    assert not Gather(prompts=()).finish_needs_min
    assert not Dial(targets=()).record
    assert (Record().beep, Record().confirm, Record().name) == (False, False, None)
    assert not verbs.RecordCall().stop
    assert verbs.Pause().seconds == 1.0
    assert verbs.Notify(url="u") == verbs.Notify(url="u", method="POST")
    assert verbs.Enqueue(queue="q").wait is None
    assert verbs.TakeFromQueue(queue="q") == verbs.TakeFromQueue(
        queue="q", briefing=None, timeout_s=30.0, time_limit_s=None
    )
    assert verbs.Conference(room="r") == verbs.Conference(
        room="r", muted=False, beeps=verbs.Beeps.BOTH, starts=True, ends=False, wait=None, max_parties=None
    )


ROOMS = [verbs.Enqueue, verbs.TakeFromQueue, verbs.Conference]


@pytest.mark.parametrize(
    "cls", [*get_args(verbs.Verb), *ROOMS, verbs.Goto, *get_args(verbs.Sound), *get_args(verbs.Target)]
)
def test_every_value_is_frozen_and_public(cls: type) -> None:
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    assert cls.__name__ in verbs.__all__
