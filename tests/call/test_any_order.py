"""Whatever happens to a call in whatever order: it never raises, and it always comes to one end.

Events are thrown at it that can be true and that cannot; then the world confirms what it still owes, or keeps silent
until the watchdog. RFC 3261 promises no order between legs, and the world none between legs, sounds and documents.
"""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.calls import A, World, incoming, outgoing

from offhook.call.care import Care
from offhook.call.commands import (
    Command,
    EnterConference,
    EnterQueue,
    FetchDocument,
    Finished,
    HangUpLeg,
    JoinLegs,
    KeepRecording,
    LeaveRoom,
    LegId,
    OweHangup,
    OweStatus,
    PartLegs,
    PlaceLeg,
    PlaybackId,
    RecordingId,
    RequestId,
    StartRecording,
    TakeCaller,
    VisitId,
)
from offhook.call.events import (
    ChangeRecording,
    CreditGone,
    DigitPressed,
    DigitsSent,
    DocumentArrived,
    DocumentFailed,
    Event,
    GoOn,
    HangUp,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegPlaced,
    LegProgress,
    Mute,
    PlaybackEnded,
    PressKeys,
    RecordingChange,
    RecordingEnded,
    RoomBeeped,
    RoomBriefs,
    RoomEnd,
    RoomJoined,
    RoomLeft,
    RoomWaits,
    SoundFailed,
    SoundReady,
    Tariff,
)
from offhook.flow.program import Document, Flow, Next, OutcomeKind, Step
from offhook.flow.verbs import (
    Conference,
    Dial,
    Enqueue,
    Gather,
    Goto,
    Hangup,
    HangupAs,
    LegStage,
    NamedSound,
    Notify,
    NumberTarget,
    Pause,
    Play,
    Record,
    RecordCall,
    SentDigits,
    SetHangupHook,
    StatusHook,
    TakeFromQueue,
    Treatment,
    UnusableSound,
    UnusableTarget,
    UrlSound,
    Verb,
)
from offhook.flow.view import CallState, Cause

legs = st.integers(0, 4).map(LegId)
small = st.integers(1, 6)
causes = st.sampled_from(Cause)
sounds = st.lists(
    st.sampled_from(
        [
            UrlSound(url="u"),
            NamedSound(name="beep"),
            SentDigits(keys="1p2"),
            SentDigits(keys=""),
            UnusableSound(text="x"),
        ]
    ),
    max_size=3,
).map(tuple)
seconds = st.sampled_from([0.0, 1.0, 5.0, 1e4])
status_hooks = st.builds(StatusHook, url=st.just("https://status"), stages=st.frozensets(st.sampled_from(LegStage)))
treatments = st.builds(
    Treatment,
    ring_timeout_s=st.none() | seconds,
    time_limit_s=st.none() | seconds,
    send_digits=st.sampled_from(["", "P1"]),
    briefing=st.none() | st.just(Document(url="https://app.example/whisper")),
    record=st.booleans(),
    told=st.none() | status_hooks,
)
targets = st.lists(
    st.one_of(
        st.sampled_from([NumberTarget(number="+1"), NumberTarget(number="+2"), UnusableTarget(text="x")]),
        st.builds(NumberTarget, number=st.just("+3"), treatment=treatments),
    ),
    max_size=3,
).map(tuple)

