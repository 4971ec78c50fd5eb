"""The media engine as its commands see it: a line that takes everything the real one would, and says what a test says.

It opens sessions by itself if it is told to, on ports nobody listens on. Every command goes through the real wire
format, so that a value which does not fit fails here too.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from offhook.media import commands as do
from offhook.media import events as said
from offhook.media import wire

__all__ = ["FIRST_PORT", "Line", "statistics"]

FIRST_PORT = 20_000
C = TypeVar("C")


@dataclass(slots=True)
class Line:
    """`offhook.runtime.engine_line.EngineLine`, with a memory."""

    opens: bool = True
    """Whether sessions are opened, and closed, whenever that is asked."""
    later: Callable[[Callable[[int], None], int], object] = lambda do_it, session: do_it(session)
    """When; with a loop's `call_soon` not before who asked has finished, as it is with the real one."""
    tell: Callable[[said.Event], None] = lambda _: None
    """Where its events go."""
    sent: list[do.Command] = field(default_factory=list)
    open: set[int] = field(default_factory=set)
    heard: int = 1
    """Number of the event that is being told."""
    engine_generation: int = 1
    on_heard: Callable[[int], None] = lambda _: None
    acknowledged: int = 0
    _ports: int = FIRST_PORT
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    def send(self, command: do.Command) -> None:
        wire.encode_command(command)
        self.sent.append(command)
        self._news.set()
        if isinstance(command, do.OpenSession) and self.opens:
            self.later(self.opened, command.session)
        elif isinstance(command, do.CloseSession) and self.opens:
            self.later(self.closed, command.session)

    def acknowledge(self, number: int) -> None:
        """Events up to this one need not be told again."""
        self.acknowledged = number

    async def more(self) -> None:
        """Wait for the next command."""
        self._news.clear()
        await self._news.wait()

    def opened(self, session: int) -> None:
        """The session has its ports."""
        port, self._ports = self._ports, self._ports + 2
        self.open.add(session)
        self.tell(said.SessionOpened(session=do.SessionId(session), local=("127.0.0.1", port), rtcp_port=port + 1))

    def failed(self, session: int) -> None:
        """There are no ports left."""
        self.tell(said.SessionFailed(session=do.SessionId(session), why=said.OpenFailure.NO_PORTS, detail="none left"))

    def closed(self, session: int, cause: said.CloseCause = said.CloseCause.ASKED) -> None:
        """The session is gone; what it was is told."""
        if session in self.open:
            self.open.discard(session)
            self.tell(said.SessionClosed(session=do.SessionId(session), cause=cause, statistics=statistics()))

    def all(self, kind: type[C]) -> list[C]:
        """Every command of a kind, oldest first."""
        return [each for each in self.sent if isinstance(each, kind)]

    def last(self, kind: type[C]) -> C:
        """The newest command of a kind."""
        return self.all(kind)[-1]


def statistics(received: int = 50) -> said.SessionStatistics:
    """Of a session whose quality was never measured."""
    return said.SessionStatistics(
        packets_received=received,
        bytes_received=160 * received,
        packets_sent=50,
        bytes_sent=8000,
        lost=1,
        late=2,
        duplicate=0,
        foreign=0,
        rubbish=0,
        jitter_us=1500,
        round_trip_us=None,
        remote_lost=None,
        mos_hundredths=None,
        codec=do.Codec.PCMA,
    )
