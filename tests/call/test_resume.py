"""After a restart: what had been asked and not been answered is asked again, and the call goes on to its end."""

import json
from typing import Any

import pytest
from tests.support.calls import A, B, PlainWords, World, ask, drained, flow, incoming, outgoing

from offhook.call.call import Call
from offhook.call.care import COMFORT_AFTER_S
from offhook.call.commands import (
    AnswerLeg,
    CallerBriefed,
    Command,
    EnterConference,
    EnterQueue,
    FetchDocument,
    HangUpLeg,
    JoinLegs,
    KeepRecording,
    LegId,
    Note,
    PrepareSound,
    SendDigits,
    StartPlayback,
    StartRecording,
    StayInRoom,
    StopRecording,
    TakeCaller,
    VisitId,
)
from offhook.call.events import (
    DigitsSent,
    DocumentFailed,
    HangUp,
    RecordingEnded,
    RoomBeeped,
    RoomBriefs,
    RoomEnd,
    RoomJoined,
    RoomLeft,
    RoomWaits,
    SoundReady,
)
from offhook.flow.document import Document
from offhook.flow.targets import NumberTarget, Treatment
from offhook.flow.verbs import (
    Conference,
    Dial,
    Enqueue,
    Gather,
    NamedSound,
    Pause,
    Play,
    Record,
    SentDigits,
    Sound,
    TakeFromQueue,
    UrlSound,
    Verb,
)
from offhook.flow.view import Cause

ONE, TWO = UrlSound(url="https://app.example/1.wav"), UrlSound(url="https://app.example/2.wav")
KEYS = SentDigits(keys="1p2")


def dial(**treatment: Any) -> Dial:
    return Dial(targets=(NumberTarget(number="+46700000011", treatment=Treatment(**treatment)),))


def resumed(world: World, *, sound_lost: bool = False) -> list[Command]:
    """Restart it: what it says again, without notes. The world goes on with the restored call."""
    world.new()
    world.call = Call.restore(json.loads(json.dumps(world.call.export())), PlainWords(), world.now)
    world.call.resume(world.now, sound_lost=sound_lost)
    said = drained(world.call)
    world.said += said
    world.seen = len(world.said)
    assert world.notes("call.resumed")[-1] == {"sound_lost": sound_lost}
    return [each for each in said if not isinstance(each, Note)]


def play(*sounds: Sound, loop: int = 1) -> Play:
    return Play(sounds=sounds, loop=loop)


def all_ready(world: World) -> None:
    for each in world.all(PrepareSound):
        world.tell(SoundReady(request=each.request, handle=f"h{each.request}", duration_ms=1))


# ── documents ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_document_that_was_asked_for_is_asked_for_again_under_its_number() -> None:
    world = outgoing(start=flow(Gather(prompts=()), otherwise=ask("https://app.example/next")))
    world.presses("5")
    before = world.last(FetchDocument)
    assert resumed(world) == [before]
    world.document(play(ONE))
    assert isinstance(world.last(PrepareSound), PrepareSound)


def test_the_question_of_a_briefing_is_asked_again_too() -> None:
    world = outgoing(dial(briefing=Document(url="https://app.example/whisper")))
    world.answers(B)
    fetch = world.last(FetchDocument)
    assert fetch in resumed(world)
    world.document_empty()
    assert world.last(JoinLegs) == JoinLegs(a=A, b=B)


def test_comfort_while_one_waits_is_prepared_and_played_again() -> None:
    world = outgoing(start=ask())
    world.after(COMFORT_AFTER_S)
    fetch, prepare = resumed(world)
    assert (fetch, prepare) == (world.all(FetchDocument)[0], world.all(PrepareSound)[0])
    world.ready()
    assert [type(each) for each in resumed(world, sound_lost=True)] == [FetchDocument, StartPlayback]


def test_a_restart_is_no_time_that_a_customer_let_pass() -> None:
    world = outgoing(start=ask())
    world.after(COMFORT_AFTER_S - 0.1)
    resumed(world)
    world.after(COMFORT_AFTER_S - 0.1)
    assert world.all(PrepareSound) == []
    world.after(0.2)
    assert len(world.all(PrepareSound)) == 1


def test_an_apology_that_was_cut_off_is_played_again_and_the_call_ends() -> None:
    world = outgoing(start=ask())
    request = world.last(FetchDocument).request
    world.tell(DocumentFailed(request=request, cause=Cause.HOOK_FAILED, detail="HTTP 500"))
    assert resumed(world) == [world.last(PrepareSound)]
    world.ready()
    assert [type(each) for each in resumed(world, sound_lost=True)] == [StartPlayback]
    assert world.played() == [HangUpLeg(leg=A, cause=Cause.HOOK_FAILED)]


