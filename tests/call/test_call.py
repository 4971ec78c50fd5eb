"""Whole calls: how they begin, ask, cost and end; what each verb does is tested beside it in perform/."""

import json

import pytest
from tests.support.calls import CALLER, FRIEND, HOOK, OURS, WALL_0, A, B, PlainWords, ask, flow, incoming, outgoing

from offhook.call.call import Call
from offhook.call.commands import (
    Charge,
    FetchDocument,
    Finished,
    HangUpLeg,
    Note,
    OweHangup,
    OweStatus,
    PlaceLeg,
    PrepareSound,
    SendDigits,
    StartPlayback,
    StartRecording,
)
from offhook.call.events import (
    CreditGone,
    DigitsSent,
    DocumentArrived,
    DocumentFailed,
    HangUp,
    LegAnswered,
    LegEnded,
    LegProgress,
    Now,
    Tariff,
)
from offhook.flow.limits import MAX_STEPS_WITHOUT_WAIT
from offhook.flow.program import Flow
from offhook.flow.verbs import (
    Dial,
    Gather,
    LegStage,
    NumberTarget,
    Play,
    Record,
    RecordCall,
    SetHangupHook,
    StatusHook,
    Treatment,
    UnusableSound,
    UnusableTarget,
    UrlSound,
)
from offhook.flow.view import CallState, Cause, Direction

PLAY = Play(sounds=(UrlSound(url="https://app.example/1.wav"),))
DIAL = Dial(targets=(NumberTarget(number="+46700000011"),))
END = "https://app.example/end"


# ── beginnings ───────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_incoming_call_asks_before_it_is_answered() -> None:
    world = incoming(start=ask())
    (fetch,) = world.new()
    assert fetch == FetchDocument(
        request=world.last(FetchDocument).request, url=HOOK, method="POST", params=(("said", "begun"), ("id", "c" * 32))
    )
    view = world.call.view()
    assert (view.direction, view.from_, view.to, view.state) == (Direction.INCOMING, CALLER, OURS, CallState.ONGOING)
    assert (view.start, view.owner, view.ring_timeout_s, view.created.timestamp()) == (None, "u1", None, WALL_0)


def test_an_outgoing_call_asks_when_it_is_answered() -> None:
    world = outgoing(start=ask(), answered=False, ring_timeout=45)
    (place,) = world.new()
    assert place == PlaceLeg(leg=A, target=NumberTarget(number=FRIEND), caller_id=OURS)
    world.placed(A)
    world.rings(A)
    world.after(3.25)
    (fetch,) = world.answers(A)
    assert isinstance(fetch, FetchDocument)
    view = world.call.view()
    assert (view.direction, view.from_, view.to, view.ring_timeout_s) == (Direction.OUTGOING, OURS, FRIEND, 45)
    assert view.start is not None
    assert (view.start - view.created).total_seconds() == 3.25


def test_keys_are_sent_to_who_answers_before_anything_is_asked() -> None:
    """DIDforSale section 1.4(3): `senddigits` first, then the document."""
    world = outgoing(start=ask(), answered=False, send_digits="PPPP101")
    world.placed(A)
    world.new()
    (sending,) = world.answers(A)
    assert sending == SendDigits(leg=A, request=world.last(SendDigits).request, keys="PPPP101")
    assert world.presses("1") == []
    (fetch,) = world.tell(DigitsSent(leg=A, request=world.last(SendDigits).request))
    assert isinstance(fetch, FetchDocument)
    assert world.tell(DigitsSent(leg=A, request=world.last(SendDigits).request)) == []


def test_keys_that_were_on_their_way_when_it_ended_begin_nothing() -> None:
    world = outgoing(start=ask(), answered=False, send_digits="101")
    world.answers(A)
    world.tell(HangUp(cause=Cause.NORMAL))
    assert world.tell(DigitsSent(leg=A, request=world.last(SendDigits).request)) == []
    world.ends(A)
    assert world.all(FetchDocument) == []


def test_a_call_without_a_document_joins_two() -> None:
    """DIDforSale section 1.4(5): without `url` the answered call is connected, and both legs tell one hook."""
    hook = StatusHook(url=END, stages=frozenset(LegStage))
    second = NumberTarget(number="+18005797676", treatment=Treatment(told=hook))
    world = outgoing(Dial(targets=(second,)), told=hook, send_digits="1", answered=False)
    world.placed(A)
    world.answers(A)
    world.tell(DigitsSent(leg=A, request=world.last(SendDigits).request))
    assert (world.last(PlaceLeg).target, world.last(PlaceLeg).caller_id) == (second, FRIEND)
    world.answers(B)
    world.ends(B)
    world.ends(A)
    assert [(each.leg, each.stage.value) for each in world.all(OweStatus)] == [
        (A, "initiated"),
        (A, "answered"),
        (B, "initiated"),
        (B, "answered"),
        (B, "completed"),
        (A, "completed"),
    ]


