"""A real room on its queue: order, deadlines, and that a fault ends one room and leaves nobody in it."""

import asyncio
from collections.abc import Sequence

import pytest
from tests.support.rooms import ANN, BOB, CARL, meeting, taking, waiting

from offhook.call.commands import EnterConference, EnterQueue
from offhook.call.conference import ConferenceRoom
from offhook.call.queue import QueueRoom
from offhook.call.room import (
    Came,
    Closed,
    Guest,
    Mix,
    RoomCommand,
    RoomHears,
    RoomKind,
    RoomName,
    RoomNote,
    Tell,
    Unmix,
    Went,
)
from offhook.runtime.call_task import now
from offhook.runtime.room_task import RoomTask

DEADLINE_S = 5.0


class World:
    """Keeps what it is asked, and may fail at a kind of command."""

    def __init__(self) -> None:
        self.asked: list[RoomCommand] = []
        self.fails_at: tuple[type, ...] = ()
        self.settlings = 0
        self.unheard: Sequence[RoomHears] | None = None
        self.was_broken = False
        self.over = asyncio.Event()
        self.news = asyncio.Event()

    def perform(self, task: RoomTask, command: RoomCommand) -> None:
        self.asked.append(command)
        self.news.set()
        if isinstance(command, self.fails_at):
            raise RuntimeError(f"no {type(command).__name__} today")

    def settled(self, task: RoomTask) -> None:
        self.settlings += 1

    def closed(self, task: RoomTask, unheard: Sequence[RoomHears]) -> None:
        self.unheard = unheard
        self.over.set()

    def broken(self, task: RoomTask, unheard: Sequence[RoomHears]) -> None:
        self.was_broken = True
        self.closed(task, unheard)

    def kinds(self) -> list[str]:
        """What was asked, without notes."""
        return [type(each).__name__ for each in self.asked if not isinstance(each, RoomNote)]


@pytest.fixture
def world() -> World:
    return World()


def conference(world: World) -> RoomTask:
    room = ConferenceRoom.make(RoomName(account="u1", kind=RoomKind.CONFERENCE, name="r"), now())
    return RoomTask(room, world, asyncio.get_running_loop())


def queue(world: World) -> RoomTask:
    room = QueueRoom.make(RoomName(account="u1", kind=RoomKind.QUEUE, name="q"), now())
    return RoomTask(room, world, asyncio.get_running_loop())


def came(who: Guest, wish: EnterConference | EnterQueue | None = None) -> Came:
    return Came(guest=who, wish=wish or meeting())


async def test_events_are_heard_in_their_order_after_whoever_said_them(world: World) -> None:
    task = conference(world)
    task.post(came(ANN))
    task.post(came(BOB))
    assert world.asked == []
    await asyncio.sleep(0)
    assert world.kinds() == ["Tell", "Mix", "Tell", "Mix", "Tell", "Tell", "Tell"]
    assert world.settlings == 1
    task.post(Went(guest=BOB))
    task.post(Went(guest=ANN))
    async with asyncio.timeout(DEADLINE_S):
        await world.over.wait()
    assert task.over
    assert world.kinds()[-2:] == ["Tell", "Unmix"]
    assert Closed() not in world.asked, "that is the task's own to hear"


async def test_what_comes_behind_the_end_is_handed_back(world: World) -> None:
    task = conference(world)
    task.post(came(ANN))
    task.post(Went(guest=ANN))
    task.post(came(BOB))
    async with asyncio.timeout(DEADLINE_S):
        await world.over.wait()
    assert world.unheard == (came(BOB),)
    task.post(came(CARL))
    await asyncio.sleep(0)
    assert not any(isinstance(each, Tell) and each.guest in (BOB, CARL) for each in world.asked)


async def test_a_deadline_is_kept_by_a_timer_of_the_loop(world: World) -> None:
    task = queue(world)
    task.post(Came(guest=CARL, wish=taking(timeout_s=0.02)))
    async with asyncio.timeout(DEADLINE_S):
        await world.over.wait()
    assert world.kinds() == ["Tell", "Tell"]


async def test_the_timer_follows_the_earliest_deadline(world: World) -> None:
    task = queue(world)
    task.post(Came(guest=ANN, wish=waiting()))
    await asyncio.sleep(0)
    hours = task._timer
    assert hours is not None
    task.post(Came(guest=BOB, wish=waiting()))
    await asyncio.sleep(0)
    assert task._timer is hours
    task.post(Came(guest=CARL, wish=taking(time_limit_s=0.02)))
    async with asyncio.timeout(DEADLINE_S):
        while "Part" not in world.kinds():
            world.news.clear()
            await world.news.wait()
    task.post(Went(guest=BOB))
    async with asyncio.timeout(DEADLINE_S):
        await world.over.wait()
    assert task._timer is None


async def test_a_fault_ends_the_room_and_names_those_who_were_coming(world: World) -> None:
    world.fails_at = (Mix,)
    task = conference(world)
    for who in (ANN, BOB, CARL):
        task.post(came(who))
    async with asyncio.timeout(DEADLINE_S):
        await world.over.wait()
    assert world.was_broken
    assert world.unheard == (came(BOB), came(CARL))
    assert task.over


async def test_a_fault_at_a_deadline_ends_the_room_too(world: World) -> None:
    world.fails_at = (Unmix, Tell)
    task = queue(world)
    world.fails_at = ()
    task.post(Came(guest=CARL, wish=taking(timeout_s=0.02)))
    await asyncio.sleep(0)
    world.fails_at = (Tell,)
    async with asyncio.timeout(DEADLINE_S):
        await world.over.wait()
    assert world.was_broken
    assert world.unheard == ()
