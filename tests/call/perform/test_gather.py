"""Gather: prompts, keys and time-outs (46elks `ivr`)."""

import pytest
from tests.support.calls import A, B, World, ask, flow, incoming, outgoing

from offhook.call.commands import PrepareSound, StartPlayback, StopPlayback
from offhook.call.events import PlaybackEnded, SoundFailed
from offhook.flow.program import Document
from offhook.flow.verbs import Gather, Play, SentDigits, UnusableSound, UrlSound

MENU = UrlSound(url="https://app.example/menu.mp3")


def menu(**options: object) -> Gather:
    return Gather(**{"prompts": (MENU,), **options})  # type: ignore[arg-type]


def asked(**options: object) -> World:
    """A call whose party hears the prompt."""
    world = outgoing(menu(**options))
    world.ready()
    return world


def test_the_prompt_then_a_key() -> None:
    world = asked()
    world.played()
    world.after(9.9)
    world.presses("7")
    assert world.results == [("7", None)]


def test_a_key_interrupts_the_prompt() -> None:
    world = asked()
    said = world.presses("0")
    assert said[0] == StopPlayback(leg=A, playback=world.last(StartPlayback).playback)
    assert world.results == [("0", None)]


def test_a_key_during_a_prompt_that_may_not_be_skipped_counts_when_it_is_over() -> None:
    world = asked(skippable=False)
    assert world.presses("4") == []
    assert world.results == []
    world.played()
    assert world.results == [("4", None)]


def test_a_key_before_the_prompt_can_be_heard_counts() -> None:
    world = outgoing(menu())
    world.presses("3")
    assert world.results == [("3", None)]
    assert world.all(StartPlayback) == []


def test_the_time_runs_from_the_end_of_the_prompt_and_anew_from_each_key() -> None:
    world = asked(max_digits=3, min_digits=3, timeout_s=5.0, tries=1)
    world.after(100)
    world.played()
    world.after(4.9)
    world.presses("1")
    world.after(4.9)
    world.presses("2")
    world.after(4.9)
    assert world.results == []
    world.presses("3")
    assert world.results == [("123", None)]


def test_the_prompt_is_played_so_often_in_all_and_fetched_once() -> None:
    world = asked(timeout_s=5.0, tries=3)
    for plays in (1, 2, 3):
        assert len(world.all(StartPlayback)) == plays
        assert world.results == []
        world.played()
        world.after(5.0)
    assert world.results == [("failed", "noinput")]
    assert len(world.all(StartPlayback)) == 3
    assert len(world.all(PrepareSound)) == 1


def test_too_few_keys_are_no_input_and_the_next_try_begins_without_them() -> None:
    world = asked(max_digits=3, min_digits=3, tries=2)
    world.presses("12")
    world.after(10)
    assert len(world.all(StartPlayback)) == 2
    world.presses("3")
    world.after(10)
    assert world.results == [("failed", "noinput")]


def test_enough_keys_are_taken_when_the_time_is_over() -> None:
    world = asked(max_digits=9, min_digits=2)
    world.presses("12")
    world.after(10)
    assert world.results == [("12", None)]


def test_leading_zeros_and_stars_are_kept() -> None:
    world = asked(max_digits=4)
    world.presses("00*1")
    assert world.results == [("00*1", None)]


@pytest.mark.parametrize("min_digits", [1, 5])
def test_a_finish_key_takes_what_there_is_and_is_not_part_of_it(min_digits: int) -> None:
    world = asked(max_digits=5, min_digits=min_digits)
    world.presses("12#")
    assert world.results == [("12", None)]


def test_a_finish_key_alone_is_no_input() -> None:
    world = asked(tries=2)
    world.presses("#")
    assert world.results == []
    assert len(world.all(StartPlayback)) == 2
    world.presses("#")
    assert world.results == [("failed", "noinput")]


def test_a_finish_key_is_a_key_where_the_menu_says_so() -> None:
    world = asked(finish_keys=frozenset())
    world.presses("#")
    assert world.results == [("#", None)]


def test_no_prompt_waits_at_once() -> None:
    world = outgoing(Gather(prompts=(), timeout_s=2.0, tries=2))
    world.after(3.9)
    assert world.results == []
    world.after(0.1)
    assert world.results == [("failed", "noinput")]


def test_a_bad_prompt_is_badsource() -> None:
    world = outgoing(menu())
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="not a sound"))
    assert world.results == [("failed", "badsource")]
    assert outgoing(Gather(prompts=(UnusableSound(text="?"),))).results == [("failed", "badsource")]


def test_a_prompt_that_proves_bad_after_a_key_fails_only_the_next_try() -> None:
    world = outgoing(menu(max_digits=2, min_digits=2))
    world.presses("1")
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="not a sound"))
    assert world.results == []
    world.after(10)
    assert world.results == [("failed", "badsource")]


