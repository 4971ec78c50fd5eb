"""Record: the party alone, and when it is worth keeping (46elks `record`)."""

from typing import Any

import pytest
from tests.support.calls import A, B, World, incoming, outgoing

from offhook.call.commands import (
    AnswerLeg,
    KeepRecording,
    OweRecording,
    PrepareSound,
    StartPlayback,
    StartRecording,
    StopPlayback,
    StopRecording,
)
from offhook.call.events import RecordingEnded, SoundFailed, SoundReady
from offhook.flow.verbs import LocalSound, NamedSound, Play, Record, Speech

URL = "https://app.example/voicemail?key=secret"


def test_it_is_told_how_long_and_how_silent() -> None:
    world = outgoing(Record(deliver_to=URL, max_s=30.0, silence_s=None))
    (start,) = world.new()
    assert start == StartRecording(
        leg=A,
        recording=world.last(StartRecording).recording,
        both=False,
        max_s=30.0,
        silence_s=None,
        keep_as=None,
        min_ms=1000,
        min_voiced_ms=100,
    )


def test_an_unanswered_caller_is_answered_first() -> None:
    world = incoming(Record(deliver_to=URL))
    assert world.new() == [AnswerLeg(leg=A)]
    assert [type(each) for each in world.answers(A)] == [StartRecording]


@pytest.mark.parametrize("reason", ["silence", "max", "stopped"])
def test_it_is_delivered_before_what_follows(reason: str) -> None:
    world = outgoing(Record(deliver_to=URL))
    world.new()
    owed, *_ = world.recorded(reason=reason)
    assert isinstance(owed, OweRecording)
    assert (owed.url, owed.params) == (URL, (("said", "recorded"), ("wav", "https://api.example/r0.wav")))
    assert (owed.recording.index, owed.recording.duration_s) == (0, 5)
    assert world.results == [("ok", None)]
    assert world.call.view().recordings == (f"{'c' * 32}-r0",)
    assert world.notes("recording.owed")[0]["url"] == "https://app.example/voicemail?key=…"


def test_a_finish_key_ends_it_once() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.new()
    assert world.presses("12") == []
    assert world.presses("#", leg=B) == []
    assert world.presses("##") == [StopRecording(recording=world.last(StartRecording).recording)]
    assert world.results == []
    world.recorded(reason="stopped")
    assert world.results == [("ok", None)]


def test_a_finish_key_before_the_answer_ends_nothing() -> None:
    world = incoming(Record(deliver_to=URL))
    world.new()
    assert world.presses("#") == []


@pytest.mark.parametrize(("ms", "voiced"), [(900, 800), (5000, 0), (5000, 90)])
def test_too_short_is_not_delivered(ms: int, voiced: int) -> None:
    world = outgoing(Record(deliver_to=URL))
    world.recorded(ms=ms, voiced=voiced, index=None)
    assert world.results == [("failed", "tooshort")]
    assert world.all(OweRecording) == []
    assert world.call.view().recordings == ()


def test_what_the_world_threw_away_is_too_short_whatever_its_length() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.recorded(index=None)
    assert world.results == [("failed", "tooshort")]


def test_what_could_not_be_written_is_an_error() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.recorded(reason="failed", index=None)
    assert world.results == [("failed", "error")]


def test_one_kept_under_a_name_is_nobodys_but_the_calls() -> None:
    world = outgoing(Record(keep_as="name"))
    assert world.last(StartRecording).keep_as == "name"
    world.recorded(index=None)
    assert world.results == [("ok", None)]
    assert (world.call.view().recordings, world.all(OweRecording)) == ((), [])
    short = outgoing(Record(keep_as="name"))
    short.recorded(index=None, voiced=0)
    assert short.results == [("failed", "tooshort")]


def test_one_without_a_receiver_is_kept() -> None:
    world = outgoing(Record())
    world.recorded()
    assert world.all(OweRecording) == []
    assert world.call.view().recordings == (f"{'c' * 32}-r0",)


def test_the_party_leaves_and_the_recording_is_kept_and_posted() -> None:
    world = outgoing(Record(deliver_to=URL), hangup_hook="https://app.example/end")
    world.new()
    assert world.ends(A) == [StopRecording(recording=world.last(StartRecording).recording)]
    assert world.results == [("failed", "hangup")]
    said = world.recorded(reason="closed")
    assert [type(each).__name__ for each in said] == ["OweRecording", "OweHangup", "Finished"]
    assert world.finished.recordings == (f"{'c' * 32}-r0",)


