"""What the last server of this data directory was doing, taken up again: calls, rooms, phones, far ends that are still
owed a BYE. See docs/design/durability.md.

An answered call goes on if the media engine still has its sound. Whatever else there is is ended properly, with the
cause `server_restart`: a call that was still being set up, and every call if the engine died too.
"""

import socket
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import structlog

from offhook.flow.errors import NotOurExport
from offhook.flow.view import CallId, Cause
from offhook.media.events import SessionAlive
from offhook.runtime import call_facts, leaving
from offhook.runtime import live_call as calls
from offhook.runtime import rooms as meeting
from offhook.runtime import switchboard as board
from offhook.runtime.call_facts import call_alone, restored_call
from offhook.runtime.live_call import LiveCall
from offhook.runtime.media_process import EngineError, MediaEngine
from offhook.runtime.services import Services
from offhook.runtime.sip_driver import SipDriver
from offhook.runtime.sip_leg import SipLeg
from offhook.storage.facts import Fact, Facts

__all__ = ["Remembered", "first_id", "keep_facts", "keep_sockets", "kept_sockets", "remembered", "resume", "take_up"]

log = structlog.get_logger(__name__)

SERVER_FACT = "server"
IDS_OF_ONE_SERVER = 0x1_0000
"""Numbers for sessions and recordings that a server begins with; those after it begin above."""
SERVERS_REMEMBERED = 0x7FFF
UNREADABLE = (NotOurExport, ValueError, KeyError, TypeError, AttributeError)


@dataclass(slots=True, kw_only=True)
class Remembered:
    """The facts that can be read, by kind."""

    calls: list[Fact] = field(default_factory=list)
    rooms: list[Fact] = field(default_factory=list)
    leaving: list[Fact] = field(default_factory=list)
    phones: list[Fact] = field(default_factory=list)
    starts: int = 0
    """How many servers there were before this one."""

    def sip_parts(self) -> list[Mapping[str, Any]]:
        """What the SIP endpoint exported, for it to go on with."""
        parts = [part for fact in self.calls for part in call_facts.sessions_in(fact.data)]
        parts += [part for fact in self.leaving for part in leaving.sessions_in(fact.data)]
        return parts + [fact.data for fact in self.phones]


def remembered(facts: Iterable[Fact]) -> Remembered:
    """Sort facts. Those of a version that this program does not know are left alone, and said so."""
    found = Remembered()
    for fact in facts:
        match fact.kind, fact.version:
            case calls.FACT, call_facts.VERSION:
                found.calls.append(fact)
            case meeting.FACT, meeting.VERSION:
                found.rooms.append(fact)
            case leaving.FACT, leaving.VERSION:
                found.leaving.append(fact)
            case board.PHONE_FACT, board.PHONE_VERSION:
                found.phones.append(fact)
            case "server", 1:
                found.starts = fact.data["starts"]
            case _:
                log.error("facts.unknown", kind=fact.kind, key=fact.key, version=fact.version)
    return found


def first_id(found: Remembered, facts: Facts) -> int:
    """Where the numbers of this server begin: no server that the same engine may have served has used them."""
    starts = found.starts + 1
    facts.save(Fact(kind=SERVER_FACT, key="", version=1, data={"starts": starts}))
    return starts % SERVERS_REMEMBERED * IDS_OF_ONE_SERVER + 1


class Teller(Protocol):
    """What tells of events until they are acknowledged: the media engine's process."""

    on_heard: Callable[[int], None]

    def acknowledge(self, number: int) -> None:
        """They need not be told again."""


def keep_facts(services: Services, engine: Teller, driver: SipDriver) -> None:
    """From now on facts are kept of what lives, and the world waits for them where it must."""
    keeper, legs = services.keeper, services.legs
    engine.on_heard, keeper.acknowledge = keeper.heard, engine.acknowledge
    driver.hold = keeper.hold
    legs.on_ended = services.leaving.ended

    def urgent(leg: SipLeg) -> None:
        if isinstance(leg.owner, LiveCall):
            keeper.hurry(leg.owner)

    def changed(leg: SipLeg) -> None:
        if isinstance(leg.owner, LiveCall):
            keeper.touch(leg.owner)

    legs.on_urgent, legs.on_changed = urgent, changed

    def visiting(visitor: meeting.Visitor) -> None:
        if isinstance(visitor, LiveCall):
            keeper.hurry(visitor)

    def room_changed(room: meeting.LiveRoom) -> None:
        if room.task.over:
            keeper.forget(room)
            keeper.drop(meeting.FACT, room.key)
        else:
            keeper.ahead(room)

    services.rooms.on_visit, services.rooms.on_change = visiting, room_changed


async def kept_sockets(engine: MediaEngine) -> dict[str, socket.socket]:
    """The listening sockets that the last server left with the engine. None are no reason not to start."""
    try:
        return await engine.fetch_sockets()
    except EngineError as error:
        log.warning("sockets.not_fetched", why=str(error))
        return {}


async def keep_sockets(engine: MediaEngine, listening: Mapping[str, socket.socket], before: Iterable[str] = ()) -> None:
    """Let the engine hold the listening sockets, so that what arrives while no server runs waits there."""
    try:
        for name in set(before) - listening.keys():
            await engine.drop_socket(name)
        for name, each in listening.items():
            await engine.keep_socket(name, each)
    except EngineError as error:
        log.warning("sockets.not_kept", why=str(error))


def take_up(
    found: Remembered,
    services: Services,
    switchboard: board.Switchboard,
    alive: Sequence[SessionAlive] | None,
    entries: Mapping[str, int],
) -> list[LiveCall]:
    """Make all calls and rooms again; the endpoint has their sessions. `resume` then lets them go on.

    `alive`: the sessions that the media engine has; `None`: it is another one, and has none.
    `entries`: the number of the last timeline entry of each call.
    """
    made = []
    for fact in found.rooms:
        try:
            services.rooms.restore(fact.data)
        except NotOurExport as error:
            # Who had been joined in it is told that it is over when their call resumes, who waited comes to a new one.
            log.error("room.unrestorable", room=fact.key, why=repr(error))
            services.keeper.drop(meeting.FACT, fact.key)
    for fact in found.leaving:
        services.leaving.restore(fact)
    for fact in found.calls:
        live = _made_again(fact, services)
        if live is None:
            # Its row is closed as for every call of which nothing is known; no other call suffers.
            services.keeper.drop(calls.FACT, fact.key)
            continue
        switchboard.resumed(live, entries.get(live.id, 0))
        made.append(live)
    services.media.expect(alive or ())
    return made


def _made_again(fact: Fact, services: Services) -> LiveCall | None:
    """The call. Where its far ends cannot be restored, what else there is of it: its customer is owed its end."""
    try:
        return restored_call(fact.data, services)
    except UNREADABLE as error:
        log.error("call.unrestorable", call=fact.key, why=repr(error))
    for session in call_facts.session_ids_in(fact.data):
        services.legs.disown(session, Cause.SERVER_RESTART)
    try:
        return call_alone(fact.data, services)
    except UNREADABLE as error:
        log.error("call.unreadable", call=fact.key, why=repr(error))
        return None


def resume(restored: Iterable[LiveCall], rooms: meeting.Rooms, *, sound: bool) -> None:
    """Let calls go on, or end those that cannot; rooms then let go of who has not come back. `sound`: whether the media
    engine lived on."""
    for live in restored:
        answered = live.call.view().start is not None
        goes_on = sound and answered and bool(live.legs)
        log.info("call.restored", call=CallId(live.id), goes_on=goes_on)
        live.resume(None if goes_on else Cause.SERVER_RESTART)
    rooms.restored()