def test_a_prompt_still_being_fetched_when_a_key_came_is_played_in_the_next_try() -> None:
    world = outgoing(menu(max_digits=2, min_digits=2))
    world.presses("1")
    world.after(10)
    assert world.all(StartPlayback) == []
    world.ready("late")
    assert world.last(StartPlayback).sounds == ("late",)


def test_an_unanswered_caller_is_answered() -> None:
    world = incoming(menu())
    world.ready()
    assert world.all(StartPlayback) == []
    world.answers()
    assert len(world.all(StartPlayback)) == 1


def test_keys_and_sounds_of_others_are_none_of_its() -> None:
    world = asked()
    assert world.presses("1", leg=B) == []
    world.tell(PlaybackEnded(leg=A, playback=99))  # type: ignore[arg-type]
    assert world.results == []


# ── typed ahead ──────────────────────────────────────────────────────────────────────────────────────────────────────


def test_keys_pressed_while_a_document_is_fetched_are_for_the_gather_that_follows() -> None:
    world = outgoing(menu(), start=flow(menu(), otherwise=ask()))
    world.ready()
    world.presses("1")
    world.presses("2")
    world.document(menu())
    assert world.results == [("1", None), ("2", None)]
    assert len(world.all(StartPlayback)) == 1


def test_what_a_gather_leaves_is_for_the_next_one() -> None:
    world = outgoing(start=ask())
    world.presses("12345")
    world.document(menu(max_digits=2), menu(max_digits=2), menu(max_digits=2))
    assert world.results == [("12", None), ("34", None)]
    world.presses("6")
    assert world.results[-1] == ("56", None)


def test_some_keys_typed_ahead_silence_the_prompt_but_not_its_repetition() -> None:
    world = outgoing(start=ask())
    world.presses("1")
    world.document(menu(max_digits=2, min_digits=2))
    world.ready()
    assert world.all(StartPlayback) == []
    world.after(10)
    assert len(world.all(StartPlayback)) == 1


def test_typed_ahead_counts_after_a_prompt_that_may_not_be_skipped() -> None:
    world = outgoing(start=ask())
    world.presses("12")
    world.document(menu(skippable=False), otherwise=ask())
    world.ready()
    assert world.results == []
    world.presses("3")
    world.played()
    assert world.results == [("1", None)]
    assert world.call.export()["facts"]["scripts"][0][1]["typed_ahead"] == "23"


def test_keys_after_the_last_one_wait_while_the_prompt_goes_on() -> None:
    second = flow(menu(max_digits=2))
    world = outgoing(start=flow(menu(skippable=False), otherwise=second))
    world.ready()
    world.presses("123")
    world.played()
    assert world.results == [("1", None), ("23", None)]


def test_a_finish_key_typed_ahead_without_keys_is_dropped() -> None:
    world = outgoing(start=ask())
    world.presses("#4")
    world.document(menu())
    assert world.results == [("4", None)]


def test_typed_ahead_is_lost_on_another_verb() -> None:
    world = outgoing(start=ask())
    world.presses("4")
    world.document(Play(sounds=(SentDigits(keys="1"), MENU), skippable=False), menu())
    assert world.call.export()["facts"]["scripts"][0][1]["typed_ahead"] == ""


@pytest.mark.parametrize(("needs_min", "results"), [(True, []), (False, [("1", None)])])
def test_a_finish_key_after_too_few_keys_is_another_try_where_the_verb_says_so(
    needs_min: bool, results: list[tuple[str, None]]
) -> None:
    """didML section 4.6: `minDigits`, as play_and_get_digits has it."""
    world = outgoing(Gather(prompts=(), min_digits=3, max_digits=5, tries=2, finish_needs_min=needs_min))
    world.presses("1#")
    assert world.results == results
    if needs_min:
        world.presses("123#")
        assert world.results == [("123", None)]


def test_the_last_try_ends_with_too_few_keys() -> None:
    world = outgoing(Gather(prompts=(), min_digits=3, max_digits=5, tries=1, finish_needs_min=True))
    world.presses("1#")
    assert world.results == [("failed", "noinput")]


def test_typed_ahead_has_a_limit() -> None:
    world = outgoing(start=ask())
    world.presses("1" * 40)
    assert world.call.export()["facts"]["scripts"][0][1]["typed_ahead"] == "1" * 32


def test_nothing_is_kept_for_others() -> None:
    world = outgoing(start=Document(url="https://app.example/"))
    world.presses("1", leg=B)
    assert world.call.export()["facts"]["scripts"][0][1]["typed_ahead"] == ""


def test_the_party_leaves() -> None:
    world = asked()
    world.ends()
    assert world.results == [("failed", "hangup")]
