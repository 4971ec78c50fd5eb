"""A server without its outer doors: real storage, SIP on loopback, webhooks, sounds; only the media engine is a test's.

`async with exchange(storage) as x:` has an account, a number, a phone, and a carrier with its far end on loopback.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

from tests.support.engine_line import Line
from tests.support.receivers import LOOPBACK
from tests.support.sip_party import DEADLINE_S, DOMAIN, Party, description, driven, party

from offhook.flow.dialects.choose import DIALECTS, read_start
from offhook.flow.dialects.dialect import Reading
from offhook.flow.verbs import NumberTarget, Target
from offhook.flow.view import CallId, CallView
from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.policy import Listed
from offhook.media import events as said
from offhook.runtime.book import Book
from offhook.runtime.call_facts import call_fact
from offhook.runtime.hook_desk import HookDesk
from offhook.runtime.keeper import Keeper
from offhook.runtime.leaving import Leaving
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.outbox import Outbox
from offhook.runtime.own_recordings import OwnRecordings
from offhook.runtime.restoring import keep_facts
from offhook.runtime.rooms import Rooms
from offhook.runtime.routing import Routing
from offhook.runtime.services import Services
from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.sound.cache import SoundCache
from offhook.runtime.sound.fetch import HttpSoundFetcher
from offhook.runtime.sound.library import SoundLibrary
from offhook.runtime.switchboard import CallOrder, Switchboard
from offhook.runtime.webhooks import Webhooks
from offhook.sip import events as sip
from offhook.sip.commands import SessionId
from offhook.storage.prices import Price, PriceList
from offhook.storage.records import call_by_id, events_after
from offhook.storage.rows import CallRow
from offhook.storage.store import Storage

__all__ = ["FAR", "OURS", "PHONE", "Exchange", "exchange"]

OURS, PHONE, FAR = "+46101000001", "+4600100", "+46700000001"
ELKS = DIALECTS["elks"]
BASE_URL = "http://voice.example"


class Exchange:
    """Everything that `app.py` would put together, and what a test does with it."""

    def __init__(self, storage: Storage, driver: SipDriver, services: Services, line: Line, far: Party) -> None:
        self.storage = storage
        self.driver = driver
        self.services = services
        self.line = line
        self.far = far
        """The carrier."""
        self.board = Switchboard(driver=driver, services=services)
        self.address = ("127.0.0.1", 0)
        self.engine_spoke = asyncio.Event()
        line.tell = self._hear
        self.account = storage.directory.add_account("us").row.id
        self.trunk = storage.directory.add_trunk("carrier", f"sip:127.0.0.1:{far.address[1]}", prefixes=["+46"])
        self.number = storage.directory.add_number(OURS, trunk=self.trunk.id, account=self.account)
        self.phone = storage.directory.add_phone(self.account, PHONE)

    def _hear(self, event: said.Event) -> None:
        self.services.media.handle(event)
        self.engine_spoke.set()

    def runs(self, voice_start: str, number: str = OURS) -> None:
        """What answers a number."""
        row = self.storage.directory.number(number)
        assert row is not None
        self.storage.directory.change_number(row.id, voice_start=voice_start)

    def dial(self, start: str = "{}", *, to: str = FAR, from_: str = OURS, **more: Any) -> CallView:
        """Make a call as `order` has it."""
        return self.board.place(self.order(start, to=to, from_=from_, **more))

    def order(self, start: str = "{}", *, to: str = FAR, from_: str = OURS, **more: Any) -> CallOrder:
        """A call as an API asks for it; `flow` instead of a `start` that some dialect can write."""
        read = Reading(flow=more.pop("flow")) if "flow" in more else read_start(start, ELKS, method="POST")
        target: Target = more.pop("target", NumberTarget(number=to))
        return CallOrder(
            owner=more.pop("owner", self.account), from_=from_, target=target,
            start=read.flow if isinstance(read, Reading) else read,
            hangup_hook=more.pop("hangup_hook", None), ring_timeout_s=60.0, dialect=ELKS, **more,
        )  # fmt: skip

    def call_us(self, user: str = OURS, from_: str = f"<sip:{FAR}@carrier.example>") -> SessionId:
        """The carrier calls."""
        return self.far.call(self.address, user=user, from_=from_, offer=description())

    async def far_answers(self, **more: Any) -> sip.IncomingInvite:
        """The carrier takes the next call."""
        invite = await self.far.wait(sip.IncomingInvite)
        self.far.endpoint.answer(invite.session, description(**more), now())
        self.far.say()
        return invite

    async def over(self) -> None:
        """No call is live, and no sound."""
        assert await self.board.drained(DEADLINE_S), f"still live: {list(self.board.live)}"
        async with asyncio.timeout(DEADLINE_S):
            while self.services.media.open_sessions:
                self.engine_spoke.clear()
                await self.engine_spoke.wait()

    async def timeline(self, call: CallId) -> list[tuple[str, dict[str, Any]]]:
        """Kinds and data of a call's entries, as somebody who asks now reads them."""
        self.board.write_down(call)
        assert await self.services.book.flush()
        found = await self.storage.read(lambda connection: events_after(connection, call))
        assert [row.seq for row in found] == list(range(1, len(found) + 1))
        return [(row.kind, dict(row.data)) for row in found]

    async def row(self, call: CallId) -> CallRow:
        """The call as lists show it."""
        assert await self.services.book.flush()
        found = await self.storage.read(lambda connection: call_by_id(connection, call))
        assert found is not None
        return found

    @property
    def only_call(self) -> CallId:
        """The one that is live."""
        (call,) = self.board.live
        return call