documents = st.just(Document(url="https://app.example/next"))
verbs: st.SearchStrategy[Verb] = st.one_of(
    st.builds(Play, sounds=sounds, loop=st.integers(0, 2), skippable=st.booleans()),
    st.builds(
        Gather,
        prompts=sounds,
        min_digits=st.integers(0, 3),
        max_digits=st.integers(1, 3),
        timeout_s=seconds,
        tries=st.integers(0, 3),
        finish_keys=st.sampled_from([frozenset("#"), frozenset()]),
        skippable=st.booleans(),
    ),
    st.builds(Dial, targets=targets, ring_timeout_s=seconds, time_limit_s=st.none() | seconds, record=st.booleans()),
    st.builds(
        Record,
        deliver_to=st.none() | st.just("https://r"),
        keep_as=st.none() | st.just("name"),
        max_s=seconds,
        beep=st.booleans(),
        confirm=st.booleans(),
    ),
    st.builds(RecordCall, deliver_to=st.none() | st.just("https://all"), stop=st.booleans()),
    st.just(SetHangupHook(url="https://end")),
    st.builds(Hangup, how=st.sampled_from(HangupAs)),
    st.builds(Pause, seconds=seconds),
    st.just(Notify(url="https://told")),
    st.just(Goto()),
    st.builds(Enqueue, queue=st.just("q"), wait=st.none() | documents),
    st.builds(TakeFromQueue, queue=st.just("q"), briefing=st.none() | documents),
    st.builds(Conference, room=st.just("r"), wait=st.none() | documents),
)


def steps(following: st.SearchStrategy[Next]) -> st.SearchStrategy[Flow]:
    step = st.builds(
        Step,
        verb=verbs,
        branches=st.dictionaries(st.sampled_from(OutcomeKind), following, max_size=2),
        digits=st.dictionaries(st.sampled_from("0123"), following, max_size=1),
        otherwise=st.none() | following,
    )
    return st.lists(step, max_size=3).map(lambda some: Flow(steps=tuple(some)))


flows = steps(st.one_of(documents, steps(documents)))

events: st.SearchStrategy[Event] = st.one_of(
    st.builds(LegPlaced, leg=legs, tariff=st.builds(Tariff, set_up=st.integers(0, 2), per_minute=st.integers(0, 2))),
    st.builds(LegProgress, leg=legs, early_media=st.booleans()),
    st.builds(LegAnswered, leg=legs),
    st.builds(LegHeld, leg=legs, held=st.booleans()),
    st.builds(LegEnded, leg=legs, cause=causes),
    st.builds(DigitPressed, leg=legs, digit=st.sampled_from("012#*A")),
    st.builds(SoundReady, request=small.map(RequestId), handle=st.just("h"), duration_ms=st.just(1)),
    st.builds(SoundFailed, request=small.map(RequestId), detail=st.just("no")),
    st.builds(PlaybackEnded, leg=legs, playback=small.map(PlaybackId), failed=st.booleans()),
    st.builds(DigitsSent, leg=legs, request=small.map(RequestId)),
    st.builds(
        RecordingEnded,
        recording=small.map(RecordingId),
        reason=st.sampled_from(["stopped", "max", "silence", "closed", "failed"]),
        duration_ms=st.sampled_from([0, 5000]),
        voiced_ms=st.sampled_from([0, 5000]),
        index=st.none() | st.integers(0, 3),
    ),
    st.builds(DocumentArrived, request=small.map(RequestId), flow=flows),
    st.builds(DocumentFailed, request=small.map(RequestId), cause=causes, detail=st.just("")),
    st.builds(RoomWaits, visit=small.map(VisitId), position=st.none() | st.integers(1, 3)),
    st.builds(RoomBriefs, visit=small.map(VisitId), document=documents),
    st.builds(RoomJoined, visit=small.map(VisitId)),
    st.builds(RoomBeeped, visit=small.map(VisitId), coming=st.booleans()),
    st.builds(RoomLeft, visit=small.map(VisitId), why=st.sampled_from(RoomEnd)),
    st.just(CreditGone()),
    st.builds(HangUp, cause=causes),
    st.builds(GoOn, to=st.one_of(documents, flows)),
    st.builds(Mute, leg=legs, muted=st.booleans()),
    st.builds(PressKeys, leg=legs, keys=st.just("1")),
    st.builds(ChangeRecording, change=st.sampled_from(RecordingChange), deliver_to=st.none() | st.just("https://r")),
)
happenings = st.lists(st.one_of(events, events, events, st.sampled_from([0.1, 7.0, 61.0, "restart"])), max_size=25)


