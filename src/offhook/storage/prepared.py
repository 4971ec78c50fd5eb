"""Statements made ready once: the text that the driver takes, and how rows become its values in order.

A group of the writer is a dozen rows of half as many statements, and there are several groups for each call; the checks
that SQLAlchemy makes at each execution then cost more than the database's own work. What it knows of tables, types and
the database's language is all used here, but once for each statement.

Rows of one statement go to the driver many at a time. It lets go of the interpreter at each execution, and to get it
back from a loop that is busy takes milliseconds: a hundred rows one by one would take the better part of a second.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, UpdateBase
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["Prepared", "Preparer"]

AT_ONCE = (64, *range(16, 0, -1))
"""Rows of one execution: every small number, since a usual group is one call's; and so few that the driver, which keeps
the last 128 texts compiled, has those of all tables that calls write to."""
VALUES = re.compile(r" VALUES (\([?, ]+\))")
WHERE = " WHERE "


@dataclass(frozen=True, slots=True)
class Prepared:
    """One statement, for rows that have the same keys."""

    texts: Mapping[int, str]
    """As the driver takes it, a question mark for each value, by how many rows it is for; 1 is always there."""
    _places: tuple[tuple[str, Any, Callable[[Any], Any] | None], ...]
    """For each question mark: the key in the row, what stands there without one, and what the driver needs done."""

    def executions(self, rows: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, list[Any]]]:
        """Texts with their values, in the order of the rows. Raises what a value that is not of its column's type
        raises."""
        at = 0
        for size, text in self.texts.items():
            while len(rows) - at >= size:
                yield (
                    text,
                    [
                        row.get(key, otherwise) if convert is None else convert(row.get(key, otherwise))
                        for row in rows[at : at + size]
                        for key, otherwise, convert in self._places
                    ],
                )
                at += size


class Preparer:
    """Keeps what was prepared for one database."""

    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._known: dict[tuple[UpdateBase, tuple[str, ...]], Prepared] = {}

    def prepare(self, statement: UpdateBase, row: Mapping[str, Any]) -> Prepared:
        """The statement for rows with the keys of this one."""
        wanted = (statement, tuple(row))
        found = self._known.get(wanted)
        if found is None:
            found = self._known[wanted] = self._compile(statement, tuple(row))
        return found

    def _compile(self, statement: UpdateBase, keys: tuple[str, ...]) -> Prepared:
        compiled = statement.compile(dialect=self._dialect, column_keys=list(keys))
        assert isinstance(compiled, SQLCompiler)
        assert compiled.positiontup is not None
        places = []
        for name in compiled.positiontup:
            bound = compiled.binds[name]
            convert = bound.type.dialect_impl(self._dialect).bind_processor(self._dialect)
            places.append((bound.key, bound.effective_value, convert))
        return Prepared(_texts(str(compiled)), tuple(places))


def _texts(one: str) -> Mapping[int, str]:
    """What inserts or deletes takes several rows at once; the largest number comes first."""
    if one.startswith("DELETE ") and WHERE in one:
        head, _, row = one.partition(WHERE)
        return {size: head + WHERE + " OR ".join([f"({row})"] * size) for size in AT_ONCE}
    found = VALUES.search(one)
    if found is None:
        return {1: one}
    begin, end = found.span(1)
    return {size: one[:begin] + ", ".join([found[1]] * size) + one[end:] for size in AT_ONCE}
