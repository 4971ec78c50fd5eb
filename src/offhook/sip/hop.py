"""Where bytes come from and go to, and when: the only things the stack knows of the world (RFC 3261 section 18).

A hop is a value, never a socket. Nothing here opens, closes or looks anything up.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

Transport = Literal["udp", "tcp", "tls"]
Address = tuple[str, int]

DEFAULT_PORT: dict[Transport, int] = {"udp": 5060, "tcp": 5060, "tls": 5061}


@dataclass(frozen=True, slots=True)
class Now:
    """One moment on two clocks."""

    mono: float
    """Seconds on a clock that never goes back; deadlines run on it."""
    wall: float
    """Seconds since 1970 UTC; deadlines are exported on it, so that they outlive the process."""


@dataclass(frozen=True, slots=True)
class Hop:
    """A transport, two addresses, and for streams which connection.

    A stream hop with ``connection=None`` asks the driver to open a connection to ``remote`` (or to use the one it
    is opening there already) and then to say ``handle_hop(OPENED, …)`` or ``handle_hop(FAILED, …)``.
    """

    transport: Transport
    local: Address
    """The address our socket is bound to, as the driver names it."""
    remote: Address
    connection: int | None = None
    """The driver's number of a connection, never used twice; None for UDP and for "open one"."""

    @property
    def reliable(self) -> bool:
        """Whether the transport repeats and orders by itself (RFC 3261 section 17)."""
        return self.transport != "udp"


class HopChange(Enum):
    """What happened to a hop."""

    OPENED = "opened"
    """A connection stands, theirs or ours; the hop carries its number."""
    CLOSED = "closed"
    """A connection ended. What waits for an answer may still get it on another (section 18.2.2)."""
    FAILED = "failed"
    """Nothing can be sent there: a refused connection, an ICMP error (section 18.4)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One of our own addresses: where we listen, and what we tell others."""

    transport: Transport
    local: Address
    """The bound address; equals ``Hop.local`` of what arrives and leaves here."""
    advertised: Address
    """What Via and Contact say."""


@dataclass(frozen=True, slots=True)
class Target:
    """A numeric address to try, and by which transport (the outcome of RFC 3263)."""

    transport: Transport
    host: str
    port: int