@asynccontextmanager
async def exchange(storage: Storage) -> AsyncIterator[Exchange]:
    """Running, and stopped again with nothing left."""
    loop = asyncio.get_running_loop()
    line = Line(later=loop.call_soon)
    driver = SipDriver()
    media = MediaLegs(line, "127.0.0.1")
    folder: Path = storage.data_dir
    storage.recordings_dir.mkdir(exist_ok=True)
    keeper = Keeper(storage.facts, storage.writer, loop)
    async with (
        party() as far,
        Webhooks(LOOPBACK) as hooks,
        Outbox(hooks, store=storage.deliveries, when_durable=keeper.when_durable) as outbox,
    ):
        sounds = SoundLibrary(SoundCache(folder / "sound"), HttpSoundFetcher(hooks))
        legs = SipLegs(driver=driver, media=media, media_host="127.0.0.1", media_timeout_ms=60_000)
        services = Services(
            loop=loop,
            legs=legs,
            keeper=keeper,
            leaving=Leaving(keeper, legs),
            fact_of=call_fact,
            media=media,
            rooms=Rooms(media=media, loop=loop),
            sounds=sounds,
            hooks=HookDesk(
                client=hooks,
                outbox=outbox,
                policy=AttemptPolicy(budget_s=2.0, shortest_try_s=0.5),
                delivery=lambda *_: Listed(pauses_s=(0.01, 0.01)),
            ),
            book=Book(
                records=storage.records,
                writer=storage.writer,
                directory=storage.directory,
                base_url=lambda: BASE_URL,
                retention=timedelta(days=30),
                link_key=storage.key.link_key,
            ),
            routing=Routing(
                directory=storage.directory,
                prices=PriceList({"+46": Price(set_up=100, per_minute=600)}),
                bindings=lambda aor: driver.endpoint.lookup(aor, now()),
                domain=DOMAIN,
                sip_hosts=["127.0.0.2"],
                any_caller_id=False,
            ),
            directory=storage.directory,
            domain=DOMAIN,
            recordings_dir=storage.recordings_dir,
            own_recordings=OwnRecordings(storage, lambda: BASE_URL),
        )
        keep_facts(services, line, driver)
        made = Exchange(storage, driver, services, line, far)
        driver.on_event = made.board.handle
        made.address = (await driven(driver))[0].local
        try:
            yield made
        finally:
            keeper.close()
            await driver.close()
            await sounds.close()
