"""Answers in pieces: what an event looks like, a reader who is slow, one who leaves, one who takes nothing."""

import asyncio
from collections.abc import AsyncGenerator
from typing import Any

import pytest

from offhook.web import event_stream
from offhook.web.event_stream import ABORT, EVENT_STREAM, InPieces, Streams, event

DEADLINE_S = 10.0


def test_an_event_is_lines_and_an_empty_one() -> None:
    assert event({"a": "b\nc"}, id=7) == b'id: 7\ndata: {"a": "b\\nc"}\n\n'
    assert event({}, kind="end") == b"event: end\ndata: {}\n\n"


class Reader:
    """The other side of an answer; takes so many pieces and then no more."""

    def __init__(self, takes: int = 10**6) -> None:
        self.got: list[Any] = []
        self.takes = takes
        self.left = asyncio.Event()
        self.stuck = asyncio.Event()
        self.aborted = False

    async def receive(self) -> Any:
        await self.left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: Any) -> None:
        if len(self.got) >= self.takes:
            self.stuck.set()
            await asyncio.Event().wait()
        self.got.append(message)

    def abort(self) -> None:
        self.aborted = True

    def read(self, answer: InPieces) -> "asyncio.Future[None]":
        return asyncio.ensure_future(answer({"type": "http", ABORT: self.abort}, self.receive, self.send))

    @property
    def body(self) -> bytes:
        return b"".join(message.get("body", b"") for message in self.got)


class Source:
    """Pieces without end; counts how many were asked for, and knows when it is let go."""

    def __init__(self, pieces: int = 10**6) -> None:
        self.made = 0
        self.pieces = pieces
        self.flowing = asyncio.Event()
        self.closed = asyncio.Event()

    async def __call__(self) -> AsyncGenerator[bytes, None]:
        try:
            while self.made < self.pieces:
                self.made += 1
                yield b"x"
                self.flowing.set()
                await asyncio.sleep(0)
        finally:
            self.closed.set()


@pytest.mark.parametrize("streams", [None, Streams()])
async def test_all_of_it_arrives_in_order(streams: Streams | None) -> None:
    reader, source = Reader(), Source(3)
    async with asyncio.timeout(DEADLINE_S):
        await reader.read(InPieces(source, media_type=EVENT_STREAM, streams=streams))
    assert reader.body == b"xxx"
    headers = dict(reader.got[0]["headers"])
    assert headers[b"content-type"].startswith(b"text/event-stream")
    assert b"content-length" not in headers
    assert [message.get("more_body", False) for message in reader.got[1:]] == [True, True, True, False]


async def test_a_slow_reader_costs_one_piece_and_no_more() -> None:
    reader, source, streams = Reader(takes=4), Source(), Streams()
    reading = reader.read(InPieces(source, media_type=EVENT_STREAM, streams=streams))
    async with asyncio.timeout(DEADLINE_S):
        await reader.stuck.wait()
    assert source.made == 4
    reader.left.set()
    async with asyncio.timeout(DEADLINE_S):
        await source.closed.wait()
    reading.cancel()


@pytest.mark.parametrize("streams", [None, Streams()])
async def test_who_takes_nothing_is_let_go(streams: Streams | None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "SEND_WITHIN_S", 0.01)
    reader, source = Reader(takes=2), Source()
    async with asyncio.timeout(DEADLINE_S):
        await reader.read(InPieces(source, media_type=EVENT_STREAM, streams=streams))
        await source.closed.wait()
    assert reader.aborted


async def test_who_leaves_ends_it(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, source, streams = Reader(), Source(), Streams()
    reading = reader.read(InPieces(source, media_type=EVENT_STREAM, streams=streams))
    async with asyncio.timeout(DEADLINE_S):
        await source.flowing.wait()
        reader.left.set()
        await reading
        await source.closed.wait()
    assert not streams._open


async def test_the_server_ends_those_that_are_open_and_their_answers_are_whole() -> None:
    reader, source, streams = Reader(), Source(), Streams()
    reading = reader.read(InPieces(source, media_type=EVENT_STREAM, streams=streams))
    async with asyncio.timeout(DEADLINE_S):
        await source.flowing.wait()
        await streams.leave()
        await reading
    assert reader.got[-1] == {"type": "http.response.body", "body": b""}
    await streams.leave()


async def test_there_are_only_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "STREAMS_MAX", 1)
    streams = Streams()
    assert not streams.full
    streams.add(asyncio.ensure_future(asyncio.Event().wait()))  # type: ignore[arg-type]
    assert streams.full
    await streams.leave()
    assert not streams.full


async def test_a_fault_in_making_pieces_is_told() -> None:
    async def broken() -> AsyncGenerator[bytes, None]:
        yield b"x"
        raise RuntimeError("a fault")

    with pytest.raises(RuntimeError, match="a fault"):
        await Reader().read(InPieces(broken, media_type=EVENT_STREAM, streams=Streams()))