def test_another_recording_is_not_its_own() -> None:
    world = outgoing(Record(deliver_to=URL))
    world.tell(RecordingEnded(recording=9, reason="max", duration_ms=1, voiced_ms=1, index=0))  # type: ignore[arg-type]
    assert world.results == []
    assert world.call.view().recordings == ()


# ── a tone before it ─────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tone_says_that_it_begins() -> None:
    world = outgoing(Record(beep=True))
    (prepare,) = world.new()
    assert isinstance(prepare, PrepareSound)
    assert prepare.sound == NamedSound(name="beep")
    assert [type(each) for each in world.ready()] == [StartPlayback]
    assert world.presses("#") == [], "a key before it begins ends nothing"
    assert [type(each) for each in world.played()] == [StartRecording]
    world.recorded()
    assert world.results == [("ok", None)]


def test_a_tone_waits_for_the_answer() -> None:
    world = incoming(Record(beep=True))
    world.ready()
    assert world.all(StartPlayback) == []
    assert [type(each) for each in world.answers(A)] == [StartPlayback]


def test_a_tone_that_cannot_be_had_keeps_nobody_from_speaking() -> None:
    world = outgoing(Record(beep=True))
    world.new()
    said = world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="no disk"))
    assert [type(each) for each in said] == [StartRecording]


# ── what it brought ──────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_outcome_names_the_recording_and_its_seconds() -> None:
    world = outgoing(Record(name="greeting", deliver_to=URL))
    world.recorded(ms=4600)
    (done,) = world.call.view().performed
    assert (done.outcome.seconds, done.outcome.recording_url) == (5, "https://api.example/r0.wav")
    assert world.last(OweRecording).recording.name == "greeting"


# ── a choice after it ────────────────────────────────────────────────────────────────────────────────────────────────


def confirmed(**more: Any) -> World:
    """A party that has spoken and is being asked."""
    world = outgoing(Record(confirm=True, **more), Play(sounds=()))
    world.new()
    return world


def asked(world: World) -> None:
    """What it hears: what it said, and what to press."""
    world.recorded(index=None)
    for prepare in world.all(PrepareSound)[-2:]:
        world.tell(SoundReady(request=prepare.request, handle=type(prepare.sound).__name__, duration_ms=1))


def test_a_party_hears_what_it_said_and_what_to_press() -> None:
    world = confirmed(deliver_to=URL)
    assert world.last(StartRecording).keep_as == "/on-trial"
    asked(world)
    mine, text = (each.sound for each in world.all(PrepareSound)[-2:])
    assert mine == LocalSound(name="/on-trial")
    assert isinstance(text, Speech)
    assert world.last(StartPlayback).sounds == ("LocalSound", "Speech")
    assert world.all(OweRecording) == []
    assert world.results == []


def test_what_is_kept_is_the_customers_from_then_on() -> None:
    world = confirmed(deliver_to=URL, name="greeting")
    asked(world)
    world.new()
    stop, keep = world.presses("1")
    assert isinstance(stop, StopPlayback)
    assert keep == KeepRecording(recording=2, kept_as="/on-trial", keep_as=None, duration_ms=5000, voiced_ms=4000)  # type: ignore[arg-type]
    assert world.results == []
    kept(world)
    assert world.results[0] == ("ok", None)
    assert world.call.view().recordings == (f"{'c' * 32}-r0",)
    assert (world.last(OweRecording).url, world.last(OweRecording).recording.name) == (URL, "greeting")
    assert world.call.view().performed[0].outcome.recording_url == "https://api.example/r0.wav"


def kept(world: World, index: int | None = 0) -> None:
    url = "" if index is None else f"https://api.example/r{index}.wav"
    world.tell(
        RecordingEnded(
            recording=world.last(KeepRecording).recording,
            reason="stopped",
            duration_ms=5000,
            voiced_ms=4000,
            index=index,
            wav_url=url,
        )
    )


def test_it_can_be_spoken_anew_as_often_as_one_likes() -> None:
    world = confirmed(beep=True)
    for _ in range(3):
        world.ready()
        world.played()
        asked(world)
        world.presses("2")
        assert world.last(PrepareSound).sound == NamedSound(name="beep")
    assert len(world.all(StartRecording)) == 3
    assert world.all(KeepRecording) == []
    assert world.results == []


