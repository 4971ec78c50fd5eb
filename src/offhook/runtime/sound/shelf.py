"""Where prepared sounds are kept: the disk's cache, and a small one in memory for what the disk does not take.

The disk is written by a thread of its own and is given a moment: one that is full, or that says nothing at all, holds
up neither the loop nor a caller who is to hear the sound.
"""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import structlog

from offhook.media.frames import Samples, prepare
from offhook.runtime.sound.cache import PreparedSound, SoundCache, SpareCache

__all__ = ["Shelf"]

DISK_PATIENCE_S = 1.0
"""What a caller waits for the disk, who hears nothing meanwhile."""

log = structlog.get_logger(__name__)


class Shelf:
    """Both caches as one."""

    def __init__(self, disk: SoundCache, spare: SpareCache) -> None:
        self._disk = disk
        self._spare = spare
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="sound-disk")
        self._stuck: asyncio.Future[None] | None = None
        """A write for which nobody waits any longer; while it lasts the disk is asked for nothing else."""

    def get(self, key: str) -> PreparedSound | None:
        """What is kept under a key."""
        return self._disk.get(key) or self._spare.get(key)

    async def put(self, key: str, samples: Samples, content: bytes | None = None) -> PreparedSound:
        """Keep samples under a key. Raises OSError when there is no room in memory either.

        `content`: the same samples prepared already, by whoever did it in a thread.
        """
        content = prepare(samples) if content is None else content
        try:
            await self._write(key, content)
        except OSError as error:
            log.warning("sound.disk", why=str(error))
            return self._spare.put(key, samples, content)
        return self._disk.remember(key, len(content), len(samples))

    async def _write(self, key: str, content: bytes) -> None:
        """Raises OSError."""
        if self._stuck is not None and not self._stuck.done():
            raise TimeoutError("the disk has not taken what was written before")
        writing = asyncio.get_running_loop().run_in_executor(self._thread, self._disk.write, key, content)
        try:
            await asyncio.wait_for(asyncio.shield(writing), DISK_PATIENCE_S)
        except TimeoutError:
            self._stuck = writing
            writing.add_done_callback(_heard)
            raise TimeoutError(f"the disk took nothing for {DISK_PATIENCE_S} s") from None

    def close(self) -> None:
        """Give the memory back; what is being written to the disk is written, or not."""
        self._thread.shutdown(wait=False, cancel_futures=True)
        self._spare.close()


def _heard(writing: "asyncio.Future[None]") -> None:
    if not writing.cancelled():
        # Its sound is in memory by now: a failure that nobody hears of is no fault.
        writing.exception()