@pytest.mark.parametrize(
    ("cause", "state"),
    [(Cause.BUSY, CallState.BUSY), (Cause.REJECTED, CallState.FAILED), (Cause.NOT_FOUND, CallState.FAILED)],
)
def test_an_outgoing_call_that_is_not_answered_still_owes_its_end(cause: Cause, state: CallState) -> None:
    world = outgoing(start=ask(), answered=False, hangup_hook=END)
    world.placed(A)
    said = world.ends(A, cause)
    assert [type(each) for each in said] == [OweHangup, Finished]
    assert (world.finished.state, world.finished.cause, world.finished.duration_s) == (state, cause, None)
    assert world.all(FetchDocument) == []


@pytest.mark.parametrize(("asked", "rings"), [(15, 15.0), (0, 1.0), (3600, 600.0)])
def test_an_outgoing_call_rings_so_long(asked: float, rings: float) -> None:
    world = outgoing(start=ask(), answered=False, ring_timeout=asked)
    world.rings(A)
    world.new()
    assert world.after(rings - 0.5) == []
    assert world.after(0.5) == [HangUpLeg(leg=A, cause=Cause.NO_ANSWER)]
    assert world.answers(A) == [], "an answer that crosses our cancelling is none"
    world.ends(A, Cause.CANCELLED)
    assert (world.finished.state, world.finished.cause) == (CallState.FAILED, Cause.NO_ANSWER)


def test_an_outgoing_call_to_what_is_no_number_is_over_at_once() -> None:
    world = outgoing(start=ask(), answered=False, target=UnusableTarget(text="mum"), hangup_hook=END)
    assert [type(each) for each in world.new()] == [OweHangup, Finished]
    assert world.finished.cause is Cause.NOT_FOUND


def test_an_incoming_call_with_nothing_to_run() -> None:
    world = incoming(start=Flow())
    assert world.new() == [HangUpLeg(leg=A, cause=Cause.NO_FLOW)]


def test_a_call_that_is_refused_asks_nobody_and_is_told_of_all_the_same() -> None:
    world = incoming(start=ask(), refused=Cause.NO_CREDIT)
    assert world.new() == [HangUpLeg(leg=A, cause=Cause.NO_CREDIT)]
    assert len(world.notes("call.begun")) == 1
    assert world.notes("call.ended") == [{"cause": "no_credit", "state": "failed"}]


def test_a_document_that_asks_for_nothing_refuses_an_unanswered_caller() -> None:
    world = incoming(start=ask())
    world.new()
    assert world.document_empty() == [HangUpLeg(leg=A, cause=Cause.REJECTED)]


# ── asking ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_next_question_tells_the_outcome() -> None:
    world = outgoing(start=flow(Gather(prompts=()), otherwise=ask("https://app.example/next")))
    world.presses("5")
    fetch = world.last(FetchDocument)
    assert (fetch.url, fetch.params) == (
        "https://app.example/next",
        (("said", "continued"), ("result", "5"), ("why", "")),
    )
    world.document(PLAY)
    assert isinstance(world.last(PrepareSound), PrepareSound)


def test_an_answer_to_another_question_is_dropped() -> None:
    world = outgoing(start=ask())
    world.new()
    assert world.tell(DocumentArrived(request=99, flow=flow(PLAY))) == []  # type: ignore[arg-type]
    world.document(PLAY)
    assert (
        world.tell(DocumentFailed(request=world.last(FetchDocument).request, cause=Cause.HOOK_FAILED, detail="")) == []
    )


@pytest.mark.parametrize("cause", [Cause.HOOK_FAILED, Cause.BAD_DOCUMENT])
def test_a_failed_question_ends_an_unanswered_call_with_its_cause(cause: Cause) -> None:
    world = incoming(start=ask(), hangup_hook=END)
    world.new()
    said = world.tell(DocumentFailed(request=world.last(FetchDocument).request, cause=cause, detail="HTTP 500"))
    assert said == [HangUpLeg(leg=A, cause=cause)]
    world.ends(A, cause)
    assert (world.finished.state, world.finished.cause) == (CallState.FAILED, cause)
    assert world.notes("hook.failed") == [{"request": 1, "cause": cause.value, "detail": "HTTP 500"}]


