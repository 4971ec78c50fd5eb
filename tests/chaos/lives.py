"""One call, and several who meet, as the world outside the server saw them. Decides nothing."""

import asyncio
from dataclasses import dataclass, field

from tests.chaos.phones import Dialog
from tests.chaos.plans import Plan, Role
from tests.chaos.sound import Sound

__all__ = ["Life", "Meeting"]

RINGS_WITHIN_S = 8.0
"""An order that was answered makes somebody ring sooner than this, or was given up over a kill."""


@dataclass(slots=True, eq=False)
class Life:
    """One call. Times are the loop's; 0: it did not come to that."""

    plan: Plan
    begun_at: float
    ordered_at: float = 0.0
    """The API answered that it was placed."""
    call_id: str = ""
    """Of the API's answer."""
    busy: bool = False
    """The server had more than it could carry and said so."""
    unanswered: int = 0
    """Orders that got no answer, and were repeated with the same Idempotency-Key."""
    pressed_at: float = 0.0
    legs: dict[str, Dialog] = field(default_factory=dict)
    """By `first` and `second`."""
    sounds: dict[str, Sound] = field(default_factory=dict)
    twice: int = 0
    """How often a leg was called that was called before."""
    meeting: "Meeting | None" = None
    """Of a party of a room."""

    @property
    def first(self) -> Dialog | None:
        return self.legs.get("first")

    @property
    def second(self) -> Dialog | None:
        return self.legs.get("second")

    @property
    def up(self) -> bool:
        """Its first far end was connected."""
        return self.first is not None and bool(self.first.up_at)

    @property
    def over(self) -> bool:
        return self.first is not None and self.first.over

    def lost(self, now: float) -> bool:
        """It will not be connected any more."""
        if self.busy or (self.over and not self.up):
            return True
        return self.first is None and bool(self.ordered_at) and now - self.ordered_at > RINGS_WITHIN_S

    def came(self, now: float) -> bool:
        """It was connected, or never will be."""
        return self.up or self.lost(now)


@dataclass(slots=True, eq=False)
class Meeting:
    """The parties of one room."""

    lives: tuple[Life, ...]
    """In the order of their coming."""
    moved: asyncio.Event = field(default_factory=asyncio.Event)
    """Set when one has come or gone."""

    def of(self, role: Role) -> Life | None:
        return next((life for life in self.lives if life.plan.role is role), None)

    @property
    def leader(self) -> Life:
        """Whose leaving ends it for who is left."""
        return next(life for life in self.lives if life.plan.leads)

    def all_came(self, now: float) -> bool:
        return all(life.came(now) for life in self.lives)

    def tell(self) -> None:
        """Let every party look again at how things stand."""
        self.moved.set()
        for life in self.lives:
            if life.first is not None:
                life.first.changed.set()
