"""All rooms of a server: which there are, whose visits they have, and how their words become sound and events of calls.

The one place where two calls meet. A call sends its wish here and hears what came of it on its own queue; rooms of two
customers never meet, whatever their names. What a room means for its guests is decided in `call`.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol, assert_never

import structlog

from offhook.call.commands import (
    CallerBriefed,
    EnterConference,
    EnterQueue,
    LeaveRoom,
    LegId,
    StayInRoom,
    TakeCaller,
    VisitId,
    Wish,
)
from offhook.call.conference import ConferenceRoom
from offhook.call.events import Event, RoomEnd, RoomJoined, RoomLeft
from offhook.call.queue import QueueRoom
from offhook.call.roll_call import RoomSeen
from offhook.call.room import (
    Briefed,
    Came,
    Closed,
    Guest,
    Join,
    Mix,
    Part,
    RoomCommand,
    RoomHears,
    RoomKind,
    RoomName,
    RoomNote,
    RoomView,
    Stays,
    Tell,
    Unmix,
    Went,
)
from offhook.flow.errors import NotOurExport
from offhook.flow.view import CallId
from offhook.media.commands import MixId
from offhook.runtime.call_task import now
from offhook.runtime.media_legs import MediaLeg, MediaLegs
from offhook.runtime.room_task import Room, RoomTask
from offhook.storage.facts import Fact

__all__ = [
    "FACT",
    "VERSION",
    "LiveRoom",
    "RoomEntry",
    "RoomKind",
    "RoomName",
    "RoomSaying",
    "RoomView",
    "Rooms",
    "Visitor",
]

log = structlog.get_logger(__name__)

LOG_ENTRIES_MAX = 500
"""Of a room's own log; the older ones are in the server's."""

FACT, VERSION = "room", 1
"""The kind of its facts, and how they are written."""

RoomSaying = Wish | CallerBriefed | StayInRoom | LeaveRoom


class Visitor(Protocol):
    """A live call, as rooms see it."""

    id: CallId

    @property
    def account(self) -> str:
        """Whose rooms it enters."""

    def post(self, event: Event) -> None:
        """Put an event on the call's queue."""

    def sound_of(self, leg: LegId) -> MediaLeg | None:
        """The sound of a leg; `None` when there is none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomEntry:
    """An entry of a room's log."""

    at: datetime
    kind: str
    data: Mapping[str, Any]


@dataclass(slots=True, eq=False)
class LiveRoom:
    """A room that somebody is in; the world of its task."""

    name: RoomName
    mix: MixId
    rooms: "Rooms"
    machine: Room | None = None
    """One that was restored; else a new one is made."""
    guests: dict[Guest, Visitor] = field(default_factory=dict)
    """Those in it, and those on the way."""
    pairs: dict[Guest, Guest] = field(default_factory=dict)
    """Who was joined with whom."""
    entries: deque[RoomEntry] = field(default_factory=lambda: deque(maxlen=LOG_ENTRIES_MAX))
    task: RoomTask = field(init=False)

    def __post_init__(self) -> None:
        machine = self.machine or _machine_of(self.name.kind).make(self.name, now())
        self.task = RoomTask(machine, self, self.rooms.loop)

    def export(self) -> dict[str, Any]:
        """What `Rooms.restore` takes: plain JSON. Raises `RuntimeError` while the room has something to say."""
        return {
            "account": self.name.account,
            "kind": self.name.kind.value,
            "name": self.name.name,
            "mix": self.mix,
            "room": self.task.room.export(now()),
        }

    @property
    def key(self) -> str:
        """Of its facts: its name is that of another room too, when it is over."""
        return str(self.mix)

    def facts(self) -> Fact | None:
        """What a server that comes after this one needs to go on with the room; `None`: it is over."""
        return None if self.task.over else Fact(kind=FACT, key=self.key, version=VERSION, data=self.export())

    def seen(self) -> RoomSeen:
        """As the watchdog compares it."""
        guests = frozenset(self.guests) | frozenset(self.task.room.guests())
        sounds = [sound for guest in guests if (sound := self._sound(guest)) is not None]
        return RoomSeen(
            name=self.name, mix=self.mix, guests=guests, sounds=frozenset(int(sound.session) for sound in sounds)
        )

    def perform(self, task: RoomTask, command: RoomCommand) -> None:
        """Do what the command asks."""
        media = self.rooms.media
        match command:
            case Tell():
                self._tell(command)
            case Mix():
                if (sound := self._sound(command.guest)) is not None:
                    media.mix(self.mix, sound, muted=command.muted)
            case Unmix():
                self._unmix(command.guest)
            case Join(a=a, b=b):
                one, other = self._sound(a), self._sound(b)
                if one is not None and other is not None:
                    media.join(one, other)
                    self.pairs[a] = b
            case Part(a=a):
                self._part(a)
            case RoomNote():
                self.entries.append(RoomEntry(at=datetime.now(UTC), kind=command.kind, data=command.data))
                log.info(command.kind, room=self.name.name, account=self.name.account, **command.data)
            case Closed():
                pass  # the task's own
            case _:
                assert_never(command)

    def _tell(self, command: Tell) -> None:
        visitor = self.guests.get(command.guest)
        if visitor is not None:
            visitor.post(command.event)
            if isinstance(command.event, RoomJoined | RoomLeft):
                self.rooms.on_visit(visitor)
        if isinstance(command.event, RoomLeft):
            # Nothing is left to be undone, unless a restart sent back one of two who talked.
            if (sound := self._sound(command.guest)) is not None:
                self.rooms.media.alone(sound)
            self.rooms.left(command.guest)

    def _sound(self, guest: Guest) -> MediaLeg | None:
        visitor = self.guests.get(guest)
        return None if visitor is None else visitor.sound_of(guest.leg)

    def _unmix(self, guest: Guest) -> None:
        if (sound := self._sound(guest)) is not None:
            self.rooms.media.unmix(self.mix, sound)

    def _part(self, guest: Guest) -> None:
        partner = self.pairs.pop(guest, None)
        if partner is None:
            return
        one, other = self._sound(guest), self._sound(partner)
        if one is not None and other is not None:
            self.rooms.media.part(one, other)

    def settled(self, task: RoomTask) -> None:
        """Nobody is on the way: forget those who are not here any longer."""
        for guest in self.guests.keys() - task.room.guests():
            del self.guests[guest]
        self.rooms.on_change(self)

    def closed(self, task: RoomTask, unheard: Sequence[RoomHears]) -> None:
        """It is forgotten; who came too late for it comes to a new one."""
        self.rooms.forget_room(self, unheard)

    def broken(self, task: RoomTask, unheard: Sequence[RoomHears]) -> None:
        """Everybody is let go, so that no call waits for a room that is no more."""
        for guest in list(self.pairs):
            self._part(guest)
        for guest in self.guests:
            if self.name.kind is RoomKind.CONFERENCE:
                self._unmix(guest)
            self._tell(Tell(guest=guest, event=RoomLeft(visit=guest.visit, why=RoomEnd.INTERNAL_ERROR)))
        self.rooms.forget_room(self, ())


