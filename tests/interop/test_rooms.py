"""Real phones in a conference and in a queue with an agent: over SIP and RTP, judged by what is heard.

The server runs in this process, so that flows can be given to it in nobody's language; its media engine is the real
one.
"""

import asyncio
import tempfile
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.support.calls import flow
from tests.support.customer import Customer, customer
from tests.support.ports import free_port
from tests.support.rtp_party import RtpPeer, pressed, rtp_peer, spoken
from tests.support.sip_peer import SipPeer, Talk, media_of, sdp, sip_peer
from tests.support.sound_checks import ALAW, ULAW, Law, Samples, find, voice, write_wav

from offhook.app import Server
from offhook.config import Settings
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.document import Document
from offhook.flow.verbs import Beeps, Conference, Enqueue, NumberTarget, Play, TakeFromQueue, UrlSound, Verb
from offhook.flow.view import CallId
from offhook.media.tones import tone
from offhook.runtime import supervisor
from offhook.runtime.switchboard import CallOrder

pytestmark = [pytest.mark.interop]

ACCOUNT = "u" + "0123456789abcdef" * 2
OURS = "+46101000001"
HEARD, NOT_HEARD = 0.9, 0.35
AMONG_OTHERS = 0.5
"""Of two voices at once each is seven tenths of the whole; a voice that is not there is a tenth."""
WITHIN_S = 15.0
POLL_S = 0.05
RTP_PORTS = 200


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
        sound = self._stack.enter_context(rtp_peer(law))
        talk = await self.carrier.called()
        assert talk.first is not None
        sound.remote = media_of(talk.first.body)
        await talk.answer(sdp("127.0.0.1", sound.port, law))
        return Phone(view.id, talk, sound, law)

    async def talking(self, count: int) -> None:
        """Wait until so many parties hear others."""

        def state() -> list[str]:
            return [each.state for room in self.server.rooms() for each in room.guests]

        await until(lambda: state().count("talking") == count, lambda: f"they are {state()}")

    async def rooms_are_empty(self) -> None:
        """Wait until nothing is left of any room."""
        counts = self.server._running.services.rooms.counts
        await until(lambda: not any(counts().values()), lambda: f"left are {counts()}")


