"""What a conference and a queue are made of: their contract as a machine, their log, and their export.

Who may come, who hears whom and when it is over is each one's own; nothing here decides it.
"""

from abc import ABC, abstractmethod
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, Self, TypeVar

from offhook.call.events import Now, RoomEvent
from offhook.call.plain import Mono, from_plain, to_plain
from offhook.call.room import Closed, Guest, RoomCommand, RoomHears, RoomName, RoomNote, RoomView, Tell
from offhook.flow.errors import NotOurExport

__all__ = ["RoomMachine", "RoomState", "earliest"]

VERSION = 1


@dataclass(slots=True, kw_only=True)
class RoomState:
    """What every room remembers, as plain data."""

    room: RoomName
    since: float
    """When it was made, wall-clock seconds."""
    closed: bool = False


S = TypeVar("S", bound=RoomState)


class RoomMachine(ABC, Generic[S]):
    """One room, from the first who comes to the last who leaves; touched by its own task alone."""

    state_type: ClassVar[type[Any]]
    """What `S` is."""

    def __init__(self, state: S) -> None:
        self._state = state
        self._said: deque[RoomCommand] = deque()

    @classmethod
    def make(cls, room: RoomName, now: Now) -> Self:
        """Empty; the first guest is to come at once."""
        return cls(cls.state_type(room=room, since=now.wall))

    @property
    def closed(self) -> bool:
        """Nobody can come any more."""
        return self._state.closed

    # ── what each kind of room does ──────────────────────────────────────────────────────────────────────────────────

    @abstractmethod
    def handle(self, event: RoomHears, now: Now) -> None:
        """Take an event. One that comes too late, or for nobody, is dropped."""

    @abstractmethod
    def handle_timer(self, now: Now) -> None:
        """Whatever is due."""

    @abstractmethod
    def poll_deadline(self) -> float | None:
        """Call `handle_timer` no later than this (monotonic, seconds)."""

    @abstractmethod
    def view(self) -> RoomView:
        """The room as its customer may see it now."""

    @abstractmethod
    def guests(self) -> tuple[Guest, ...]:
        """Who is here."""

    # ── what all do alike ────────────────────────────────────────────────────────────────────────────────────────────

    def poll_command(self) -> RoomCommand | None:
        """The next thing to do, in order; `None` when there is nothing."""
        return self._said.popleft() if self._said else None

    def export(self, now: Now) -> dict[str, Any]:
        """All of it as plain JSON, versioned, for `restore`. Raises `RuntimeError` while there are commands to poll."""
        if self._said:
            raise RuntimeError("a room is exported only when all its commands have been polled")
        return {"version": VERSION, "state": to_plain(self._state, self.state_type, now.wall - now.mono)}

    @classmethod
    def restore(cls, data: Mapping[str, Any], now: Now) -> Self:
        """The room that was exported, its moments on this process's clock. Raises `NotOurExport`."""
        if data.get("version") != VERSION:
            raise NotOurExport(f"a room of version {data.get('version')!r}; known is {VERSION}")
        try:
            return cls(from_plain(data["state"], cls.state_type, now.wall - now.mono))
        except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
            raise NotOurExport(f"a room that does not hold together: {error!r}") from error

    def _say(self, *commands: RoomCommand) -> None:
        self._said.extend(commands)

    def _tell(self, guest: Guest, event: RoomEvent) -> None:
        self._say(Tell(guest=guest, event=event))

    def _note(self, kind: str, guest: Guest | None = None, **data: Any) -> None:
        """An entry of the log; `None` values are left out."""
        about = {} if guest is None else {"call": guest.call, "leg": guest.leg}
        self._say(
            RoomNote(kind=kind, data={**about, **{key: value for key, value in data.items() if value is not None}})
        )

    def _close_if_empty(self) -> None:
        if not self._state.closed and not self.guests():
            self._state.closed = True
            self._note("room.closed")
            self._say(Closed())


def earliest(moments: Iterable[Mono | None]) -> float | None:
    """The first of some moments, if there is one."""
    return min((moment for moment in moments if moment is not None), default=None)
