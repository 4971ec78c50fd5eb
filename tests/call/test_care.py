"""What is heard where a web application is slow or fails: comfort, the fallback's words, the apology, a clean end."""

import pytest
from tests.support.calls import FRIEND, HOOK, A, World, ask, flow, incoming, outgoing, places

from offhook.call.care import APOLOGY_MAX_S, COMFORT_AFTER_S, Care
from offhook.call.commands import (
    FetchDocument,
    Finished,
    HangUpLeg,
    PrepareSound,
    StartPlayback,
    StopPlayback,
)
from offhook.call.events import DocumentFailed, HangUp, LegEnded, PlaybackEnded, SoundFailed
from offhook.flow.program import Document, Flow
from offhook.flow.verbs import Dial, Gather, NamedSound, NumberTarget, Play, Sound, UrlSound
from offhook.flow.view import CallState, Cause

BACKUP = Document(url="https://backup.example/")
MUSIC = UrlSound(url="https://app.example/music.mp3")
COMFORT, SORRY = NamedSound(name="comfort"), NamedSound(name="sorry")
PLAY = Play(sounds=(UrlSound(url="https://app.example/1.wav"),))
SILENT = Care(comfort=None, apology=None)


def fails(world: World, cause: Cause = Cause.HOOK_FAILED, **more: object) -> None:
    """The document that was asked for last cannot be had."""
    told: dict[str, object] = {"detail": "it is down", "why": "hook_refused"} | more
    world.tell(DocumentFailed(request=world.last(FetchDocument).request, cause=cause, **told))  # type: ignore[arg-type]


def asked_for(world: World) -> list[Sound]:
    """Sounds that were to be prepared, in order."""
    return [each.sound for each in world.all(PrepareSound)]


# ── the fallback ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_fallback_is_asked_with_the_same_words_and_what_failed() -> None:
    world = outgoing(start=ask(), fallback=BACKUP)
    assert world.last(FetchDocument).may_avoid
    fails(world, status=503)
    asked = world.last(FetchDocument)
    assert (asked.url, asked.method, asked.may_avoid) == (BACKUP.url, "POST", False)
    assert asked.params == (
        ("said", "begun"),
        ("id", "c" * 32),
        ("failed_url", HOOK),
        ("failed_why", "hook_refused"),
        ("failed_detail", "it is down"),
        ("failed_status", "503"),
    )
    assert world.notes("hook.fallback") == [{"request": 1, "url": "https://backup.example/", "why": "hook_refused"}]
    world.document(PLAY)
    world.ready()
    assert world.all(StartPlayback)


def test_after_a_verb_the_fallback_is_told_how_that_went() -> None:
    world = outgoing(PLAY, start=flow(PLAY, otherwise=ask()), fallback=BACKUP)
    world.ready()
    world.played()
    fails(world)
    assert world.last(FetchDocument).params[:2] == (("said", "continued"), ("result", "ok"))


def test_an_inline_fallback_runs_at_once_and_again_at_the_next_failure() -> None:
    world = outgoing(start=ask(), fallback=flow(PLAY, otherwise=ask()))
    for _ in range(2):
        fails(world)
        world.ready()
        world.after(1.0)
        world.played()
        assert world.last(FetchDocument).url == HOOK
        assert "failed_url" not in dict(world.last(FetchDocument).params)
    assert len(world.notes("hook.fallback")) == 2


def test_a_document_that_cannot_be_read_goes_to_the_fallback_too() -> None:
    world = outgoing(start=ask(), fallback=BACKUP)
    fails(world, Cause.BAD_DOCUMENT, why="wrong_type")
    assert dict(world.last(FetchDocument).params)["failed_why"] == "wrong_type"


def test_the_word_of_a_failure_that_has_none_is_its_cause() -> None:
    world = outgoing(start=ask(), fallback=BACKUP)
    fails(world, why="")
    assert dict(world.last(FetchDocument).params)["failed_why"] == "hook_failed"


def test_a_fallback_that_fails_ends_the_call_cleanly() -> None:
    world = outgoing(start=ask(), fallback=BACKUP, hangup_hook="https://app.example/end")
    fails(world)
    fails(world)
    assert asked_for(world) == [SORRY]
    world.ready()
    world.played()
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.HOOK_FAILED)]
    world.ends(A, Cause.HOOK_FAILED)
    assert (world.finished.cause, world.finished.state) == (Cause.HOOK_FAILED, CallState.SUCCESS)


def test_once_the_fallback_has_answered_the_next_failure_is_a_new_one() -> None:
    world = outgoing(start=ask(), fallback=BACKUP)
    fails(world)
    world.document(PLAY, otherwise=ask())
    world.ready()
    world.played()
    assert world.last(FetchDocument).may_avoid
    fails(world)
    assert world.last(FetchDocument).url == BACKUP.url


def test_an_unanswered_caller_whose_fallback_answers_is_served() -> None:
    world = incoming(start=ask(), fallback=BACKUP)
    fails(world)
    world.document(Dial(targets=(NumberTarget(number=FRIEND),)))
    assert world.all(HangUpLeg) == []
    assert places(world) == [FRIEND]


