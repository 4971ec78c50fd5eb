"""Real loopback sockets: datagrams and streams reach the stack with the hop they came by, and go back by it."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import TypeVar

import pytest

from offhook.runtime import sip_sockets
from offhook.runtime.sip_sockets import ListenAddress, SipSockets
from offhook.sip.hop import Hop, HopChange

DEADLINE_S = 5.0
T = TypeVar("T")


class Heard:
    """Collects what the sockets report, and wakes who waits for it."""

    def __init__(self) -> None:
        self.datagrams: asyncio.Queue[tuple[bytes, Hop]] = asyncio.Queue()
        self.stream: asyncio.Queue[tuple[bytes, Hop]] = asyncio.Queue()
        self.hops: asyncio.Queue[tuple[HopChange, Hop]] = asyncio.Queue()
        self.sockets = SipSockets(
            on_datagram=lambda data, hop: self.datagrams.put_nowait((data, hop)),
            on_stream=lambda data, hop: self.stream.put_nowait((data, hop)),
            on_hop=lambda change, hop: self.hops.put_nowait((change, hop)),
        )


async def soon(queue: "asyncio.Queue[T]") -> T:
    async with asyncio.timeout(DEADLINE_S):
        return await queue.get()


@pytest.fixture
async def pair() -> AsyncIterator[tuple[Heard, Heard]]:
    here, there = Heard(), Heard()
    yield here, there
    await here.sockets.close()
    await there.sockets.close()


def loopback(transport: str) -> ListenAddress:
    return ListenAddress(transport=transport, host="127.0.0.1", port=0)  # type: ignore[arg-type]


async def test_a_datagram_arrives_with_its_hop_and_the_answer_goes_back(pair: tuple[Heard, Heard]) -> None:
    here, there = pair
    a = await here.sockets.listen(loopback("udp"))
    b = await there.sockets.listen(loopback("udp"))
    here.sockets.send(b"ask", Hop("udp", a, b))
    data, hop = await soon(there.datagrams)
    assert (data, hop.remote, hop.local) == (b"ask", a, b)
    there.sockets.send(b"answer", hop)
    assert (await soon(here.datagrams))[0] == b"answer"


async def test_what_waits_unread_is_counted_and_gone_once_it_is_read(pair: tuple[Heard, Heard]) -> None:
    here, _ = pair
    address = await here.sockets.listen(loopback("udp"))
    assert here.sockets.waiting_bytes() == 0
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as far:
        for _ in range(10):
            # Loopback hands over within the call, and the loop has no turn in between.
            far.sendto(b"x" * 600, address)
    assert here.sockets.waiting_bytes() >= 10 * 600
    for _ in range(10):
        await soon(here.datagrams)
    assert here.sockets.waiting_bytes() == 0


async def test_a_stream_is_opened_once_and_used_both_ways(pair: tuple[Heard, Heard]) -> None:
    here, there = pair
    a = await here.sockets.listen(loopback("tcp"))
    b = await there.sockets.listen(loopback("tcp"))
    wish = Hop("tcp", a, b)
    here.sockets.send(b"one", wish)
    here.sockets.send(b"two", wish)
    change, opened = await soon(here.hops)
    assert change is HopChange.OPENED
    assert opened.connection is not None
    change, theirs = await soon(there.hops)
    assert change is HopChange.OPENED
    got = b""
    while got != b"onetwo":
        data, hop = await soon(there.stream)
        got += data
    assert hop == theirs
    assert (here.sockets.streams_count, there.sockets.streams_count) == (1, 1)
    there.sockets.send(b"back", theirs)
    data, hop = await soon(here.stream)
    assert (data, hop) == (b"back", opened)
    here.sockets.send(b"three", wish)
    assert (await soon(there.stream))[1] == theirs


KEEP_ALIVE_TIMER = "02"


def kernel_timers(*ports: int) -> dict[int, str]:
    """Which timer the kernel runs for the established connections of these local ports (proc(5), `tr`)."""
    found = {}
    for text in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        _, local, _, state, _, timer, *_ = text.split()
        port = int(local.partition(":")[2], 16)
        if state == "01" and port in ports:
            found[port] = timer.partition(":")[0]
    return found


@pytest.mark.skipif(not Path("/proc/net/tcp").exists(), reason="asks Linux what its timers are for")
async def test_a_silent_peer_is_asked_whether_it_is_there(pair: tuple[Heard, Heard]) -> None:
    here, there = pair
    a = await here.sockets.listen(loopback("tcp"))
    b = await there.sockets.listen(loopback("tcp"))
    here.sockets.send(b"hello", Hop("tcp", a, b))
    _, theirs = await soon(there.hops)
    data, _ = await soon(there.stream)
    assert data == b"hello"
    both = (b[1], theirs.remote[1])
    deadline = time.monotonic() + DEADLINE_S
    # Until the kernel has its acknowledgement, another timer stands there.
    while (timers := kernel_timers(*both)) != dict.fromkeys(both, KEEP_ALIVE_TIMER):
        assert time.monotonic() < deadline, timers
        await asyncio.sleep(0.01)


async def test_a_refused_connection_is_a_failed_hop(pair: tuple[Heard, Heard]) -> None:
    here, _ = pair
    a = await here.sockets.listen(loopback("tcp"))
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        nobody = closed.getsockname()
        wish = Hop("tcp", a, nobody)
        here.sockets.send(b"hello", wish)
        assert await soon(here.hops) == (HopChange.FAILED, wish)


async def test_a_connection_that_is_gone_fails_instead_of_vanishing(pair: tuple[Heard, Heard]) -> None:
    here, there = pair
    a = await here.sockets.listen(loopback("tcp"))
    b = await there.sockets.listen(loopback("tcp"))
    here.sockets.send(b"hello", Hop("tcp", a, b))
    _, opened = await soon(here.hops)
    _, theirs = await soon(there.hops)
    await there.sockets.close()
    assert await soon(here.hops) == (HopChange.CLOSED, opened)
    here.sockets.send(b"late", opened)
    assert await soon(here.hops) == (HopChange.FAILED, opened)
    assert theirs.connection is not None


async def test_a_taken_port_says_what_to_do(pair: tuple[Heard, Heard]) -> None:
    here, there = pair
    host, port = await here.sockets.listen(loopback("udp"))
    with pytest.raises(OSError, match="change sip_listen"):
        await there.sockets.listen(ListenAddress(transport="udp", host=host, port=port))


async def connect(place: tuple[str, int]) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection(*place)


async def ended(reader: asyncio.StreamReader) -> bool:
    """Wait until the far end closes."""
    async with asyncio.timeout(DEADLINE_S):
        try:
            return await reader.read(1) == b""
        except ConnectionResetError:
            return True


async def test_one_source_has_only_so_many_streams(pair: tuple[Heard, Heard], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sip_sockets, "STREAMS_PER_SOURCE_MAX", 2)
    here, _ = pair
    place = await here.sockets.listen(loopback("tcp"))
    opened = [await connect(place) for _ in range(3)]
    assert await ended(opened[2][0])
    opened[0][1].transport.abort()
    while (await soon(here.hops))[0] is not HopChange.CLOSED:
        pass
    reader, writer = await connect(place)
    writer.write(b"room again")
    assert (await soon(here.stream))[0] == b"room again"
    for _, each in (*opened, (reader, writer)):
        each.transport.abort()


async def test_there_are_only_so_many_streams_at_all(
    pair: tuple[Heard, Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sip_sockets, "STREAMS_MAX", 0)
    here, _ = pair
    reader, writer = await connect(await here.sockets.listen(loopback("tcp")))
    assert await ended(reader)
    assert here.hops.empty()
    writer.transport.abort()


async def test_a_stream_on_which_no_request_comes_is_closed(
    pair: tuple[Heard, Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A slow sender: octets come, but nothing that would be answered.
    monkeypatch.setattr(sip_sockets, "FIRST_MESSAGE_S", 0.05)
    here, _ = pair
    reader, writer = await connect(await here.sockets.listen(loopback("tcp")))
    writer.write(b"INVITE sip:")
    assert await ended(reader)
    writer.transport.abort()


async def test_a_stream_that_was_used_stays_until_it_is_idle_for_long(
    pair: tuple[Heard, Heard], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sip_sockets, "FIRST_MESSAGE_S", 0.2)
    monkeypatch.setattr(sip_sockets, "IDLE_MAX_S", 0.4)
    here, _ = pair
    reader, writer = await connect(await here.sockets.listen(loopback("tcp")))
    writer.write(b"request")
    _, hop = await soon(here.stream)
    began = asyncio.get_running_loop().time()
    here.sockets.send(b"!", hop)
    async with asyncio.timeout(DEADLINE_S):
        assert await reader.read(1) == b"!"
    assert await ended(reader)
    assert asyncio.get_running_loop().time() - began >= 0.35
    writer.transport.abort()
