"""Names to addresses: host names from this machine, SRV records from a real name server on loopback."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import cast

import dns.message
import dns.rcode
import dns.rrset
import pytest

from offhook.runtime import resolver as module
from offhook.runtime.resolver import Resolver
from offhook.sip.next_hop import SrvRecord

DEADLINE_S = 5.0
NAME = "_sip._udp.carrier.example"


class NameServer(asyncio.DatagramProtocol):
    """Answers what its zone holds, NXDOMAIN to the rest, nothing while it is silent."""

    def __init__(self, zone: dict[str, list[str]], *, silent: bool = False) -> None:
        self.zone = zone
        self.silent = silent
        self.asked: list[str] = []
        self._transport: asyncio.DatagramTransport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.DatagramTransport, transport)

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        query = dns.message.from_wire(data)
        name = query.question[0].name
        self.asked.append(name.to_text(omit_final_dot=True))
        if self.silent:
            return
        reply = dns.message.make_response(query)
        records = self.zone.get(name.to_text(omit_final_dot=True))
        if records is None:
            reply.set_rcode(dns.rcode.NXDOMAIN)
        elif records:
            reply.answer.append(dns.rrset.from_text(name, 300, "IN", "SRV", *records))
        assert self._transport is not None
        self._transport.sendto(reply.to_wire(), addr)


@asynccontextmanager
async def name_server(
    zone: dict[str, list[str]], *, silent: bool = False
) -> AsyncIterator[tuple[NameServer, Resolver]]:
    loop = asyncio.get_running_loop()
    transport, server = await loop.create_datagram_endpoint(
        lambda: NameServer(zone, silent=silent), local_addr=("127.0.0.1", 0)
    )
    try:
        yield server, Resolver([transport.get_extra_info("sockname")])
    finally:
        transport.close()


async def test_services_as_they_are_published() -> None:
    zone = {NAME: ["10 60 5060 a.carrier.example.", "20 0 5070 b.carrier.example."]}
    async with name_server(zone) as (server, resolver):
        found = await asyncio.wait_for(resolver.services(NAME), DEADLINE_S)
        assert sorted(found, key=lambda record: record.priority) == [
            SrvRecord(priority=10, weight=60, port=5060, host="a.carrier.example"),
            SrvRecord(priority=20, weight=0, port=5070, host="b.carrier.example"),
        ]
        await asyncio.wait_for(resolver.services(NAME), DEADLINE_S)
        assert server.asked == [NAME], "an answer holds for as long as it says"


@pytest.mark.parametrize("zone", [{}, {NAME: []}])
async def test_a_service_that_is_not_published(zone: dict[str, list[str]]) -> None:
    async with name_server(zone) as (_, resolver):
        assert await asyncio.wait_for(resolver.services(NAME), DEADLINE_S) == []


async def test_a_service_that_is_decidedly_not_there() -> None:
    """RFC 2782: a target of "." says so; it is no host to be looked up."""
    async with name_server({NAME: ["0 0 0 ."]}) as (_, resolver):
        assert await asyncio.wait_for(resolver.services(NAME), DEADLINE_S) == []


async def test_a_name_server_that_says_nothing_is_not_waited_for_longer_than_a_call_can(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "LOOKUP_TIMEOUT_S", 0.05)
    async with name_server({}, silent=True) as (_, resolver):
        assert await asyncio.wait_for(resolver.services(NAME), DEADLINE_S) == []


async def test_hosts_of_this_machine() -> None:
    found = await asyncio.wait_for(Resolver().addresses("localhost"), DEADLINE_S)
    assert "127.0.0.1" in found or "::1" in found
    assert len(found) == len(set(found))


@pytest.mark.parametrize("name", ["nothing.invalid", "x" * 300 + ".example", "a..b", "\udcff.example"])
async def test_names_that_are_none(name: str) -> None:
    assert await asyncio.wait_for(Resolver().addresses(name), DEADLINE_S) == []
    async with name_server({}) as (_, resolver):
        assert await asyncio.wait_for(resolver.services(name), DEADLINE_S) == []


async def test_a_name_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOKUP_TIMEOUT_S", 0.01)
    never = asyncio.Event()

    async def slow(*_: object, **__: object) -> list[object]:
        await never.wait()
        return []

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", slow, raising=False)
    assert await asyncio.wait_for(Resolver().addresses("slow.example"), DEADLINE_S) == []


async def test_the_system_s_name_servers_are_used_where_none_are_named() -> None:
    made = Resolver()._resolver()
    assert made.lifetime == module.LOOKUP_TIMEOUT_S
    assert made.cache is not None
