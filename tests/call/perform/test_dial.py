"""Dial: ringing, early sound, joining, limits and every way in which nobody answers (46elks `connect`)."""

import pytest
from tests.support.calls import CALLER, FRIEND, OURS, A, B, C, incoming, outgoing, places

from offhook.call.commands import (
    AnswerLeg,
    EarlyMediaLeg,
    HangUpLeg,
    JoinLegs,
    PartLegs,
    PlaceLeg,
    PrepareSound,
    RingLeg,
    StartPlayback,
    StartRecording,
    StopPlayback,
)
from offhook.call.events import LegHeld, PlaybackEnded, SoundFailed
from offhook.call.policy import RECORDING_CLOSES_S
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.verbs import (
    Dial,
    NamedSound,
    NumberTarget,
    Play,
    SipTarget,
    Treatment,
    UnusableTarget,
    UrlSound,
)
from offhook.flow.view import CallState, Cause

ONE, TWO = NumberTarget(number="+46700000011"), NumberTarget(number="+46700000012")
BYE = Play(sounds=(UrlSound(url="https://app.example/bye.wav"),))


def dial(*targets: object, **options: object) -> Dial:
    return Dial(targets=targets or (ONE,), **options)  # type: ignore[arg-type]


# ── an unanswered caller ─────────────────────────────────────────────────────────────────────────────────────────────


def test_a_caller_rings_until_the_other_answers_and_is_answered_only_then() -> None:
    world = incoming(dial())
    assert world.new() == [PlaceLeg(leg=B, target=ONE, caller_id=CALLER), RingLeg(leg=A)]
    world.placed(B)
    assert world.rings(B) == []
    assert world.answers(B) == [AnswerLeg(leg=A)]
    assert world.answers(A) == [JoinLegs(a=A, b=B)]
    world.after(12.4)
    assert world.ends(B)[0] == PartLegs(a=A, b=B)
    assert world.results == [("ok", None)]
    (leg,) = world.call.view().legs
    assert (leg.to, leg.from_, leg.state, leg.duration_s) == (ONE.number, CALLER, CallState.SUCCESS, 12)


def test_early_sound_of_the_only_target_is_passed_on() -> None:
    world = incoming(dial())
    world.new()
    assert world.rings(B, early_media=True) == [EarlyMediaLeg(leg=A), JoinLegs(a=A, b=B)]
    assert world.rings(B) == []
    assert world.answers(B) == [AnswerLeg(leg=A)]
    assert world.answers(A) == []
    assert world.ends(A)[:2] == [HangUpLeg(leg=B, cause=Cause.NORMAL), PartLegs(a=A, b=B)]


def test_early_sound_of_one_among_several_is_nobodys() -> None:
    world = incoming(dial(ONE, TWO))
    world.new()
    assert world.rings(B, early_media=True) == []


def test_a_caller_who_heard_early_sound_can_be_passed_on_again() -> None:
    world = incoming(dial(), dial(TWO))
    world.rings(B, early_media=True)
    world.new()
    said = world.ends(B, Cause.NO_ANSWER)
    assert said == [PartLegs(a=A, b=B), PlaceLeg(leg=C, target=TWO, caller_id=CALLER)]
    assert world.rings(C, early_media=True) == [JoinLegs(a=A, b=C)]


def test_the_caller_leaves_while_it_rings() -> None:
    world = incoming(dial(ONE, TWO))
    world.rings(C)
    world.new()
    said = world.ends(A, Cause.CANCELLED)
    assert said == [HangUpLeg(leg=B, cause=Cause.CANCELLED), HangUpLeg(leg=C, cause=Cause.CANCELLED)]
    assert world.results == [("failed", "hangup")]
    world.ends(B, Cause.CANCELLED)
    world.ends(C, Cause.CANCELLED)
    assert world.finished.state is CallState.FAILED
    assert [leg.state for leg in world.finished.legs] == [CallState.FAILED, CallState.FAILED]


def test_the_other_leaves_before_the_caller_is_answered() -> None:
    world = incoming(dial(), BYE)
    world.answers(B)
    world.new()
    said = world.ends(B)
    assert [type(each) for each in said] == [PrepareSound]
    assert world.results == [("ok", None)]


