"""Real phones at a server of this process: SIP and RTP by hand, the real media engine, flows in nobody's language.

For what no dialect needs to be spoken: whispers, rooms, and whatever is judged by what is heard.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.support.calls import flow
from tests.support.customer import Customer, customer
from tests.support.rtp_party import RtpPeer, rtp_peer, spoken
from tests.support.settings_here import ACCOUNT, settings_here
from tests.support.sip_peer import SipPeer, Talk, media_of, sdp, sip_peer
from tests.support.sound_checks import ALAW, Law, Samples, find, write_wav

from offhook.app import Server
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.verbs import NumberTarget, Verb
from offhook.flow.view import CallId
from offhook.runtime.switchboard import CallOrder

__all__ = ["AMONG_OTHERS", "HEARD", "NOT_HEARD", "WITHIN_S", "House", "Phone", "running", "until"]

OURS = "+46101000001"
HEARD, NOT_HEARD = 0.9, 0.35
AMONG_OTHERS = 0.5
"""Of two voices at once each is seven tenths of the whole; a voice that is not there is a tenth."""
WITHIN_S = 15.0
POLL_S = 0.05


async def until(done: Callable[[], bool], seen: Callable[[], str]) -> None:
    """Waits for something with a deadline; `seen` says what there is instead."""
    deadline = asyncio.get_running_loop().time() + WITHIN_S
    while not done():
        assert asyncio.get_running_loop().time() < deadline, f"after {WITHIN_S} s: {seen()}"
        await asyncio.sleep(POLL_S)


@dataclass(slots=True)
class Phone:
    """Somebody in a call: signalling, and a mouth and an ear."""

    call: CallId
    talk: Talk
    sound: RtpPeer
    law: Law

    async def says(self, samples: Samples) -> None:
        self.sound.say(*spoken(samples, self.law))
        await self.sound.said()

    async def hears(self, wanted: Samples, at_least: float = HEARD) -> None:
        """Waits until a sound has been heard."""
        await until(lambda: self.heard(wanted) >= at_least, lambda: f"heard with likeness {self.heard(wanted):.2f}")

    def heard(self, wanted: Samples) -> float:
        return find(self.sound.heard(), wanted).likeness


class House:
    """A server, a carrier behind it, and the customer's application."""

    def __init__(self, server: Server, carrier: SipPeer, app: Customer, stack: AsyncExitStack) -> None:
        self.server = server
        self.carrier = carrier
        self.app = app
        self._stack = stack
        self._phones = 0

    async def phone(self, *verbs: Verb, law: Law = ALAW) -> Phone:
        """Call a phone that answers and runs these verbs."""
        self._phones += 1
        number = f"+467000000{self._phones:02d}"
        view = self.server._running.switchboard.place(
            CallOrder(
                owner=ACCOUNT,
                from_=OURS,
                target=NumberTarget(number=number),
                start=flow(*verbs),
                hangup_hook=None,
                ring_timeout_s=30.0,
                dialect=DIALECTS["elks"],
            )
        )
        return await self.answers(view.id, law=law)

    async def answers(self, call: CallId, *, law: Law = ALAW) -> Phone:
        """Take the next call that reaches the carrier, which is one of this call's."""
        sound = self._stack.enter_context(rtp_peer(law))
        talk = await self.carrier.called()
        assert talk.first is not None
        sound.remote = media_of(talk.first.body)
        await talk.answer(sdp("127.0.0.1", sound.port, law))
        return Phone(call, talk, sound, law)

    def serves(self, path: str, sound: Samples) -> str:
        """A sound file on the customer's web server: its URL."""
        name = self.server.settings.data_dir / path.strip("/").replace("/", "-")
        return self.app.serve(path, write_wav(name, sound).read_bytes())

    async def talking(self, count: int) -> None:
        """Wait until so many parties hear others."""

        def state() -> list[str]:
            return [each.state for room in self.server.rooms() for each in room.guests]

        await until(lambda: state().count("talking") == count, lambda: f"they are {state()}")

    async def rooms_are_empty(self) -> None:
        """Wait until nothing is left of any room."""
        counts = self.server._running.services.rooms.counts
        await until(lambda: not any(counts().values()), lambda: f"left are {counts()}")


@asynccontextmanager
async def running() -> AsyncIterator[House]:
    """One, with a carrier and an application of its own."""
    with tempfile.TemporaryDirectory(prefix="offhook-") as folder:
        async with Server(settings_here(Path(folder))) as server, customer() as app, AsyncExitStack() as stack:
            port = int(server.sip_addresses[0].rpartition(":")[2])
            carrier = await stack.enter_async_context(sip_peer(("127.0.0.1", port)))
            server._running.storage.directory.add_trunk(
                name="carrier", address=f"sip:127.0.0.1:{carrier.port}", prefixes=("+46",)
            )
            server.directory_changed()
            yield House(server, carrier, app, stack)
