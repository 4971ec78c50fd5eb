"""From which addresses trunks call that are known by a name: those that the name leads to, looked up again and again.

A carrier calls from where it is called, unless the operator said otherwise (`from_addresses`; then no name counts). A
look-up that finds nothing forgets nothing: a name server that is away for a minute must not make a carrier a stranger.
"""

import asyncio
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address

from offhook.runtime.resolver import Resolver
from offhook.sip.errors import SyntaxFault
from offhook.sip.uri import Uri
from offhook.storage.rows import TrunkRow

__all__ = ["TrunkHosts"]

REFRESH_S = 300.0
SERVICES = ("_sip._udp.", "_sip._tcp.")
"""RFC 3263 section 4.2; a carrier may call by either."""

Address = IPv4Address | IPv6Address


class TrunkHosts:
    """Addresses by trunk. `follow` on every change of the trunks; `leave` at the end."""

    def __init__(self, resolver: Resolver | None = None) -> None:
        self._resolver = resolver or Resolver()
        self._known: dict[str, frozenset[Address]] = {}
        self._task: asyncio.Task[None] | None = None

    def has(self, host: str) -> bool:
        """Whether a trunk's name leads to this address."""
        return self.trunk_at(host) is not None

    def trunk_at(self, host: str) -> str | None:
        """The id of the trunk whose name leads to this address."""
        try:
            address = ip_address(host)
        except ValueError:
            return None
        return next((trunk for trunk, addresses in self._known.items() if address in addresses), None)

    def follow(self, trunks: Iterable[TrunkRow]) -> None:
        """From now on these trunks count; their names are looked up at once."""
        self.leave()
        named = {trunk.id: uri for trunk in trunks if (uri := _by_name(trunk)) is not None}
        self._known = {trunk: self._known.get(trunk, frozenset()) for trunk in named}
        if named:
            self._task = asyncio.get_running_loop().create_task(self._keep(named))

    def leave(self) -> None:
        """Look nothing up any more."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _keep(self, named: dict[str, Uri]) -> None:
        while True:
            await asyncio.gather(*(self._look(trunk, uri) for trunk, uri in named.items()))
            await asyncio.sleep(REFRESH_S)

    async def _look(self, trunk: str, uri: Uri) -> None:
        hosts = {uri.host}
        if uri.port is None:
            # A port in the address means that no SRV record is asked for (RFC 3263 section 4.2).
            found = await asyncio.gather(*(self._resolver.services(service + uri.host) for service in SERVICES))
            hosts |= {record.host for records in found for record in records}
        texts = await asyncio.gather(*(self._resolver.addresses(host) for host in sorted(hosts)))
        addresses = frozenset(ip_address(text) for each in texts for text in each)
        if addresses:
            self._known[trunk] = addresses


def _by_name(trunk: TrunkRow) -> Uri | None:
    """Its address, if that is a name and nothing else says where its calls come from."""
    if trunk.from_addresses:
        return None
    try:
        uri = Uri.parse(trunk.address)
    except SyntaxFault:
        return None
    try:
        ip_address(uri.host.strip("[]"))
    except ValueError:
        return uri
    return None
