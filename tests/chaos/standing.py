"""How calls stood when their server was killed, and how long it was away.

A call stood in one of three ways at the moment of a kill:

- *settled*: its far ends had had their answers acknowledged for `MARGIN_S`. It has to go on as planned.
- *unsettled*: it was being set up. It may go on; otherwise it has to be ended, and its customer told.
- begun while no server ran. Its messages wait; if its far ends had the patience, it is a call like any other.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum
from typing import Self

from tests.chaos.lives import Life
from tests.chaos.phones import Dialog, Ended
from tests.chaos.plans import Kind

__all__ = ["IN_TIME_S", "LATE_S", "MARGIN_S", "SETTLING_S", "Absence", "Standing", "absent_s", "hung_up", "left_at"]

MARGIN_S = 0.15
"""What a message takes to be read and written down, and not more."""
SETTLING_S = 0.4
"""After the last of two has answered they are joined; before that nobody is owed sound."""
IN_TIME_S = 2.5
"""How much shorter or longer than planned a prompt, a talk or a recording may have been, a server's absence aside."""
LATE_S = 0.4
"""Of a far end that learns of its answer: what it hears may have begun before."""


@dataclass(frozen=True, slots=True)
class Absence:
    """From a kill to the line `ready` of the next server; loop times."""

    killed_at: float
    ready_at: float


class _Stood(Enum):
    LATER = "later"
    AWAY = "away"
    UNSETTLED = "unsettled"
    SETTLED = "settled"
    OVER = "over"


@dataclass(frozen=True, slots=True)
class Standing:
    """Over all kills of a run."""

    away: bool
    """Begun while no server ran, and never answered."""
    unsettled: bool
    settled: bool
    """At a kill or more, whatever it was at others."""
    reads: tuple[float, ...]
    """When its customer answered what it was to do, loop times. After a kill it may be asked again."""

    @classmethod
    def of(cls, life: Life, absences: Sequence[Absence], reads: Sequence[float]) -> Self:
        stood = {_stood(life, absence) for absence in absences}
        return cls(_Stood.AWAY in stood, _Stood.UNSETTLED in stood, _Stood.SETTLED in stood, tuple(reads))

    @property
    def clean(self) -> bool:
        """No kill can have kept it from its plan."""
        return not (self.away or self.unsettled)


def _stood(life: Life, absence: Absence) -> _Stood:
    killed, ready = absence.killed_at, absence.ready_at
    if life.begun_at >= killed:
        # Its INVITE waits in the kept socket; if it was in time, the call is as good as any.
        lost = life.begun_at < ready and not any(leg.up_at for leg in life.legs.values())
        return _Stood.AWAY if lost else _Stood.LATER
    legs = list(life.legs.values())
    if legs and all(leg.over and leg.over_at <= killed for leg in legs):
        return _Stood.OVER
    wanted = 2 if life.plan.kind is Kind.BRIDGE else 1
    up = [leg for leg in legs if leg.up_at and leg.up_at + MARGIN_S <= killed]
    return _Stood.SETTLED if len(up) == wanted else _Stood.UNSETTLED


def absent_s(absences: Sequence[Absence], begin: float, end: float) -> float:
    """How much of a span no server ran."""
    return sum(max(0.0, min(end, each.ready_at) - max(begin, each.killed_at)) for each in absences)


def hung_up(dialog: Dialog, absences: Sequence[Absence]) -> bool:
    """Whether our BYE ended a dialog. Theirs may cross it; and where a kill fell between ours and its answer, the
    server may have ended the call without having said so: 481 says that it is over as well (RFC 3261 section 15.1.1).
    Nobody answers a BYE whose whole time, 64 times T1 (section 17.1.2.2), fell in an absence.
    """
    if dialog.ended is Ended.DEAF:
        return any(_fell_in(each, dialog.bye_at, dialog.over_at) for each in absences)
    if dialog.ended is Ended.UNKNOWN:
        return any(dialog.bye_at <= each.killed_at <= dialog.over_at for each in absences)
    return dialog.ended is Ended.OURS or (dialog.ended is Ended.THEIRS and bool(dialog.bye_at))


def unheard(dialog: Dialog, absences: Sequence[Absence]) -> bool:
    """Whether its 200 could not be acknowledged: nobody does whose whole time to do so, 64 times T1 (section 13.3.1.4),
    fell in an absence. It was still in set-up if it was not acknowledged when the kill came."""
    return dialog.ended is Ended.UNACKNOWLEDGED and any(
        _fell_in(each, dialog.answered_at, dialog.over_at) for each in absences
    )


def _fell_in(absence: Absence, begun_at: float, over_at: float) -> bool:
    """Give or take a moment: what came just before the kill still waited for the disk, and what has waited in the
    sockets is read when the server is ready."""
    return absence.killed_at - MARGIN_S <= begun_at and over_at <= absence.ready_at + MARGIN_S


def left_at(dialog: Dialog) -> float:
    """From when it says and hears nothing any more."""
    return dialog.bye_at or dialog.over_at or float("inf")