# ── sounds ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", [play(ONE, TWO), Gather(prompts=(ONE, TWO))])
def test_sounds_that_are_being_prepared_are_asked_for_again(verb: Verb) -> None:
    world = outgoing(verb)
    first, second = world.all(PrepareSound)
    world.tell(SoundReady(request=first.request, handle="h1", duration_ms=1))
    assert resumed(world) == [second]


@pytest.mark.parametrize("verb", [play(ONE, TWO), Gather(prompts=(ONE, TWO))])
def test_what_plays_goes_on_while_the_engine_lives_and_begins_again_when_it_died(verb: Verb) -> None:
    world = outgoing(verb)
    all_ready(world)
    playing = world.last(StartPlayback)
    assert resumed(world) == []
    (again,) = resumed(world, sound_lost=True)
    assert isinstance(again, StartPlayback)
    assert (again.sounds, again.playback > playing.playback) == (playing.sounds, True)
    world.played()
    assert world.results == ([("ok", None)] if isinstance(verb, Play) else [])


def test_only_what_was_not_heard_to_its_end_is_played_again() -> None:
    world = outgoing(play(ONE, KEYS, TWO, TWO))
    all_ready(world)
    world.played()
    sending = world.last(SendDigits)
    (again,) = resumed(world, sound_lost=True)
    assert isinstance(again, SendDigits)
    assert (again.keys, again.request > sending.request) == (KEYS.keys, True)
    world.tell(DigitsSent(leg=A, request=again.request))
    before = world.last(StartPlayback)
    assert len(before.sounds) == 2
    (playing,) = resumed(world, sound_lost=True)
    assert isinstance(playing, StartPlayback)
    assert playing.sounds == before.sounds
    world.played()
    assert world.results == [("ok", None)]


def test_time_goes_on_by_itself() -> None:
    world = outgoing(Pause(seconds=5.0))
    assert resumed(world, sound_lost=True) == []
    world.after(5.0)
    assert world.results == [("ok", None)]


# ── legs ─────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_hanging_up_and_answering_are_repeated_and_calling_is_not() -> None:
    world = incoming(dial())
    world.answers(B)
    assert resumed(world) == [AnswerLeg(leg=A)]
    world.tell(HangUp(cause=Cause.NORMAL))
    assert resumed(world) == [HangUpLeg(leg=A, cause=Cause.NORMAL), HangUpLeg(leg=B, cause=Cause.NORMAL)]
    calling = outgoing(dial(), answered=False)
    assert resumed(calling) == []


def test_a_call_that_is_over_says_nothing() -> None:
    world = outgoing(play(ONE))
    world.ends(A)
    world.new()
    world.call.resume(world.now)
    assert drained(world.call) == []


@pytest.mark.parametrize(("lost", "again"), [(False, 0), (True, 1)])
def test_keys_before_the_flow_are_sent_again_where_the_sound_is_lost(lost: bool, again: int) -> None:
    world = outgoing(start=ask(), answered=False, send_digits="101")
    world.answers(A)
    assert resumed(world, sound_lost=lost) == world.all(SendDigits)[:1] * again


def test_who_is_being_readied_is_sent_the_keys_again() -> None:
    world = outgoing(dial(send_digits="7"))
    all_ready(world)
    world.answers(B)
    keys = world.last(SendDigits)
    assert keys not in resumed(world)
    keys_again, ringback = resumed(world, sound_lost=True)
    assert keys_again == keys
    assert isinstance(ringback, PrepareSound)
    assert ringback.sound == NamedSound(name="ringback")
    world.tell(DigitsSent(leg=B, request=keys.request))
    assert world.last(JoinLegs) == JoinLegs(a=A, b=B)


def test_ring_back_that_is_being_prepared_is_asked_for_again() -> None:
    world = outgoing(dial())
    assert resumed(world) == [world.all(PrepareSound)[0]]


@pytest.mark.parametrize(("lost", "again"), [(False, []), (True, [JoinLegs(a=A, b=B)])])
def test_two_who_talk_are_joined_again_where_the_sound_is_lost(lost: bool, again: list[Command]) -> None:
    world = outgoing(dial())
    world.answers(B)
    assert resumed(world, sound_lost=lost) == again
    world.ends(B)
    assert world.results == [("ok", None)]


