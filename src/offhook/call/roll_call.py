"""Who is in a room, and who says so: rooms, calls and sound compared with each other.

Each is right by its own book; only side by side is it seen that one knows of something that another has forgotten.
It ends nothing: what is found may be on its way, and whoever asked looks twice.
"""

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass

from offhook.call.room import Guest, RoomName

__all__ = ["RoomSeen", "Strays", "strays"]


@dataclass(frozen=True, slots=True, kw_only=True)
class RoomSeen:
    """A room as it stands."""

    name: RoomName
    mix: int
    """The number of its sound."""
    guests: frozenset[Guest]
    """Those in it, and those on the way."""
    sounds: frozenset[int]
    """Sessions that are theirs."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Strays:
    """What does not belong together."""

    guests: frozenset[Guest]
    """In a room by its book, but their call is over, or says nothing of it."""
    rooms: frozenset[RoomName]
    """Without a guest: nothing would ever close them."""
    visits: frozenset[Guest]
    """Of live calls that wait for the word of a room, while none has them."""
    sounds: frozenset[int]
    """Sessions that are mixed with those of a room that they are no guests of."""


def strays(
    rooms: Iterable[RoomSeen], *, listed: Collection[Guest], visits: Collection[Guest], mixed: Mapping[int, int]
) -> Strays:
    """Compare. `listed`: guests that are looked for in rooms by their visit. `visits`: what live calls say of
    themselves. `mixed`: the number of the mix that each session is in."""
    seen = list(rooms)
    guests = {guest for room in seen for guest in room.guests}
    sounds = {room.mix: room.sounds for room in seen}
    said = frozenset(visits)
    return Strays(
        guests=frozenset(guests | set(listed)) - said,
        rooms=frozenset(room.name for room in seen if not room.guests),
        visits=said - guests,
        sounds=frozenset(session for session, mix in mixed.items() if session not in sounds.get(mix, frozenset())),
    )