# ── each treated for itself ──────────────────────────────────────────────────────────────────────────────────────────


def treated(number: str = ONE.number, **treatment: object) -> NumberTarget:
    return NumberTarget(number=number, treatment=Treatment(**treatment))  # type: ignore[arg-type]


def test_each_is_shown_the_caller_id_that_is_meant_for_it() -> None:
    world = incoming(dial(treated(caller_id="+461"), TWO, caller_id="+462"))
    assert [each.caller_id for each in world.all(PlaceLeg)] == ["+461", "+462"]


def test_each_rings_for_its_own_time() -> None:
    world = incoming(dial(treated(ring_timeout_s=5.0), TWO, ring_timeout_s=12.0))
    world.new()
    assert world.after(4.9) == []
    assert world.after(0.2) == [HangUpLeg(leg=B, cause=Cause.NO_ANSWER)]
    world.ends(B, Cause.NO_ANSWER)
    assert world.after(6.8) == []
    assert world.after(0.2)[0] == HangUpLeg(leg=C, cause=Cause.NO_ANSWER)
    assert world.results == [("failed", "no_answer")]


def test_the_time_of_one_who_left_is_nobodys() -> None:
    world = incoming(dial(treated(ring_timeout_s=5.0), TWO, ring_timeout_s=12.0))
    world.ends(B, Cause.BUSY)
    world.new()
    assert world.after(11.9) == []
    assert world.after(0.1)[0] == HangUpLeg(leg=C, cause=Cause.NO_ANSWER)


def test_each_talks_for_its_own_time() -> None:
    world = outgoing(dial(treated(time_limit_s=10.0), time_limit_s=99.0), BYE)
    world.answers(B)
    world.new()
    assert HangUpLeg(leg=B, cause=Cause.TIME_LIMIT) in world.after(10.0)


# ── recorded ─────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("verb", [dial(record=True), dial(treated(record=True))])
def test_a_talk_is_recorded_from_the_joining_on_and_named_in_the_outcome(verb: Dial) -> None:
    world = incoming(verb, BYE)
    world.answers(B)
    assert not world.all(StartRecording), "nobody hears anybody yet"
    world.answers(A)
    (start,) = world.all(StartRecording)
    assert (start.leg, start.both, start.keep_as, start.min_ms) == (B, True, None, 0)
    world.after(8.0)
    world.ends(B)
    assert world.results == [], "it waits until the recording is closed"
    world.recorded(reason="closed")
    (done,) = world.call.view().performed
    assert done.outcome == Outcome(
        kind=OutcomeKind.OK, leg=B, seconds=8, recording_url="https://api.example/r0.wav", waited=True
    )
    assert world.call.view().legs[0].recording_url == "https://api.example/r0.wav"


def test_a_recording_that_is_closed_first_is_waited_for_no_longer() -> None:
    world = outgoing(dial(record=True), BYE)
    world.answers(B)
    world.recorded(reason="failed", index=None)
    world.ends(B)
    assert [done.outcome.recording_url for done in world.call.view().performed] == [""]


def test_a_recording_that_is_never_closed_does_not_keep_the_caller() -> None:
    world = outgoing(dial(record=True, time_limit_s=3600.0), BYE)
    world.answers(B)
    world.after(100.0)
    world.ends(B)
    world.after(RECORDING_CLOSES_S - 0.1)
    assert world.results == []
    world.after(0.1)
    assert world.results == [("ok", None)]


def test_nothing_is_recorded_of_who_is_not_to_be() -> None:
    world = outgoing(dial())
    world.answers(B)
    assert world.all(StartRecording) == []


@pytest.mark.parametrize(("ends", "leg"), [((Cause.BUSY, Cause.NO_ANSWER), C), ((Cause.BUSY, Cause.BUSY), B)])
def test_an_outcome_in_vain_is_about_the_leg_that_says_most(ends: tuple[Cause, Cause], leg: int) -> None:
    world = outgoing(dial(ONE, TWO), BYE)
    world.ends(B, ends[0])
    world.ends(C, ends[1])
    (done,) = world.call.view().performed
    assert (done.outcome.leg, done.outcome.seconds) == (leg, 0)


