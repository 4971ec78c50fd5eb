"""Puts the parts together and runs them: `async with Server(settings)` is a server that takes calls.

One of the few files that know all rooms. It wires, starts, stops and drains; it decides nothing about a call.
"""

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import structlog

from offhook.call.care import OWN, Care
from offhook.call.changes import Change, Objection
from offhook.config import Settings, SettingsError
from offhook.flow.dialects import elks_values
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.dialects.dialect import Reading
from offhook.flow.verbs import NumberTarget, Sound, UnusableSound
from offhook.flow.view import CallId, CallView, Cause
from offhook.hooks.attempt import CONTROL
from offhook.hooks.delivery import Dead, Delivered, Postponed
from offhook.hooks.policy import DeliveryPolicy, Steady, policy_from, policy_of_api
from offhook.runtime.book import Book
from offhook.runtime.call_facts import call_fact
from offhook.runtime.hook_desk import HookDesk
from offhook.runtime.keeper import Keeper
from offhook.runtime.leaving import Leaving
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.media_process import Adopted, EngineConfig, MediaEngine
from offhook.runtime.outbox import HELD_MOST, Outbox
from offhook.runtime.own_recordings import OwnRecordings
from offhook.runtime.restoring import (
    Remembered,
    first_id,
    keep_facts,
    keep_sockets,
    kept_sockets,
    remembered,
    resume,
    take_up,
)
from offhook.runtime.rooms import RoomEntry, RoomName, Rooms, RoomView
from offhook.runtime.routing import Routing
from offhook.runtime.services import Services
from offhook.runtime.signing import KeysOf, signed_by
from offhook.runtime.sip_driver import SipDriver
from offhook.runtime.sip_driver import now as sip_now
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.sip_sockets import ListenAddress
from offhook.runtime.sound.cache import SoundCache
from offhook.runtime.sound.fetch import HttpSoundFetcher
from offhook.runtime.sound.library import SoundLibrary
from offhook.runtime.speech.desk import SpeechDesk
from offhook.runtime.speech.engines import speech_desk
from offhook.runtime.speech.provider import OfferedVoice
from offhook.runtime.supervisor import Supervisor
from offhook.runtime.switchboard import CallOrder, Switchboard
from offhook.runtime.trunk_hosts import TrunkHosts
from offhook.runtime.trunks import Trunks
from offhook.runtime.url_guard import UrlGuard
from offhook.runtime.watchdog import LOOK_EVERY_S, Watchdog
from offhook.runtime.webhooks import HookResult, Webhooks
from offhook.runtime.wellness import Ports, descriptors, raise_descriptor_limit, tightest
from offhook.sip.commands import EndpointConfig
from offhook.sip.digest import Algorithm
from offhook.storage.deliveries import LeftOver, entries_of_unfinished, last_entries, left_over
from offhook.storage.directory import Directory
from offhook.storage.prices import PriceList, read_price_list
from offhook.storage.records import unfinished_calls
from offhook.storage.rows import CallRow, DeliveryRow
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable
from offhook.web import port as web
from offhook.web.app import create_web
from offhook.web.auth import announce
from offhook.web.http_server import HttpServer, host_port

__all__ = ["Server", "local_address_towards", "serve"]

log = structlog.get_logger(__name__)

LAST_WORDS_S = 3.0
LAST_FLUSH_S = 2.0
ANSWERED_S = 0.1
"""After this an answer of HTTP has left."""
LOCK_WAIT_S = 3.0
"""A command that works on the data directory itself, or a server that is being stopped, is gone by then."""
MEDIA_TIMEOUT_MS = 120_000
"""A leg from which nothing came for so long is gone, whatever signalling believes."""
SOMEWHERE_ELSE = ("192.0.2.1", 9)
"""An address of documentation (RFC 5737): asking for the way there sends nothing."""


