"""The rows of the chaos table: what was looked for, the bar, what was found, and whether that is enough."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

__all__ = ["Row", "none_of", "render"]

SHOWN = 8
"""Faults of a kind that are spelled out; the rest are counted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One figure of the table."""

    figure: str
    bar: str
    found: str
    good: bool
    faults: tuple[str, ...] = ()
    """In words."""


def render(rows: Sequence[Row]) -> str:
    """For people, bad ones with their faults."""
    lines = []
    for row in rows:
        lines.append(f"{'ok    ' if row.good else 'MISSED'} {row.figure}: {row.found} (bar: {row.bar})")
        lines += [f"         - {fault}" for fault in row.faults[:SHOWN]]
        if len(row.faults) > SHOWN:
            lines.append(f"         … and {len(row.faults) - SHOWN} more")
    return "\n".join(lines)


def none_of(figure: str, what: str, faults: Mapping[str, Sequence[str]]) -> Row:
    """A row whose bar is that something was never found."""
    found = tuple(faults.get(what, ()))
    return Row(figure=figure, bar="0", found=str(len(found)), good=not found, faults=found)