# ── an answered party ────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answered_party_hears_ring_back_until_the_answer() -> None:
    world = outgoing(dial())
    place, prepare = world.new()
    assert place == PlaceLeg(leg=B, target=ONE, caller_id=FRIEND)
    assert prepare == PrepareSound(request=world.last(PrepareSound).request, sound=NamedSound(name="ringback"))
    (playing,) = world.ready()
    assert playing == StartPlayback(leg=A, playback=world.last(StartPlayback).playback, sounds=("h",), loop=0)
    stop, join = world.answers(B)
    assert stop == StopPlayback(leg=A, playback=world.last(StartPlayback).playback)
    assert join == JoinLegs(a=A, b=B)
    assert world.tell(PlaybackEnded(leg=A, playback=world.last(StartPlayback).playback)) == []


def test_ring_back_gives_way_to_early_sound() -> None:
    world = outgoing(dial())
    world.ready()
    assert [type(each) for each in world.rings(B, early_media=True)] == [StopPlayback, JoinLegs]


def test_ring_back_that_comes_late_or_not_at_all_is_left_out() -> None:
    late = outgoing(dial())
    late.answers(B)
    assert late.ready() == []
    early = outgoing(dial())
    early.rings(B, early_media=True)
    assert early.ready() == []
    none = outgoing(dial())
    none.tell(SoundFailed(request=none.last(PrepareSound).request, detail="no such country"))
    assert none.results == []
    assert none.notes("sound.failed") == [{"sound": "ringback", "detail": "no such country"}]


def test_ring_back_stops_when_nobody_answers() -> None:
    world = outgoing(dial(), BYE)
    world.ready()
    said = world.ends(B, Cause.BUSY)
    assert [type(each) for each in said] == [StopPlayback, PrepareSound]


def test_who_is_shown() -> None:
    assert outgoing(dial(caller_id=OURS)).last(PlaceLeg).caller_id == OURS
    assert incoming(dial()).last(PlaceLeg).caller_id == CALLER


def test_the_party_leaves_after_a_talk() -> None:
    world = outgoing(dial())
    world.answers(B)
    world.new()
    assert world.ends(A)[0] == HangUpLeg(leg=B, cause=Cause.NORMAL)
    assert world.results == [("failed", "hangup")]
    world.ends(B)
    assert world.finished.state is CallState.SUCCESS


def test_both_leave_at_once() -> None:
    world = outgoing(dial())
    world.answers(B)
    world.ends(B)
    world.ends(A)
    assert world.results == [("ok", None)]
    assert world.finished.legs[0].state is CallState.SUCCESS


def test_keys_and_holding_change_nothing_in_a_talk() -> None:
    world = outgoing(dial())
    world.answers(B)
    world.new()
    assert world.presses("12#") == []
    assert world.presses("12#", leg=B) == []
    assert world.tell(LegHeld(leg=B, held=True)) == []
    assert world.tell(LegHeld(leg=B, held=False)) == []
    assert [note["leg"] for note in world.notes("leg.held") + world.notes("leg.resumed")] == [B, B]


def test_the_talk_has_a_limit_that_counts_from_the_answer() -> None:
    world = outgoing(dial(time_limit_s=300.0), BYE)
    world.after(30)
    world.answers(B)
    world.new()
    assert world.after(299.9) == []
    said = world.after(0.1)
    assert said[:2] == [HangUpLeg(leg=B, cause=Cause.TIME_LIMIT), PartLegs(a=A, b=B)]
    assert world.results == [("ok", None)]
    assert world.call.view().legs[0].duration_s == 300


def test_a_party_whose_answer_comes_late_hears_ring_back_from_then() -> None:
    world = incoming(dial(), dial(TWO))
    world.answers(B)
    world.ends(B)
    assert world.all(PrepareSound) == []
    assert [type(each) for each in world.answers(A)][-1:] == [PrepareSound]
    world.ready()
    assert world.last(StartPlayback).loop == 0


