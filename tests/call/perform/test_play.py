"""Play: sounds in sequence, skipping, bad sources (46elks `play`)."""

from tests.support.calls import A, B, incoming, outgoing

from offhook.call.commands import AnswerLeg, HangUpLeg, PrepareSound, SendDigits, StartPlayback, StopPlayback
from offhook.call.events import DigitsSent, PlaybackEnded, SoundFailed, SoundReady
from offhook.flow.verbs import NamedSound, Play, SentDigits, UnusableSound, UrlSound
from offhook.flow.view import Cause

ONE, TWO = UrlSound(url="https://app.example/1.wav"), UrlSound(url="https://app.example/2.wav")


def test_an_unanswered_caller_is_answered_while_the_sound_is_fetched() -> None:
    world = incoming(Play(sounds=(ONE,)))
    assert world.new() == [AnswerLeg(leg=A), PrepareSound(request=world.last(PrepareSound).request, sound=ONE)]
    assert world.ready() == []
    playing = world.answers()
    assert playing == [StartPlayback(leg=A, playback=world.last(StartPlayback).playback, sounds=("h",), loop=1)]
    world.played()
    assert world.results == [("ok", None)]


def test_the_answer_may_come_before_the_sound() -> None:
    world = incoming(Play(sounds=(ONE,)))
    world.new()
    assert world.answers() == []
    assert [type(each) for each in world.ready()] == [StartPlayback]


def test_sounds_that_follow_one_another_are_one_playback_and_wait_for_each_other() -> None:
    world = outgoing(Play(sounds=(ONE, TWO), loop=2))
    first, second = world.all(PrepareSound)
    world.new()
    assert world.tell(SoundReady(request=second.request, handle="two", duration_ms=1)) == []
    world.tell(SoundReady(request=first.request, handle="one", duration_ms=1))
    playing = world.last(StartPlayback)
    assert (playing.sounds, playing.loop) == (("one", "two"), 2)


def test_keys_among_sounds_are_sent_in_their_place() -> None:
    world = outgoing(Play(sounds=(ONE, SentDigits(keys="12p3"), TWO), loop=2))
    for request in world.all(PrepareSound):
        world.tell(SoundReady(request=request.request, handle=f"h{request.request}", duration_ms=1))
    for _ in range(2):
        assert world.last(StartPlayback).sounds == ("h1",)
        world.played()
        sending = world.last(SendDigits)
        assert (sending.leg, sending.keys) == (A, "12p3")
        world.tell(DigitsSent(leg=A, request=sending.request))
        assert world.last(StartPlayback).sounds == ("h2",)
        assert world.last(StartPlayback).loop == 1
        assert world.results == []
        world.played()
    assert world.results == [("ok", None)]


def test_keys_alone_need_no_sound() -> None:
    world = outgoing(Play(sounds=(SentDigits(keys="5"),)))
    assert world.all(PrepareSound) == []
    world.tell(DigitsSent(leg=A, request=world.last(SendDigits).request))
    assert world.results == [("ok", None)]


def test_nothing_to_play_is_played_at_once() -> None:
    assert outgoing(Play(sounds=())).results == [("ok", None)]
    assert outgoing(Play(sounds=(SentDigits(keys=""),), loop=0)).results == [("ok", None)]


def test_a_key_skips_and_is_spent() -> None:
    world = outgoing(Play(sounds=(ONE,)))
    world.ready()
    said = world.presses("1")
    assert said[0] == StopPlayback(leg=A, playback=world.last(StartPlayback).playback)
    assert world.results == [("ok", None)]


def test_a_key_skips_what_is_still_being_fetched() -> None:
    world = outgoing(Play(sounds=(ONE,)))
    assert world.all(StartPlayback) == []
    world.presses("1")
    assert world.results == [("ok", None)]
    assert world.all(StopPlayback) == []


def test_a_key_skips_keys_that_are_being_sent() -> None:
    world = outgoing(Play(sounds=(SentDigits(keys="5"), ONE)))
    world.ready()
    world.presses("1")
    assert world.results == [("ok", None)]


def test_keys_mean_nothing_where_skipping_is_forbidden_or_to_another_leg() -> None:
    world = outgoing(Play(sounds=(ONE,), skippable=False))
    world.ready()
    assert world.presses("1") == []
    skippable = outgoing(Play(sounds=(ONE,)))
    skippable.ready()
    assert skippable.presses("1", leg=B) == []


def test_a_sound_that_cannot_be_had_is_badsource() -> None:
    world = outgoing(Play(sounds=(ONE, TWO)))
    world.tell(SoundFailed(request=world.last(PrepareSound).request, detail="404 Not Found"))
    assert world.results == [("failed", "badsource")]
    assert world.notes("sound.failed") == [{"sound": TWO.url, "detail": "404 Not Found"}]
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.NORMAL)]


def test_a_playback_that_fails_is_badsource() -> None:
    world = outgoing(Play(sounds=(ONE,)))
    world.ready()
    world.tell(PlaybackEnded(leg=A, playback=world.last(StartPlayback).playback, failed=True))
    assert world.results == [("failed", "badsource")]


def test_what_is_no_sound_is_badsource_without_asking() -> None:
    world = outgoing(Play(sounds=(UnusableSound(text="Hi! This is your message."),)))
    assert world.all(PrepareSound) == []
    assert world.results == [("failed", "badsource")]
    (note,) = world.notes("sound.failed")
    assert note["sound"] == "Hi! This is your message."


def test_what_concerns_another_playback_changes_nothing() -> None:
    world = outgoing(Play(sounds=(ONE,)))
    world.ready()
    playing = world.last(StartPlayback).playback
    world.tell(PlaybackEnded(leg=B, playback=playing))
    world.tell(PlaybackEnded(leg=A, playback=playing + 7))  # type: ignore[arg-type]
    world.tell(SoundReady(request=world.last(PrepareSound).request, handle="again", duration_ms=1))
    assert world.results == []


def test_the_party_leaves() -> None:
    world = outgoing(Play(sounds=(NamedSound(name="beep"),), loop=0))
    world.ready()
    world.ends()
    assert world.results == [("failed", "hangup")]
    assert world.all(StopPlayback) == []
    assert world.finished.performed[0].outcome.why == "hangup"
