"""A server: `async with Server(settings)` takes calls.

It opens the doors of what `offhook.parts` has put together, stops and drains it, and says what HTTP asks; it decides
nothing about a call.
"""

import asyncio
import contextlib
import secrets
import signal
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from ipaddress import ip_address
from typing import Any

import structlog

from offhook.call.changes import Change, Objection
from offhook.config import Settings
from offhook.flow.dialects.choose import DIALECTS
from offhook.flow.dialects.dialect import Reading
from offhook.flow.verbs import NumberTarget
from offhook.flow.view import CallId, CallView, Cause
from offhook.hooks.delivery import Turn
from offhook.parts import Parts, Place, assemble
from offhook.runtime.live_call import LiveCall
from offhook.runtime.outer_watch import OuterWatch
from offhook.runtime.restoring import (
    keep_sockets,
    kept_sockets,
    resume,
    take_up,
)
from offhook.runtime.rooms import RoomEntry, RoomName, RoomView
from offhook.runtime.sip_sockets import ListenAddress
from offhook.runtime.speech.provider import OfferedVoice
from offhook.runtime.switchboard import CallOrder
from offhook.runtime.trunk_hosts import TrunkHosts
from offhook.runtime.watchdog import LOOK_EVERY_S, Watchdog
from offhook.runtime.wellness import raise_descriptor_limit
from offhook.sip.commands import EndpointConfig
from offhook.sip.digest import Algorithm
from offhook.storage.deliveries import last_entries
from offhook.storage.rows import CallRow, DeliveryRow
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
        self._parts: Parts | None = None
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
            self._parts = parts = await assemble(self.settings, self._place(), stack)
            await self._open(parts, stack)
            self._stack = stack.pop_all()
        return self

    async def __aexit__(self, *_: object) -> None:
        """Stop at once; `drain` first for a gentle end."""
        self._parts = None
        await self._stack.aclose()

    def _place(self) -> Place:
        return Place(
            host=self._advertised_host,
            domain=self.domain,
            base_url=lambda: self.settings.public_url or self.http_address,
            trunk_at=self._trunk_hosts.trunk_at,
        )

    async def _open(self, parts: Parts, stack: AsyncExitStack) -> None:
        """The doors: SIP, then HTTP."""
        settings = self.settings
        kept = {} if parts.before.adopted is None else await kept_sockets(parts.engine)
        web = create_web(self, parts.storage, settings, parts.prices)
        listen = settings.http_listen
        door = f"http:{host_port((listen.host, listen.port))}"
        http = HttpServer(web, listen.host, listen.port, kept=kept.pop(door, None))
        stack.callback(http.listening.close)
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
        doors = {**parts.driver.sockets.listening, door: http.listening}
        self._go_on(parts, doors)
        watchdog = Watchdog(
            live=parts.switchboard.live, services=parts.services, driver=parts.driver, line=parts.engine
        )
        outer = OuterWatch(
            engine=parts.engine, doors=doors, storage=parts.storage, book=parts.book, live=parts.switchboard.live
        )
        watching = asyncio.ensure_future(_watched(watchdog, outer))
        stack.callback(watching.cancel)
        await parts.driver.begin()
        await keep_sockets(parts.engine, doors, kept)
        stack.callback(parts.services.keeper.close)
        stack.callback(parts.services.keeper.flush)
        self.sip_addresses = tuple(f"{way.transport}:{host_port(way.local)}" for way in ways)
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
    def _go_on(parts: Parts, doors: Mapping[str, socket.socket]) -> None:
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
            task = asyncio.ensure_future(keep_sockets(parts.engine, doors))
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
    def _running(self) -> Parts:
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
            await self._durable(live)
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
        live = self._running.switchboard.live.get(call_id)
        done = self._running.switchboard.hang_up(call_id)
        if live is not None and done:
            await self._durable(live)
        return done

    async def change_call(self, call_id: CallId, wanted: Change) -> Objection | None:
        """Change a live call, or say why not. Whoever was told that it is changed relies on it: it is durable then."""
        live = self._running.switchboard.live.get(call_id)
        objection = self._running.switchboard.change(call_id, wanted)
        if live is not None and objection is None:
            await self._durable(live)
        return objection

    async def _durable(self, live: LiveCall) -> None:
        """Wait until what a call is now would outlive us."""
        if live.task.over:
            await self._running.book.flush()
        else:
            await self._running.services.keeper.durable(live)

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

    async def replay_one(self, delivery: DeliveryRow) -> Turn:
        """The same for one, and what it comes to."""
        parts = self._running
        calls = {delivery.call_id}
        parts.book.remember(await parts.storage.read(lambda connection: last_entries(connection, calls)))
        return await parts.outbox.replay_one(delivery)

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


async def _watched(watchdog: Watchdog, outer: OuterWatch) -> None:
    while True:
        await asyncio.sleep(LOOK_EVERY_S)
        try:
            watchdog.look()
            await outer.look()
        except Exception:
            log.exception("watchdog.fault")


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
