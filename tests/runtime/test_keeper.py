"""What waits for the disk and what does not, in which order, and what happens when the disk does not answer."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any

import pytest
import pytest_asyncio

from offhook.runtime import keeper as keeping
from offhook.runtime.keeper import Keeper
from offhook.storage.facts import Fact


@dataclass(slots=True, eq=False)
class Thing:
    """Something that is kept."""

    name: str
    alive: bool = True
    broken: bool = False
    on_facts: Callable[[], None] = lambda: None

    def facts(self) -> Fact | None:
        self.on_facts()
        if self.broken:
            raise RuntimeError("it cannot be exported")
        return Fact(kind="call", key=self.name, version=1, data={}) if self.alive else None


@dataclass(slots=True)
class Disk:
    """Facts and their writer; a commit ends when the test says."""

    written: list[str] = field(default_factory=list)
    groups: list[list[str]] = field(default_factory=list)
    """What was put for one transaction."""
    on_group: Callable[[], None] = lambda: None
    waiting: list[Future[None]] = field(default_factory=list)
    flushed_more: asyncio.Event = field(default_factory=asyncio.Event)

    def save(self, fact: Fact) -> None:
        self.written.append(fact.key)

    def delete(self, kind: str, key: str) -> None:
        self.written.append(f"-{key}")

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        begun = len(self.written)
        yield
        if self.written[begun:]:
            self.groups.append(self.written[begun:])
            self.on_group()

    def flushed(self) -> "Future[None]":
        self.waiting.append(Future())
        self.flushed_more.set()
        return self.waiting[-1]

    async def commit(self) -> None:
        """Wait for a commit to be asked for, and make it."""
        async with asyncio.timeout(5):
            while not self.waiting:
                self.flushed_more.clear()
                await self.flushed_more.wait()
        self.waiting.pop(0).set_result(None)
        done = asyncio.Event()
        asyncio.get_running_loop().call_soon(done.set)
        await done.wait()


@dataclass(slots=True)
class Scene:
    disk: Disk
    keeper: Keeper
    said: list[str] = field(default_factory=list)
    acknowledged: list[int] = field(default_factory=list)

    def hold(self, word: str, *, patient: bool = False) -> None:
        self.keeper.hold(lambda: self.said.append(word), patient=patient)


@pytest_asyncio.fixture
async def scene(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Scene]:
    monkeypatch.setattr(keeping, "LINGER_S", 0.01)
    disk: Any = Disk()
    made = Scene(disk, Keeper(disk, disk, asyncio.get_running_loop()))
    made.keeper.acknowledge = made.acknowledged.append
    yield made
    made.keeper.close()


async def test_nothing_waits_when_nothing_is_in_a_hurry(scene: Scene) -> None:
    scene.keeper.touch(Thing("a"))
    scene.hold("INVITE")
    assert scene.said == ["INVITE"]


async def test_what_is_said_waits_for_what_it_depends_on(scene: Scene) -> None:
    scene.keeper.hurry(Thing("a"))
    scene.hold("INVITE")
    assert (scene.said, scene.disk.written) == ([], [])
    await scene.disk.commit()
    assert (scene.said, scene.disk.written) == (["INVITE"], ["a"])
    scene.hold("ACK")
    assert scene.said == ["INVITE", "ACK"]


async def test_rows_that_are_no_facts_are_waited_for_as_well(scene: Scene) -> None:
    scene.keeper.when_durable(lambda: scene.said.append("post"))
    scene.hold("200")
    assert scene.said == []
    await scene.disk.commit()
    assert (scene.said, scene.disk.waiting) == (["post", "200"], [])


async def test_rows_that_come_during_a_commit_wait_for_the_next_one(scene: Scene) -> None:
    scene.keeper.hurry(Thing("a"))
    async with asyncio.timeout(5):
        await scene.disk.flushed_more.wait()
    scene.keeper.when_durable(lambda: scene.said.append("post"))
    await scene.disk.commit()
    assert scene.said == []
    await scene.disk.commit()
    assert scene.said == ["post"]


async def test_what_comes_during_a_commit_waits_for_the_next_one_if_it_must(scene: Scene) -> None:
    scene.keeper.hurry(Thing("a"))
    scene.hold("1")
    async with asyncio.timeout(5):
        await scene.disk.flushed_more.wait()
    scene.keeper.hurry(Thing("b"))
    scene.hold("2")
    await scene.disk.commit()
    assert scene.said == ["1"]
    await scene.disk.commit()
    assert scene.said == ["1", "2"]
    assert scene.disk.written == ["a", "b"]


async def test_what_depends_on_a_commit_under_way_alone_goes_with_it_and_in_order(scene: Scene) -> None:
    scene.keeper.hurry(Thing("a"))
    scene.hold("1")
    async with asyncio.timeout(5):
        await scene.disk.flushed_more.wait()
    scene.hold("2")
    await scene.disk.commit()
    assert scene.said == ["1", "2"]


async def test_many_changes_are_one_row(scene: Scene) -> None:
    thing = Thing("a")
    for _ in range(5):
        scene.keeper.touch(thing)
        scene.keeper.hurry(thing)
    await scene.disk.commit()
    assert scene.disk.written == ["a"]


async def test_an_export_that_makes_another_hurry_is_one_commit(scene: Scene) -> None:
    class Waker(Thing):
        def facts(self) -> Fact | None:
            scene.keeper.hurry(Thing("woken"))
            scene.hold("ACK")
            return super().facts()

    scene.keeper.hurry(Waker("a"))
    await scene.disk.commit()
    assert (scene.disk.written, scene.said, scene.disk.waiting) == (["a", "woken"], ["ACK"], [])
    scene.hold("BYE")
    assert scene.said == ["ACK", "BYE"]


async def test_what_is_in_no_hurry_is_written_after_a_while(scene: Scene) -> None:
    scene.keeper.touch(Thing("a"))
    scene.keeper.touch(Thing("b"))
    await scene.disk.commit()
    assert scene.disk.written == ["a", "b"]


async def test_one_may_wait_for_facts_that_something_else_makes_hurry(scene: Scene) -> None:
    thing = Thing("a")
    waiting = asyncio.ensure_future(scene.keeper.durable(thing))
    await asyncio.sleep(0)
    scene.keeper.hurry(thing)
    await scene.disk.commit()
    await asyncio.wait_for(waiting, 5)
    assert scene.disk.written == ["a"]


async def test_who_waits_for_facts_makes_them_hurry_after_a_while(scene: Scene) -> None:
    waiting = asyncio.ensure_future(scene.keeper.durable(Thing("a")))
    await scene.disk.commit()
    await asyncio.wait_for(waiting, 5)


async def test_who_comes_during_a_commit_waits_for_the_next_one_and_not_for_ever(scene: Scene) -> None:
    """Two changes of one call: the first one's end takes nothing from the second."""
    thing = Thing("a")
    first = asyncio.ensure_future(scene.keeper.durable(thing))
    async with asyncio.timeout(5):
        await scene.disk.flushed_more.wait()
    second = asyncio.ensure_future(scene.keeper.durable(thing))
    await asyncio.sleep(0)
    await scene.disk.commit()
    async with asyncio.timeout(5):
        await first
    assert not second.done()
    await scene.disk.commit()
    async with asyncio.timeout(keeping.HOLD_MOST_S / 2):
        await second
    assert scene.disk.written == ["a", "a"]


