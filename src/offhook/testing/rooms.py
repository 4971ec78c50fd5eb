"""The rooms of a scenario: the real machines, and what they say as lines of the trace and events of the calls.

As in the server a room hears what is said to it after whoever said it has finished, and so does a call.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Protocol, assert_never

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
from offhook.call.events import Event, Now, RoomBriefs, RoomEnd, RoomLeft, RoomWaits
from offhook.call.queue import QueueRoom
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
    Stays,
    Tell,
    Unmix,
    Went,
)
from offhook.flow.view import CallId
from offhook.testing.clock import Clock

__all__ = ["Member", "SimulatedRooms"]

ACCOUNT = "u1"
"""Whose all calls of a scenario are."""


class Member(Protocol):
    """A call of the scenario, as rooms see it."""

    id: CallId

    def tell(self, event: Event) -> None:
        """Something happens to the call."""

    def address(self, leg: LegId) -> str:
        """Who is at the end of a leg."""

    def talks(self, leg: LegId) -> None:
        """Somebody is joined with others."""


@dataclass(slots=True)
class _Room:
    name: RoomName
    machine: ConferenceRoom | QueueRoom
    guests: dict[Guest, Member] = field(default_factory=dict)

    @property
    def words(self) -> str:
        return f"{self.name.kind.value} {self.name.name}"


class SimulatedRooms:
    """All rooms of a scenario."""

    def __init__(self, clock: Clock, now: Callable[[], Now], say: Callable[[str], None], *, restarts: bool) -> None:
        self._clock = clock
        self._now = now
        self._say = say
        self._restarts = restarts
        self._rooms: dict[RoomName, _Room] = {}
        self._visits: dict[tuple[CallId, VisitId], tuple[Guest, RoomName]] = {}

    @property
    def all_closed(self) -> bool:
        """Nobody is in any room."""
        return not self._rooms

    def timers(self) -> list[tuple[float | None, Callable[[], None]]]:
        """When each room wants to be asked again, and how."""
        return [
            (room.machine.poll_deadline(), lambda room=room: self._handle_timer(room))  # type: ignore[misc]
            for room in self._rooms.values()
        ]

    def hear(self, member: Member, said: Wish | CallerBriefed | StayInRoom | LeaveRoom) -> None:
        """A call wants something of a room."""
        key = (member.id, said.visit)
        match said:
            case EnterConference() | EnterQueue() | TakeCaller():
                name = _name(said)
                guest = Guest(call=member.id, leg=said.leg, visit=said.visit)
                self._visits[key] = (guest, name)
                self._clock.after(0.0, lambda: self._comes(name, member, Came(guest=guest, wish=said)))
            case CallerBriefed() | LeaveRoom() if key in self._visits:
                guest, name = self._visits[key]
                event = Briefed(guest=guest) if isinstance(said, CallerBriefed) else Went(guest=guest)
                self._clock.after(0.0, lambda: self._goes_on(name, event))
            case CallerBriefed() | LeaveRoom():
                pass
            case StayInRoom() if key in self._visits:
                guest, name = self._visits[key]
                self._clock.after(0.0, lambda: self._goes_on(name, Stays(guest=guest)))
            case StayInRoom():
                self._clock.after(0.0, lambda: member.tell(RoomLeft(visit=said.visit, why=RoomEnd.OVER)))
            case _:
                assert_never(said)

    def _comes(self, name: RoomName, member: Member, came: Came) -> None:
        room = self._rooms.get(name)
        if room is None:
            make = ConferenceRoom.make if name.kind is RoomKind.CONFERENCE else QueueRoom.make
            room = self._rooms[name] = _Room(name, make(name, self._now()))
        room.guests[came.guest] = member
        room.machine.handle(came, self._now())
        self._drain(room)

    def _goes_on(self, name: RoomName, event: RoomHears) -> None:
        room = self._rooms.get(name)
        if room is not None:
            room.machine.handle(event, self._now())
            self._drain(room)

    def _handle_timer(self, room: _Room) -> None:
        room.machine.handle_timer(self._now())
        self._drain(room)

    def _drain(self, room: _Room) -> None:
        while (command := room.machine.poll_command()) is not None:
            self._do(room, command)
        if self._restarts:
            written = json.loads(json.dumps(room.machine.export(self._now())))
            room.machine = type(room.machine).restore(written, self._now())

    # ── what a room says ─────────────────────────────────────────────────────────────────────────────────────────────

    def _do(self, room: _Room, command: RoomCommand) -> None:
        match command:
            case Tell(guest=guest, event=event):
                self._tell(room, command)
                member = room.guests[guest]
                self._clock.after(0.0, lambda: member.tell(event))
            case Mix(guest=guest, muted=muted):
                self._say(f"{self._who(room, guest)} joins {room.words}{' muted' if muted else ''}")
                room.guests[guest].talks(guest.leg)
            case Unmix(guest=guest):
                self._say(f"{self._who(room, guest)} leaves {room.words}")
            case Join(a=a, b=b):
                self._say(f"{self._who(room, a)} and {self._who(room, b)} are joined")
                for guest in (a, b):
                    room.guests[guest].talks(guest.leg)
            case Part(a=a, b=b):
                self._say(f"{self._who(room, a)} and {self._who(room, b)} are parted")
            case RoomNote():
                pass
            case Closed():
                del self._rooms[room.name]
            case _:
                assert_never(command)

    def _tell(self, room: _Room, told: Tell) -> None:
        who = self._who(room, told.guest)
        match told.event:
            case RoomWaits(position=None) if room.name.kind is RoomKind.QUEUE:
                self._say(f"{who} waits for somebody in {room.words}")
            case RoomWaits(position=None):
                self._say(f"{who} waits for {room.words} to begin")
            case RoomWaits(position=position):
                self._say(f"{who} is number {position} in {room.words}")
            case RoomBriefs():
                self._say(f"{who} is briefed")
            case RoomLeft(why=why):
                self._say(f"{who} is let go by {room.words}: {why.value}")
            case _:
                pass

    def _who(self, room: _Room, guest: Guest) -> str:
        return room.guests[guest].address(guest.leg)


def _name(wish: Wish) -> RoomName:
    if isinstance(wish, EnterConference):
        return RoomName(account=ACCOUNT, kind=RoomKind.CONFERENCE, name=wish.room)
    return RoomName(account=ACCOUNT, kind=RoomKind.QUEUE, name=wish.queue)