def test_a_party_whose_answer_comes_late_hears_early_sound_that_is_there() -> None:
    world = incoming(dial(), dial(TWO))
    world.answers(B)
    world.ends(B)
    world.rings(C, early_media=True)
    world.new()
    assert world.answers(A) == [JoinLegs(a=A, b=C)]


# ── several ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_first_who_answers_wins_and_the_others_are_told_so() -> None:
    world = outgoing(dial(ONE, TWO))
    assert places(world)[-2:] == [ONE.number, TWO.number]
    world.rings(B)
    world.new()
    assert world.answers(C) == [HangUpLeg(leg=B, cause=Cause.ANSWERED_ELSEWHERE), JoinLegs(a=A, b=C)]
    assert world.answers(B) == [], "an answer that crosses our hanging up is none"
    world.ends(B, Cause.ANSWERED_ELSEWHERE)
    assert world.results == []
    world.ends(C)
    assert world.results == [("ok", None)]
    assert [leg.state for leg in world.call.view().legs] == [CallState.FAILED, CallState.SUCCESS]


@pytest.mark.parametrize(
    ("first", "second", "outcome"),
    [
        (Cause.BUSY, Cause.BUSY, ("busy", None)),
        (Cause.BUSY, Cause.UNAVAILABLE, ("failed", "busy")),
        (Cause.BUSY, Cause.REJECTED, ("failed", "rejected")),
        (Cause.NOT_ALLOWED, Cause.NETWORK_ERROR, ("failed", "not_allowed")),
    ],
)
def test_nobody_answers(first: Cause, second: Cause, outcome: tuple[str, str | None]) -> None:
    world = outgoing(dial(ONE, TWO))
    world.ends(B, first)
    assert world.results == []
    world.ends(C, second)
    assert world.results == [outcome]


@pytest.mark.parametrize(("asked", "rings"), [(15.0, 15.0), (0.0, 1.0), (3600.0, 600.0)])
def test_the_ringing_has_a_limit(asked: float, rings: float) -> None:
    world = outgoing(dial(ring_timeout_s=asked))
    world.rings(B)
    world.new()
    assert world.after(rings - 0.1) == []
    assert world.after(0.1)[0] == HangUpLeg(leg=B, cause=Cause.NO_ANSWER)
    assert world.results == [("failed", "no_answer")]


def test_what_is_no_target_fails_and_the_others_ring() -> None:
    world = outgoing(dial(UnusableTarget(text="call me"), SipTarget(uri="sip:a@pbx.example")))
    assert [each.leg for each in world.all(PlaceLeg)] == [A, C]
    world.answers(C)
    assert world.call.view().legs[0].to == "call me"
    assert [leg.state for leg in world.call.view().legs] == [CallState.FAILED, CallState.ONGOING]


@pytest.mark.parametrize("targets", [(UnusableTarget(text="call me"),), ()])
def test_nobody_to_call(targets: tuple[UnusableTarget, ...]) -> None:
    world = outgoing(Dial(targets=targets))
    assert world.results == [("failed", "not_found")]


# ── what an unanswered caller is told in the end ─────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("cause", "told", "state"),
    [
        (Cause.BUSY, Cause.BUSY, CallState.BUSY),
        (Cause.REJECTED, Cause.REJECTED, CallState.FAILED),
        (Cause.NO_ANSWER, Cause.NO_ANSWER, CallState.FAILED),
    ],
)
def test_a_call_passed_on_in_vain_ends_as_the_other_did(cause: Cause, told: Cause, state: CallState) -> None:
    world = incoming(dial())
    world.new()
    assert world.ends(B, cause)[-1] == HangUpLeg(leg=A, cause=told)
    world.ends(A, told)
    assert (world.finished.cause, world.finished.state) == (told, state)


def test_not_all_busy_is_not_busy_to_the_caller() -> None:
    world = incoming(dial(ONE, TWO))
    world.ends(B, Cause.BUSY)
    assert world.ends(C, Cause.UNAVAILABLE)[-1] == HangUpLeg(leg=A, cause=Cause.NO_ANSWER)
