"""Remembers which addresses guess: after so many refusals an address is not listened to for a while.

Counts only; who is exempt (trunks) and what counts as a guess is the switchboard's. Memory is bounded: with more
sources than it holds, those that have been quiet longest are forgotten. Time is an argument.
"""

from collections import OrderedDict
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address

__all__ = ["REFUSE_S", "SourceGuard"]

GUESSES_MAX = 20
"""An office of phones with an old password behind one address gets this many tries; a scanner does that in a second."""
REFUSE_S = 300.0
"""So long after its last counted guess an address starts afresh."""
SOURCES_MAX = 10_000
IPV6_PREFIX_BITS = 64
"""What one customer of a provider is given at the least (RFC 6177): guesses from all of it count together."""


@dataclass(slots=True)
class _Guesses:
    count: int
    last_s: float


class SourceGuard:
    """Guesses by address."""

    def __init__(self) -> None:
        self._sources: OrderedDict[str, _Guesses] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sources)

    def guessed(self, host: str, now_s: float) -> bool:
        """Count one. Returns whether with this one the address is refused from now on."""
        key = _key(host)
        found = self._sources.get(key)
        if found is None or now_s - found.last_s >= REFUSE_S:
            found = self._sources[key] = _Guesses(0, now_s)
        found.count += 1
        found.last_s = now_s
        self._sources.move_to_end(key)
        while len(self._sources) > SOURCES_MAX:
            self._sources.popitem(last=False)
        return found.count == GUESSES_MAX

    def refuses(self, host: str, now_s: float) -> bool:
        """Whether an address has guessed too often."""
        if not self._sources:
            return False
        found = self._sources.get(_key(host))
        return found is not None and found.count >= GUESSES_MAX and now_s - found.last_s < REFUSE_S


def _key(host: str) -> str:
    try:
        address = ip_address(host.partition("%")[0])
    except ValueError:
        return host
    if not isinstance(address, IPv6Address):
        return host
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return f"{int(address) >> (128 - IPV6_PREFIX_BITS):x}/{IPV6_PREFIX_BITS}"
