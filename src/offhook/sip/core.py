"""What all machines of one endpoint share: the present moment, chance, deadlines, and the two queues out.

It holds no protocol: it does not know what it sends. Open streams are kept here, since every sender asks for one.
"""

from __future__ import annotations

from collections import deque

from offhook.sip.commands import EndpointConfig, Entropy
from offhook.sip.events import Event
from offhook.sip.hop import Address, Hop, Now, Transport, Way
from offhook.sip.timers import Timers

TOKEN_BYTES = 8
"""64 random bits in every tag, branch and id; section 19.3 asks for 32."""


class Core:
    """Shared by the transaction layer, the sessions, the registrar and the registrations of one endpoint."""

    __slots__ = ("config", "connections", "entropy", "events", "now", "outbox", "timers", "transports", "ways")

    def __init__(self, config: EndpointConfig, entropy: Entropy, now: Now) -> None:
        if not config.ways:
            raise ValueError("an endpoint needs at least one way to listen on")
        self.config = config
        self.entropy = entropy
        self.now = now
        self.timers = Timers()
        self.outbox: deque[tuple[bytes, Hop]] = deque()
        self.events: deque[Event] = deque()
        self.connections: dict[tuple[Transport, Address], Hop] = {}
        """Open streams by their far end; one of them is enough (section 18.1.1)."""
        self.ways: dict[tuple[Transport, Address], Way] = {(way.transport, way.local): way for way in config.ways}
        self.transports: tuple[Transport, ...] = tuple(dict.fromkeys(way.transport for way in config.ways))

    def token(self) -> str:
        """A new unguessable word, safe in every place of a SIP message."""
        return self.entropy(TOKEN_BYTES).hex()

    def branch(self) -> str:
        """A new branch with the magic cookie (section 8.1.1.7)."""
        return "z9hG4bK" + self.entropy(TOKEN_BYTES).hex()

    def fraction(self) -> float:
        """A number drawn evenly from 0 to below 1."""
        return int.from_bytes(self.entropy(4), "big") / 2**32

    def emit(self, event: Event) -> None:
        """Tell the application."""
        self.events.append(event)

    def send(self, data: bytes, hop: Hop) -> None:
        """Queue octets; a stream that has closed is replaced by another open one, or by an order to open it."""
        self.outbox.append((data, self.live(hop)))

    def live(self, hop: Hop) -> Hop:
        """The same hop over a connection that stands, if there is one (section 18.2.2)."""
        if hop.transport == "udp":
            return hop
        standing = self.connections.get((hop.transport, hop.remote))
        if standing is not None and (hop.connection is None or standing.connection != hop.connection):
            return standing
        if standing is None and hop.connection is not None:
            return Hop(hop.transport, hop.local, hop.remote)
        return hop

    def way(self, transport: Transport, local: Address | None = None) -> Way:
        """Our side of a hop. Raises ``LookupError`` if we do not speak the transport."""
        if local is not None and (way := self.ways.get((transport, local))) is not None:
            return way
        for way in self.config.ways:
            if way.transport == transport:
                return way
        raise LookupError(f"no listener for {transport}")
