"""Puts the parts together and runs them: `async with Server(settings)` is a server that takes calls.

One of the few files that know all rooms. It wires, starts, stops and drains; it decides nothing about a call.
"""

import asyncio
import contextlib
import signal
import socket
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from typing import Any

import structlog
import uvicorn

from offhook.config import Settings
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.dialects.dialect import Reading
from offhook.flow.verbs import NumberTarget
from offhook.flow.view import CallId, CallView, Cause
from offhook.hooks.attempt import AttemptPolicy
from offhook.hooks.delivery import Dead, Delivered, Postponed
from offhook.hooks.policy import Steady
from offhook.media.commands import CloseSession
from offhook.runtime.book import Book
from offhook.runtime.hook_desk import HookDesk
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.media_process import EngineConfig, MediaEngine
from offhook.runtime.outbox import Outbox
from offhook.runtime.routing import Routing
from offhook.runtime.services import Services
from offhook.runtime.sip_driver import SipDriver
from offhook.runtime.sip_driver import now as sip_now
from offhook.runtime.sip_legs import SipLegs
from offhook.runtime.sip_sockets import ListenAddress
from offhook.runtime.sound.cache import SoundCache
from offhook.runtime.sound.fetch import HttpSoundFetcher
from offhook.runtime.sound.library import SoundLibrary
from offhook.runtime.supervisor import Supervisor
from offhook.runtime.switchboard import CallOrder, Switchboard
from offhook.runtime.trunks import Trunks
from offhook.runtime.url_guard import UrlGuard
from offhook.runtime.webhooks import Webhooks
from offhook.sip.commands import EndpointConfig
from offhook.sip.hop import Way
from offhook.storage.prices import PriceList, read_price_list
from offhook.storage.store import Storage
from offhook.web import port as web
from offhook.web.app import create_web
from offhook.web.auth import announce

__all__ = ["DRAIN_S", "Server", "local_address_towards", "serve"]

log = structlog.get_logger(__name__)

DRAIN_S = 30.0
"""How long running calls may still last after SIGTERM."""
LAST_WORDS_S = 3.0
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
    hooks: Webhooks
    sounds: SoundLibrary


class Server:
    """A server, and what HTTP asks of it (`offhook.web.port.ServerPort`)."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.http_address = ""
        """Base URL; known once it listens."""
        self.sip_addresses: tuple[str, ...] = ()
        self._parts: _Parts | None = None
        self._http: _Http | None = None

    # ── life ─────────────────────────────────────────────────────────────────────────────────────────────────────

    async def __aenter__(self) -> "Server":
        """Start everything; calls can be made when this returns. Raises errors whose texts say what to do."""
        settings = self.settings
        loop = asyncio.get_running_loop()
        storage = Storage.open(settings.data_dir, settings.sqlalchemy_url, durability=settings.durability)
        _bootstrap(storage, settings)
        storage.recordings_dir.mkdir(parents=True, exist_ok=True)
        prices = _prices(settings)
        switchboard: list[Switchboard] = []
        driver = SipDriver(lambda event: switchboard[0].handle(event))
        media_legs: list[MediaLegs] = []
        engine = MediaEngine(
            EngineConfig(
                data_dir=settings.data_dir,
                rtp_ports=(settings.rtp_ports.first, settings.rtp_ports.last),
                orphan_s=round(settings.engine_orphan_s),
            ),
            on_event=lambda event: media_legs[0].handle(event) if media_legs else None,
            on_lost=lambda sessions: media_legs[0].lost(sessions) if media_legs else None,
            on_fault=lambda why: log.warning("media.engine", why=why),
        )
        found = await engine.start()
        for orphan in found.sessions if found is not None else ():
            # Calls are not restored yet: what an earlier process left sounding is ended.
            engine.send(CloseSession(session=orphan.session))
        ways = await driver.start(
            [ListenAddress(transport=a.transport, host=a.host, port=a.port) for a in settings.sip_listen],
            configure=lambda ways: EndpointConfig(ways=ways, domain=self._domain(ways)),
            advertise=self._advertised,
        )
        domain = self._domain(ways)
        hooks = await Webhooks(UrlGuard(settings.webhook_networks)).__aenter__()
        outbox = await Outbox(hooks, listener=lambda event, _: _note_delivery(book, event)).__aenter__()
        sounds = SoundLibrary(SoundCache(settings.data_dir / "sound"), HttpSoundFetcher(hooks))
        media = MediaLegs(engine, ways[0].local[0], first_id=_first_id())
        media_legs.append(media)
        book = Book(
            records=storage.records,
            writer=storage.writer,
            directory=storage.directory,
            base_url=lambda: settings.public_url or self.http_address,
            retention=timedelta(days=settings.recording_retention_days),
        )
        services = Services(
            loop=loop,
            legs=SipLegs(
                driver=driver, media=media, media_host=ways[0].advertised[0], media_timeout_ms=MEDIA_TIMEOUT_MS
            ),
            media=media,
            sounds=sounds,
            hooks=HookDesk(
                client=hooks,
                outbox=outbox,
                policy=AttemptPolicy(budget_s=settings.webhook_timeout_s),
                delivery=Steady(every_s=settings.delivery_retry_s),
            ),
            book=book,
            routing=Routing(
                directory=storage.directory,
                prices=prices,
                bindings=lambda aor: driver.endpoint.lookup(aor, sip_now()),
                domain=domain,
                sip_hosts=settings.sip_hosts,
                any_caller_id=settings.dev,
            ),
            directory=storage.directory,
            domain=domain,
            recordings_dir=storage.recordings_dir,
        )
        switchboard.append(Switchboard(driver=driver, services=services))
        supervisor = Supervisor(driver=driver, storage=storage, loop=loop)
        trunks = Trunks(driver, storage.directory)
        switchboard[0].on_registration.append(trunks.heard)
        self._parts = _Parts(storage, engine, driver, switchboard[0], supervisor, trunks, book, outbox, hooks, sounds)
        self._http = _Http(create_web(self, storage, settings, prices), settings)
        self.http_address = await self._http.start()
        announce(settings.data_dir, self.http_address)
        self.sip_addresses = tuple(f"{way.transport}:{_host_port(way.local)}" for way in ways)
        supervisor.start()
        trunks.follow()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop at once; `drain` first for a gentle end."""
        parts = self._running
        self._parts = None
        parts.supervisor.stop()
        parts.trunks.leave()
        if self._http is not None:
            await self._http.stop()
        await parts.outbox.close()
        await parts.hooks.close()
        await parts.sounds.close()
        await parts.driver.close()
        await parts.engine.stop()
        parts.storage.close()

    async def drain(self, within_s: float = DRAIN_S) -> None:
        """Take no new calls, let the running ones finish, then end what is left."""
        parts = self._running
        parts.supervisor.drain()
        if not await parts.switchboard.drained(within_s):
            parts.switchboard.end_all(Cause.SERVER_SHUTDOWN)
            await parts.switchboard.drained(LAST_WORDS_S)

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
        return parts.switchboard.place(
            CallOrder(
                owner=order.owner,
                from_=order.from_,
                target=NumberTarget(number=order.to),
                start=order.start.flow if isinstance(order.start, Reading) else order.start,
                hangup_hook=order.hangup_url,
                ring_timeout_s=order.ring_timeout_s,
                dialect=DIALECTS[order.dialect],
                record=order.record,
            )
        )

    def live_view(self, call_id: CallId) -> CallView | None:
        """A live call as it is now."""
        return self._running.switchboard.view(call_id)

    async def hang_up(self, call_id: CallId) -> bool:
        """End a live call."""
        return self._running.switchboard.hang_up(call_id)

    async def wait_for_event(self, call_id: CallId, after: int, timeout_s: float) -> None:
        """Wait for a timeline to grow beyond an entry, and for that to be durable."""
        await self._running.book.wait(call_id, after, timeout_s)

    def directory_changed(self) -> None:
        """Trunks, numbers or phones have changed."""
        self._running.trunks.follow()

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
            "calls": len(parts.switchboard.live),
            "media_sessions": len(parts.engine.sessions),
            "owed_webhooks": len(parts.outbox),
            "loop_late_s": round(parts.supervisor.load.lateness_s, 4),
            "sip": list(self.sip_addresses),
            "domain": self.domain,
            "sip_strays": dict(parts.driver.strays),
            "trunks": parts.trunks.states(),
        }

    # ── addresses ────────────────────────────────────────────────────────────────────────────────────────────────

    def _advertised(self, _: ListenAddress, local: tuple[str, int]) -> tuple[str, int]:
        host = self.settings.public_address or local[0]
        if ip_address(host).is_unspecified:
            host = local_address_towards()
        return (host, local[1])

    def _domain(self, ways: tuple[Way, ...]) -> str:
        return self.settings.sip_domain or ways[0].advertised[0]


