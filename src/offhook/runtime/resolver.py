"""Names to addresses for SIP (RFC 3263): SRV records and host names, asynchronously, for as long as the answers hold.

Host names go the system's way, so that `/etc/hosts` holds; SRV records go to the system's name servers by dnspython.
"""

import asyncio
import socket
from collections.abc import Sequence

import dns.asyncresolver
import dns.exception
import dns.name
import dns.resolver
import structlog
from dns.nameserver import Do53Nameserver
from dns.rdtypes.IN.SRV import SRV

from offhook.sip.next_hop import SrvRecord

__all__ = ["Resolver"]

log = structlog.get_logger(__name__)

LOOKUP_TIMEOUT_S = 3.0
"""One question, all name servers together; a call waits for it."""
CACHE_NAMES = 1000


class Resolver:
    """Answers the questions of a SIP endpoint. An empty answer means: not there, or not to be found now."""

    def __init__(self, name_servers: Sequence[tuple[str, int]] | None = None) -> None:
        """`name_servers`: addresses and ports of whom to ask for SRV records; without it the system's."""
        self._name_servers = name_servers
        self._dns: dns.asyncresolver.Resolver | None = None

    async def addresses(self, name: str) -> list[str]:
        """Numeric addresses of a host, IPv4 and IPv6, in the system's order of preference."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(LOOKUP_TIMEOUT_S):
                found = await loop.getaddrinfo(name, None, type=socket.SOCK_DGRAM)
        except (OSError, TimeoutError, UnicodeError) as error:
            log.info("dns.address.failed", name=name, error=str(error) or "time-out")
            return []
        return list(dict.fromkeys(str(entry[4][0]) for entry in found))

    async def services(self, name: str) -> list[SrvRecord]:
        """The SRV records of a name (RFC 2782)."""
        try:
            answer = await self._resolver().resolve(name, "SRV", search=False)
        except (dns.exception.DNSException, OSError) as error:
            if not isinstance(error, dns.resolver.NXDOMAIN | dns.resolver.NoAnswer):
                log.info("dns.srv.failed", name=name, error=str(error))
            return []
        return [
            SrvRecord(
                priority=record.priority, weight=record.weight, port=record.port, host=record.target.to_text(True)
            )
            for record in answer
            # RFC 2782: a target of "." says that the service is decidedly not there.
            if isinstance(record, SRV) and record.target != dns.name.root
        ]

    def _resolver(self) -> dns.asyncresolver.Resolver:
        if self._dns is None:
            try:
                self._dns = dns.asyncresolver.Resolver(configure=self._name_servers is None)
            except dns.resolver.NoResolverConfiguration:
                self._dns = dns.asyncresolver.Resolver(configure=False)
            if self._name_servers is not None:
                self._dns.nameservers = [Do53Nameserver(host, port) for host, port in self._name_servers]
            self._dns.lifetime = LOOKUP_TIMEOUT_S
            self._dns.cache = dns.resolver.LRUCache(CACHE_NAMES)
        return self._dns