def test_another_key_is_asked_again() -> None:
    world = confirmed()
    asked(world)
    world.new()
    said = world.presses("5")
    assert [type(each) for each in said] == [StopPlayback, PrepareSound, PrepareSound]


def test_who_does_not_choose_has_kept_it() -> None:
    world = confirmed()
    asked(world)
    for _ in range(3):
        world.played()
        world.after(5.0)
    kept(world)
    assert world.results[0] == ("ok", None)


def test_a_choice_that_cannot_be_spoken_keeps_it() -> None:
    world = confirmed()
    world.recorded(index=None)
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="no voice"))
    for prepare in world.all(PrepareSound):
        world.tell(SoundReady(request=prepare.request, handle="h", duration_ms=1))
    assert len(world.all(KeepRecording)) == 1


def test_what_is_too_short_is_not_asked_about() -> None:
    world = confirmed()
    world.recorded(index=None, voiced=0)
    assert world.results[0] == ("failed", "tooshort")
    assert world.all(PrepareSound) == []


def test_one_kept_under_a_name_is_chosen_too() -> None:
    world = confirmed(keep_as="mine")
    asked(world)
    world.presses("1")
    assert world.last(KeepRecording).keep_as == "mine"
    kept(world, index=None)
    assert world.results[0] == ("ok", None)


def test_who_hangs_up_instead_of_choosing_has_kept_it() -> None:
    world = confirmed(deliver_to=URL)
    asked(world)
    world.new()
    assert isinstance(world.ends(A)[0], KeepRecording)
    kept(world)
    assert world.last(OweRecording).url == URL
    assert world.finished.recordings == (f"{'c' * 32}-r0",)


def test_who_hangs_up_while_speaking_has_kept_it() -> None:
    world = confirmed(deliver_to=URL, name="greeting")
    world.ends(A)
    world.recorded(reason="closed", index=None)
    kept(world)
    assert world.last(OweRecording).recording.name == "greeting"
    assert world.finished.recordings == (f"{'c' * 32}-r0",)


@pytest.mark.parametrize("more", [{}, {"keep_as": "mine"}])
def test_who_hangs_up_before_anything_was_said_has_kept_nothing(more: dict[str, str]) -> None:
    world = confirmed(**more)
    world.ends(A)
    world.recorded(reason="closed", index=None, voiced=0 if not more else 4000)
    assert world.all(KeepRecording) == []
    assert world.finished.recordings == ()


def test_a_party_that_leaves_while_the_tone_plays_leaves_nothing() -> None:
    world = outgoing(Record(beep=True, confirm=True))
    world.ends(A)
    assert world.results == [("failed", "hangup")]
    assert world.finished.recordings == ()


# ── who is told if the party leaves ──────────────────────────────────────────────────────────────────────────────────

LEFT = "https://app.example/left"


def test_who_hangs_up_while_speaking_has_left_a_message() -> None:
    world = outgoing(Record(told_if_left=LEFT))
    world.new()
    world.ends(A)
    world.recorded(reason="closed")
    assert [owed.url for owed in world.all(OweRecording)] == [LEFT]


def test_who_stays_is_told_of_by_what_follows() -> None:
    world = outgoing(Record(told_if_left=LEFT))
    world.recorded()
    assert world.results[0] == ("ok", None)
    assert world.all(OweRecording) == []


def test_one_kept_under_a_name_is_nobodys_if_the_party_leaves() -> None:
    world = outgoing(Record(told_if_left=LEFT, keep_as="mine"))
    world.ends(A)
    world.recorded(reason="closed", index=None)
    assert world.all(OweRecording) == []


def test_who_hangs_up_instead_of_choosing_has_left_a_message() -> None:
    world = confirmed(told_if_left=LEFT)
    asked(world)
    world.ends(A)
    kept(world)
    assert [owed.url for owed in world.all(OweRecording)] == [LEFT]


def test_who_hangs_up_when_it_was_just_chosen_has_left_a_message() -> None:
    world = confirmed(told_if_left=LEFT)
    asked(world)
    world.presses("1")
    world.ends(A)
    kept(world)
    assert [owed.url for owed in world.all(OweRecording)] == [LEFT]
