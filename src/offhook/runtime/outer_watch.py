"""The watchdog's other half: compares with what lies outside of this process, the listening sockets that the media
engine holds for the next server, and the rows of calls that are said to be going on.

An engine without our sockets makes the next restart heard; a row without a call is "ongoing" for ever. What is seen
only once may be on its way, so it must be seen twice.
"""

import socket
from collections.abc import Collection, Mapping

from offhook.flow.view import CallId, Cause
from offhook.runtime.book import Book
from offhook.runtime.live_call import LiveCall
from offhook.runtime.media_process import EngineError, MediaEngine
from offhook.runtime.restoring import keep_sockets
from offhook.runtime.watchdog import SeenTwice
from offhook.storage.deliveries import last_entries
from offhook.storage.records import call_by_id, unfinished_ids
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable

__all__ = ["OuterWatch"]

FLUSH_WITHIN_S = 2.0


class OuterWatch:
    """`look` from time to time."""

    def __init__(
        self,
        *,
        engine: MediaEngine,
        doors: Mapping[str, socket.socket],
        storage: Storage,
        book: Book,
        live: Mapping[CallId, LiveCall],
    ) -> None:
        """`doors`: the listening sockets, by the names under which the engine is to hold them."""
        self._engine = engine
        self._doors = doors
        self._storage = storage
        self._book = book
        self._live = live
        self._orphans = SeenTwice()

    async def look(self) -> int:
        """Compare, and set right what is wrong. Returns how much that was."""
        return await self._look_at_sockets() + await self._look_at_rows()

    async def _look_at_sockets(self) -> int:
        try:
            held = await self._engine.fetch_sockets()
        except EngineError:
            # It died; the next one is given them when it stands.
            return 0
        for each in held.values():
            each.close()
        wrong = self._orphans.again("socket", held.keys() ^ self._doors.keys())
        if wrong:
            kept = {name: self._doors[name] for name in wrong & self._doors.keys()}
            await keep_sockets(self._engine, kept, before=wrong)
        return len(wrong)

    async def _look_at_rows(self) -> int:
        """A call's last row may have been let go where storage wrote nothing for long (`writer.py`)."""
        live = set(self._live)
        try:
            # What ended until now is written behind this.
            await self._storage.writer.flush(FLUSH_WITHIN_S)
        except StorageUnavailable:
            return 0
        found = await self._storage.read(unfinished_ids)
        wrong = self._orphans.again("row", found - live - set(self._live))
        if wrong:
            await self._close(wrong)
        return len(wrong)

    async def _close(self, calls: Collection[str]) -> None:
        rows = await self._storage.read(lambda connection: [call_by_id(connection, each) for each in calls])
        self._book.remember(await self._storage.read(lambda connection: last_entries(connection, calls)))
        self._book.close_unfinished([row for row in rows if row is not None], Cause.INTERNAL_ERROR)
