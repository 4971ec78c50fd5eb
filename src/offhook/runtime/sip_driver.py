"""Gives the SIP endpoint what it must not have itself: sockets, clock, chance and name service.

After every input the endpoint's polls are drained: bytes to the sockets, questions to the resolver, everything else to
the application, and one timer of the loop for the endpoint's next deadline.
"""

import asyncio
import os
import socket
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, Protocol

import structlog

from offhook.runtime.resolver import Resolver
from offhook.runtime.sip_sockets import ListenAddress, SipSockets
from offhook.sip.commands import EndpointConfig
from offhook.sip.endpoint import Endpoint
from offhook.sip.events import CloseHop, Event, IncomingInvite, RegisterReceived, Resolve, StrayMessage
from offhook.sip.hop import Hop, HopChange, Now, Way
from offhook.sip.overload import draft

__all__ = ["SipDriver", "now"]

log = structlog.get_logger(__name__)

SERVER_ERROR = 500
BINDING = (b"INVITE ", b"ACK ", b"BYE ", b"SIP/2.0 1", b"SIP/2.0 2")
"""How messages begin after which the far end counts on us: it repeats no request that was answered so, and takes none
of ours back."""
SUCCESS = b"SIP/2.0 2"
UNHEARD = "unheard"


def now() -> Now:
    """The time, twice."""
    return Now(time.monotonic(), time.time())


def _binds(data: bytes) -> bool:
    """Not the 2xx to a CANCEL: it says only that there was something to cancel, and comes before the 487 (RFC 3261
    section 9.2)."""
    return data.startswith(BINDING) and not (data.startswith(SUCCESS) and b" CANCEL\r\n" in data)


def _ends(data: bytes) -> bool:
    """The 2xx to a BYE: its far end is on its way out, and nobody waits for it."""
    return data.startswith(SUCCESS) and b" BYE\r\n" in data


def _begins_something(data: bytes, hop: Hop) -> bool:
    """A REGISTER, or an INVITE outside of any dialog: what runs already goes on."""
    return data.startswith(b"REGISTER ") or draft(data, hop) is not None


class Hold(Protocol):
    """`Keeper.hold`."""

    def __call__(self, say: Callable[[], None], *, patient: bool = False) -> None: ...


