"""Statements made ready once: the text that the driver takes, and how a row becomes its values in order.

A group of the writer is a dozen rows of half as many statements, and there are several groups for each call; the checks
that SQLAlchemy makes at each execution then cost more than the database's own work. What it knows of tables, types and
the database's language is all used here, but once for each statement.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, UpdateBase
from sqlalchemy.sql.compiler import SQLCompiler

__all__ = ["Prepared", "Preparer"]


@dataclass(frozen=True, slots=True)
class Prepared:
    """One statement, for rows that have the same keys."""

    text: str
    """As the driver takes it, a question mark for each value."""
    _places: tuple[tuple[str, Any, Callable[[Any], Any] | None], ...]
    """For each question mark: the key in the row, what stands there without one, and what the driver needs done."""

    def values(self, row: Mapping[str, Any]) -> tuple[Any, ...]:
        """A row in order. Raises what a value that is not of its column's type raises."""
        return tuple(
            [
                row.get(key, otherwise) if convert is None else convert(row.get(key, otherwise))
                for key, otherwise, convert in self._places
            ]
        )


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
        return Prepared(str(compiled), tuple(places))
