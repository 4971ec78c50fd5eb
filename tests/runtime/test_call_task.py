"""A real call on its queue: order, deadlines, and that a fault ends one call and is never left hanging."""

import asyncio
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import pytest
from tests.support.calls import FRIEND, OURS, PlainWords, flow

from offhook.call import commands as do
from offhook.call import events as happened
from offhook.call.call import Call
from offhook.call.commands import Command, LegId
from offhook.flow.verbs import NumberTarget, RecordCall, Verb
from offhook.flow.view import CallId, CallState, CallView, Cause
from offhook.runtime.call_task import CallTask, now

DEADLINE_S = 5.0
A = LegId(0)


class Scene:
    """A world that keeps what it is asked, and may be told to fail at a kind of command."""

    def __init__(self) -> None:
        self.asked: list[Command] = []
        self.ended: list[CallView] = []
        self.over = asyncio.Event()
        self.fails_at: tuple[type, ...] = ()
        self.when: dict[type, Callable[[CallTask, Any], None]] = {}

    def perform(self, task: CallTask, command: Command) -> None:
        self.asked.append(command)
        if isinstance(command, self.fails_at):
            raise RuntimeError(f"no {type(command).__name__} today")
        answer = self.when.get(type(command))
        if answer is not None:
            answer(task, command)

    def together(self) -> AbstractContextManager[None]:
        return nullcontext()

    def finished(self, task: CallTask, view: CallView) -> None:
        self.ended.append(view)
        self.over.set()

    def kinds(self) -> list[str]:
        """What was asked, without notes."""
        return [type(each).__name__ for each in self.asked if not isinstance(each, do.Note)]

    async def is_over(self) -> CallView:
        await asyncio.wait_for(self.over.wait(), DEADLINE_S)
        (view,) = self.ended
        return view


def ends(task: CallTask, command: do.HangUpLeg) -> None:
    """A leg that goes when it is told to."""
    task.post(happened.LegEnded(leg=command.leg, cause=command.cause))


@pytest.fixture
def scene() -> Scene:
    made = Scene()
    made.when[do.HangUpLeg] = ends
    return made


def outgoing(scene: Scene, *verbs: Verb, ring_s: float = 60.0) -> CallTask:
    call = Call.outgoing(
        id=CallId("c" * 32),
        from_=OURS,
        target=NumberTarget(number=FRIEND),
        now=now(),
        owner="u1",
        dialect=PlainWords(),
        start=flow(*verbs),
        ring_timeout=ring_s,
    )
    return CallTask(call, scene, asyncio.get_running_loop())


async def test_what_a_call_asks_at_its_start_is_done_at_once(scene: Scene) -> None:
    task = outgoing(scene)
    assert scene.kinds() == []
    task.begin()
    assert scene.kinds() == ["PlaceLeg"]
    assert not task.over


async def test_events_are_handled_in_the_order_they_came_and_not_inside_of_each_other(scene: Scene) -> None:
    task = outgoing(scene)
    task.begin()
    task.post(happened.LegProgress(leg=A, early_media=False))
    task.post(happened.LegAnswered(leg=A))
    assert task.view().start is None, "a post is never handled before its poster has finished"
    view = await scene.is_over()  # the flow is empty: an answered call with nothing to do is hung up
    assert view.state is CallState.SUCCESS
    assert [each.kind for each in scene.asked if isinstance(each, do.Note) and each.kind.startswith("leg.")] == [
        "leg.placed", "leg.ringing", "leg.answered", "leg.ended",
    ]  # fmt: skip


async def test_an_event_posted_while_a_command_is_carried_out_comes_after_it(scene: Scene) -> None:
    task = outgoing(scene)
    scene.when[do.PlaceLeg] = lambda task, command: task.post(
        happened.LegEnded(leg=command.leg, cause=Cause.BUSY, detail="486 Busy Here")
    )
    task.begin()
    assert scene.ended == []
    assert (await scene.is_over()).cause is Cause.BUSY


