"""What the engine and the disk have and nobody else, and the other way round, is set right when it is seen twice."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from tests.support.indoors import Exchange, exchange
from tests.support.sip_party import DEADLINE_S

from offhook.flow.dialects.choose import DIALECTS
from offhook.runtime.media_process import EngineError
from offhook.runtime.outer_watch import OuterWatch
from offhook.storage.records import call_by_id, events_after
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable

ELKS = DIALECTS["elks"]
DOOR = "udp:127.0.0.1:5060"


class Holder:
    """The engine's process, as the holder of sockets that it is."""

    def __init__(self) -> None:
        self.held: set[str] = set()
        self.dead = False

    async def fetch_sockets(self) -> dict[str, socket.socket]:
        if self.dead:
            raise EngineError("it is gone")
        return {name: socket.socket(socket.AF_INET, socket.SOCK_DGRAM) for name in self.held}

    async def keep_socket(self, name: str, kept: socket.socket) -> None:
        assert kept.fileno() >= 0
        self.held.add(name)

    async def drop_socket(self, name: str) -> None:
        self.held.discard(name)


@contextmanager
def watch(x: Exchange, holder: Holder) -> Iterator[OuterWatch]:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as door:
        yield OuterWatch(
            engine=cast(Any, holder), doors={DOOR: door}, storage=x.storage, book=x.services.book, live=x.board.live
        )


async def test_sockets_that_the_engine_lacks_or_should_not_have_are_set_right(storage: Storage) -> None:
    async with exchange(storage) as x:
        holder = Holder()
        holder.held = {"tcp:127.0.0.1:1"}
        with watch(x, holder) as outer:
            assert (await outer.look(), holder.held) == (0, {"tcp:127.0.0.1:1"})
            assert (await outer.look(), holder.held) == (2, {DOOR})
            assert await outer.look() == 0
            # While it is gone nothing is known of its sockets.
            holder.dead = True
            assert await outer.look() == 0


async def test_a_row_that_is_no_calls_is_closed_and_says_why(storage: Storage) -> None:
    async with exchange(storage) as x:
        holder = Holder()
        holder.held = {DOOR}
        x.dial()
        call = x.only_call
        with watch(x, holder) as outer:
            assert (await outer.look(), await outer.look()) == (0, 0), "a call that goes on"
            # A last row that was let go leaves the one before it.
            view = x.board.live[call].task.view()
            x.board.hang_up(call)
            await x.over()
            x.services.book.save(view, ELKS)
            assert (await outer.look(), await outer.look()) == (0, 1)
            await storage.writer.flush(DEADLINE_S)
        row = await storage.read(lambda connection: call_by_id(connection, call))
        assert row is not None
        assert (row.state, row.cause, row.ended is not None) == ("failed", "internal_error", True)
        entries = await storage.read(lambda connection: events_after(connection, call))
        assert entries[-1].kind == "call.ended"
        assert entries[-1].data["cause"] == "internal_error"
        assert [each.seq for each in entries] == list(range(1, len(entries) + 1))


async def test_rows_are_not_looked_at_while_storage_writes_nothing(
    storage: Storage, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def unavailable(_: float) -> None:
        raise StorageUnavailable("the disk is full")

    async with exchange(storage) as x:
        holder = Holder()
        holder.held = {DOOR}
        x.dial()
        call = x.only_call
        view = x.board.live[call].task.view()
        x.services.book.save(view, ELKS)
        await storage.writer.flush(DEADLINE_S)
        del x.board.live[call]
        monkeypatch.setattr(storage.writer, "flush", unavailable)
        with watch(x, holder) as outer:
            assert (await outer.look(), await outer.look()) == (0, 0)
