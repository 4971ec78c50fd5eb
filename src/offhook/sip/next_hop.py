"""Where a URI leads: RFC 3263 as a list of candidates and the questions still open about them.

NAPTR is left out: without it section 4.1 goes on with SRV for the transports we speak, which is what trunks publish.
Looking up is somebody else's; this says what, and in which order to try the answers (RFC 2782).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal

from offhook.sip.commands import Entropy
from offhook.sip.hop import DEFAULT_PORT, Target, Transport
from offhook.sip.uri import Uri

CANDIDATES_MAX = 32
"""A zone that lists more is cut off here."""

_IPV4 = re.compile(r"(?:\d{1,3}\.){3}\d{1,3}")
_SERVICE: dict[Transport, str] = {"udp": "_sip._udp.", "tcp": "_sip._tcp.", "tls": "_sips._tcp."}


@dataclass(frozen=True, slots=True, kw_only=True)
class SrvRecord:
    """One answer to an SRV question (RFC 2782)."""

    priority: int
    weight: int
    port: int
    host: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What must be known before the next address can be tried."""

    kind: Literal["srv", "address"]
    name: str


@dataclass(frozen=True, slots=True)
class Candidate:
    """A host to try; a ``service`` candidate stands for whatever its SRV records say."""

    transport: Transport
    host: str
    port: int | None
    service: bool = False


@dataclass(slots=True, kw_only=True)
class Lookup:
    """A walk through the candidates of one URI; plain data."""

    queue: list[Candidate] = field(default_factory=list)
    fallback: list[Candidate] = field(default_factory=list)
    """Used if no SRV record was found for any transport (section 4.2)."""


class Unroutable(ValueError):
    """A URI that leads nowhere we can go; the message says why."""


def is_numeric(host: str) -> bool:
    """Whether a host is an address and needs no look-up; IPv6 stands in brackets."""
    return host.startswith("[") or _IPV4.fullmatch(host) is not None or ":" in host


def bare_host(host: str) -> str:
    """A host as sockets want it: without the brackets of IPv6."""
    return host[1:-1] if host.startswith("[") else host


def start(uri: Uri, transports: Sequence[Transport]) -> Lookup:
    """The candidates of a URI (RFC 3263 sections 4.1 and 4.2), for one who speaks ``transports``.

    Raises ``Unroutable`` for schemes other than sip and sips, and for transports we do not speak.
    """
    if uri.scheme not in ("sip", "sips") or not uri.host:
        raise Unroutable(f"{uri.scheme}: is no scheme that leads to a host")
    host = uri.param("maddr") or uri.host
    wanted = _wanted(uri, transports)
    if is_numeric(host) or uri.port is not None:
        chosen = wanted[0]
        return Lookup(queue=[Candidate(chosen, host, uri.port)])
    return Lookup(
        queue=[Candidate(transport, host, None, service=True) for transport in wanted],
        fallback=[Candidate(wanted[0], host, None)],
    )


def _wanted(uri: Uri, transports: Sequence[Transport]) -> list[Transport]:
    named = (uri.param("transport") or "").lower()
    if uri.scheme == "sips" or named == "tls":
        order: list[Transport] = ["tls"]
    elif named == "tcp":
        order = ["tcp"]
    elif named == "udp":
        order = ["udp"]
    elif named:
        raise Unroutable(f"transport={named} is not spoken here")
    else:
        order = ["udp", "tcp"]
    usable = [transport for transport in order if transport in transports]
    if not usable:
        raise Unroutable(f"no listener for {' or '.join(order)}")
    return usable


def next_step(lookup: Lookup) -> Target | Question | None:
    """The next address to try, the question that stands in the way, or None: no more are left.

    A ``Target`` is taken from the list; a ``Question`` stays until ``answer`` is called.
    """
    if not lookup.queue and lookup.fallback:
        lookup.queue, lookup.fallback = lookup.fallback, []
    if not lookup.queue:
        return None
    first = lookup.queue[0]
    if first.service:
        return Question(kind="srv", name=_SERVICE[first.transport] + first.host)
    if not is_numeric(first.host):
        return Question(kind="address", name=first.host)
    del lookup.queue[0]
    return Target(first.transport, bare_host(first.host), first.port or DEFAULT_PORT[first.transport])


def answer(lookup: Lookup, answers: Sequence[SrvRecord] | Sequence[str], entropy: Entropy) -> None:
    """Put the answers in the question's place; none means that the name does not exist or could not be found."""
    first = lookup.queue.pop(0)
    found: list[Candidate] = []
    if first.service:
        records = [record for record in answers if isinstance(record, SrvRecord) and record.host not in ("", ".")]
        found = [
            Candidate(first.transport, record.host.rstrip("."), record.port) for record in _ordered(records, entropy)
        ]
        if found:
            lookup.fallback = []
    else:
        for address in answers:
            if isinstance(address, str):
                host = f"[{address}]" if ":" in address else address
                found.append(Candidate(first.transport, host, first.port))
    lookup.queue[:0] = found
    del lookup.queue[CANDIDATES_MAX:]


def _ordered(records: list[SrvRecord], entropy: Entropy) -> list[SrvRecord]:
    """RFC 2782: by priority; among equals drawn by weight, those of weight 0 first in the draw."""
    ordered: list[SrvRecord] = []
    for priority in sorted({record.priority for record in records}):
        left = sorted((r for r in records if r.priority == priority), key=lambda record: record.weight)
        while left:
            total = sum(record.weight for record in left)
            drawn = int.from_bytes(entropy(4), "big") % (total + 1)
            running = 0
            for place, record in enumerate(left):
                running += record.weight
                if running >= drawn:
                    ordered.append(left.pop(place))
                    break
    return ordered
