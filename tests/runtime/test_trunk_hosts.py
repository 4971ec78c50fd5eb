"""A carrier that is known by its name calls from where the name leads: looked up again, and kept meanwhile."""

import asyncio
from collections.abc import Callable

import pytest

from offhook.runtime import trunk_hosts as module
from offhook.runtime.resolver import Resolver
from offhook.runtime.trunk_hosts import TrunkHosts
from offhook.sip.next_hop import SrvRecord
from offhook.storage.store import Storage

DEADLINE_S = 10.0


class Names(Resolver):
    """What names lead to; forgets them when told."""

    def __init__(self, hosts: dict[str, list[str]], services: dict[str, list[str]] | None = None) -> None:
        super().__init__()
        self.hosts = hosts
        self.of_services = services or {}
        self.asked: list[str] = []

    async def addresses(self, name: str) -> list[str]:
        self.asked.append(name)
        return self.hosts.get(name, [])

    async def services(self, name: str) -> list[SrvRecord]:
        self.asked.append(name)
        return [SrvRecord(priority=1, weight=1, port=5060, host=host) for host in self.of_services.get(name, [])]


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(DEADLINE_S):
        while not true():  # noqa: ASYNC110 - what is waited for is another task's turn, and it tells nobody
            await asyncio.sleep(0)


async def test_a_name_of_this_machine(storage: Storage) -> None:
    trunk = storage.directory.add_trunk("carrier", "sip:localhost:5060")
    hosts = TrunkHosts()
    assert not hosts.has("127.0.0.1")
    hosts.follow(storage.directory.trunks())
    await until(lambda: hosts.has("127.0.0.1"))
    assert not hosts.has("127.0.0.2")
    assert not hosts.has("localhost")
    assert hosts.trunk_at("127.0.0.1") == trunk.id
    hosts.leave()


async def test_where_its_services_are(storage: Storage) -> None:
    storage.directory.add_trunk("carrier", "sip:carrier.example")
    names = Names(
        {"a.carrier.example": ["192.0.2.1", "2001:db8::1"], "b.carrier.example": ["192.0.2.2"]},
        {"_sip._udp.carrier.example": ["a.carrier.example"], "_sip._tcp.carrier.example": ["b.carrier.example"]},
    )
    hosts = TrunkHosts(names)
    hosts.follow(storage.directory.trunks())
    await until(lambda: hosts.has("192.0.2.1"))
    assert hosts.has("192.0.2.2")
    assert hosts.has("2001:db8:0::1")
    hosts.leave()


async def test_a_port_asks_for_no_service(storage: Storage) -> None:
    storage.directory.add_trunk("carrier", "sip:carrier.example:5070")
    names = Names({"carrier.example": ["192.0.2.1"]}, {"_sip._udp.carrier.example": ["carrier.example"]})
    hosts = TrunkHosts(names)
    hosts.follow(storage.directory.trunks())
    await until(lambda: hosts.has("192.0.2.1"))
    assert names.asked == ["carrier.example"]
    hosts.leave()


async def test_what_the_operator_said_counts_alone(storage: Storage) -> None:
    storage.directory.add_trunk("told", "sip:told.example", from_addresses=["198.51.100.0/24"])
    storage.directory.add_trunk("numeric", "sip:192.0.2.9")
    storage.directory.add_trunk("six", "sip:[2001:db8::9]")
    storage.directory.add_trunk("named", "sip:named.example:5060")
    names = Names({"told.example": ["192.0.2.1"], "named.example": ["192.0.2.2"]})
    hosts = TrunkHosts(names)
    hosts.follow(storage.directory.trunks())
    await until(lambda: hosts.has("192.0.2.2"))
    assert not hosts.has("192.0.2.1")
    assert names.asked == ["named.example"]
    hosts.leave()


async def test_a_name_server_that_is_away_makes_no_stranger(storage: Storage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "REFRESH_S", 0.0)
    storage.directory.add_trunk("carrier", "sip:carrier.example:5060")
    names = Names({"carrier.example": ["192.0.2.1"]})
    hosts = TrunkHosts(names)
    hosts.follow(storage.directory.trunks())
    await until(lambda: hosts.has("192.0.2.1"))
    names.hosts = {}
    asked = len(names.asked)
    await until(lambda: len(names.asked) > asked + 2)
    assert hosts.has("192.0.2.1")
    names.hosts = {"carrier.example": ["192.0.2.7"]}
    await until(lambda: hosts.has("192.0.2.7"))
    assert not hosts.has("192.0.2.1"), "it has moved"
    hosts.leave()


async def test_a_trunk_that_is_removed_is_a_stranger(storage: Storage) -> None:
    row = storage.directory.add_trunk("carrier", "sip:carrier.example:5060")
    hosts = TrunkHosts(Names({"carrier.example": ["192.0.2.1"]}))
    hosts.follow(storage.directory.trunks())
    await until(lambda: hosts.has("192.0.2.1"))
    storage.directory.remove_trunk(row.id)
    hosts.follow(storage.directory.trunks())
    assert not hosts.has("192.0.2.1")
    hosts.leave()