# ── recordings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_tone_before_a_recording_is_asked_for_again() -> None:
    world = outgoing(Record(beep=True))
    assert resumed(world) == [world.all(PrepareSound)[0]]
    world.ready()
    world.played()
    assert len(world.all(StartRecording)) == 1


def test_a_recording_that_was_being_stopped_is_stopped_again() -> None:
    world = outgoing(Record())
    assert resumed(world, sound_lost=True) == []
    world.presses("#")
    assert resumed(world) == world.all(StopRecording)[:1]
    world.recorded(reason="stopped")
    assert world.results == [("ok", None)]


def test_a_choice_and_what_follows_from_it_outlive_a_restart() -> None:
    world = outgoing(Record(confirm=True))
    world.recorded(index=None)
    assert [type(each) for each in resumed(world)] == [PrepareSound, PrepareSound]
    all_ready(world)
    world.presses("1")
    keep = world.last(KeepRecording)
    assert resumed(world) == [keep]
    world.tell(RecordingEnded(recording=keep.recording, reason="stopped", duration_ms=5000, voiced_ms=5000, index=0))
    assert world.results == [("ok", None)]


# ── rooms ────────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", [Enqueue(queue="q"), TakeFromQueue(queue="q"), Conference(room="r")])
def test_music_for_who_waits_is_asked_for_again_and_played_again(verb: Verb) -> None:
    world = incoming(verb, answered=True)
    world.tell(RoomWaits(visit=VisitId(1), position=None if isinstance(verb, Conference) else 1))
    asked = [each for each in world.all(PrepareSound) if each.sound == NamedSound(name="music")]
    assert asked[0] in resumed(world)
    all_ready(world)
    (wish,) = resumed(world)
    assert isinstance(wish, EnterQueue | TakeCaller | EnterConference)
    wish_again, again = resumed(world, sound_lost=True)
    assert wish_again == wish
    assert isinstance(again, StartPlayback)
    assert (again.leg, again.loop) == (LegId(0), 0)


def test_a_tone_of_a_conference_is_asked_for_again() -> None:
    world = incoming(Conference(room="r"), answered=True)
    world.tell(RoomJoined(visit=VisitId(1)))
    world.tell(RoomBeeped(visit=VisitId(1), coming=True))
    asked = world.last(PrepareSound)
    assert resumed(world) == [StayInRoom(visit=VisitId(1), leg=LegId(0)), asked]


@pytest.mark.parametrize("verb", [Enqueue(queue="q"), TakeFromQueue(queue="q"), Conference(room="r")])
def test_a_room_is_told_again_what_is_wanted_of_it(verb: Verb) -> None:
    """Under the old number; who had been joined only says that it is still there, and is not joined twice."""
    world = incoming(verb)
    assert resumed(world) == [AnswerLeg(leg=LegId(0))], "who is not answered has not entered"
    (wish,) = world.answers()
    assert resumed(world) == [wish]
    world.tell(RoomJoined(visit=VisitId(1)))
    world.after(10.0)
    assert resumed(world) == [StayInRoom(visit=VisitId(1), leg=LegId(0))]
    assert world.tell(RoomJoined(visit=VisitId(1))) == []
    world.tell(RoomLeft(visit=VisitId(1), why=RoomEnd.OVER))
    assert world.call.view().performed[0].outcome.seconds == 10
    assert len(world.notes("room.joined")) == 1


def test_a_briefing_goes_on_and_one_that_was_heard_is_not_heard_again() -> None:
    briefing = RoomBriefs(visit=VisitId(1), document=Document(url="https://app.example/briefing"))
    world = incoming(Enqueue(queue="q"), answered=True)
    world.tell(RoomWaits(visit=VisitId(1), position=1))
    world.tell(briefing)
    resumed(world)
    assert world.tell(briefing) == [], "it is being asked for"
    world.document_empty()
    resumed(world)
    assert world.tell(briefing) == [CallerBriefed(visit=VisitId(1))]
    # Another agent's is another one.
    world.tell(RoomWaits(visit=VisitId(1), position=1))
    assert FetchDocument in {type(each) for each in world.tell(briefing)}


def test_a_place_that_is_told_again_is_not_noted_again() -> None:
    world = incoming(Enqueue(queue="q"), answered=True)
    for _ in range(2):
        world.tell(RoomWaits(visit=VisitId(1), position=1))
        resumed(world)
    assert len(world.notes("queue.position")) == 1