def local_address_towards(address: tuple[str, int] = SOMEWHERE_ELSE) -> str:
    """The address that this machine would show there; loopback if it has no way."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as asked:
        try:
            asked.connect(address)
        except OSError:
            return "127.0.0.1"
        return str(asked.getsockname()[0])


@dataclass(slots=True)
class _Before:
    """What the last server left."""

    found: Remembered
    unfinished: Sequence[CallRow]
    """Calls that were going on."""
    entries: Mapping[str, int]
    """The last entry of their timelines."""
    adopted: Adopted | None = None


@dataclass(slots=True)
class _Parts:
    """Everything that runs, once it does."""

    storage: Storage
    engine: MediaEngine
    driver: SipDriver
    switchboard: Switchboard
    supervisor: Supervisor
    trunks: Trunks
    book: Book
    outbox: Outbox
    prices: PriceList
    services: Services
    speech: SpeechDesk
    before: _Before
    tasks: set[asyncio.Task[None]] = field(default_factory=set)


class Server:
    """A server, and what HTTP asks of it (`offhook.web.port.ServerPort`)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http_address = ""
        """Base URL; known once it listens."""
        self.sip_addresses: tuple[str, ...] = ()
        # A wildcard is no address to tell others: the one that this machine would show the world stands for it.
        listen = settings.sip_listen[0].host
        host = settings.public_address or listen
        self._advertised_host = local_address_towards() if ip_address(host).is_unspecified else host
        self.domain = settings.sip_domain or self._advertised_host
        """Domain and realm of our phones."""
        self._trunk_hosts = TrunkHosts()
        self._parts: _Parts | None = None
        self._stack = AsyncExitStack()
        self.instance = secrets.token_hex(8)
        """Another one for every start."""
        self.restarting = asyncio.Event()
        """Set when the process is to be replaced."""

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> "Server":
        """Start everything; calls can be made when this returns. Raises errors whose texts say what to do.

        What has started is stopped again if something later does not.
        """
        raise_descriptor_limit()
        async with AsyncExitStack() as stack:
            self._parts = parts = await self._assemble(stack)
            await self._open(parts, stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop at once; `drain` first for a gentle end."""
        self._parts = None
        await self._stack.aclose()

    async def _assemble(self, stack: AsyncExitStack) -> _Parts:
        """Everything but the doors to the outside."""
        settings = self.settings
        storage = Storage.open(
            settings.data_dir, settings.sqlalchemy_url, durability=settings.durability, wait_s=LOCK_WAIT_S
        )
        stack.callback(storage.close)
        _bootstrap(storage, settings)
        storage.recordings_dir.mkdir(parents=True, exist_ok=True)
        hooks = await stack.enter_async_context(
            Webhooks(UrlGuard(settings.webhook_networks), signer=signed_by(_signing_keys(storage)))
        )
        book = Book(
            records=storage.records,
            writer=storage.writer,
            directory=storage.directory,
            base_url=self._base_url,
            retention=timedelta(days=settings.recording_retention_days),
            link_key=storage.key.link_key,
            mask_digits=settings.mask_digits,
        )
        left = storage.read_blocking(lambda connection: left_over(connection, HELD_MOST))
        before = _what_is_left(storage, book, left)
        outbox = await stack.enter_async_context(
            Outbox(
                hooks,
                store=storage.deliveries,
                left=left,
                remember=book.remember,
                listener=lambda event, result: _note_delivery(book, event, result),
            )
        )
        speech = speech_desk(settings)
        stack.push_async_callback(speech.close)
        sounds = SoundLibrary(SoundCache(settings.data_dir / "sound"), HttpSoundFetcher(hooks), speech=speech)
        stack.push_async_callback(sounds.close)
        engine, media, adopted = await self._start_engine(stack, first_id(before.found, storage.facts))
        driver = SipDriver()
        stack.push_async_callback(driver.close)
        prices = _prices(settings)
        services = self._services(
            storage,
            driver,
            media,
            book,
            HookDesk(
                client=hooks,
                outbox=outbox,
                policy=replace(CONTROL, budget_s=settings.webhook_timeout_s),
                delivery=_delivery_policies(storage.directory, settings),
            ),
            sounds,
            prices,
        )
        switchboard = Switchboard(driver=driver, services=services)
        trunks = Trunks(driver, storage.directory)
        switchboard.on_registration.append(trunks.heard)
        driver.on_event = switchboard.handle
        supervisor = self._supervisor(storage, driver, engine, media)
        keep_facts(services, engine, driver)
        before.adopted = adopted
        return _Parts(
            storage, engine, driver, switchboard, supervisor, trunks, book, outbox, prices, services, speech, before
        )

    async def _start_engine(
        self, stack: AsyncExitStack, first_id: int
    ) -> tuple[MediaEngine, MediaLegs, Adopted | None]:
        settings = self.settings
        engine = MediaEngine(
            EngineConfig(
                data_dir=settings.data_dir,
                rtp_ports=(settings.rtp_ports.first, settings.rtp_ports.last),
                orphan_s=round(settings.engine_orphan_s),
            ),
            on_fault=lambda why: log.warning("media.engine", why=why),
        )
        media = MediaLegs(engine, settings.sip_listen[0].host, first_id=first_id)
        engine.on_event, engine.on_lost = media.handle, media.engine_died
        found = await engine.start(keep_back=True)
        stack.push_async_callback(engine.stop)
        return engine, media, found

    def _services(
        self,
        storage: Storage,
        driver: SipDriver,
        media: MediaLegs,
        book: Book,
        hooks: HookDesk,
        sounds: SoundLibrary,
        prices: PriceList,
    ) -> Services:
        settings = self.settings
        routing = Routing(
            directory=storage.directory,
            prices=prices,
            bindings=lambda aor: driver.endpoint.lookup(aor, sip_now()),
            domain=self.domain,
            sip_hosts=settings.sip_hosts,
            any_caller_id=settings.dev,
            trunk_at=self._trunk_hosts.trunk_at,
        )
        loop = asyncio.get_running_loop()
        legs = SipLegs(driver=driver, media=media, media_host=self._advertised_host, media_timeout_ms=MEDIA_TIMEOUT_MS)
        keeper = Keeper(storage.facts, storage.writer, loop)
        return Services(
            loop=loop,
            legs=legs,
            keeper=keeper,
            leaving=Leaving(keeper, legs),
            fact_of=call_fact,
            media=media,
            rooms=Rooms(media=media, loop=loop),
            sounds=sounds,
            hooks=hooks,
            book=book,
            routing=routing,
            directory=storage.directory,
            domain=self.domain,
            recordings_dir=storage.recordings_dir,
            own_recordings=OwnRecordings(storage, self._base_url),
            care=Care(
                comfort=_sound("comfort_sound", settings.comfort_sound), apology=_sound("apology", settings.apology)
            ),
        )

    def _supervisor(self, storage: Storage, driver: SipDriver, engine: MediaEngine, media: MediaLegs) -> Supervisor:
        settings = self.settings
        return Supervisor(
            driver=driver,
            storage=storage,
            loop=asyncio.get_running_loop(),
            keep_deliveries=timedelta(days=settings.delivery_retention_days),
            descriptors=lambda: tightest(descriptors(), descriptors(engine.pid)),
            ports=lambda: Ports(media.busy_ports(), settings.rtp_ports.pairs),
        )

    def _base_url(self) -> str:
        """What the URLs begin with that we give out."""
        return self.settings.public_url or self.http_address

    async def _open(self, parts: _Parts, stack: AsyncExitStack) -> None:
        """The doors: SIP, then HTTP."""
        settings = self.settings
        kept = {} if parts.before.adopted is None else await kept_sockets(parts.engine)
        ways = parts.driver.bind(
            [ListenAddress(transport=a.transport, host=a.host, port=a.port) for a in settings.sip_listen],
            configure=lambda ways: EndpointConfig(
                ways=ways,
                domain=self.domain,
                digest_algorithms=tuple(Algorithm(name.upper()) for name in settings.sip_digest),
                trying_at_once=False,
            ),
            advertise=lambda _, local: (self._advertised_host, local[1]),
            kept=kept,
            parts=parts.before.found.sip_parts(),
        )
        self._go_on(parts)
        watchdog = Watchdog(
            live=parts.switchboard.live, services=parts.services, driver=parts.driver, line=parts.engine
        )
        watching = asyncio.ensure_future(_watched(watchdog))
        stack.callback(watching.cancel)
        await parts.driver.begin()
        await keep_sockets(parts.engine, parts.driver.sockets.listening, kept)
        stack.callback(parts.services.keeper.close)
        stack.callback(parts.services.keeper.flush)
        self.sip_addresses = tuple(f"{way.transport}:{host_port(way.local)}" for way in ways)
        web = create_web(self, parts.storage, settings, parts.prices)
        http = HttpServer(web, settings.http_listen.host, settings.http_listen.port)
        self.http_address = await http.start()
        stack.push_async_callback(http.stop)
        stack.push_async_callback(web.leave)
        announce(settings.data_dir, self.http_address)
        parts.supervisor.start()
        stack.callback(parts.supervisor.stop)
        self.directory_changed()
        stack.callback(parts.trunks.leave)
        stack.callback(self._trunk_hosts.leave)
        warming = asyncio.ensure_future(web.warm())
        stack.callback(warming.cancel)

    @staticmethod
    def _go_on(parts: _Parts) -> None:
        """Take up the calls of the last server, before anybody is listened to again."""
        before = parts.before
        alive = None if before.adopted is None else before.adopted.sessions
        restored = take_up(before.found, parts.services, parts.switchboard, alive, before.entries)
        going_on = {live.id for live in restored}
        parts.book.close_unfinished([row for row in before.unfinished if row.id not in going_on])
        resume(restored, parts.services.rooms, sound=alive is not None)
        parts.engine.release()
        parts.services.media.reconcile(alive or ())

        def again() -> None:
            parts.services.media.engine_up()
            task = asyncio.ensure_future(keep_sockets(parts.engine, parts.driver.sockets.listening))
            parts.tasks.add(task)
            task.add_done_callback(parts.tasks.discard)

        parts.engine.on_up = again

    async def drain(self, within_s: float | None = None) -> None:
        """Take no new calls, let the running ones finish for `within_s` (the setting's), then end what is left."""
        parts = self._running
        parts.supervisor.drain()
        if not await parts.switchboard.drained(self.settings.drain_s if within_s is None else within_s):
            parts.switchboard.end_all(Cause.SERVER_SHUTDOWN)
            await parts.switchboard.drained(LAST_WORDS_S)

    async def ready_to_be_replaced(self) -> None:
        """Make durable all that is known of what lives.

        The process may then be replaced without stopping anything: what happens in the last moment is found by the next
        server as after a crash.
        """
        parts = self._running
        parts.services.keeper.flush()
        with contextlib.suppress(StorageUnavailable):
            await parts.storage.writer.flush(LAST_FLUSH_S)

    def restart(self) -> None:
        """Ask whoever runs this server to replace it, once the answer to that is on its way."""
        asyncio.get_running_loop().call_later(ANSWERED_S, self.restarting.set)

    @property
    def _running(self) -> _Parts:
        assert self._parts is not None, "the server does not run"
        return self._parts

    # ── what HTTP asks ───────────────────────────────────────────────────────────────────────────────────────────

    async def place_call(self, order: web.CallOrder) -> CallView:
        """Begin a call. Raises `Overloaded`."""
        parts = self._running
        why = parts.supervisor.why_refusing()
        if why is not None:
            raise web.Overloaded(why)
        view = parts.switchboard.place(_ordered(order))
        live = parts.switchboard.live.get(view.id)
        if live is None:
            await parts.book.flush()
        else:
            # What is promised to who asked must outlive us: that there is the call, and its hang-up hook.
            await parts.services.keeper.durable(live)
        return view

    async def give_up(self, order: web.CallOrder) -> CallView:
        """A promised call that is not to be placed again is over, and its customer is told."""
        return self._running.switchboard.give_up(_ordered(order))

    def live_view(self, call_id: CallId) -> CallView | None:
        """A live call as it is now."""
        return self._running.switchboard.view(call_id)

    def live_row(self, call_id: CallId) -> CallRow | None:
        """A live call as lists show it."""
        return self._running.switchboard.row(call_id)

    async def hang_up(self, call_id: CallId) -> bool:
        """End a live call."""
        return self._running.switchboard.hang_up(call_id)

    async def change_call(self, call_id: CallId, wanted: Change) -> Objection | None:
        """Change a live call, or say why not."""
        return self._running.switchboard.change(call_id, wanted)

    async def wait_for_event(self, call_id: CallId, after: int, timeout_s: float, *, late: bool = False) -> None:
        """Wait for a timeline to grow beyond an entry, and for that to be durable."""
        self.write_down(call_id)
        await self._running.book.wait(call_id, after, timeout_s, late=late)

    def write_down(self, call_id: CallId) -> None:
        """Put what a live call has to tell and has not, so that a flush makes it readable."""
        self._running.switchboard.write_down(call_id)

    def timeline_open(self, call_id: CallId) -> bool:
        """Whether the call itself may still have something to say."""
        return self._running.book.is_open(call_id)

    def owes(self, call_id: CallId) -> bool:
        """Whether its customer is still to be told something."""
        return self._running.outbox.owes(call_id)

    async def replay(self, deliveries: Sequence[DeliveryRow]) -> None:
        """Owe posts once more; what becomes of them goes into the timelines of their calls."""
        parts = self._running
        calls = {row.call_id for row in deliveries}
        parts.book.remember(await parts.storage.read(lambda connection: last_entries(connection, calls)))
        for row in deliveries:
            parts.outbox.replay(row)

    def erased(self, call_id: CallId) -> None:
        """Its customer has deleted a call."""
        self._running.book.forget(call_id)

    def rooms(self) -> Sequence[RoomView]:
        """The rooms that somebody is in."""
        return self._running.services.rooms.views()

    def room_log(self, room: RoomName) -> Sequence[RoomEntry]:
        """What happened in a room."""
        return self._running.services.rooms.entries(room)

    async def voices(self) -> Sequence[OfferedVoice]:
        """What texts may be spoken with."""
        return await self._running.speech.offered()

    def directory_changed(self) -> None:
        """Trunks, numbers or phones have changed."""
        parts = self._running
        parts.trunks.follow()
        self._trunk_hosts.follow(parts.storage.directory.trunks())

    def not_ready(self) -> str | None:
        """Why calls cannot be made now."""
        if self._parts is None:
            return "the server is starting or stopping"
        if not self._parts.engine.is_up:
            return "the media engine is starting"
        return self._parts.supervisor.why_refusing()

    def status(self) -> Mapping[str, Any]:
        """Figures for people."""
        parts = self._running
        return {
            "instance": self.instance,
            "calls": len(parts.switchboard.live),
            "legs": parts.services.legs.live,
            "media_sessions": len(parts.engine.sessions),
            "media_kept": parts.services.media.counts(),
            "rooms": parts.services.rooms.counts(),
            "media_pid": parts.engine.pid,
            "sip_kept": parts.driver.endpoint.counts(),
            "sip_streams": parts.driver.sockets.streams_count,
            "tasks": len(asyncio.all_tasks()),
            "owed_webhooks": len(parts.outbox),
            "hook_hosts": parts.services.hooks.hosts(),
            "loop_late_s": round(parts.supervisor.load.lateness_s, 4),
            "sip": list(self.sip_addresses),
            "domain": self.domain,
            "sip_strays": dict(parts.driver.strays),
            "trunks": parts.trunks.states(),
        }


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[tuple[Server, asyncio.Event]]:
    """A running server, and an event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Server(settings) as server:
        yield server, stop


async def _watched(watchdog: Watchdog) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            watchdog.look()
        except Exception:
            log.exception("watchdog.fault")


def _what_is_left(storage: Storage, book: Book, left: LeftOver) -> _Before:
    """What the last server was doing; timelines of its calls can go on from here."""
    entries = storage.read_blocking(entries_of_unfinished)
    book.remember(left.entries)
    book.remember(entries)
    found = remembered(storage.read_blocking(storage.facts.load))
    return _Before(found, storage.read_blocking(unfinished_calls), entries)


def _ordered(order: web.CallOrder) -> CallOrder:
    return CallOrder(
        owner=order.owner,
        from_=order.from_,
        target=NumberTarget(number=order.to),
        start=order.start.flow if isinstance(order.start, Reading) else order.start,
        hangup_hook=order.hangup_url,
        ring_timeout_s=order.ring_timeout_s,
        dialect=DIALECTS[order.dialect],
        record=order.record,
        id=order.id,
        fallback=order.fallback.flow if isinstance(order.fallback, Reading) else order.fallback,
        told=order.told,
        send_digits=order.send_digits,
        time_limit_s=order.time_limit_s,
    )


def _note_delivery(book: Book, event: Delivered | Postponed | Dead, result: HookResult | None) -> None:
    """What became of a post that is owed belongs to its call's timeline."""
    data: dict[str, Any] = {"webhook": event.request.id, "tries": event.tries}
    if isinstance(event, Delivered):
        data["status"] = event.status
    else:
        data["why"] = event.failure.sentence
    if result is not None:
        data["took_ms"] = round(result.took_s * 1000, 1)
    if isinstance(event, Postponed):
        data["next"] = datetime.fromtimestamp(event.next_wall, UTC).isoformat()
    book.noted_late(CallId(event.request.call), f"hook.{type(event).__name__.lower()}", data)


def _delivery_policies(directory: Directory, settings: Settings) -> Callable[[str, str], DeliveryPolicy]:
    """How often what is owed is tried: as the account has it, or its parent, or else its API."""

    def policy(account: str, dialect: str) -> DeliveryPolicy:
        own = directory.delivery_of(account)
        if own is not None:
            return policy_from(own)
        found = policy_of_api(account, dialect)
        return replace(found, every_s=settings.delivery_retry_s) if isinstance(found, Steady) else found

    return policy


def _signing_keys(storage: Storage) -> KeysOf:
    return lambda account, now: tuple(key.text for key in storage.signing_keys.in_force(account, now))


def _sound(setting: str, text: str) -> Sound | None:
    """A sound as a setting has it; empty: none. Raises `SettingsError`."""
    if not text:
        return None
    if text == f"sound/{OWN.name}":
        return OWN
    found = elks_values.sound(text)
    if isinstance(found, UnusableSound):
        raise SettingsError(f"{setting}: {text!r} is no sound; write a URL, sound/beep, en_US/One moment, or none")
    return found


def _bootstrap(storage: Storage, settings: Settings) -> None:
    """The account that scripts know, made at the first start."""
    wanted = settings.bootstrap_account
    if wanted is None or storage.directory.account(wanted.id) is not None:
        return
    storage.directory.add_account("bootstrap", account_id=wanted.id, secret=wanted.secret, api_key=wanted.secret)


def _prices(settings: Settings) -> PriceList:
    if settings.price_list is None:
        return PriceList({})
    with settings.price_list.open(encoding="utf-8") as lines:
        return read_price_list(lines)