def test_a_failed_question_ends_an_answered_call() -> None:
    world = outgoing(start=ask(), hangup_hook=END)
    world.tell(DocumentFailed(request=world.last(FetchDocument).request, cause=Cause.HOOK_FAILED, detail="time-out"))
    world.ends(A, Cause.HOOK_FAILED)
    assert (world.finished.state, world.finished.cause) == (CallState.SUCCESS, Cause.HOOK_FAILED)


def test_warnings_of_a_document_are_noted() -> None:
    world = outgoing(start=ask())
    world.tell(DocumentArrived(request=world.last(FetchDocument).request, flow=flow(PLAY), warnings=("a comma",)))
    assert world.notes("hook.answered") == [{"request": 1, "warnings": ["a comma"]}]


def test_the_party_leaves_while_a_document_is_fetched() -> None:
    world = outgoing(start=ask(), hangup_hook=END)
    world.new()
    assert [type(each) for each in world.ends(A)] == [OweHangup, Finished]
    assert world.document(PLAY) == []
    assert world.finished.performed == ()


def test_steps_without_time_are_limited() -> None:
    bad = Play(sounds=(UnusableSound(text="x"),))
    world = outgoing(*[bad] * (MAX_STEPS_WITHOUT_WAIT + 1))
    # The party is there, and hears that something is wrong.
    assert world.all(HangUpLeg) == []
    world.ready()
    world.played()
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.FLOW_LOOP)]
    assert world.notes("flow.stopped")[0]["cause"] == "flow_loop"


def test_a_step_that_took_time_or_a_key_has_waited() -> None:
    world = outgoing(PLAY, Gather(prompts=()), PLAY)
    world.ready()
    world.after(1.0)
    world.played()
    world.presses("1")
    world.ready()
    world.played()
    assert [each.outcome.waited for each in world.call.view().performed] == [True, True, False]


# ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_incoming_call_costs_from_its_answer_by_the_minute_begun() -> None:
    world = incoming(PLAY, tariff=Tariff(set_up=300, per_minute=100))
    assert world.all(Charge) == []
    world.answers(A)
    assert world.all(Charge) == [Charge(leg=A, amount=400)]
    world.after(59.9)
    assert len(world.all(Charge)) == 1
    world.after(60.1)
    assert world.all(Charge)[1:] == [Charge(leg=A, amount=100), Charge(leg=A, amount=100)]
    world.ends(A)
    assert world.finished.cost == 600
    world.after(300)
    assert len(world.all(Charge)) == 3


def test_each_leg_costs_for_itself_while_it_talks() -> None:
    world = outgoing(DIAL)
    world.placed(B, Tariff(set_up=0, per_minute=50))
    world.answers(B)
    world.after(61)
    world.ends(B)
    world.after(120)
    assert world.all(Charge) == [Charge(leg=B, amount=50), Charge(leg=B, amount=50)]
    assert world.call.view().cost == 100


def test_a_free_call_has_no_cost() -> None:
    world = outgoing(PLAY)
    world.ends(A)
    assert world.finished.cost is None


def test_a_call_ends_when_the_credit_does() -> None:
    world = outgoing(DIAL, hangup_hook=END)
    world.answers(B)
    world.new()
    said = world.tell(CreditGone())
    assert [each for each in said if isinstance(each, HangUpLeg)] == [
        HangUpLeg(leg=B, cause=Cause.NORMAL),
        HangUpLeg(leg=A, cause=Cause.NO_CREDIT),
    ]
    world.ends(B)
    world.ends(A, Cause.NO_CREDIT)
    assert world.finished.cause is Cause.NO_CREDIT
    assert world.results == [("failed", "no_credit")]


@pytest.mark.parametrize("jump_s", [-7200.0, 86400.0])
def test_a_clock_that_jumps_changes_no_duration(jump_s: float) -> None:
    world = outgoing(PLAY)
    world.after(10)
    call = world.call
    call.handle(HangUp(cause=Cause.NORMAL), world.now._replace(wall=world.now.wall + jump_s))
    assert call.view().duration_s == 10


def test_a_clock_that_is_set_back_lets_no_call_be_answered_or_ended_before_it_began() -> None:
    for answered in (True, False):
        world = outgoing(PLAY, answered=False)
        world.placed(A)
        call, set_back = world.call, Now(world.now.mono + 5.0, world.now.wall - 7200.0)
        if answered:
            call.handle(LegAnswered(leg=A), set_back)
        call.handle(HangUp(cause=Cause.NORMAL), set_back._replace(mono=set_back.mono + 10.0))
        view = call.view()
        assert view.created <= (view.start or view.created) <= (view.end or view.created)
        assert view.duration_s == (10 if answered else None)