class Rooms:
    """The registry."""

    def __init__(self, *, media: MediaLegs, loop: asyncio.AbstractEventLoop) -> None:
        self.media = media
        self.loop = loop
        self.on_change: Callable[[LiveRoom], None] = lambda _: None
        """Told when what a room would have to know after a restart has changed; its task may be `over` then."""
        self.on_visit: Callable[[Visitor], None] = lambda _: None
        """Told when a visit of a call begins, is joined or ends: what is kept of it must be of one moment with what is
        kept of the room."""
        self._live: dict[RoomName, LiveRoom] = {}
        self._visits: dict[tuple[CallId, VisitId], tuple[Guest, LiveRoom]] = {}

    # ── what calls say ───────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, visitor: Visitor, said: RoomSaying) -> None:
        """A call wants something of a room. What comes of it is told on the call's queue."""
        match said:
            case EnterConference() | EnterQueue() | TakeCaller():
                guest = Guest(call=visitor.id, leg=said.leg, visit=said.visit)
                self._enter(_name(visitor.account, said), visitor, Came(guest=guest, wish=said))
            case StayInRoom():
                self._stays(visitor, said)
            case CallerBriefed() | LeaveRoom():
                guest_room = self._visits.get((visitor.id, said.visit))
                if guest_room is None:
                    return
                guest, room = guest_room
                room.task.post(Briefed(guest=guest) if isinstance(said, CallerBriefed) else Went(guest=guest))
                if isinstance(said, LeaveRoom):
                    del self._visits[(visitor.id, said.visit)]
                    self.on_visit(visitor)
            case _:
                assert_never(said)

    def forget(self, visitor: Visitor) -> None:
        """A call is over, however it ended: its parties are in no room any longer."""
        for call, visit in [key for key in self._visits if key[0] == visitor.id]:
            guest, room = self._visits.pop((call, visit))
            room.task.post(Went(guest=guest))

    def _stays(self, visitor: Visitor, said: StayInRoom) -> None:
        found = self._visits.get((visitor.id, said.visit))
        if found is None:
            # The room has let it go, and only the call had not written that down; or nothing can be read of the room.
            if (sound := visitor.sound_of(said.leg)) is not None:
                self.media.alone(sound)
            visitor.post(RoomLeft(visit=said.visit, why=RoomEnd.OVER))
            return
        guest, room = found
        room.guests[guest] = visitor
        room.task.post(Stays(guest=guest))

    # ── after a restart ──────────────────────────────────────────────────────────────────────────────────────────

    def restore(self, data: Mapping[str, Any]) -> LiveRoom:
        """A room that was exported. Its calls follow: each says again what it wants. Raises `NotOurExport`."""
        try:
            name = RoomName(account=data["account"], kind=RoomKind(data["kind"]), name=data["name"])
            mix, exported = MixId(data["mix"]), data["room"]
        except (KeyError, TypeError, ValueError) as error:
            raise NotOurExport(f"a room that does not hold together: {error!r}") from error
        room = LiveRoom(name, mix, self, _machine_of(name.kind).restore(exported, now()))
        guests = room.task.room.guests()
        if not guests:
            raise NotOurExport("a room with nobody in it: nothing would ever close it")
        self._live[name] = room
        for guest in guests:
            self._visits[(guest.call, guest.visit)] = (guest, room)
        room.perform(room.task, RoomNote(kind="room.restored", data={"guests": len(guests)}))
        return room

    def restored(self) -> None:
        """All calls that live on have said what they want: who has not is gone."""
        for room in self._live.values():
            for guest in room.task.room.guests():
                if guest not in room.guests:
                    self._visits.pop((guest.call, guest.visit), None)
                    room.task.post(Went(guest=guest))
            room.task.begin()

    def keep_all(self) -> None:
        """Say of every room that what is kept of it has changed: the wall clock was set, which its deadlines are told
        by."""
        for room in self._live.values():
            self.on_change(room)

    # ── what people see ──────────────────────────────────────────────────────────────────────────────────────────

    def views(self, account: str | None = None) -> list[RoomView]:
        """The rooms that there are, by kind and name; of one account, or of all."""
        live = [room for room in self._live.values() if account is None or room.name.account == account]
        return [room.task.room.view() for room in sorted(live, key=lambda each: (each.name.kind.value, each.name.name))]

    def entries(self, room: RoomName) -> Sequence[RoomEntry]:
        """The log of a room that there is, oldest first."""
        live = self._live.get(room)
        return () if live is None else tuple(live.entries)

    def counts(self) -> dict[str, int]:
        """Of everything that is held; nothing of it is left when no call is."""
        guests = sum(len(room.guests) for room in self._live.values())
        return {"rooms": len(self._live), "guests": guests, "visits": len(self._visits)}

    # ── what the watchdog sees, and does ─────────────────────────────────────────────────────────────────────────────

    def seen(self) -> list[RoomSeen]:
        """Every room with its guests and their sound."""
        return [room.seen() for room in self._live.values()]

    def listed(self) -> frozenset[Guest]:
        """Guests that are found by their visit."""
        return frozenset(guest for guest, _ in self._visits.values())

    def gone(self, guest: Guest) -> None:
        """A guest's call has forgotten its visit: so do the rooms."""
        self._visits.pop((guest.call, guest.visit), None)
        for room in self._live.values():
            if guest in room.guests or guest in room.task.room.guests():
                room.task.post(Went(guest=guest))

    def give_up(self, name: RoomName) -> None:
        """A room that nobody would ever close is no more."""
        if (room := self._live.get(name)) is not None:
            room.task.abandon()
            self.forget_room(room, ())

    # ── what rooms say ───────────────────────────────────────────────────────────────────────────────────────────

    def left(self, guest: Guest) -> None:
        """A room has told a guest that its visit is over."""
        self._visits.pop((guest.call, guest.visit), None)

    def forget_room(self, room: LiveRoom, unheard: Iterable[RoomHears]) -> None:
        """A room is no more; who was on the way to it goes to another of its name."""
        if self._live.get(room.name) is room:
            del self._live[room.name]
        self.on_change(room)
        for event in unheard:
            key = (event.guest.call, event.guest.visit)
            # Who has left again meanwhile is not brought back.
            if isinstance(event, Came) and key in self._visits:
                self._enter(room.name, room.guests[event.guest], event)

    def _enter(self, name: RoomName, visitor: Visitor, came: Came) -> None:
        room = self._live.get(name)
        if room is None:
            room = self._live[name] = LiveRoom(name, self.media.new_mix(), self)
        room.guests[came.guest] = visitor
        self._visits[(came.guest.call, came.guest.visit)] = (came.guest, room)
        self.on_visit(visitor)
        room.task.post(came)


def _machine_of(kind: RoomKind) -> type[ConferenceRoom] | type[QueueRoom]:
    match kind:
        case RoomKind.CONFERENCE:
            return ConferenceRoom
        case RoomKind.QUEUE:
            return QueueRoom
        case _:
            assert_never(kind)


def _name(account: str, wish: Wish) -> RoomName:
    match wish:
        case EnterConference(room=name):
            return RoomName(account=account, kind=RoomKind.CONFERENCE, name=name)
        case EnterQueue(queue=name) | TakeCaller(queue=name):
            return RoomName(account=account, kind=RoomKind.QUEUE, name=name)
        case _:
            assert_never(wish)