# ── the apology ──────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("cause", [Cause.HOOK_FAILED, Cause.BAD_DOCUMENT, Cause.FLOW_LOOP])
def test_an_answered_party_hears_an_apology_before_the_end(cause: Cause) -> None:
    world = outgoing(start=ask())
    fails(world, cause)
    assert asked_for(world) == [SORRY]
    assert world.notes("apology.begun") == [{"cause": cause.value}]
    world.ready()
    assert world.all(HangUpLeg) == []
    world.played()
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=cause)]


def test_an_unanswered_caller_is_refused_at_once() -> None:
    world = incoming(start=ask())
    fails(world)
    assert asked_for(world) == []
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.HOOK_FAILED)]


def test_without_an_apology_the_end_is_at_once() -> None:
    world = outgoing(start=ask(), care=SILENT)
    fails(world)
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.HOOK_FAILED)]


def test_an_apology_that_is_no_sound_is_the_tone() -> None:
    world = outgoing(start=ask(), care=Care(apology=MUSIC))
    fails(world)
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="404"))
    assert asked_for(world) == [MUSIC, SORRY]
    world.ready()
    world.played()
    assert world.all(HangUpLeg)


def test_when_even_the_tone_cannot_be_played_the_call_ends() -> None:
    world = outgoing(start=ask())
    fails(world)
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="the disk is full"))
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.HOOK_FAILED)]


def test_an_apology_that_never_comes_does_not_hold_the_call() -> None:
    world = outgoing(start=ask(), care=Care(apology=MUSIC))
    fails(world)
    world.after(APOLOGY_MAX_S - 0.1)
    assert world.all(HangUpLeg) == []
    world.after(0.2)
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.HOOK_FAILED)]


def test_whoever_does_not_hear_it_out_did_not_end_the_call() -> None:
    world = outgoing(start=ask())
    fails(world)
    world.ready()
    world.tell(LegEnded(leg=A, cause=Cause.NORMAL))
    assert isinstance(world.said[-1], Finished)
    assert world.finished.cause is Cause.HOOK_FAILED


def test_a_server_that_stops_ends_an_apology() -> None:
    world = outgoing(start=ask())
    fails(world)
    world.tell(HangUp(cause=Cause.SERVER_SHUTDOWN))
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.HOOK_FAILED)]


def test_other_ends_are_nothing_to_be_sorry_for() -> None:
    world = outgoing(start=Flow())
    assert asked_for(world) == []
    assert world.last(HangUpLeg).cause is Cause.NORMAL


# ── comfort ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_who_waits_for_two_seconds_hears_something_until_the_document_comes() -> None:
    world = outgoing(start=ask())
    world.after(COMFORT_AFTER_S - 0.1)
    assert asked_for(world) == []
    world.after(0.1)
    assert asked_for(world) == [COMFORT]
    world.ready("comfort")
    playing = world.last(StartPlayback)
    assert (playing.leg, playing.sounds, playing.loop) == (A, ("comfort",), 0)
    world.new()
    stop, prepare = world.document(PLAY)
    assert stop == StopPlayback(leg=A, playback=playing.playback)
    assert isinstance(prepare, PrepareSound)
    world.ready()
    world.tell(PlaybackEnded(leg=A, playback=playing.playback))
    assert world.results == []
    world.played()
    assert world.results == [("ok", None)]


def test_a_quick_answer_is_followed_by_no_comfort() -> None:
    world = outgoing(start=ask())
    world.document(Gather(prompts=(), timeout_s=30.0))
    world.after(COMFORT_AFTER_S + 1)
    assert asked_for(world) == []


def test_a_sound_that_is_ready_too_late_is_not_played() -> None:
    world = outgoing(start=ask())
    world.after(COMFORT_AFTER_S)
    late = world.last(PrepareSound)
    world.document(Gather(prompts=(), timeout_s=30.0))
    world.new()
    assert world.ready() == []
    assert late.sound == COMFORT


def test_an_unanswered_caller_hears_nothing() -> None:
    world = incoming(start=ask())
    world.after(COMFORT_AFTER_S + 5)
    assert asked_for(world) == []


def test_none_is_none() -> None:
    world = outgoing(start=ask(), care=SILENT)
    world.after(COMFORT_AFTER_S + 5)
    assert asked_for(world) == []


def test_keys_pressed_meanwhile_are_kept() -> None:
    world = outgoing(start=ask())
    world.after(COMFORT_AFTER_S)
    world.ready()
    world.presses("12")
    world.document(Gather(prompts=(PLAY.sounds[0],), max_digits=2, timeout_s=5.0))
    assert world.results == [("12", None)]


def test_music_that_cannot_be_had_is_the_tone_and_then_silence() -> None:
    world = outgoing(start=ask(), care=Care(comfort=MUSIC))
    world.after(COMFORT_AFTER_S)
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="404"))
    assert asked_for(world) == [MUSIC, COMFORT]
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="the disk is full"))
    world.document(PLAY)
    assert asked_for(world) == [MUSIC, COMFORT, PLAY.sounds[0]]


def test_the_wait_for_a_fallback_is_the_same_wait() -> None:
    world = outgoing(start=ask(), fallback=BACKUP)
    world.after(COMFORT_AFTER_S / 2)
    fails(world)
    world.after(COMFORT_AFTER_S / 2)
    world.ready()
    playing = world.last(StartPlayback)
    fails(world)
    assert world.all(StopPlayback) == [StopPlayback(leg=A, playback=playing.playback)]
    assert asked_for(world) == [COMFORT, SORRY]