async def test_who_waits_for_something_that_ends_waits_for_that(scene: Scene) -> None:
    thing = Thing("a")
    waiting = asyncio.ensure_future(scene.keeper.durable(thing))
    await asyncio.sleep(0)
    scene.keeper.forget(thing)
    scene.keeper.drop("call", "a")
    await scene.disk.commit()
    await asyncio.wait_for(waiting, 5)


async def test_a_deletion_is_waited_for_like_a_change(scene: Scene) -> None:
    thing = Thing("a", alive=False)
    scene.keeper.hurry(thing)
    scene.keeper.forget(thing)
    scene.keeper.drop("call", "a")
    scene.keeper.write(Fact(kind="leaving", key="b", version=1, data={}))
    scene.hold("200 to BYE")
    assert scene.said == []
    await scene.disk.commit()
    assert scene.said == ["200 to BYE"]
    assert scene.disk.written == ["-a", "b"]


async def test_a_deletion_goes_with_a_commit_that_somebody_is_in_a_hurry_for(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "PATIENT_S", 60.0)
    scene.keeper.drop("call", "over")
    scene.hold("200 to a BYE", patient=True)
    scene.keeper.when_durable(lambda: scene.said.append("post"))
    await asyncio.sleep(0.02)
    assert scene.disk.waiting == []
    scene.keeper.hurry(Thing("a"))
    await scene.disk.commit()
    assert (scene.said, scene.disk.waiting) == (["200 to a BYE", "post"], [])


