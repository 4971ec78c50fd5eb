"""Status hooks: each stage of a leg once, in order, and its end always (didML `statusCallback`)."""

import pytest
from tests.support.calls import A, B, flow, incoming, outgoing

from offhook.call.commands import Finished, Note, OweHangup, OweStatus, RecordingId
from offhook.call.events import LegEnded, RecordingEnded
from offhook.flow.targets import LegStage, NumberTarget, StatusHook, Treatment, UnusableTarget
from offhook.flow.verbs import Dial, Play, RecordCall, UrlSound
from offhook.flow.view import Cause

URL = "https://app.example/status"
ALL = StatusHook(url=URL, method="GET", stages=frozenset(LegStage), extra=(("apikey", "s"),))
PLAY = Play(sounds=(UrlSound(url="https://app.example/1.wav"),))


def dial(told: StatusHook | None = ALL) -> Dial:
    return Dial(targets=(NumberTarget(number="+46700000011", treatment=Treatment(told=told)),))


def told(world: object) -> list[tuple[int, str]]:
    return [(each.leg, each.stage.value) for each in world.all(OweStatus)]  # type: ignore[attr-defined]


def test_the_first_leg_of_an_outgoing_call_tells_each_stage() -> None:
    world = outgoing(PLAY, answered=False, told=ALL)
    assert told(world) == [(A, "initiated")]
    world.placed(A)
    world.rings(A)
    world.rings(A, early_media=True)
    assert told(world)[1:] == [(A, "ringing")]
    world.answers(A)
    assert told(world)[2:] == [(A, "answered")]
    world.after(7.2)
    world.ends(A)
    assert told(world)[3:] == [(A, "completed")]
    last = world.last(OweStatus)
    assert (last.url, last.method) == (URL, "GET")
    assert last.params == (("said", "completed"), ("leg", "0"), ("seconds", "7"), ("wav", ""), ("apikey", "s"))
    assert world.notes("status.owed")[-1] == {"leg": 0, "stage": "completed", "url": URL}


def test_who_answers_without_ringing_has_not_rung() -> None:
    world = outgoing(PLAY, told=ALL)
    assert told(world) == [(A, "initiated"), (A, "answered")]


@pytest.mark.parametrize("cause", [Cause.BUSY, Cause.NO_ANSWER, Cause.NOT_ALLOWED])
def test_a_leg_that_is_never_answered_is_completed_all_the_same(cause: Cause) -> None:
    world = incoming(dial())
    world.ends(B, cause)
    assert told(world) == [(B, "initiated"), (B, "completed")]
    assert ("seconds", "0") in world.last(OweStatus).params


def test_what_is_no_number_is_completed_at_once() -> None:
    world = outgoing(PLAY, answered=False, target=UnusableTarget(text="mum"), told=ALL)
    assert [type(each) for each in world.new()] == [OweStatus, OweStatus, Finished]


def test_only_what_was_asked_for_is_told() -> None:
    hook = StatusHook(url=URL)
    world = outgoing(dial(hook))
    world.rings(B)
    world.answers(B)
    assert told(world) == []
    world.ends(B)
    assert told(world) == [(B, "completed")]
    assert outgoing(dial(None)).all(OweStatus) == []


def test_the_end_of_a_leg_waits_for_its_recording_to_name_it() -> None:
    world = outgoing(PLAY, answered=False, record=True, told=ALL, hangup_hook="https://app.example/end")
    world.placed(A)
    world.answers(A)
    world.ends(A)
    assert told(world)[-1] == (A, "answered")
    said = world.recorded(reason="closed")
    assert [type(each) for each in said] == [OweStatus, OweHangup, Finished]
    assert ("wav", "https://api.example/r0.wav") in world.last(OweStatus).params


def test_a_recording_of_another_leg_holds_nobody_up() -> None:
    world = outgoing(RecordCall(), dial())
    world.answers(B)
    world.ends(B)
    assert told(world)[-1] == (B, "completed")


def test_a_call_whose_world_is_silent_completes_its_legs_too() -> None:
    world = outgoing(dial(), told=ALL)
    world.answers(B)
    world.ends(A)
    world.after(60.0)
    assert told(world)[-2:] == [(A, "completed"), (B, "completed")]
    assert isinstance([each for each in world.said if not isinstance(each, Note)][-1], Finished)


def test_nothing_is_told_twice() -> None:
    world = outgoing(start=flow(dial()), told=ALL)
    world.rings(B)
    world.rings(B)
    world.ends(B, Cause.BUSY)
    world.tell(LegEnded(leg=B, cause=Cause.BUSY))
    world.tell(RecordingEnded(recording=RecordingId(9), reason="max", duration_ms=1, voiced_ms=1, index=0))
    assert told(world).count((B, "completed")) == 1
    assert told(world).count((B, "ringing")) == 1


def test_a_call_that_is_refused_before_it_begins_calls_nobody_and_owes_what_every_call_owes() -> None:
    world = outgoing(
        PLAY, answered=False, told=ALL, hangup_hook="https://app.example/end", record=True, refused=Cause.SERVER_RESTART
    )
    assert told(world) == [(A, "initiated"), (A, "completed")]
    assert [type(each) for each in world.new()] == [OweStatus, OweStatus, OweHangup, Finished]
    assert world.last(Finished).view.cause is Cause.SERVER_RESTART
    assert world.notes("leg.ended") == [{"leg": 0, "cause": "server_restart"}]