class SipDriver:
    """One endpoint on its sockets. Call `pump` after every word of the application to `endpoint`."""

    def __init__(self, on_event: Callable[[Event], None] = lambda _: None) -> None:
        self.on_event = on_event
        """Takes everything the endpoint says to its application; set before `start`."""
        self.unheard: Callable[[str], bool] = lambda _: False
        """Whether nothing new is taken from an address: not parsed, not remembered, not answered."""
        self.hold: Hold = lambda say, *, patient=False: say()
        """Says something when what it depends on is durable; at once, unless somebody keeps facts."""
        self.strays: dict[str, int] = {}
        """Messages that belonged nowhere, by kind; for `doctor` and counters."""
        self._resolver = Resolver()
        self._timer: asyncio.TimerHandle | None = None
        self._timer_at = 0.0
        self._pumping = False
        self._closed = False
        self._tasks: set[asyncio.Task[None]] = set()
        self._endpoint: Endpoint | None = None
        self._trying_at_once = True
        self._begun = False
        self.sockets = SipSockets(on_datagram=self._datagram, on_stream=self._stream, on_hop=self._hop)

    @property
    def endpoint(self) -> Endpoint:
        """The stack; there from `start` on."""
        assert self._endpoint is not None, "start the driver first"
        return self._endpoint

    @property
    def says_trying(self) -> bool:
        """Whether the endpoint answers every INVITE with 100 by itself."""
        return self._trying_at_once

    async def start(
        self,
        listen: Sequence[ListenAddress],
        configure: Callable[[tuple[Way, ...]], EndpointConfig],
        advertise: Callable[[ListenAddress, tuple[str, int]], tuple[str, int]],
    ) -> tuple[Way, ...]:
        """Listen everywhere, and begin. Raises OSError that says what to do."""
        ways = self.bind(listen, configure, advertise)
        await self.begin()
        return ways

    def bind(
        self,
        listen: Sequence[ListenAddress],
        configure: Callable[[tuple[Way, ...]], EndpointConfig],
        advertise: Callable[[ListenAddress, tuple[str, int]], tuple[str, int]],
        *,
        kept: Mapping[str, socket.socket] | None = None,
        parts: Iterable[Mapping[str, Any]] = (),
    ) -> tuple[Way, ...]:
        """Take all addresses, on sockets that an earlier process has kept where there are such, and make the endpoint,
        which goes on with the exports in `parts`. Nothing is heard or said before `begin`, and what comes meanwhile
        waits. Raises OSError that says what to do.
        """
        left = dict(kept or {})
        ways = []
        for address in listen:
            local = self.sockets.bind(address, _take_kept(left, address))
            ways.append(Way(transport=address.transport, local=local, advertised=advertise(address, local)))
        for unused in left.values():
            unused.close()
        config = configure(tuple(ways))
        self._trying_at_once = config.trying_at_once
        self._endpoint = Endpoint(config, os.urandom, now())
        for part in parts:
            try:
                self._endpoint.take_in(part)
            except ValueError as error:
                # The session of one call; it ends as one that nobody knows.
                log.error("sip.unrestorable", why=str(error))
        return tuple(ways)

    async def begin(self) -> None:
        """Hear and say."""
        await self.sockets.begin()
        self._begun = True
        self.pump()

    async def close(self) -> None:
        """Stop; nothing more is said or heard."""
        self._closed = True
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for task in list(self._tasks):
            task.cancel()
        await self.sockets.close()

    def pump(self) -> None:
        """Drain the polls. Events that make the application speak again are drained in the same turn.

        Events go first: what is said may have to wait for the facts that they lead to. A stream is closed behind the
        answer that says why.
        """
        if self._pumping or self._closed or not self._begun:
            return
        endpoint = self.endpoint
        self._pumping = True
        try:
            closing: list[Hop] = []
            while True:
                while (event := endpoint.poll_event()) is not None:
                    if isinstance(event, CloseHop):
                        closing.append(event.hop)
                    else:
                        self._take(event)
                out = endpoint.poll_transmit()
                if out is None:
                    break
                if _binds(out[0]):
                    self.hold(partial(self.sockets.send, *out), patient=_ends(out[0]))
                else:
                    self.sockets.send(*out)
            for hop in closing:
                self.sockets.close_hop(hop)
        finally:
            self._pumping = False
        self._rearm()

    def _take(self, event: Event) -> None:
        if isinstance(event, Resolve):
            task = asyncio.get_running_loop().create_task(self._resolve(event))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)
        elif isinstance(event, StrayMessage):
            self.strays[event.kind.value] = self.strays.get(event.kind.value, 0) + 1
        else:
            try:
                self.on_event(event)
            except Exception:
                # One call's fault must not stop the signalling of the others.
                log.exception("sip.event.fault", what=type(event).__name__)
                if isinstance(event, IncomingInvite | RegisterReceived):
                    # Whoever asks is owed an answer; nothing happens if one was given before the fault.
                    self.endpoint.reject_request(event.handle, SERVER_ERROR, now())

    def _datagram(self, data: bytes, hop: Hop) -> None:
        if self._endpoint is None:
            return
        if self.unheard(hop.remote[0]) and _begins_something(data, hop):
            self.strays[UNHEARD] = self.strays.get(UNHEARD, 0) + 1
            return
        self._endpoint.handle_datagram(data, hop, now())
        self.pump()

    def _stream(self, data: bytes, hop: Hop) -> None:
        if self._endpoint is None:
            return
        self._endpoint.handle_stream(data, hop, now())
        self.pump()

    def _hop(self, change: HopChange, hop: Hop) -> None:
        if self._endpoint is None:
            return
        self._endpoint.handle_hop(change, hop, now())
        self.pump()

    def _wake(self) -> None:
        self._timer = None
        self.endpoint.handle_timer(now())
        self.pump()

    def _rearm(self) -> None:
        deadline = self.endpoint.poll_deadline()
        if self._timer is not None:
            # A timer that comes too early only asks again; moving it with every message would cost more.
            if deadline is not None and self._timer_at <= deadline:
                return
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            self._timer_at = deadline
            delay = max(0.0, deadline - time.monotonic())
            self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    async def _resolve(self, question: Resolve) -> None:
        look_up = self._resolver.services if question.kind == "srv" else self._resolver.addresses
        try:
            answers = await look_up(question.name)
        except Exception:
            # A call that waits for this must not wait for ever: it is told that nothing was found.
            log.exception("sip.resolve.fault", name=question.name)
            answers = []
        self.endpoint.handle_resolved(question.query, answers, now())
        self.pump()


def _take_kept(kept: dict[str, socket.socket], address: ListenAddress) -> socket.socket | None:
    """The socket that was kept for an address, taken out; for port 0 any of its host that is left."""
    exact = f"{address.transport}:{address.host}:{address.port}"
    if address.port:
        return kept.pop(exact, None)
    fits = next((name for name in kept if name.startswith(f"{address.transport}:{address.host}:")), None)
    return None if fits is None else kept.pop(fits)