@pytest.fixture
async def house(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[House]:
    # Whether calls are refused under load is tried elsewhere; here the machine may be busy.
    monkeypatch.setattr(supervisor, "REFUSE_ABOVE_S", 3600.0)
    async with running() as made:
        yield made


@asynccontextmanager
async def running() -> AsyncIterator[House]:
    first = free_port() & ~1
    with tempfile.TemporaryDirectory(prefix="offhook-") as folder:
        settings = Settings(
            data_dir=Path(folder),
            http_listen="127.0.0.1:0",
            sip_listen="udp:127.0.0.1:0",
            bootstrap_account=f"{ACCOUNT}:a-secret-for-tests",
            engine_orphan_s=1,
            rtp_ports=f"{first}-{first + RTP_PORTS}",
            dev=True,
        )
        async with Server(settings) as server, customer() as app, AsyncExitStack() as stack:
            port = int(server.sip_addresses[0].rpartition(":")[2])
            carrier = await stack.enter_async_context(sip_peer(("127.0.0.1", port)))
            server._running.storage.directory.add_trunk(
                name="carrier", address=f"sip:127.0.0.1:{carrier.port}", prefixes=("+46",)
            )
            server.directory_changed()
            yield House(server, carrier, app, stack)


# ── a conference ─────────────────────────────────────────────────────────────────────────────────────────────────────

QUIET = Conference(room="board", beeps=Beeps.NONE)


async def three(house: House) -> tuple[Phone, Phone, Phone]:
    """Three phones of two codecs in one conference."""
    phones = (await house.phone(QUIET), await house.phone(QUIET, law=ULAW), await house.phone(QUIET))
    await house.talking(3)
    return phones


async def test_three_phones_hear_each_other_and_not_themselves(house: House) -> None:
    a, b, c = await three(house)
    words = voice(101)
    await b.says(words)
    await asyncio.gather(a.hears(words), c.hears(words))
    assert b.heard(words) < NOT_HEARD
    await a.talk.bye()
    await house.talking(2)
    later = voice(102)
    await c.says(later)
    await b.hears(later)
    assert a.heard(later) < NOT_HEARD, "who has left hears nothing more"
    await b.talk.bye()
    await c.talk.bye()
    await house.rooms_are_empty()


async def test_two_who_speak_at_once_are_both_heard_by_the_third(house: House) -> None:
    a, b, c = await three(house)
    one, other = voice(103), voice(104)
    await asyncio.gather(a.says(one), b.says(other))
    await asyncio.gather(c.hears(one, AMONG_OTHERS), c.hears(other, AMONG_OTHERS), a.hears(other), b.hears(one))
    assert a.heard(one) < NOT_HEARD
    assert b.heard(other) < NOT_HEARD
    await asyncio.gather(*(phone.talk.bye() for phone in (a, b, c)))
    await house.rooms_are_empty()


async def test_music_until_it_begins_then_tones_and_voices_and_what_each_runs_next(house: House) -> None:
    after = voice(105, 1.0)
    url = house.app.serve("/after.wav", write_wav(house.server.settings.data_dir / "after.wav", after).read_bytes())
    guest = await house.phone(Conference(room="board", starts=False), Play(sounds=(UrlSound(url=url),)))
    await guest.hears(tone("music")[:16_000])
    chair = await house.phone(Conference(room="board", ends=True))
    await asyncio.gather(guest.hears(tone("enter")), chair.hears(tone("enter")))
    words = voice(106)
    await chair.says(words)
    await guest.hears(words)
    await chair.talk.bye()
    # The conference is over for the guest, who goes on with the next verb and is then hung up.
    await guest.hears(after)
    await guest.talk.ended(WITHIN_S)
    await house.rooms_are_empty()


async def test_who_is_muted_is_not_heard_and_keys_interrupt_nobody(house: House) -> None:
    speaker = await house.phone(QUIET)
    muted = await house.phone(Conference(room="board", beeps=Beeps.NONE, muted=True), law=ULAW)
    await house.talking(2)
    whispered, spoken_up = voice(107), voice(108)
    await muted.says(whispered)
    muted.sound.say(*pressed("5"))
    await speaker.says(spoken_up)
    await muted.hears(spoken_up)
    assert speaker.heard(whispered) < NOT_HEARD
    assert speaker.sound.digits() == ""
    await asyncio.gather(speaker.talk.bye(), muted.talk.bye())
    await house.rooms_are_empty()


# ── a queue ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_takes_callers_in_their_order_and_both_sides_may_hang_up(house: House) -> None:
    first = await house.phone(Enqueue(queue="help"))
    await first.hears(tone("music")[:8_000])
    second = await house.phone(Enqueue(queue="help"), law=ULAW)
    agent = await house.phone(TakeFromQueue(queue="help"), TakeFromQueue(queue="help"))
    await house.talking(2)
    question, answer = voice(111), voice(112)
    await asyncio.gather(first.says(question), agent.says(answer))
    await asyncio.gather(agent.hears(question), first.hears(answer))
    assert second.heard(answer) < NOT_HEARD
    # The caller hangs up: the agent runs its next verb, and takes who waits behind.
    await first.talk.bye()
    await house.talking(2)
    more = voice(113)
    await agent.says(more)
    await second.hears(more)
    # The agent hangs up: the caller goes on with what follows its Enqueue, which is nothing.
    await agent.talk.bye()
    await second.talk.ended(WITHIN_S)
    await house.rooms_are_empty()


async def test_an_agent_waits_with_music_and_the_caller_is_briefed(house: House) -> None:
    notice = voice(114, 1.5)
    sound = house.app.serve("/notice.wav", write_wav(house.server.settings.data_dir / "n.wav", notice).read_bytes())
    briefing = house.app.on("/briefing", {"play": sound})
    agent = await house.phone(TakeFromQueue(queue="help", briefing=Document(url=briefing)))
    await agent.hears(tone("music")[:8_000])
    caller = await house.phone(Enqueue(queue="help"))
    await caller.hears(notice)
    await house.talking(2)
    assert agent.heard(notice) < NOT_HEARD
    words = voice(115)
    await caller.says(words)
    await agent.hears(words)
    await caller.talk.bye()
    await agent.talk.ended(WITHIN_S)
    await house.rooms_are_empty()


async def test_an_agent_for_whom_nobody_comes_is_let_go(house: House) -> None:
    agent = await house.phone(TakeFromQueue(queue="help", timeout_s=1.0))
    await agent.talk.ended(WITHIN_S)
    await house.rooms_are_empty()
