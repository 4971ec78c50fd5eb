"""A pretend wire between pure SIP endpoints: loss, delay, reordering and duplication are settings, time is virtual.

Everything is drawn from a seed, so a run that fails can be run again. Streams deliver whole and in order, as TCP does.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Callable
from dataclasses import dataclass, field

from offhook.sip.commands import EndpointConfig
from offhook.sip.endpoint import Endpoint
from offhook.sip.events import Event
from offhook.sip.hop import Address, Hop, HopChange, Now, Transport, Way
from offhook.sip.message import Message
from offhook.sip.parser import parse_datagram

WALL_AT_START = 1_700_000_000.0
STEPS_MAX = 200_000
"""A run that takes more is a loop between two machines."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """What happens to datagrams."""

    loss: float = 0.0
    """Part of all datagrams that never arrive."""
    delay_s: tuple[float, float] = (0.01, 0.01)
    """Shortest and longest way; a wide range reorders."""
    duplicate: float = 0.0
    """Part of all datagrams that arrive twice."""


@dataclass(slots=True, eq=False)
class Party:
    """One endpoint on the wire, what it told, and who listens."""

    name: str
    endpoint: Endpoint
    config: EndpointConfig
    entropy: Callable[[int], bytes]
    events: list[Event] = field(default_factory=list)
    listener: Callable[[Event], None] | None = None
    """Called with each event; may use the endpoint's verbs."""

    def of(self, kind: type) -> list[Event]:
        """The events of one kind so far."""
        return [event for event in self.events if isinstance(event, kind)]


@dataclass(frozen=True, slots=True)
class Passed:
    """One message that was sent, whether it arrived or not."""

    at: float
    source: Address
    remote: Address
    data: bytes
    transport: Transport

    @property
    def message(self) -> Message:
        return parse_datagram(self.data)

    @property
    def what(self) -> str:
        """The first line's method or status."""
        first = self.data.split(b"\r\n", 1)[0].decode()
        return first.split(" ")[1] if first.startswith("SIP/2.0 ") else first.split(" ")[0]


def seeded(seed: object) -> Callable[[int], bytes]:
    """Entropy for a test: the same for the same seed."""
    return random.Random(str(seed)).randbytes


