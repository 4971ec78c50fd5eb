"""The sockets of SIP (RFC 3261 section 18): datagrams and streams in, bytes out. It reads nothing of what it carries.

Listening sockets are made here and not by the loop, so that their descriptors can be kept by the media engine across a
restart. A stream is known by a number that is never used twice.
"""

import asyncio
import contextlib
import itertools
import socket
import sys
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Literal, cast

import structlog

from offhook.runtime.wellness import share
from offhook.sip.hop import Address, Hop, HopChange, Transport

__all__ = ["ListenAddress", "SipSockets"]

log = structlog.get_logger(__name__)

CONNECT_TIMEOUT_S = 4.0
"""Shorter than a transaction's patience, so that another address can still be tried."""
RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
"""A burst of calls waits in the kernel while Python is busy; the default holds about 150 messages."""
SO_MEMINFO = 55
"""Of Linux (include/uapi/asm-generic/socket.h), which Python's socket module has no name for; its first number is what
waits to be read."""
BACKLOG = 512
"""Connections that may wait to be accepted, as after a restart."""
STREAM_BACKLOG_BYTES = 1024 * 1024
"""A peer that reads nothing is cut off before its backlog costs more memory than this."""
PROBE_AFTER_S, PROBE_EVERY_S, PROBES = 120, 15, 4
"""A stream that has been silent is asked by the kernel whether its peer is there: one that lost its power or its NAT
entry says no goodbye, and its connection would be kept for ever."""
STREAMS_MAX = 5_000
STREAMS_ONE_IN = 4
"""Accepted at a time, and of all descriptors one in so many at the most: each costs one, and calls need theirs."""
STREAMS_PER_SOURCE_MAX = 200
"""Of these from one address: an office of phones behind one NAT has room, and a single host cannot take them all."""
FIRST_MESSAGE_S = 10.0
"""An accepted stream on which nothing whole has come after this is no phone's."""
IDLE_MAX_S = 2 * 3600.0 + 300.0
"""An accepted stream without an octet either way for this is left: the longest registration, and a little."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ListenAddress:
    """One entry of the setting `sip_listen`."""

    transport: Literal["udp", "tcp"]
    host: str
    port: int


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, owner: "SipSockets", local: Address) -> None:
        self._owner = owner
        self._local = local

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._owner.on_datagram(data, Hop("udp", self._local, (addr[0], addr[1])))

    def error_received(self, exc: Exception) -> None:
        # An ICMP error does not say whose datagram it was; transactions time out by themselves.
        log.debug("sip.udp.error", error=str(exc))


class _Stream(asyncio.Protocol):
    def __init__(self, owner: "SipSockets", name: Transport, local: Address, remote: Address | None) -> None:
        self._owner = owner
        self._name: Transport = name
        self._local = local
        self._remote = remote
        self.transport: asyncio.Transport | None = None
        self.hop: Hop | None = None
        self.watch: asyncio.TimerHandle | None = None
        """Only of a stream that was accepted: closes it when nothing comes."""
        self.used_at = 0.0
        self.spoken = False
        """Whether we have sent anything on it: any whole request gets an answer, and nothing less does."""

    @property
    def accepted(self) -> bool:
        """Whether the far end opened it."""
        return self._remote is None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # No isinstance: the transports of uvloop are not of asyncio's classes.
        self.transport = cast(asyncio.Transport, transport)
        _probe(self.transport.get_extra_info("socket"))
        peer = self.transport.get_extra_info("peername")
        remote = self._remote or (peer[0], peer[1])
        if self.accepted and not self._owner.has_room(remote[0]):
            self.transport.abort()
            return
        self.hop = self._owner.opened(self, self._name, self._local, remote)

    def data_received(self, data: bytes) -> None:
        if self.hop is not None:
            self._owner.heard(self, data)

    def connection_lost(self, exc: Exception | None) -> None:
        if self.watch is not None:
            self.watch.cancel()
        if self.hop is not None:
            self._owner.closed(self.hop)


class SipSockets:
    """All sockets of one SIP endpoint. `on_datagram`, `on_stream` and `on_hop` are called on the loop."""

    def __init__(
        self,
        *,
        on_datagram: Callable[[bytes, Hop], None],
        on_stream: Callable[[bytes, Hop], None],
        on_hop: Callable[[HopChange, Hop], None],
    ) -> None:
        self.on_datagram = on_datagram
        self.on_stream = on_stream
        self._on_hop = on_hop
        self._datagrams: dict[Address, asyncio.DatagramTransport] = {}
        self._bound: list[tuple[Transport, Address, socket.socket]] = []
        """Taken, and not heard yet."""
        self._servers: list[asyncio.Server] = []
        self._streams: dict[int, _Stream] = {}
        self._accepted: Counter[str] = Counter()
        """Streams by the address that opened them."""
        self._by_remote: dict[tuple[Transport, Address], int] = {}
        self._opening: dict[tuple[Transport, Address], list[bytes]] = {}
        self._numbers = itertools.count(1)
        self._tasks: set[asyncio.Task[None]] = set()
        self.listening: dict[str, socket.socket] = {}
        """By name (`udp:127.0.0.1:5060`); what a restart wants to keep."""

    async def listen(self, address: ListenAddress) -> Address:
        """`bind` and `begin` in one."""
        local = self.bind(address)
        await self.begin()
        return local

    def bind(self, address: ListenAddress, kept: socket.socket | None = None) -> Address:
        """Take an address, or a socket of an earlier process that has it. Returns the bound address. What comes there
        waits for `begin`. Raises OSError whose text names the address and what to do.
        """
        made = kept or _bound(address)
        if kept is None and address.transport != "udp":
            # Callers may connect from now on, and wait.
            made.listen(BACKLOG)
        host, port = made.getsockname()[:2]
        local = (host, port)
        self.listening[f"{address.transport}:{host}:{port}"] = made.dup()
        self._bound.append((address.transport, local, made))
        return local

    async def begin(self) -> None:
        """Hear and send on all that was bound."""
        loop = asyncio.get_running_loop()
        while self._bound:
            name, local, made = self._bound.pop(0)
            if name == "udp":
                transport, _ = await loop.create_datagram_endpoint(partial(_Datagrams, self, local), sock=made)
                self._datagrams[local] = transport
            else:
                protocol = partial(_Stream, self, name, local, None)
                self._servers.append(await loop.create_server(protocol, sock=made, backlog=BACKLOG))

    @property
    def streams_count(self) -> int:
        """Connections that stand or are being made."""
        return len(self._streams) + len(self._opening)

    def send(self, data: bytes, hop: Hop) -> None:
        """Send; never waits. What cannot be sent is reported as a failed hop."""
        if hop.transport == "udp":
            transport = self._datagrams.get(hop.local)
            if transport is None:
                self._fail(hop)
                return
            transport.sendto(data, hop.remote)
            return
        number = hop.connection or self._by_remote.get((hop.transport, hop.remote))
        if number is not None and (stream := self._streams.get(number)) is not None and stream.transport is not None:
            if stream.transport.get_write_buffer_size() > STREAM_BACKLOG_BYTES:
                stream.transport.abort()
                return
            stream.used_at, stream.spoken = time.monotonic(), True
            stream.transport.write(data)
        elif hop.connection is not None:
            self._fail(hop)
        else:
            self._open(hop, data)

    def waiting_bytes(self) -> int:
        """How much the kernel holds of datagrams that nobody has read, as it counts them (600 octets are 1280); 0 where
        it does not say."""
        waiting = 0
        for name, listening in self.listening.items():
            if name.startswith("udp:"):
                with contextlib.suppress(OSError):
                    waiting += int.from_bytes(listening.getsockopt(socket.SOL_SOCKET, SO_MEMINFO, 4), sys.byteorder)
        return waiting

    def close_hop(self, hop: Hop) -> None:
        """Close one stream, for example because its framing is lost (RFC 3261 section 18.3)."""
        stream = self._streams.get(hop.connection or 0)
        if stream is not None and stream.transport is not None:
            stream.transport.close()

    async def close(self) -> None:
        """Close everything."""
        for task in list(self._tasks):
            task.cancel()
        for server in self._servers:
            server.close()
        for stream in list(self._streams.values()):
            if stream.transport is not None:
                stream.transport.abort()
        for transport in self._datagrams.values():
            transport.close()
        for kept in (*self.listening.values(), *(made for _, _, made in self._bound)):
            kept.close()
        # Transports tell their protocols of the end in the loop's next turn.
        await asyncio.sleep(0)

    def has_room(self, host: str) -> bool:
        """Whether one more stream from there is taken."""
        room = self._accepted.total() < share(STREAMS_MAX, STREAMS_ONE_IN)
        return room and self._accepted[host] < STREAMS_PER_SOURCE_MAX

    def heard(self, stream: _Stream, data: bytes) -> None:
        """Octets came; called by its protocol."""
        assert stream.hop is not None
        stream.used_at = time.monotonic()
        self.on_stream(data, stream.hop)

    def opened(self, stream: _Stream, name: Transport, local: Address, remote: Address) -> Hop:
        """A stream stands; called by its protocol."""
        number = next(self._numbers)
        hop = Hop(name, local, remote, number)
        self._streams[number] = stream
        self._by_remote.setdefault((name, remote), number)
        if stream.accepted:
            self._accepted[remote[0]] += 1
            stream.watch = asyncio.get_running_loop().call_later(FIRST_MESSAGE_S, self._look, stream)
        self._on_hop(HopChange.OPENED, hop)
        return hop

    def _look(self, stream: _Stream) -> None:
        """Close an accepted stream that is of no use any more; look again later at any other."""
        assert stream.transport is not None
        idle_s = time.monotonic() - stream.used_at
        if not stream.spoken or idle_s >= IDLE_MAX_S:
            stream.transport.abort()
            return
        stream.watch = asyncio.get_running_loop().call_later(IDLE_MAX_S - idle_s, self._look, stream)

    def closed(self, hop: Hop) -> None:
        """A stream is gone; called by its protocol."""
        assert hop.connection is not None
        stream = self._streams.pop(hop.connection, None)
        if stream is not None and stream.accepted:
            self._accepted[hop.remote[0]] -= 1
            if not self._accepted[hop.remote[0]]:
                del self._accepted[hop.remote[0]]
        if self._by_remote.get((hop.transport, hop.remote)) == hop.connection:
            del self._by_remote[(hop.transport, hop.remote)]
        self._on_hop(HopChange.CLOSED, hop)

    def _fail(self, hop: Hop) -> None:
        asyncio.get_running_loop().call_soon(self._on_hop, HopChange.FAILED, hop)

    def _open(self, hop: Hop, data: bytes) -> None:
        key = (hop.transport, hop.remote)
        if key in self._opening:
            self._opening[key].append(data)
            return
        self._opening[key] = [data]
        task = asyncio.get_running_loop().create_task(self._connect(hop))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _connect(self, hop: Hop) -> None:
        loop = asyncio.get_running_loop()
        key = (hop.transport, hop.remote)
        made: list[_Stream] = []

        def protocol() -> _Stream:
            made.append(_Stream(self, hop.transport, hop.local, hop.remote))
            return made[-1]

        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await loop.create_connection(protocol, *hop.remote, local_addr=_outgoing(hop.local))
        except (OSError, TimeoutError) as error:
            log.info("sip.stream.refused", remote=f"{hop.remote[0]}:{hop.remote[1]}", error=str(error) or "time-out")
            self._opening.pop(key, None)
            self._on_hop(HopChange.FAILED, hop)
            return
        for data in self._opening.pop(key, ()):
            transport = made[0].transport
            if transport is not None:
                transport.write(data)


def _outgoing(local: Address) -> tuple[str, int] | None:
    """The address to leave from: ours, with any port."""
    return None if local[0] in ("0.0.0.0", "::") else (local[0], 0)


def _probe(stream: socket.socket) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    for name, value in (("TCP_KEEPIDLE", PROBE_AFTER_S), ("TCP_KEEPINTVL", PROBE_EVERY_S), ("TCP_KEEPCNT", PROBES)):
        # Not every system lets a program choose; probing by its own pace is as good.
        if (option := getattr(socket, name, None)) is not None:
            stream.setsockopt(socket.IPPROTO_TCP, option, value)


def _bound(address: ListenAddress) -> socket.socket:
    family = socket.AF_INET6 if ":" in address.host else socket.AF_INET
    kind = socket.SOCK_DGRAM if address.transport == "udp" else socket.SOCK_STREAM
    made = socket.socket(family, kind)
    try:
        if kind == socket.SOCK_STREAM:
            made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            with contextlib.suppress(OSError):
                made.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        made.setblocking(False)
        made.bind((address.host, address.port))
    except OSError as error:
        made.close()
        raise OSError(
            error.errno,
            f"cannot listen on {address.transport}:{address.host}:{address.port} ({error.strerror}); "
            "another program may be using it: change sip_listen, or stop that program",
        ) from error
    return made