class _Http:
    """The HTTP server on the same loop."""

    def __init__(self, application: Any, settings: Settings) -> None:
        listen = settings.http_listen
        family = socket.AF_INET6 if ":" in listen.host else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_STREAM)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            self._socket.bind((listen.host, listen.port))
        except OSError as error:
            self._socket.close()
            raise OSError(
                error.errno,
                f"cannot listen on {listen.host}:{listen.port} for HTTP ({error.strerror}); "
                "another server may be running: stop it, or set http_listen to another port",
            ) from error
        config = uvicorn.Config(
            application, http="httptools", lifespan="off", log_config=None, access_log=False, server_header=False
        )
        self._server = _Uvicorn(config)
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> str:
        """Serve; returns the base URL."""
        host, port = self._socket.getsockname()[:2]
        self._task = asyncio.get_running_loop().create_task(self._server.serve(sockets=[self._socket]))
        while not self._server.started:
            if self._task.done():
                self._task.result()
            await asyncio.sleep(0.005)
        return f"http://{_host_port((host, port))}"

    async def stop(self) -> None:
        """Answer what is being asked, and close."""
        self._server.should_exit = True
        self._server.force_exit = True
        if self._task is not None:
            await self._task


class _Uvicorn(uvicorn.Server):
    """Signals are ours: a server that drains calls must not be stopped by its web server."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


@asynccontextmanager
async def serve(settings: Settings) -> AsyncIterator[tuple[Server, asyncio.Event]]:
    """A running server, and an event that SIGTERM or SIGINT sets."""
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    async with Server(settings) as server:
        yield server, stop


def _note_delivery(book: Book, event: Delivered | Postponed | Dead) -> None:
    """What became of a post that is owed belongs to its call's timeline."""
    data: dict[str, Any] = {"webhook": event.request.id, "tries": event.tries}
    if isinstance(event, Delivered):
        data["status"] = event.status
    else:
        data["why"] = event.failure.sentence
    if isinstance(event, Postponed):
        data["next"] = datetime.fromtimestamp(event.next_wall, UTC).isoformat()
    book.noted_late(CallId(event.request.call), f"hook.{type(event).__name__.lower()}", data)


def _first_id() -> int:
    """Identifiers that no control process before this one has used with the same engine: it takes fewer a second."""
    return int(time.time()) % 0x7FFF * 0x10000 + 1


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


def _host_port(address: tuple[str, int]) -> str:
    host, port = address
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