async def test_whatever_else_is_held_makes_a_deletion_hurry(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PATIENT_S", 60.0)
    scene.keeper.drop("call", "over")
    scene.hold("200 to a BYE", patient=True)
    scene.hold("INVITE of another")
    await scene.disk.commit()
    assert scene.said == ["200 to a BYE", "INVITE of another"]


async def test_what_is_over_when_it_is_written_was_in_no_hurry(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PATIENT_S", 0.02)
    ending = Thing("ending")

    def end() -> None:
        ending.alive = False
        scene.keeper.drop("call", "ending")

    ending.on_facts = end
    scene.keeper.hurry(ending)
    scene.hold("200 to a BYE", patient=True)
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert (scene.disk.written, scene.disk.waiting) == (["-ending"], [])
    await scene.disk.commit()
    assert scene.said == ["200 to a BYE"]


async def test_what_is_in_a_hurry_stays_so_whoever_writes_it(scene: Scene, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "PATIENT_S", 60.0)
    scene.keeper.hurry(Thing("a"))
    scene.keeper._sweep()
    await scene.disk.commit()
    scene.keeper.ahead(Thing("room"))
    scene.keeper.write(Fact(kind="call", key="b", version=1, data={}), hurried=False)
    await scene.disk.commit()
    assert scene.disk.written == ["a", "room", "b"]


async def test_a_deletion_during_a_commit_waits_no_longer_than_any_other(scene: Scene) -> None:
    scene.keeper.hurry(Thing("a"))
    async with asyncio.timeout(5):
        await scene.disk.flushed_more.wait()
    scene.keeper.drop("call", "over")
    scene.hold("200 to a BYE", patient=True)
    await scene.disk.commit()
    assert scene.said == []
    await scene.disk.commit()
    assert scene.said == ["200 to a BYE"]


async def test_what_is_written_without_haste_during_a_commit_is_waited_for_too(scene: Scene) -> None:
    scene.keeper.hurry(Thing("a"))
    async with asyncio.timeout(5):
        await scene.disk.flushed_more.wait()
    scene.keeper.write(Fact(kind="call", key="b", version=1, data={}), hurried=False)
    scene.hold("ACK")
    await scene.disk.commit()
    assert scene.said == []
    await scene.disk.commit()
    assert scene.said == ["ACK"]


async def test_an_event_is_acknowledged_when_what_it_changed_is_durable(scene: Scene) -> None:
    thing = Thing("a")
    scene.keeper.touch(thing)
    scene.keeper.heard(7)
    scene.keeper.hurry(Thing("b"))
    await scene.disk.commit()
    assert scene.acknowledged == [], "the facts of a are not written yet"
    await scene.disk.commit()
    assert scene.acknowledged == [7]


async def test_an_event_is_acknowledged_while_what_a_later_one_changed_waits(scene: Scene) -> None:
    first = Thing("a")
    scene.keeper.touch(first)
    scene.keeper.heard(1)
    scene.keeper.touch(Thing("b"))
    scene.keeper.heard(2)
    scene.keeper.hurry(first)
    await scene.disk.commit()
    assert scene.acknowledged == [1]
    await scene.disk.commit()
    assert (scene.acknowledged, scene.disk.written) == ([1, 2], ["a", "b"])


async def test_what_a_commit_had_is_not_written_again_when_it_would_be_due(scene: Scene) -> None:
    thing, other = Thing("a"), Thing("b")
    scene.keeper.hurry(thing)
    scene.keeper.touch(thing)
    await scene.disk.commit()
    scene.keeper.touch(other)
    await scene.disk.commit()
    assert scene.disk.written == ["a", "b"]


async def test_an_event_that_changed_nothing_is_acknowledged_without_the_disk(scene: Scene) -> None:
    told = asyncio.Event()
    scene.keeper.acknowledge = lambda number: told.set()
    scene.keeper.heard(3)
    async with asyncio.timeout(5):
        await told.wait()
    assert scene.disk.written == []


async def test_a_disk_that_does_not_answer_stops_nothing_that_runs(
    scene: Scene, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(keeping, "HOLD_MOST_S", 0.01)
    gone_on = asyncio.Event()
    scene.keeper.hurry(Thing("a"))
    scene.keeper.hold(gone_on.set)
    async with asyncio.timeout(5):
        await gone_on.wait()
    scene.keeper.hurry(Thing("b"))
    scene.hold("ACK")
    assert scene.said == ["ACK"], "until the disk answers again nobody waits for it"
    sent = asyncio.Event()
    scene.keeper.when_durable(sent.set)
    async with asyncio.timeout(5):
        await sent.wait()
    await scene.disk.commit()
    monkeypatch.setattr(keeping, "HOLD_MOST_S", 5.0)
    await scene.disk.commit()
    scene.keeper.hurry(Thing("c"))
    scene.hold("BYE")
    assert scene.said == ["ACK"]
    await scene.disk.commit()
    assert scene.said == ["ACK", "BYE"]


async def test_a_fault_of_one_is_not_another_ones(scene: Scene) -> None:
    def fault() -> None:
        raise RuntimeError("it cannot be said")

    scene.keeper.hurry(Thing("a", broken=True))
    scene.keeper.hurry(Thing("b"))
    scene.keeper.hold(fault)
    scene.hold("INVITE")
    await scene.disk.commit()
    assert (scene.disk.written, scene.said) == (["b"], ["INVITE"])


async def test_all_that_changed_can_be_put_at_once_and_the_end_says_what_was_held(scene: Scene) -> None:
    scene.keeper.touch(Thing("a"))
    scene.keeper.hurry(Thing("b"))
    scene.hold("INVITE")
    scene.keeper.flush()
    assert scene.disk.written == ["b", "a"]
    scene.keeper.close()
    assert scene.said == ["INVITE"]
    sent = asyncio.Event()
    scene.keeper.when_durable(sent.set)
    async with asyncio.timeout(5):
        await sent.wait()


async def test_a_room_goes_ahead_of_whatever_is_written(scene: Scene) -> None:
    """And of nobody else in a hurry: those wait for a moment in which nothing else is being done."""
    scene.keeper.ahead(Thing("room"))
    gone = Thing("gone")
    scene.keeper.ahead(gone)
    scene.keeper.forget(gone)
    scene.keeper.hurry(Thing("b"))
    scene.keeper.write(Fact(kind="call", key="a", version=1, data={}))
    assert scene.disk.written == ["room", "a"]
    await scene.disk.commit()
    assert scene.disk.written == ["room", "a", "b"]


async def test_what_is_said_waits_for_a_room_too(scene: Scene) -> None:
    scene.keeper.ahead(Thing("room"))
    scene.hold("ACK")
    assert scene.said == []
    await scene.disk.commit()
    assert (scene.said, scene.disk.written) == (["ACK"], ["room"])


async def test_a_room_is_put_with_its_calls_for_one_transaction_also_while_a_commit_is_under_way(scene: Scene) -> None:
    scene.keeper.hurry(Thing("x"))
    async with asyncio.timeout(5):
        await scene.disk.flushed_more.wait()
    scene.keeper.touch(Thing("a"))
    scene.keeper.ahead(Thing("room"))
    both = asyncio.Event()
    scene.disk.on_group = both.set
    async with asyncio.timeout(5):
        await both.wait()
    assert scene.disk.groups[-1] == ["room", "a"]
    scene.hold("ACK")
    await scene.disk.commit()
    assert scene.said == []
    await scene.disk.commit()
    assert scene.said == ["ACK"]


async def test_what_an_export_writes_goes_with_it(scene: Scene) -> None:
    class Writing(Thing):
        def facts(self) -> Fact | None:
            scene.keeper.write(Fact(kind="call", key=f"{self.name} owes", version=1, data={}))
            return super().facts()

    scene.keeper.hurry(Writing("a"))
    scene.keeper.hurry(Writing("b"))
    await scene.disk.commit()
    assert scene.disk.written == ["a owes", "a", "b owes", "b"]


async def test_what_is_written_without_haste_is_made_to_hurry_by_what_is_held_for_it(scene: Scene) -> None:
    scene.keeper.write(Fact(kind="call", key="a", version=1, data={}), hurried=False)
    await asyncio.sleep(0)
    assert not scene.disk.waiting
    scene.hold("INVITE")
    assert scene.said == []
    await scene.disk.commit()
    assert scene.said == ["INVITE"]


async def test_a_few_commits_follow_each_other_at_once_and_more_share_one(scene: Scene) -> None:
    loop = asyncio.get_running_loop()
    for number in range(keeping.BURST):
        scene.keeper.hurry(Thing(str(number)))
        await scene.disk.commit()
    begun = scene.keeper._begun[0]
    scene.keeper.hurry(Thing("more"))
    await scene.disk.commit()
    assert loop.time() >= begun + keeping.BURST * keeping.GAP_S - 0.001
