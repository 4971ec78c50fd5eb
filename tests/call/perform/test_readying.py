"""Between an answer and being joined: keys first, then the briefing, which may decline (didML `number`)."""

import pytest
from tests.support.calls import A, B, C, World, incoming, outgoing

from offhook.call.commands import (
    AnswerLeg,
    FetchDocument,
    HangUpLeg,
    JoinLegs,
    PlaceLeg,
    PrepareSound,
    SendDigits,
    StartPlayback,
    StopPlayback,
)
from offhook.call.events import DigitsSent, DocumentFailed, PlaybackEnded
from offhook.call.policy import BRIEFING_MAX_S
from offhook.flow.document import Document
from offhook.flow.program import OutcomeKind
from offhook.flow.targets import NumberTarget, Treatment
from offhook.flow.verbs import (
    Dial,
    Gather,
    Goto,
    Hangup,
    NamedSound,
    Notify,
    Pause,
    Play,
    Record,
    UnusableSound,
    UrlSound,
)
from offhook.flow.view import CallState, Cause

WHISPER = Document(url="https://app.example/whisper", method="GET")
ONE, TWO = "+46700000011", "+46700000012"
HELLO = Play(sounds=(UrlSound(url="https://app.example/hello.wav"),))
AFTER = Play(sounds=(UrlSound(url="https://app.example/after.wav"),))
ACCEPT = Gather(prompts=(), timeout_s=5.0, tries=1)


def dial(*numbers: str, **treatment: object) -> Dial:
    treated = Treatment(**treatment)  # type: ignore[arg-type]
    return Dial(targets=tuple(NumberTarget(number=each, treatment=treated) for each in numbers or (ONE,)))


def sent(world: World) -> list[object]:
    return list(world.tell(DigitsSent(leg=B, request=world.last(SendDigits).request)))


def test_keys_are_sent_before_the_two_are_joined() -> None:
    world = incoming(dial(send_digits="PP101"))
    world.rings(B, early_media=True)
    world.new()
    assert world.answers(B) == [SendDigits(leg=B, request=world.last(SendDigits).request, keys="PP101")]
    assert sent(world) == [AnswerLeg(leg=A)]
    assert world.answers(A) == [JoinLegs(a=A, b=B)]
    assert not world.all(StartPlayback), "and its early sound was nobody's"


def test_the_briefing_comes_after_the_keys_and_is_asked_for_by_its_own_leg() -> None:
    world = outgoing(dial(send_digits="1", briefing=WHISPER))
    world.answers(B)
    assert not world.all(FetchDocument)
    sent(world)
    fetch = world.last(FetchDocument)
    assert (fetch.url, fetch.method) == (WHISPER.url, "GET")
    assert world.notes("script.begun") == [{"url": WHISPER.url, "script": 1, "leg": B}]


def test_a_caller_goes_on_hearing_that_it_rings_until_the_briefing_is_over() -> None:
    world = outgoing(dial(briefing=WHISPER), AFTER)
    world.ready("ringback")
    assert world.last(StartPlayback).leg == A
    world.new()
    assert [type(each) for each in world.answers(B)] == [FetchDocument]
    (prepare,) = world.document(HELLO)
    assert isinstance(prepare, PrepareSound)
    (playing,) = world.ready("hello")
    assert isinstance(playing, StartPlayback)
    assert (playing.leg, playing.sounds) == (B, ("hello",))
    stop, join = world.played()
    assert (type(stop), stop.leg) == (StopPlayback, A)  # type: ignore[union-attr]
    assert join == JoinLegs(a=A, b=B)
    assert world.results == []
    world.ends(B)
    assert world.results == [("ok", None)]


def test_an_unanswered_caller_is_answered_only_when_the_other_is_ready() -> None:
    world = incoming(dial(briefing=WHISPER))
    world.new()
    world.answers(B)
    world.document(HELLO)
    world.ready()
    assert world.all(AnswerLeg) == []
    assert world.played() == [AnswerLeg(leg=A)]


def test_a_hangup_there_declines_and_the_flow_goes_on() -> None:
    world = outgoing(dial(briefing=WHISPER), AFTER)
    world.answers(B)
    world.new()
    said = world.document(Hangup())
    assert said[0] == HangUpLeg(leg=B, cause=Cause.NORMAL)
    assert isinstance(said[-1], PrepareSound)
    assert world.results == [("failed", "rejected")]
    (done,) = world.call.view().performed
    assert done.outcome.leg == B


def test_declining_in_an_unanswered_call_refuses_the_caller() -> None:
    world = incoming(dial(briefing=WHISPER))
    world.answers(B)
    world.new()
    assert world.document(Hangup()) == [
        HangUpLeg(leg=B, cause=Cause.NORMAL),
        HangUpLeg(leg=A, cause=Cause.REJECTED),
    ]


