"""Restore facts: what a server that dies would forget of what is alive, for the next one to go on with.

A fact is replaced as its machine changes and deleted when that ends; it is never shown. It holds secrets of trunks and
phones, so it is sealed under the server key. What is in it, its writer knows; storage reads none of it.
"""

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import structlog
from sqlalchemy import Connection, select

from offhook.storage import schema, statements
from offhook.storage.database import json_text
from offhook.storage.keys import KeyFileError, ServerKey
from offhook.storage.rows import FactRow, columns_of
from offhook.storage.writer import Writer

__all__ = ["Fact", "Facts"]

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """What is remembered of one machine."""

    kind: str
    """`call`, `leaving`, `phone`, `room`, `server`."""
    key: str
    """Which one of its kind."""
    version: int
    """Of `data`; a reader that does not know it lets the fact be."""
    data: Mapping[str, Any]
    """Plain JSON."""


class Facts:
    """The writes, none of which waits, and the one read at the start."""

    def __init__(self, writer: Writer, key: ServerKey) -> None:
        self._writer = writer
        self._key = key

    def save(self, fact: Fact) -> None:
        """Keeps it in place of what there is under its kind and key."""
        sealed = self._key.seal_data(json_text(fact.data).encode())
        row = FactRow(kind=fact.kind, key=fact.key, version=fact.version, sealed=sealed)
        self._writer.put(statements.SAVE_FACT, columns_of(row), key=_name(fact.kind, fact.key))

    def delete(self, kind: str, key: str) -> None:
        """Forgets it; nothing happens if there is none."""
        self._writer.put(statements.DELETE_FACT, {"of_kind": kind, "of_key": key}, key=_name(kind, key))

    def together(self) -> AbstractContextManager[None]:
        """What is written within is one transaction."""
        return self._writer.together()

    def load(self, connection: Connection) -> list[Fact]:
        """All of them. One that cannot be read is logged and left out: it costs nobody else theirs."""
        found = []
        for row in connection.execute(select(schema.restore_facts)):
            try:
                data = json.loads(self._key.unseal_data(row.sealed))
            except (KeyFileError, ValueError) as error:
                log.error("facts.unreadable", kind=row.kind, key=row.key, why=str(error))
                continue
            found.append(Fact(kind=row.kind, key=row.key, version=row.version, data=data))
        return found


def _name(kind: str, key: str) -> str:
    return f"{kind} {key}"