def test_an_export_goes_by_the_wall_clock_as_it_is_now() -> None:
    world = outgoing(start=ask(), answered=False, ring_timeout=30)
    world.after(10)
    was_set = world.now._replace(wall=world.now.wall + 7200.0)
    data = json.loads(json.dumps(world.call.export(was_set)))
    again = Call.restore(data, PlainWords(), was_set._replace(mono=7.0))
    assert again.poll_deadline() == pytest.approx(7.0 + 20.0)


def test_a_call_may_last_so_long_from_its_answer() -> None:
    world = outgoing(PLAY, answered=False, time_limit_s=60.0)
    world.placed(A)
    world.after(50)
    world.answers(A)
    world.after(59.9)
    assert not world.all(HangUpLeg)
    world.after(0.1)
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.TIME_LIMIT)]
    assert world.call.poll_deadline() != pytest.approx(world.now.mono), "the limit is no deadline any more"


# ── endings ──────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_outgoing_call_may_be_recorded_from_its_answer_on() -> None:
    world = outgoing(PLAY, answered=False, record=True)
    assert not world.all(StartRecording)
    world.placed(A)
    world.answers(A)
    (recording,) = world.all(StartRecording)
    assert (recording.leg, recording.both, recording.keep_as) == (A, True, None)


def test_a_flow_that_runs_off_its_end_hangs_up() -> None:
    world = outgoing(PLAY, hangup_hook=END)
    world.ready()
    world.after(2.0)
    assert world.played() == [HangUpLeg(leg=A, cause=Cause.NORMAL)]
    assert [type(each) for each in world.ends(A)] == [OweHangup, Finished]
    assert (world.finished.duration_s, world.finished.state) == (2, CallState.SUCCESS)


def test_the_end_waits_for_every_leg_and_recording() -> None:
    world = outgoing(RecordCall(deliver_to=END), DIAL, hangup_hook=END)
    world.answers(B)
    world.ends(A)
    assert world.all(Finished) == []
    world.ends(B)
    assert world.all(Finished) == []
    world.recorded(reason="closed")
    assert [type(each) for each in world.said if not isinstance(each, Note)][-2:] == [OweHangup, Finished]
    assert world.finished.end == world.finished.start


@pytest.mark.parametrize("cause", [Cause.SERVER_SHUTDOWN, Cause.NORMAL])
def test_a_call_can_be_ended_from_outside(cause: Cause) -> None:
    world = incoming(DIAL)
    world.new()
    said = world.tell(HangUp(cause=cause))
    assert said == [HangUpLeg(leg=B, cause=Cause.CANCELLED), HangUpLeg(leg=A, cause=cause)]
    assert world.tell(HangUp(cause=Cause.INTERNAL_ERROR)) == []
    world.ends(B, Cause.CANCELLED)
    world.ends(A, cause)
    assert world.finished.cause is cause
    assert world.finished.performed[0].outcome.why == ("hangup" if cause is Cause.NORMAL else cause.value)


def test_a_party_whose_sound_is_lost_did_not_hang_up() -> None:
    world = outgoing(PLAY)
    world.ends(A, Cause.MEDIA_LOST)
    assert (world.finished.cause, world.results) == (Cause.MEDIA_LOST, [("failed", "media_lost")])


def test_a_caller_who_leaves_before_the_answer_has_failed() -> None:
    world = incoming(start=ask())
    world.ends(A, Cause.CANCELLED)
    assert (world.finished.state, world.finished.cause) == (CallState.FAILED, Cause.CANCELLED)


def test_a_caller_who_leaves_while_we_answer_has_failed() -> None:
    world = incoming(PLAY)
    world.ends(A, Cause.CANCELLED)
    assert (world.finished.state, world.results) == (CallState.FAILED, [("failed", "hangup")])


def test_the_end_comes_even_when_the_confirmations_do_not() -> None:
    world = outgoing(RecordCall(deliver_to=END), DIAL, hangup_hook=END)
    world.answers(B)
    world.tell(HangUp(cause=Cause.NORMAL))
    assert world.after(39.9) == []
    assert [type(each) for each in world.after(0.1)] == [OweHangup, Finished]
    assert world.finished.cause is Cause.NORMAL
    assert world.notes("call.watchdog") == [{"cause": "internal_error", "legs": [A, B], "recordings": [1]}]


