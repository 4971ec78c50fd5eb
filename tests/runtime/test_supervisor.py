"""Too much is refused while it is too much, for good when the server stops; and what is too old goes."""

import asyncio
import sqlite3
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.support.sip_party import DEADLINE_S, Party, description, party

from offhook.runtime import supervisor as module
from offhook.runtime import wellness
from offhook.runtime.settled_clock import SettledClock
from offhook.runtime.sip_driver import now
from offhook.runtime.supervisor import (
    REFUSE_ABOVE_BYTES,
    REFUSE_ABOVE_S,
    TAKE_BELOW_BYTES,
    TAKE_BELOW_S,
    LoadGuard,
    Supervisor,
)
from offhook.runtime.wellness import Ailment, Complaint, Ports
from offhook.sip import events as sip
from offhook.storage.deliveries import deliveries_page
from offhook.storage.records import events_after, recordings_page
from offhook.storage.rows import DeliveryRow, EventRow, RecordingRow
from offhook.storage.store import Storage

# ── the arithmetic ───────────────────────────────────────────────────────────────────────────────────────────────────


def test_a_moment_of_lateness_refuses_nobody() -> None:
    guard = LoadGuard()
    assert not guard.measured(0.2)
    assert not guard.measured(30.0), "one stall, however long, is over when it is measured"
    assert not guard.refusing


def test_lasting_lateness_refuses_until_there_is_room_again() -> None:
    guard = LoadGuard()
    changes = [guard.measured(0.3) for _ in range(10)]
    assert changes.count(True) == 1
    assert guard.refusing
    assert not guard.measured(0.03), "between the two limits it stays as it is"
    taken = [guard.measured(0.0) for _ in range(30)]
    assert taken.count(True) == 1
    assert not guard.refusing


def test_what_waits_unread_refuses_at_once_until_it_is_read() -> None:
    guard = LoadGuard()
    assert not guard.measured(0.0, REFUSE_ABOVE_BYTES)
    assert guard.measured(0.0, REFUSE_ABOVE_BYTES + 1)
    assert guard.refusing
    assert not guard.measured(0.0, TAKE_BELOW_BYTES + 1)
    assert guard.measured(0.0, TAKE_BELOW_BYTES)
    assert not guard.refusing


def test_both_must_be_well_again() -> None:
    guard = LoadGuard()
    for _ in range(5):
        guard.measured(10.0, REFUSE_ABOVE_BYTES + 1)
    assert not guard.measured(0.0, 0)
    assert guard.refusing


def test_a_loop_that_runs_early_counts_as_on_time() -> None:
    guard = LoadGuard()
    guard.measured(-5.0)
    assert guard.lateness_s == 0.0


@given(st.lists(st.floats(min_value=-1, max_value=60, allow_nan=False)))
def test_whatever_is_measured_the_decision_follows_the_limits(lateness: list[float]) -> None:
    guard = LoadGuard()
    for late in lateness:
        before = guard.refusing
        assert guard.measured(late) == (guard.refusing != before)
        if guard.lateness_s > REFUSE_ABOVE_S:
            assert guard.refusing
        if guard.lateness_s <= TAKE_BELOW_S:
            assert not guard.refusing


# ── in a server ──────────────────────────────────────────────────────────────────────────────────────────────────────


def watched(server: Party, storage: Storage) -> Supervisor:
    return Supervisor(
        driver=server.driver, storage=storage, loop=asyncio.get_running_loop(), keep_deliveries=timedelta(days=7)
    )


class Told(LoadGuard):
    """A guard that is told how late the loop is, and says when it has decided."""

    def __init__(self, late_s: float) -> None:
        super().__init__()
        self.late_s = late_s
        self.decided = asyncio.Event()

    def measured(self, late_s: float, waiting_bytes: int = 0) -> bool:
        changed = super().measured(self.late_s)
        if changed:
            # What follows from it is done in the same turn of the loop.
            self.decided.set()
        return changed

    async def decision(self) -> bool:
        await asyncio.wait_for(self.decided.wait(), DEADLINE_S)
        self.decided.clear()
        return self.refusing


