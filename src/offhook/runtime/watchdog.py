"""Compares, now and then, what should agree: calls and their legs, legs and SIP sessions and sound, the engine's
sessions and ours, rooms and the calls and sound in them (`call/roll_call.py`). What belongs to nothing is ended, and
said in the log and, where there is one, in the timeline.

Nothing of this should ever be found: each find is a fault of ours that would otherwise hold a line, a port or a call
for ever. What is seen only once may be on its way, so it must be seen twice.
"""

from collections.abc import Callable, Collection, Hashable, Iterable, Mapping
from typing import Any

import structlog

from offhook.call.events import RoomEnd, RoomLeft
from offhook.call.roll_call import strays
from offhook.call.room import Guest
from offhook.flow.view import CallId, Cause
from offhook.media import commands as engine
from offhook.runtime.live_call import LiveCall
from offhook.runtime.media_process import MediaEngine
from offhook.runtime.services import Services
from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.sip_leg import LegState, SipLeg
from offhook.sip.commands import SessionId

__all__ = ["LOOK_EVERY_S", "SeenTwice", "Watchdog"]

log = structlog.get_logger(__name__)

LOOK_EVERY_S = 10.0
"""A call that ends gives up waiting by itself after 40 s, so that nothing here is in a hurry."""


class SeenTwice:
    """Remembers what was found at the last look."""

    def __init__(self) -> None:
        self._seen: dict[str, frozenset[Hashable]] = {}

    def again(self, what: str, found: Iterable[Any]) -> frozenset[Any]:
        """Of what is found now, what was found then too; that is logged."""
        now_seen = frozenset(found)
        again = now_seen & self._seen.get(what, frozenset())
        self._seen[what] = now_seen
        for each in again:
            log.error("watchdog.orphan", what=what, which=each.session if isinstance(each, SipLeg) else each)
        return again


class Watchdog:
    """`look` every `LOOK_EVERY_S`. What lies outside of this process is `OuterWatch`'s."""

    def __init__(
        self, *, live: Mapping[CallId, LiveCall], services: Services, driver: SipDriver, line: MediaEngine
    ) -> None:
        self._live = live
        self._services = services
        self._driver = driver
        self._line = line
        self._orphans = SeenTwice()

    def look(self) -> int:
        """Compare, and end what is orphaned. Returns how much that was."""
        legs, media = self._services.legs, self._services.media
        of_calls = {leg for live in self._live.values() for leg in live.legs.values()}
        known = {leg.session for leg in legs.all() if leg in of_calls} | self._services.leaving.sessions()
        sounds = {leg.media.session for leg in of_calls if leg.state is not LegState.ENDED}
        sessions = set(self._driver.endpoint.sessions())
        rooms = self._services.rooms
        astray = strays(
            rooms.seen(),
            listed=rooms.listed(),
            visits=frozenset(visit for live in self._live.values() for visit in live.call.visits()),
            mixed=media.mixed(),
        )
        return sum(
            (
                self._act("call", self._dead_calls(), self._end_call),
                self._act("session", sessions - known, self._end_session),
                self._act("leg", [leg for leg in of_calls if _has_lost(leg, sessions)], self._end_leg),
                self._act("sound", media.unowned(sounds), self._close),
                self._act("engine", self._line.sessions - media.known(), self._close),
                self._act("guest", astray.guests, rooms.gone),
                self._act("room", astray.rooms, rooms.give_up),
                self._act("visit", astray.visits, self._end_visit),
                self._act("mix", astray.sounds, media.unmix_session),
            )
        )

    def _act(self, what: str, found: Iterable[Any], end: Callable[[Any], None]) -> int:
        """End what was there at the last look too."""
        again = self._orphans.again(what, found)
        for each in again:
            end(each)
        return len(again)

    def _dead_calls(self) -> list[CallId]:
        """Calls all of whose legs have ended, and that do nothing more: a recording may still be closing."""
        return [
            call
            for call, live in self._live.items()
            if live.legs
            and not live.recordings
            and all(leg.state is LegState.ENDED for leg in live.legs.values())
            and not live.task.waiting
            and live.call.poll_deadline() is None
        ]

    def _end_call(self, call: CallId) -> None:
        live = self._live[call]
        live.note("call.watchdog", {"cause": Cause.INTERNAL_ERROR.value, "legs": [], "recordings": []})
        live.task.abandon()

    def _end_session(self, session: Any) -> None:
        self._driver.endpoint.hang_up(session, now())
        self._driver.pump()

    def _end_leg(self, leg: SipLeg) -> None:
        self._services.legs.hang_up(leg, Cause.INTERNAL_ERROR)

    def _end_visit(self, guest: Guest) -> None:
        """As if the room were over: the call goes on with what follows."""
        self._services.rooms.gone(guest)
        live = self._live.get(guest.call)
        if live is None:
            return
        if (sound := live.sound_of(guest.leg)) is not None:
            self._services.media.alone(sound)
        live.post(RoomLeft(visit=guest.visit, why=RoomEnd.OVER))

    def _close(self, session: engine.SessionId) -> None:
        self._services.media.forget(session)
        self._line.send(engine.CloseSession(session=session))


def _has_lost(leg: SipLeg, sessions: Collection[SessionId]) -> bool:
    """Whether a leg goes on without its SIP session: nothing would ever end it."""
    return leg.state is not LegState.ENDED and leg.session is not None and leg.session not in sessions