def test_after_the_end_nothing_is_heard_or_due() -> None:
    world = outgoing(PLAY)
    world.ends(A)
    assert world.call.poll_deadline() is None
    assert world.tell(LegAnswered(leg=A)) == []
    assert world.after(1000) == []
    world.call.handle_timer(world.now)
    assert world.call.poll_command() is None


def test_a_timer_that_comes_too_early_does_nothing() -> None:
    world = outgoing(start=ask(), answered=False)
    world.new()
    world.call.handle_timer(world.now)
    assert world.new() == []


def test_what_cannot_be_true_is_dropped() -> None:
    world = outgoing(PLAY)
    world.new()
    assert world.tell(LegAnswered(leg=A)) == []
    assert world.tell(LegEnded(leg=B, cause=Cause.BUSY)) == []
    assert world.tell(LegProgress(leg=A, early_media=True)) == []
    assert world.recorded_unknown() == []


# ── the timeline ─────────────────────────────────────────────────────────────────────────────────────────────────────


def test_the_timeline_explains_a_call() -> None:
    world = incoming(start=ask("https://u:p@app.example/start?key=secret"), tariff=Tariff(set_up=10))
    world.document(SetHangupHook(url=END), DIAL, Record(deliver_to=END))
    world.placed(B)
    world.rings(B)
    world.tell(LegEnded(leg=B, cause=Cause.BUSY, detail="486 Busy Here"))
    world.answers(A)
    world.recorded()
    world.ends(A)
    kinds = [(each.kind, dict(each.data)) for each in world.all(Note)]
    assert kinds == [
        ("call.begun", {"direction": "incoming", "from": CALLER, "to": OURS}),
        (
            "hook.asked",
            {
                "request": 1,
                "method": "POST",
                "url": "https://…@app.example/start?key=…",
                "params": {"said": "begun", "id": "c" * 32},
            },
        ),
        ("hook.answered", {"request": 1}),
        ("verb.begun", {"verb": "set_hangup_hook", "about": END}),
        ("hook.set", {"url": END}),
        ("verb.ended", {"verb": "set_hangup_hook", "result": "ok"}),
        ("verb.begun", {"verb": "dial", "about": "+46700000011"}),
        ("leg.placed", {"leg": 1, "to": "+46700000011", "caller_id": CALLER}),
        ("leg.ringing", {"leg": 1, "early_media": False}),
        ("leg.ended", {"leg": 1, "cause": "busy", "detail": "486 Busy Here", "seconds": 0}),
        ("verb.ended", {"verb": "dial", "result": "busy"}),
        ("verb.begun", {"verb": "record"}),
        ("leg.answered", {"leg": 0}),
        ("charge", {"leg": 0, "amount": 10}),
        ("recording.begun", {"recording": 1, "both": False}),
        ("recording.ended", {"recording": 1, "reason": "silence", "seconds": 5, "index": 0}),
        ("recording.owed", {"recording": 1, "url": END}),
        ("verb.ended", {"verb": "record", "result": "ok"}),
        ("call.ended", {"cause": "normal", "state": "success"}),
        ("leg.ended", {"leg": 0, "cause": "normal", "seconds": 0}),
        ("hook.owed", {"url": END}),
    ]
    json.dumps(kinds)


def test_keys_are_in_the_timeline_while_whoever_presses_them_is_there() -> None:
    world = outgoing(DIAL)
    world.presses("1")
    world.presses("2", leg=B)
    world.ends(B)
    world.presses("3", leg=B)
    assert world.notes("key.pressed") == [{"leg": A, "key": "1"}, {"leg": B, "key": "2"}]


# ── surviving a restart ──────────────────────────────────────────────────────────────────────────────────────────────


def test_deadlines_go_on_by_the_wall_clock() -> None:
    world = outgoing(start=ask(), answered=False, ring_timeout=30)
    world.after(10)
    data = json.loads(json.dumps(world.call.export()))
    elsewhere = world.now._replace(mono=7.0, wall=world.now.wall + 5)
    again = Call.restore(data, PlainWords(), elsewhere)
    assert again.poll_deadline() == pytest.approx(7.0 + 15.0)


def test_a_restored_call_never_uses_a_number_again() -> None:
    world = outgoing(PLAY, PLAY)
    world.ready()
    world.played()
    world.ready()
    assert len({each.playback for each in world.all(StartPlayback)}) == 2
    assert world.all(StartRecording) == []


def test_a_call_with_something_to_say_is_not_exported() -> None:
    world = outgoing(PLAY)
    world.call.handle(HangUp(cause=Cause.NORMAL), world.now)
    with pytest.raises(RuntimeError, match="commands have been polled"):
        world.call.export()