async def test_a_call_that_is_over_hears_nothing_and_tells_once(scene: Scene) -> None:
    task = outgoing(scene)
    task.begin()
    task.post(happened.HangUp(cause=Cause.NORMAL))
    task.post(happened.HangUp(cause=Cause.BUSY))
    await scene.is_over()
    said = len(scene.asked)
    task.post(happened.LegAnswered(leg=A))
    await asyncio.sleep(0)
    assert len(scene.asked) == said
    assert task.over


async def test_the_ring_time_out_is_kept_by_a_timer_of_the_loop(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("offhook.call.policy.RING_MIN_S", 0.01)
    task = outgoing(scene, ring_s=0.02)
    task.begin()
    assert (await scene.is_over()).cause is Cause.NO_ANSWER


async def test_an_earlier_deadline_moves_the_timer_and_none_cancels_it(scene: Scene) -> None:
    task = outgoing(scene)
    task.begin()
    ringing = task._timer
    assert ringing is not None
    task.post(happened.LegProgress(leg=A, early_media=False))
    await asyncio.sleep(0)
    assert task._timer is ringing, "the same deadline keeps its timer"
    task.post(happened.HangUp(cause=Cause.NORMAL))
    await scene.is_over()
    assert ringing.cancelled()
    assert task._timer is None


# ── faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_fault_at_the_start_ends_the_call_and_not_its_maker(scene: Scene) -> None:
    scene.fails_at = (do.PlaceLeg,)
    task = outgoing(scene)
    task.begin()
    assert (await scene.is_over()).cause is Cause.INTERNAL_ERROR


async def test_a_fault_does_not_lose_the_events_that_wait(scene: Scene) -> None:
    """The end of a leg that is already on the queue is never said again: a call without it waits for its watchdog."""
    scene.when.clear()
    scene.when[do.Charge] = lambda *_: None
    task = outgoing(scene)
    task.begin()
    wrong: Any = object()
    task.post(wrong)  # no event at all: the call cannot take it
    task.post(happened.LegEnded(leg=A, cause=Cause.NORMAL))
    assert (await scene.is_over()).cause is Cause.INTERNAL_ERROR


async def test_a_world_that_cannot_hang_up_any_more_still_gets_an_ended_call(scene: Scene) -> None:
    scene.fails_at = (do.PlaceLeg, do.HangUpLeg)
    task = outgoing(scene)
    task.begin()
    view = await scene.is_over()
    assert (view.cause, view.state) == (Cause.INTERNAL_ERROR, CallState.FAILED)
    assert view.end is not None
    assert task.over


async def test_a_note_that_cannot_be_kept_costs_nobody_the_call(scene: Scene) -> None:
    scene.fails_at = (do.Note,)
    task = outgoing(scene)
    task.begin()
    task.post(happened.LegAnswered(leg=A))
    view = await scene.is_over()
    assert (view.cause, view.state) == (Cause.NORMAL, CallState.SUCCESS)


async def test_a_recording_that_cannot_begin_is_not_waited_for(scene: Scene) -> None:
    scene.fails_at = (do.StartRecording,)
    task = outgoing(scene, RecordCall())
    task.begin()
    task.post(happened.LegAnswered(leg=A))
    assert (await scene.is_over()).cause in (Cause.NORMAL, Cause.INTERNAL_ERROR)
    assert "StartRecording" in scene.kinds()


async def test_a_call_that_cannot_even_be_ended_is_let_go_as_failed(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    task = outgoing(scene)
    task.begin()

    def broken(self: Call, event: happened.Event, at: happened.Now) -> None:
        raise RuntimeError("broken beyond repair")

    monkeypatch.setattr(Call, "handle", broken)
    task.post(happened.LegAnswered(leg=A))
    view = await scene.is_over()
    assert (view.state, view.cause) == (CallState.FAILED, Cause.INTERNAL_ERROR)
    assert view.end is not None
    assert task.over


async def test_a_world_that_fails_at_the_end_does_not_stop_the_loop(scene: Scene) -> None:
    def finished(task: CallTask, view: CallView) -> None:
        Scene.finished(scene, task, view)
        raise RuntimeError("the disk is gone")

    scene.finished = finished  # type: ignore[method-assign]
    task = outgoing(scene)
    task.begin()
    task.post(happened.HangUp(cause=Cause.NORMAL))
    await scene.is_over()
    assert task.over
    assert task._timer is None