def test_a_key_of_the_called_party_accepts() -> None:
    world = outgoing(dial(briefing=WHISPER), AFTER)
    world.answers(B)
    world.document(ACCEPT, branches={OutcomeKind.DIGITS: Document(url="https://app.example/yes")})
    world.presses("7", leg=A)
    assert world.last(FetchDocument).url == WHISPER.url, "the caller's keys are nobody's"
    world.presses("1", leg=B)
    fetch = world.last(FetchDocument)
    assert (fetch.url, fetch.params[1]) == ("https://app.example/yes", ("result", "1"))
    world.document_empty()
    assert world.last(JoinLegs) == JoinLegs(a=A, b=B)


def test_no_key_declines_where_the_document_says_so() -> None:
    world = outgoing(dial(briefing=WHISPER), AFTER)
    world.answers(B)
    world.document(ACCEPT, Hangup())
    world.after(5.0)
    assert world.results == [("failed", "rejected")]


@pytest.mark.parametrize("cause", [Cause.HOOK_FAILED, Cause.BAD_DOCUMENT])
def test_a_briefing_that_cannot_be_had_declines_with_its_cause(cause: Cause) -> None:
    world = outgoing(dial(briefing=WHISPER), AFTER)
    world.answers(B)
    world.tell(DocumentFailed(request=world.last(FetchDocument).request, cause=cause, detail="HTTP 500"))
    assert world.results == [("failed", cause.value)]
    assert world.call.view().state is CallState.ONGOING, "it is not the caller's flow that failed"


def test_what_has_no_place_in_a_briefing_is_skipped() -> None:
    world = outgoing(dial(briefing=WHISPER))
    world.answers(B)
    world.new()
    world.document(Record(), Dial(targets=(NumberTarget(number=TWO),)), Notify(url="https://told"), Goto(), Pause())
    assert [each["verb"] for each in world.notes("verb.skipped")] == ["record", "dial"]
    assert len(world.all(PlaceLeg)) == 2
    assert JoinLegs(a=A, b=B) in world.after(1.0)


def test_the_first_who_answers_is_briefed_and_the_others_are_let_go() -> None:
    world = outgoing(dial(ONE, TWO, briefing=WHISPER))
    world.new()
    said = world.answers(C)
    assert said[0] == HangUpLeg(leg=B, cause=Cause.ANSWERED_ELSEWHERE)
    world.document_empty()
    assert world.last(JoinLegs) == JoinLegs(a=A, b=C)


def test_who_leaves_while_being_briefed_has_not_taken_the_call() -> None:
    world = outgoing(dial(briefing=WHISPER), AFTER)
    world.answers(B)
    world.document(HELLO)
    world.ready("hello")
    world.ends(B)
    assert world.results == [("failed", "rejected")]
    assert world.notes("script.ended") == [{"cause": "normal", "script": 1, "leg": B}]


def test_who_leaves_while_keys_are_sent_has_not_taken_the_call() -> None:
    world = outgoing(dial(send_digits="1", briefing=WHISPER), AFTER)
    world.answers(B)
    world.ends(B)
    assert world.results == [("failed", "rejected")]
    assert sent(world) == []
    assert world.all(FetchDocument) == []


def test_the_caller_leaves_and_all_end() -> None:
    world = outgoing(dial(briefing=WHISPER))
    world.answers(B)
    world.document(HELLO)
    world.new()
    assert HangUpLeg(leg=B, cause=Cause.NORMAL) in world.ends(A)
    assert world.results == [("failed", "hangup")]
    assert world.notes("verb.ended")[0] == {
        "verb": "play",
        "result": "failed",
        "why": "hangup",
        "script": 1,
        "leg": B,
    }
    world.ends(B)
    assert len(world.finished.performed) == 1


def test_a_briefing_without_an_end_is_ended() -> None:
    world = outgoing(dial(briefing=WHISPER), AFTER)
    world.answers(B)
    world.document(Play(sounds=HELLO.sounds, loop=0))
    world.ready("hello")
    playing = world.last(StartPlayback)
    said = world.after(BRIEFING_MAX_S)
    assert HangUpLeg(leg=B, cause=Cause.TIME_LIMIT) in said
    assert world.results == [("failed", "time_limit")]
    world.tell(PlaybackEnded(leg=B, playback=playing.playback))
    assert world.call.view().state is CallState.ONGOING


def test_keys_that_are_never_out_end_too() -> None:
    world = outgoing(dial(send_digits="1"), AFTER)
    world.answers(B)
    world.after(BRIEFING_MAX_S)
    assert world.results == [("failed", "time_limit")]


def test_who_is_answered_meanwhile_hears_that_it_rings() -> None:
    """The answer that an earlier verb gave comes through while the other is being briefed."""
    world = incoming(Play(sounds=(UnusableSound(text="x"),)), dial(briefing=WHISPER))
    world.answers(B)
    world.new()
    (ringback,) = world.answers(A)
    assert isinstance(ringback, PrepareSound)
    assert ringback.sound == NamedSound(name="ringback")
    world.document_empty()
    assert world.last(JoinLegs) == JoinLegs(a=A, b=B)
