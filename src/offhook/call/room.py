"""What a conference and a queue have in common: who is in a room, and what a room hears and says.

A room is a machine of its own, since a call cannot reach into another one: calls send it their wishes, it tells each
guest what became of it and the world whose sound meets whose, and it alone decides who comes first.

    room.handle(Came | Went | Briefed, now) · room.handle_timer(now)      then drain
    room.poll_command() → RoomCommand | None       the last one of a room is Closed
    room.poll_deadline() → moment or None          call handle_timer no later than this
    room.view() · room.export() · …restore(data, now)
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any

from offhook.call.commands import LegId, VisitId, Wish
from offhook.call.events import RoomEvent
from offhook.flow.view import CallId

__all__ = [
    "BRIEFING_MAX_S",
    "CALLERS_MAX",
    "PARTIES_MAX",
    "STAY_MAX_S",
    "Briefed",
    "Came",
    "Closed",
    "Guest",
    "GuestView",
    "Join",
    "Mix",
    "Part",
    "RoomCommand",
    "RoomHears",
    "RoomKind",
    "RoomName",
    "RoomNote",
    "RoomView",
    "Stays",
    "Tell",
    "Unmix",
    "Went",
]

PARTIES_MAX = 250
"""Of one conference, as in TwiML; a party may ask for fewer."""
CALLERS_MAX = 1000
"""Who wait in one queue."""
STAY_MAX_S = 14_400.0
"""Of one visit, and of two who talk without a limit of their own: the 4 hours of a Dial (didML `timelimit`)."""
BRIEFING_MAX_S = 120.0
"""A briefing is a short message; whoever waits for its end waits no longer than this."""


class RoomKind(Enum):
    """What a room is. The value is the word in timelines and `/v1`."""

    CONFERENCE = "conference"
    QUEUE = "queue"


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomName:
    """Which room: two customers never meet, and a conference is no queue of the same name."""

    account: str
    kind: RoomKind
    name: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """One visit of one party."""

    call: CallId
    leg: LegId
    visit: VisitId


# ── what a room hears ────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Came:
    """A party wants to be here. Answered with what became of it, at once or later."""

    guest: Guest
    wish: Wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Stays:
    """A party that is here has been restored, or its sound has: tell it where it stands. So does a repeated `Came`."""

    guest: Guest


@dataclass(frozen=True, slots=True, kw_only=True)
class Went:
    """A party is not here any longer: it left, hung up, or its call died. Comes at most once, perhaps for nobody."""

    guest: Guest


@dataclass(frozen=True, slots=True, kw_only=True)
class Briefed:
    """A waiting party has heard what it was to hear."""

    guest: Guest


RoomHears = Came | Stays | Went | Briefed


# ── what a room says ─────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Tell:
    """An event for the call of a guest."""

    guest: Guest
    event: RoomEvent


@dataclass(frozen=True, slots=True, kw_only=True)
class Mix:
    """Let a guest hear everybody who is mixed in this room, and be heard unless muted."""

    guest: Guest
    muted: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Unmix:
    """Undo `Mix`; the guest's leg may be gone already."""

    guest: Guest


@dataclass(frozen=True, slots=True, kw_only=True)
class Join:
    """Let two guests hear each other, and nobody else."""

    a: Guest
    b: Guest


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """Undo `Join`. One of them, or both, may be gone already."""

    a: Guest
    b: Guest


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomNote:
    """An entry of the room's own log. `data` is plain JSON; the kinds are in docs/design/rooms.md."""

    kind: str
    data: Mapping[str, Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Closed:
    """Nobody is left: the last command of a room. Who comes now comes to a new one."""


RoomCommand = Tell | Mix | Unmix | Join | Part | RoomNote | Closed


# ── what people see ──────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class GuestView:
    """A party of a room as its customer may see it."""

    call: CallId
    leg: LegId
    role: str
    """`party`, `caller` or `agent`."""
    state: str
    """`waiting`, `briefing` or `talking`."""
    since: float
    """When it came, wall-clock seconds."""
    muted: bool = False
    position: int | None = None
    """Of a waiting caller, from 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomView:
    """A room as its customer may see it."""

    room: RoomName
    since: float
    """When it was made, wall-clock seconds."""
    guests: tuple[GuestView, ...]
