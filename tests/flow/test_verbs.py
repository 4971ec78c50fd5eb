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


@pytest.mark.parametrize("cls", [*get_args(verbs.Verb), *get_args(verbs.Sound), *get_args(verbs.Target)])
def test_every_value_is_frozen_and_public(cls: type) -> None:
    assert dataclasses.is_dataclass(cls)
    assert cls.__dataclass_params__.frozen
    assert cls.__name__ in verbs.__all__
