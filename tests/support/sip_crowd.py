"""Many far ends behind one UDP socket, each with a script of its own, and the beat on which those speak who have sound.

Who takes which message is for the crowd that is made of this; nothing here answers.
"""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, TypeVar

from tests.support.sip_peer import SipPeer

__all__ = ["FRAME_S", "Speaker", "SipCrowd", "gathered", "on_one_beat"]

FRAME_S = 0.02
LATE_FRAMES = 5
"""A beat that is later than this leaves frames out, as a phone does."""


@dataclass(slots=True)
class SipCrowd(SipPeer):
    """A peer whose far ends act by themselves."""

    tasks: set[asyncio.Task[None]] = field(default_factory=set)

    def spawn(self, script: Coroutine[Any, Any, None]) -> None:
        """What a far end does from now on."""
        task = asyncio.get_running_loop().create_task(script)
        self.tasks.add(task)
        task.add_done_callback(self.tasks.discard)

    def send(self, text: str | bytes, to: tuple[str, int] | None = None) -> None:
        """Without a log, since there is much of it; what a script says after the end of its test is not sent."""
        if self.transport is not None and not self.transport.is_closing():
            self.transport.sendto(text.encode() if isinstance(text, str) else text, to or self.server)


Made = TypeVar("Made", bound=SipCrowd)


@asynccontextmanager
async def gathered(make: Callable[[], Made], host: str) -> AsyncIterator[Made]:
    """A crowd on a free port of `host`; at the end, its scripts end too."""
    transport, crowd = await asyncio.get_running_loop().create_datagram_endpoint(make, local_addr=(host, 0))
    try:
        yield crowd
    finally:
        for task in crowd.tasks:
            task.cancel()
        await asyncio.gather(*crowd.tasks, return_exceptions=True)
        transport.close()


class Speaker(Protocol):
    """Somebody with sound."""

    def slot(self) -> None:
        """The moment to send the next frame."""


@asynccontextmanager
async def on_one_beat(speakers: Collection[Speaker]) -> AsyncIterator[None]:
    """While this is entered, whoever is among the speakers speaks: one timer for all, so that hundreds cost little."""
    loop = asyncio.get_running_loop()

    async def tick() -> None:
        due = loop.time()
        while True:
            due = max(due + FRAME_S, loop.time() - LATE_FRAMES * FRAME_S)
            await asyncio.sleep(max(0.0, due - loop.time()))
            for each in list(speakers):
                each.slot()

    task = loop.create_task(tick())
    try:
        yield
    finally:
        task.cancel()
