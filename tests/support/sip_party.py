"""A far end that speaks real SIP over loopback sockets: a whole endpoint on its driver, told what to do by a test."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import TypeVar

from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.sip_sockets import ListenAddress
from offhook.sip.commands import Body, EndpointConfig, InviteOrder, SessionId
from offhook.sip.endpoint import Endpoint
from offhook.sip.events import Event
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Transport, Way
from offhook.sip.uri import Uri

__all__ = ["DEADLINE_S", "DOMAIN", "Party", "description", "driven", "party"]

DEADLINE_S = 5.0
DOMAIN = "voice.example"
E = TypeVar("E", bound=Event)


def description(
    port: int = 30_000, *, codecs: str = "8 101", direction: str = "sendrecv", version: int = 1, host: str = "127.0.0.1"
) -> Body:
    """A session description of a phone; 101 is telephone-event."""
    events = "a=rtpmap:101 telephone-event/8000\r\n" if "101" in codecs.split() else ""
    return Body(
        f"v=0\r\no=- 1 {version} IN IP4 {host}\r\ns=-\r\nc=IN IP4 {host}\r\nt=0 0\r\n"
        f"m=audio {port} RTP/AVP {codecs}\r\n{events}a={direction}\r\n".encode()
    )


class Party:
    """One far end. `wait` takes the next event of a kind; the others stay."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.driver = SipDriver(self.hear)
        self._more = asyncio.Event()

    @property
    def endpoint(self) -> Endpoint:
        """Its stack; `say` after every word to it."""
        return self.driver.endpoint

    @property
    def address(self) -> tuple[str, int]:
        """Where it listens with UDP."""
        return next(way.local for way in self.ways if way.transport == "udp")

    ways: tuple[Way, ...] = ()

    def hear(self, event: Event) -> None:
        self.events.append(event)
        self._more.set()

    def of(self, kind: type[E]) -> list[E]:
        """The events of a kind that nobody has taken."""
        return [event for event in self.events if isinstance(event, kind)]

    async def wait(self, kind: type[E], within_s: float = DEADLINE_S) -> E:
        """The next event of a kind, taken out."""
        async with asyncio.timeout(within_s):
            while True:
                found = self.of(kind)
                if found:
                    self.events.remove(found[0])
                    return found[0]
                self._more.clear()
                await self._more.wait()

    def call(
        self, to: tuple[str, int], *, user: str = "+46101000001", from_: str = "<sip:+46700000001@far.example>",
        offer: Body | None = None, headers: tuple[tuple[str, str], ...] = (),
    ) -> SessionId:  # fmt: skip
        """Call somebody by address; without an offer the other side offers."""
        target = Uri.sip(user, to[0], to[1])
        session = self.endpoint.invite(
            InviteOrder(
                target=target, from_=NameAddr.parse(from_), to=NameAddr(uri=target), offer=offer, headers=headers
            ),
            now(),
        )
        self.say()
        return session

    def say(self) -> None:
        """Send what the endpoint has to send."""
        self.driver.pump()


async def driven(
    driver: SipDriver, *, transports: Sequence[Transport] = ("udp",), domain: str = DOMAIN
) -> tuple[Way, ...]:
    """Start a driver on free ports of loopback."""
    return await driver.start(
        [ListenAddress(transport=each, host="127.0.0.1", port=0) for each in transports],
        configure=lambda ways: EndpointConfig(ways=ways, domain=domain),
        advertise=lambda _, local: local,
    )


@asynccontextmanager
async def party(
    *, transports: Sequence[Transport] = ("udp",), domain: str = DOMAIN, hears: Callable[[Event], None] | None = None
) -> AsyncIterator[Party]:
    """A far end that listens."""
    made = Party()
    if hears is not None:
        made.driver.on_event = hears
    made.ways = await driven(made.driver, transports=transports, domain=domain)
    try:
        yield made
    finally:
        await made.driver.close()
