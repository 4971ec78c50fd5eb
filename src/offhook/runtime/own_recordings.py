"""Recordings of ours by the URL that their customer was given, so that a call plays them without asking the web.

The service's own sample of didML's `record` plays the message from its `RecordingUrl`. Asking for it over HTTP would
need the customer's credentials, and a way from the server to its own public address. Only whose account it is gets it.
"""

import contextlib
import re
from collections.abc import Callable
from pathlib import Path

from offhook.storage.directory import utc_now
from offhook.storage.records import recording_by_id
from offhook.storage.store import Storage
from offhook.storage.writer import StorageUnavailable

__all__ = ["OwnRecordings"]

SETTLE_S = 2.0
"""For the row of one that was made a moment ago."""
_PATH = re.compile(r"/a1/recordings/c([0-9a-f]{32})-r([0-9]{1,4})\.wav(?:\?key=[0-9a-f]*)?")


class OwnRecordings:
    """All of one server's."""

    def __init__(self, storage: Storage, base_url: Callable[[], str]) -> None:
        """`base_url`: what the URLs of recordings begin with."""
        self._storage = storage
        self._base_url = base_url

    async def find(self, account: str, url: str) -> Path | None:
        """The file of a recording of that account; `None`: no URL of ours, or nothing is kept there for it."""
        base = self._base_url()
        found = _PATH.fullmatch(url.removeprefix(base)) if url.startswith(base) else None
        if found is None:
            return None
        with contextlib.suppress(StorageUnavailable):
            await self._storage.writer.flush(SETTLE_S)
        call, number, now = found[1], int(found[2]), utc_now()
        row = await self._storage.read(lambda connection: recording_by_id(connection, call, number, now))
        return self._storage.recordings_dir / row.path if row is not None and row.owner == account else None
