"""A room on a pretend clock: what it says is kept, time passes when a test says so.

Every event is also given to a twin that was restored from the room's export on another clock, and the two must say the
same: so every test of a room is a test of `export` and `restore` as well. What no room may ever say is checked as well:
who is mixed is unmixed once, who is joined is parted once, and nothing is told to who has left.
"""

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

from offhook.call.commands import EnterConference, EnterQueue, LegId, TakeCaller, VisitId, Wish
from offhook.call.conference import ConferenceRoom
from offhook.call.events import Now, RoomEnd, RoomEvent, RoomLeft, RoomWaits
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
    Tell,
    Unmix,
    Went,
)
from offhook.flow.document import Document
from offhook.flow.verbs import Beeps
from offhook.flow.view import CallId

WALL_0 = 1_700_000_000.0
OTHER_CLOCK = 5_000.0
GRAIN_S = 1e-6
"""A wall clock's seconds in a float are not finer."""
T = TypeVar("T")


def guest(number: int) -> Guest:
    """Somebody in a call of its own."""
    return Guest(call=CallId(f"{number:032x}"), leg=LegId(0), visit=VisitId(1))


ANN, BOB, CARL, DORA = (guest(number) for number in (1, 2, 3, 4))


def meeting(
    *,
    muted: bool = False,
    beeps: Beeps = Beeps.BOTH,
    starts: bool = True,
    ends: bool = False,
    max_parties: int | None = None,
) -> EnterConference:
    """A wish to be in a conference."""
    return EnterConference(
        visit=VisitId(1), leg=LegId(0), room="r", muted=muted, beeps=beeps, starts=starts, ends=ends,
        max_parties=max_parties,
    )  # fmt: skip


def waiting() -> EnterQueue:
    """A wish to wait in a queue."""
    return EnterQueue(visit=VisitId(1), leg=LegId(0), queue="q")


def taking(
    *, briefing: Document | None = None, timeout_s: float = 30.0, time_limit_s: float | None = None
) -> TakeCaller:
    """A wish to take who waits longest."""
    return TakeCaller(
        visit=VisitId(1), leg=LegId(0), queue="q", briefing=briefing, timeout_s=timeout_s, time_limit_s=time_limit_s
    )


@dataclass
class Watched:
    """A room, all it has said, and who is in it by what it said."""

    room: ConferenceRoom | QueueRoom
    mono: float = 0.0
    said: list[RoomCommand] = field(default_factory=list)
    seen: int = 0
    there: set[Guest] = field(default_factory=set)
    mixed: set[Guest] = field(default_factory=set)
    joined: set[frozenset[Guest]] = field(default_factory=set)
    let_go: dict[Guest, RoomEnd] = field(default_factory=dict)
    repeats: bool = False
    """Somebody is being told again where it stands."""

    @classmethod
    def conference(cls) -> "Watched":
        """Empty."""
        return cls(ConferenceRoom.make(RoomName(account="u1", kind=RoomKind.CONFERENCE, name="r"), _now(0.0)))

    @classmethod
    def queue(cls) -> "Watched":
        """Empty."""
        return cls(QueueRoom.make(RoomName(account="u1", kind=RoomKind.QUEUE, name="q"), _now(0.0)))

    def comes(self, who: Guest, wish: Wish) -> list[RoomCommand]:
        """Somebody comes; what the room says to that, without its log."""
        self.there.add(who)
        return self.hears(Came(guest=who, wish=wish))

    def goes(self, who: Guest) -> list[RoomCommand]:
        """Somebody leaves."""
        self.there.discard(who)
        return self.hears(Went(guest=who))

    def again(self, event: RoomHears) -> list[RoomCommand]:
        """A party that is there asks where it stands, as after a restart."""
        self.repeats = True
        try:
            return self.hears(event)
        finally:
            self.repeats = False

    def briefed(self, who: Guest) -> list[RoomCommand]:
        """A waiting party has heard its briefing."""
        return self.hears(Briefed(guest=who))

    def hears(self, event: RoomHears) -> list[RoomCommand]:
        """Any event."""
        self._both(lambda room, now: room.handle(event, now))
        return self.new()

    def after(self, seconds: float) -> list[RoomCommand]:
        """Let time pass, with every deadline at its moment; what the room says meanwhile, without its log."""
        until = self.mono + seconds
        while (deadline := self.room.poll_deadline()) is not None and deadline <= until:
            self.mono = max(self.mono, deadline)
            self._both(lambda room, now: room.handle_timer(now))
        self.mono = until
        return self.new()

    def told(self, who: Guest) -> list[RoomEvent]:
        """All that somebody was told."""
        return [each.event for each in self.said if isinstance(each, Tell) and each.guest == who]

    def place(self, who: Guest) -> int | None:
        """The place in the queue that somebody was told last."""
        return next(each.position for each in reversed(self.told(who)) if isinstance(each, RoomWaits))

    def log(self) -> list[str]:
        """The kinds of its log."""
        return [each.kind for each in self.said if isinstance(each, RoomNote)]

    def new(self) -> list[RoomCommand]:
        """What it has said since a test looked last, without its log."""
        fresh, self.seen = self.said[self.seen :], len(self.said)
        return [each for each in fresh if not isinstance(each, RoomNote)]

    def _both(self, act: Callable[[ConferenceRoom | QueueRoom, Now], None]) -> None:
        now, other = _now(self.mono), Now(self.mono + OTHER_CLOCK, WALL_0 + self.mono)
        twin = type(self.room).restore(json.loads(json.dumps(self.room.export(now))), other)
        act(self.room, now)
        act(twin, other._replace(mono=other.mono + GRAIN_S))
        said = _drained(self.room)
        assert _drained(twin) == said
        assert twin.view() == self.room.view()
        mine, its = self.room.poll_deadline(), twin.poll_deadline()
        assert (mine is None) == (its is None)
        assert mine is None or its is None or abs(its - OTHER_CLOCK - mine) < 1e-3
        for each in said:
            self._check(each)
        self.said += said

    def _check(self, command: RoomCommand) -> None:
        assert not any(isinstance(each, Closed) for each in self.said), "it spoke after it was closed"
        match command:
            case Tell(guest=who, event=RoomLeft(why=why)):
                assert who in self.there, "somebody was let go who is not there"
                self.there.discard(who)
                self.let_go[who] = why
            case Tell(guest=who):
                assert who in self.there, "somebody was told something who is not there"
            case Mix(guest=who):
                assert who not in self.mixed or self.repeats
                self.mixed.add(who)
            case Unmix(guest=who):
                self.mixed.remove(who)
            case Join(a=a, b=b):
                assert not any({a, b} & pair for pair in self.joined) or (self.repeats and {a, b} in self.joined)
                self.joined.add(frozenset({a, b}))
            case Part(a=a, b=b):
                self.joined.remove(frozenset({a, b}))
            case Closed():
                assert not self.there | self.mixed | self.joined
            case RoomNote():
                json.dumps(dict(command.data))


def _now(mono: float) -> Now:
    return Now(mono, WALL_0 + mono)


def _drained(room: ConferenceRoom | QueueRoom) -> list[RoomCommand]:
    said = []
    while (command := room.poll_command()) is not None:
        said.append(command)
    return said
