"""Keeps customers' URLs away from private, loopback, link-local and metadata addresses, and from their disguises.

The address that is checked is the address that is connected to: names are looked up here, answers are sieved before a
connection is made of them, and every socket is checked once more as it is made. Redirects are new requests and pass the
same way. Refuses nothing by name or port; `webhook_allow` opens networks. Why so: docs/howto/webhook-networks.md.
"""

import asyncio
import socket
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

__all__ = ["AddressBlocked", "GuardedResolver", "Network", "UrlGuard"]

Network = IPv4Network | IPv6Network
Address = IPv4Address | IPv6Address

LOOKUP_THREADS = 32
"""Look-ups at a time; a name server that hangs holds one for some seconds, and must not hold up the others' names."""

METADATA = frozenset(
    ip_address(text)
    for text in ("169.254.169.254", "169.254.170.2", "100.100.100.200", "fd00:ec2::254", "fd20:ce::254")
)
"""Where clouds hand out a machine's credentials. Open only to an allow list that names the very address (/32, /128)."""

NAT64 = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))
IPV4_COMPATIBLE = IPv6Network("::/96")


class AddressBlocked(OSError):
    """An address that customers' URLs may not lead to. `str()` is the address with the name it came from."""


class UrlGuard:
    """Decides which addresses may be connected to, and is the socket factory that sees to it.

    `allow` are networks that are let through although they are not public (`webhook_allow`). An IPv6 address that holds
    an IPv4 one (mapped, compatible, NAT64, 6to4, Teredo) is as good as what it holds, because that is where its packets
    may come out.
    """

    def __init__(self, allow: Iterable[Network] = ()) -> None:
        self._allow = tuple(allow)

    def allows(self, address: str) -> bool:
        """Whether a literal address may be connected to. Raises `ValueError` for what is no address."""
        return all(self._allows(each) for each in _meant(ip_address(address.partition("%")[0])))

    def check_literal(self, host: str) -> None:
        """Raises `AddressBlocked` if the host of a URL is a literal that may not be. Names are left to the resolver."""
        try:
            allowed = self.allows(host.strip("[]"))
        except ValueError:
            return
        if not allowed:
            raise AddressBlocked(host)

    def make_socket(self, info: aiohttp.AddrInfoType) -> socket.socket:
        """A socket for an address that may be connected to: the last look, and the one that counts."""
        family, kind, protocol, _, address = info
        if not self.allows(str(address[0])):
            raise AddressBlocked(str(address[0]))
        return socket.socket(family, kind, protocol)

    def _allows(self, address: Address) -> bool:
        networks = [network for network in self._allow if address.version == network.version and address in network]
        if address in METADATA:
            return any(network.num_addresses == 1 for network in networks)
        return bool(networks) or _public(address)


def _public(address: Address) -> bool:
    # is_global knows IANA's special-purpose registries (private, loopback, link-local, CGNAT, documentation, reserved);
    # multicast and the abandoned site-local block are said apart.
    site_local = isinstance(address, IPv6Address) and address.is_site_local
    return address.is_global and not (address.is_multicast or address.is_unspecified or site_local)


def _meant(address: Address) -> tuple[Address, ...]:
    """Every address that packets to this one may reach; all of them must be allowed."""
    if isinstance(address, IPv4Address):
        return (address,)
    if address.ipv4_mapped is not None:
        return (address.ipv4_mapped,)
    if address.sixtofour is not None:
        return (address.sixtofour,)
    if address.teredo is not None:
        return (address, *address.teredo)
    if address in NAT64[0]:
        return (_last_32_bits(address),)
    if address in NAT64[1]:
        return (address, _last_32_bits(address))
    if address in IPV4_COMPATIBLE and int(address) > 1:
        return (address, _last_32_bits(address))
    return (address,)


def _last_32_bits(address: IPv6Address) -> IPv4Address:
    return IPv4Address(int(address) & 0xFFFF_FFFF)


class GuardedResolver(AbstractResolver):
    """Looks names up as the system does and keeps of the answer what the guard allows.

    A name with public and private addresses is used by its public ones: harmless, and split-horizon DNS has such names.
    Raises `AddressBlocked` when none is left, `OSError` when the name has no address. Threads of its own, so that other
    users of the loop's executor never wait for a name server.
    """

    def __init__(self, guard: UrlGuard) -> None:
        self._guard = guard
        self._threads = ThreadPoolExecutor(max_workers=LOOKUP_THREADS, thread_name_prefix="hook-dns")

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_UNSPEC
    ) -> list[ResolveResult]:
        look_up = partial(socket.getaddrinfo, host, port, family=family, type=socket.SOCK_STREAM)
        try:
            found = await asyncio.get_running_loop().run_in_executor(self._threads, look_up)
        except UnicodeError as error:
            raise OSError(None, f"{host} is no host name") from error
        addresses = list(dict.fromkeys((entry[0], entry[2], str(entry[4][0])) for entry in found))
        allowed = [entry for entry in addresses if self._guard.allows(entry[2])]
        if addresses and not allowed:
            raise AddressBlocked(f"{addresses[0][2]} ({host})")
        return [
            ResolveResult(
                hostname=host, host=address, port=port, family=kind, proto=protocol, flags=socket.AI_NUMERICHOST
            )
            for kind, protocol, address in allowed
        ]

    async def close(self) -> None:
        self._threads.shutdown(wait=False, cancel_futures=True)