async def refusal_of_a_call(caller: Party, server: Party) -> sip.Refused:
    """What a new call gets."""
    caller.call(server.address, offer=description())
    return await caller.wait(sip.Refused)


async def status_of_a_call(caller: Party, server: Party) -> int:
    """486 from a server that takes calls, as this one does then."""
    return (await refusal_of_a_call(caller, server)).status


def busy(server: Party) -> Callable[[sip.Event], None]:
    def hear(event: sip.Event) -> None:
        if isinstance(event, sip.IncomingInvite):
            server.endpoint.reject(event.session, 486, now())

    return hear


async def test_an_overloaded_server_refuses_and_takes_calls_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with party() as server, party() as caller:
        server.driver.on_event = busy(server)
        supervisor = watched(server, storage)
        monkeypatch.setattr(module, "TICK_S", 0.001)
        supervisor.load = guard = Told(0.5)
        supervisor.start()
        try:
            assert supervisor.why_refusing() is None
            assert await guard.decision()
            assert "more calls than it can carry" in (supervisor.why_refusing() or "")
            assert await status_of_a_call(caller, server) == 503
            guard.late_s = 0.0
            assert not await guard.decision()
            assert await status_of_a_call(caller, server) == 486
        finally:
            supervisor.stop()


async def test_a_server_that_stops_takes_no_calls_whatever_its_load(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with party() as server, party() as caller:
        server.driver.on_event = busy(server)
        monkeypatch.setattr(module, "TICK_S", 0.001)
        supervisor = watched(server, storage)
        supervisor.load = guard = Told(0.0)
        guard.lateness_s, guard.refusing = 1.0, True
        supervisor.start()
        supervisor.drain()
        try:
            assert not await guard.decision()
            assert supervisor.why_refusing() == "the server is stopping"
            assert await status_of_a_call(caller, server) == 503
        finally:
            supervisor.stop()


async def test_a_disk_that_takes_nothing_stops_new_calls_before_anything_is_lost(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "TICK_S", 0.001)
    monkeypatch.setattr(module, "LOOK_EVERY_TICKS", 1)
    monkeypatch.setattr(wellness, "REFUSE_ABOVE_ROWS", 5)
    monkeypatch.setattr(wellness, "TAKE_BELOW_ROWS", 1)

    ticked = asyncio.Event()

    class Ticking(LoadGuard):
        def measured(self, late_s: float, waiting_bytes: int = 0) -> bool:
            ticked.set()
            return False

    async def becomes(behind: bool) -> None:
        async with asyncio.timeout(DEADLINE_S):
            while (supervisor.unwell is not None) is not behind:
                ticked.clear()
                await ticked.wait()

    async with party() as server, party() as caller:
        server.driver.on_event = busy(server)
        supervisor = watched(server, storage)
        supervisor.load = Ticking()
        other = sqlite3.connect(storage.data_dir / "offhook.db", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
        supervisor.start()
        try:
            for seq in range(1, 20):
                at = datetime.now(UTC)
                storage.records.append_event(EventRow(call_id="c" * 32, seq=seq, at=at, kind="k"))
            await becomes(True)
            assert "rows wait in memory" in (supervisor.why_refusing() or "")
            assert await status_of_a_call(caller, server) == 503
            other.execute("COMMIT")
            await becomes(False)
            assert supervisor.why_refusing() is None
            assert await status_of_a_call(caller, server) == 486
        finally:
            supervisor.stop()
            other.close()
    found = await storage.read(lambda connection: events_after(connection, "c" * 32))
    assert len(found) == 19, "nothing was lost"
    assert storage.writer.health().dropped == 0


async def test_a_machine_that_is_unwell_takes_no_calls_until_it_is_well_again(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with party() as server, party() as caller:
        server.driver.on_event = busy(server)
        supervisor = watched(server, storage)
        monkeypatch.setattr(module, "TICK_S", 0.001)
        monkeypatch.setattr(module, "LOOK_EVERY_TICKS", 1)
        looks = asyncio.Queue[None]()
        why: list[Complaint | None] = [Complaint(Ailment.STORAGE, "no disk")]

        def complaint(_: float) -> Complaint | None:
            looks.put_nowait(None)
            return why[0]

        monkeypatch.setattr(supervisor.wellness, "complaint", complaint)
        supervisor.start()
        try:
            # What follows from a look is done in the same turn of the loop.
            await asyncio.wait_for(looks.get(), DEADLINE_S)
            assert supervisor.why_refusing() == "no disk"
            refusal = await refusal_of_a_call(caller, server)
            # Far ends hear what it is, and nothing of how much is left of it.
            assert (refusal.status, refusal.reason) == (503, "Service Unavailable: storage cannot write")
            why[0] = Complaint(Ailment.PORTS, "no ports")
            await looked(looks)
            refusal = await refusal_of_a_call(caller, server)
            assert (refusal.status, refusal.reason) == (503, "Service Unavailable: no RTP ports left")
            why[0] = None
            await looked(looks)
            assert supervisor.why_refusing() is None
            assert await status_of_a_call(caller, server) == 486
        finally:
            supervisor.stop()


async def looked(looks: asyncio.Queue[None]) -> None:
    """Wait for a look that begins from now on; what follows from it is done in the same turn of the loop."""
    while not looks.empty():
        looks.get_nowait()
    await asyncio.wait_for(looks.get(), DEADLINE_S)


async def test_ports_that_are_gone_are_known_before_anybody_looks(storage: Storage) -> None:
    async with party() as server, party() as caller:
        server.driver.on_event = busy(server)
        ports = [Ports(1, 2)]
        supervisor = Supervisor(
            driver=server.driver,
            storage=storage,
            loop=asyncio.get_running_loop(),
            keep_deliveries=timedelta(days=7),
            ports=lambda: ports[0],
        )
        supervisor.start()
        try:
            await settled(supervisor)
            ports[0] = Ports(2, 2)
            assert "RTP ports" in (supervisor.why_refusing() or ""), "an order that comes now is refused"
            await settled(supervisor)
            assert (await refusal_of_a_call(caller, server)).reason == "Service Unavailable: no RTP ports left"
            ports[0] = Ports(1, 2)
            await settled(supervisor)
            assert await status_of_a_call(caller, server) == 486
        finally:
            supervisor.stop()


async def settled(supervisor: Supervisor) -> None:
    """Two ticks: less than a look takes to come round."""
    until = supervisor._ticks + 2
    async with asyncio.timeout(DEADLINE_S):
        while supervisor._ticks < until:  # noqa: ASYNC110 - it tells nobody of a tick
            await asyncio.sleep(module.TICK_S)


async def test_a_fault_in_a_look_is_followed_by_another_look(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with party() as server:
        supervisor = watched(server, storage)
        monkeypatch.setattr(module, "TICK_S", 0.001)
        faults: list[float] = []
        well = asyncio.Event()

        def complaint(now: float) -> Complaint | None:
            if len(faults) < 3:
                faults.append(now)
                raise OSError(28, "No space left on device")
            well.set()
            return None

        monkeypatch.setattr(supervisor.wellness, "complaint", complaint)
        supervisor.start()
        try:
            await asyncio.wait_for(well.wait(), DEADLINE_S)
        finally:
            supervisor.stop()


async def test_a_wall_clock_that_is_set_is_noticed(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    async with party() as server:
        supervisor = watched(server, storage)
        monkeypatch.setattr(module, "TICK_S", 0.001)
        was_set = asyncio.Event()
        supervisor.on_clock_set = was_set.set
        real = time.time
        supervisor.start()
        try:
            monkeypatch.setattr(time, "time", lambda: real() + 86_400.0)
            await asyncio.wait_for(was_set.wait(), DEADLINE_S)
        finally:
            supervisor.stop()


async def test_nothing_is_deleted_by_a_clock_that_was_just_set(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with party() as server:
        supervisor = watched(server, storage)
        path = keep(storage, 1, expired=False)
        await storage.writer.flush()
        real = time.time
        monkeypatch.setattr(time, "time", lambda: real() + 100 * 86_400.0)
        assert await supervisor.remove_expired() == 0
        assert path.exists()
        supervisor._clock = SettledClock(time.monotonic(), time.time())
        assert await supervisor.remove_expired() == 1, "a clock that has stood so is believed"


async def test_who_has_stopped_watching_measures_no_more(storage: Storage) -> None:
    async with party() as server:
        supervisor = watched(server, storage)
        supervisor.stop()
        supervisor.start()
        timer, housekeeping = supervisor._timer, supervisor._housekeeping
        supervisor.stop()
        assert timer is not None
        assert timer.cancelled()
        assert housekeeping is not None
        await asyncio.gather(housekeeping, return_exceptions=True)
        assert housekeeping.cancelled()


# ── housekeeping ─────────────────────────────────────────────────────────────────────────────────────────────────────


def keep(storage: Storage, number: int, *, expired: bool) -> Path:
    storage.recordings_dir.mkdir(exist_ok=True)
    path = storage.recordings_dir / f"r{number}.wav"
    path.write_bytes(b"RIFF")
    at = datetime.now(UTC)
    storage.records.save_recording(
        RecordingRow(
            call_id="c" * 32,
            number=number,
            owner="u1",
            path=path.name,
            created=at,
            duration_s=1.0,
            bytes=4,
            expires=at + timedelta(days=-1 if expired else 1),
        )
    )
    return path


async def test_recordings_go_when_their_time_has_come(storage: Storage) -> None:
    old, new = keep(storage, 0, expired=True), keep(storage, 1, expired=False)
    gone = keep(storage, 2, expired=True)
    gone.unlink()
    await storage.writer.flush(DEADLINE_S)
    async with party() as server:
        assert await watched(server, storage).remove_expired() == 2
    await storage.writer.flush(DEADLINE_S)
    assert (old.exists(), new.exists()) == (False, True)
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    rows = (await storage.read(lambda connection: recordings_page(connection, "u1", long_ago))).rows
    assert [row.number for row in rows] == [1]


async def test_posts_that_are_done_go_when_their_time_has_come(storage: Storage) -> None:
    at = datetime.now(UTC)
    for name, state, days in (("old", "dead", 8), ("new", "delivered", 6), ("owed", "owed", 30)):
        then = at - timedelta(days=days)
        done = None if state == "owed" else then
        storage.deliveries.save(
            DeliveryRow(
                id=name, call_id="", account="u1", kind="hangup", sequence=0, created=then, state=state, done=done,
                data={},
            )
        )  # fmt: skip
    async with party() as server:
        await watched(server, storage).remove_expired()
    await storage.writer.flush(DEADLINE_S)
    page = await storage.read(lambda connection: deliveries_page(connection, None))
    assert [row.id for row in page.rows] == ["new", "owed"]


async def test_a_file_that_cannot_be_deleted_keeps_no_other(storage: Storage) -> None:
    stuck, other = keep(storage, 0, expired=True), keep(storage, 1, expired=True)
    stuck.unlink()
    stuck.mkdir()
    await storage.writer.flush(DEADLINE_S)
    async with party() as server:
        assert await watched(server, storage).remove_expired() == 1
    assert not other.exists()


async def test_housekeeping_goes_on_after_a_fault(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "HOUSEKEEPING_S", 0.001)
    asked = 0
    twice = asyncio.Event()

    async def broken(self: Supervisor) -> int:
        nonlocal asked
        asked += 1
        if asked == 2:
            twice.set()
        raise RuntimeError("the database is locked")

    monkeypatch.setattr(Supervisor, "remove_expired", broken)
    async with party() as server:
        supervisor = watched(server, storage)
        supervisor.start()
        await asyncio.wait_for(twice.wait(), DEADLINE_S)
        supervisor.stop()