def close(world: World, confirms: bool) -> None:
    """End a call, with a world that confirms what it owes, or with one that has died."""
    world.tell(HangUp(cause=Cause.SERVER_SHUTDOWN))
    if confirms:
        for leg in [A, *(each.leg for each in world.all(PlaceLeg))]:
            world.ends(leg)
        for begun in world.all(StartRecording):
            world.tell(RecordingEnded(recording=begun.recording, reason="closed", duration_ms=1, voiced_ms=1, index=0))
        for kept in world.all(KeepRecording):
            world.tell(RecordingEnded(recording=kept.recording, reason="stopped", duration_ms=1, voiced_ms=1, index=0))
    else:
        world.after(60.0)


def check_the_end(world: World, told: list[Event]) -> None:
    said: list[Command] = world.said
    assert sum(isinstance(each, Finished) for each in said) == 1
    assert isinstance(said[-1], Finished)
    hooks = [each for each in said if isinstance(each, OweHangup)]
    assert len(hooks) == (1 if world.call.export()["facts"]["standing"]["hangup_hook"] else 0)
    ended = {each.leg for each in told if isinstance(each, LegEnded)}
    let_go = {each.leg for each in said if isinstance(each, HangUpLeg)}
    for place in world.all(PlaceLeg):
        assert place.leg in ended | let_go
    visits = [each.visit for each in said if isinstance(each, EnterConference | EnterQueue | TakeCaller)]
    left = [each.visit for each in world.all(LeaveRoom)]
    let_go_by_room = {each.visit for each in told if isinstance(each, RoomLeft)}
    assert len(set(visits)) == len(visits)
    assert len(set(left)) == len(left)
    assert set(visits) <= set(left) | let_go_by_room, "nobody stays in a room after its call"
    joined: set[tuple[LegId, LegId]] = set()
    for each in said:
        match each:
            case JoinLegs(a=a, b=b):
                assert (a, b) not in joined
                joined.add((a, b))
            case PartLegs(a=a, b=b):
                joined.remove((a, b))
            case _:
                pass
    assert not joined
    asked = {(each.request, each.url) for each in world.all(FetchDocument)}
    assert len({request for request, _ in asked}) == len(asked), (
        "a number is of one question, even if it is asked again"
    )
    check_the_statuses(world)
    view = world.finished
    assert view.state is not CallState.ONGOING
    assert view.cause is not None
    assert (view.state is CallState.SUCCESS) == (view.start is not None)
    assert all(leg.state is not CallState.ONGOING for leg in view.legs)


def check_the_statuses(world: World) -> None:
    """Whoever is told of a leg hears of its stages in order, each at most once, and of its end for certain."""
    order = list(LegStage)
    for place in world.all(PlaceLeg):
        hook = place.target.treatment.told
        stages = [each.stage for each in world.all(OweStatus) if each.leg == place.leg]
        assert stages == sorted(set(stages), key=order.index)
        assert set(stages) <= (frozenset() if hook is None else hook.stages)
        if hook is not None and LegStage.COMPLETED in hook.stages:
            assert stages[-1] is LegStage.COMPLETED


@given(
    outward=st.booleans(),
    start=st.one_of(documents, flows),
    hook=st.none() | st.just("https://end"),
    fallback=st.none() | documents | flows,
    care=st.sampled_from([Care(), Care(comfort=None, apology=None), Care(apology=UrlSound(url="u"))]),
    happens=happenings,
    confirms=st.booleans(),
)
@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_happens_a_call_comes_to_one_end(
    outward: bool,
    start: Next,
    hook: str | None,
    fallback: Next | None,
    care: Care,
    happens: list[Any],
    confirms: bool,
) -> None:
    make = outgoing if outward else incoming
    world = make(start=start, answered=False, hangup_hook=hook, fallback=fallback, care=care)
    told: list[Event] = []
    for each in happens:
        if isinstance(each, float):
            world.after(each)
        elif isinstance(each, str):
            world.resumes()
        else:
            told.append(each)
            world.tell(each)
    close(world, confirms)
    check_the_end(world, told)