class Wire:
    """Parties, what is on its way between them, and the clock."""

    def __init__(self, weather: Weather | None = None, seed: int = 1, *, wall_at_start: float = WALL_AT_START) -> None:
        self.weather = weather or Weather()
        self.mono = 100.0
        self.wall_at_start = wall_at_start
        self.log: list[Passed] = []
        self.refusing: set[Address] = set()
        """Addresses where nobody listens: connections and datagrams fail there at once."""
        self.losing: dict[str, int] = {}
        """Methods and statuses of which so many datagrams are lost next."""
        self._parties: dict[tuple[Transport, Address], Party] = {}
        self._chance = random.Random(seed)
        self._queue: list[tuple[float, int, Callable[[], Party]]] = []
        self._serial = 0
        self._pairs: dict[int, tuple[Hop, Hop]] = {}

    @property
    def now(self) -> Now:
        """The present, on both clocks."""
        return Now(self.mono, self.wall_at_start + self.mono)

    def add(self, name: str, host: str, **settings: object) -> Party:
        """A party that listens on UDP and TCP port 5060 of ``host``; ``settings`` go to ``EndpointConfig``."""
        address = (host, 5060)
        ways = tuple(Way(transport=transport, local=address, advertised=address) for transport in ("udp", "tcp"))
        config = EndpointConfig(ways=ways, domain="example.test", **settings)  # type: ignore[arg-type]
        entropy = seeded(name)
        party = Party(name, Endpoint(config, entropy, self.now), config, entropy)
        for way in ways:
            self._parties[way.transport, way.local] = party
        return party

    def run(self, for_s: float = 300.0, until: Callable[[], bool] | None = None) -> None:
        """Let time pass: ``for_s`` seconds, or less if ``until`` comes true first."""
        end = self.mono + for_s
        for party in self._all():
            self._drain(party)
        for _ in range(STEPS_MAX):
            if until is not None and until():
                return
            arrival = self._queue[0][0] if self._queue else None
            deadlines = [(at, party) for party in self._all() if (at := party.endpoint.poll_deadline()) is not None]
            due = min(deadlines, key=lambda pair: pair[0], default=None)
            if arrival is not None and (due is None or arrival <= due[0]):
                if arrival > end:
                    break
                self.mono = max(self.mono, arrival)
                self._drain(heapq.heappop(self._queue)[2]())
            elif due is not None and due[0] <= end:
                self.mono = max(self.mono, due[0])
                due[1].endpoint.handle_timer(self.now)
                self._drain(due[1])
            else:
                break
        else:
            raise AssertionError("the machines never come to rest")
        assert until is None or until(), "what was waited for did not happen in time"
        self.mono = end

    def restart(self, party: Party) -> None:
        """Replace a party's endpoint by its restored export, as a new process would."""
        self._drain(party)
        data = party.endpoint.export()
        party.endpoint = Endpoint.restore([data], party.config, party.entropy, self.now)

    def sent(self, party: Party, what: str | None = None) -> list[Passed]:
        """What a party sent, all or one method or status."""
        mine = {address for (_, address), each in self._parties.items() if each is party}
        return [passed for passed in self.log if passed.source in mine and what in (None, passed.what)]

    def cut(self, party: Party) -> None:
        """Close every connection."""
        for number, (near, far) in list(self._pairs.items()):
            del self._pairs[number]
            for hop in (near, far):
                owner = self._parties.get((hop.transport, hop.local))
                if owner is not None:
                    owner.endpoint.handle_hop(HopChange.CLOSED, hop, self.now)
                    self._drain(owner)

    def _all(self) -> list[Party]:
        return list(dict.fromkeys(self._parties.values()))

    def _drain(self, party: Party) -> None:
        while True:
            event = party.endpoint.poll_event()
            if event is not None:
                party.events.append(event)
                if party.listener is not None:
                    party.listener(event)
                continue
            sending = party.endpoint.poll_transmit()
            if sending is None:
                return
            self._carry(party, *sending)

    def _carry(self, party: Party, data: bytes, hop: Hop) -> None:
        self.log.append(Passed(self.mono, hop.local, hop.remote, data, hop.transport))
        target = self._parties.get((hop.transport, hop.remote))
        if left := self.losing.get(self.log[-1].what, 0):
            self.losing[self.log[-1].what] = left - 1
            return
        if hop.remote in self.refusing:
            self._later(0.001, lambda: self._fail(party, hop))
        elif hop.transport != "udp":
            self._stream(party, data, hop)
        elif target is not None and self._chance.random() >= self.weather.loss:
            back = Hop("udp", hop.remote, hop.local)
            copies = 2 if self._chance.random() < self.weather.duplicate else 1
            for _ in range(copies):
                delay = self._chance.uniform(*self.weather.delay_s)
                self._later(delay, lambda: self._datagram(target, data, back))

    def _stream(self, party: Party, data: bytes, hop: Hop) -> None:
        if hop.connection is None:
            target = self._parties.get((hop.transport, hop.remote))
            if target is None:
                self._later(0.001, lambda: self._fail(party, hop))
                return
            self._serial += 2
            near = Hop(hop.transport, hop.local, hop.remote, self._serial)
            # The far end sees a port of the caller's kernel; here its number stands for it.
            far = Hop(hop.transport, hop.remote, (hop.local[0], 40000 + self._serial), self._serial + 1)
            self._pairs[self._serial] = (near, far)
            self._pairs[self._serial + 1] = (near, far)
            self._parties[hop.transport, far.remote] = party
            party.endpoint.handle_hop(HopChange.OPENED, near, self.now)
            target.endpoint.handle_hop(HopChange.OPENED, far, self.now)
            hop = near
        pair = self._pairs.get(hop.connection or 0)
        if pair is None:
            return
        other = pair[1] if hop.connection == pair[0].connection else pair[0]
        receiver = self._parties[other.transport, other.local]
        self._later(self.weather.delay_s[0], lambda: self._octets(receiver, data, other))

    def _later(self, delay: float, what: Callable[[], Party]) -> None:
        self._serial += 2
        heapq.heappush(self._queue, (self.mono + delay, self._serial, what))

    def _datagram(self, target: Party, data: bytes, hop: Hop) -> Party:
        target.endpoint.handle_datagram(data, hop, self.now)
        return target

    def _octets(self, target: Party, data: bytes, hop: Hop) -> Party:
        target.endpoint.handle_stream(data, hop, self.now)
        return target

    def _fail(self, party: Party, hop: Hop) -> Party:
        party.endpoint.handle_hop(HopChange.FAILED, hop, self.now)
        return party
