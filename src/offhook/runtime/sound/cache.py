"""Prepared sounds on disk, by what they are made of; the least recently used go when there are too many.

A file is written under another name and then renamed, so that the media engine never sees half of one. Removing a file
that the engine still plays does no harm: what is mapped stays until it is let go.
"""

import contextlib
import hashlib
import os
import tempfile
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from offhook.media.frames import HEADER, SAMPLE_RATE_HZ, FramesError, Samples, prepare, sample_count

__all__ = ["PreparedSound", "SoundCache", "SpareCache"]

CACHE_MAX_BYTES = 1024 * 1024 * 1024
SPARE_MAX_BYTES = 64 * 1024 * 1024
"""An hour of sound, in memory."""
MEMORY_FOLDER = Path("/dev/shm")
"""A folder in memory, where the system has one; else its folder for temporary files."""
SUFFIX = ".frames"


@dataclass(frozen=True, slots=True, kw_only=True)
class PreparedSound:
    """A sound that the media engine can play."""

    path: Path
    duration_ms: int
    warning: str = ""
    """What is not as it was asked for, for the timeline."""


class SoundCache:
    """A folder of prepared sounds, bounded. One process at a time has it."""

    def __init__(self, folder: Path, max_bytes: int = CACHE_MAX_BYTES) -> None:
        self._folder = folder
        self._max_bytes = max_bytes
        self._total = 0
        self._sizes: OrderedDict[str, int] = OrderedDict()
        folder.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.glob(f"*{SUFFIX}"), key=lambda path: path.stat().st_mtime):
            self._remember(path.stem, path.stat().st_size)

    @staticmethod
    def key(content: bytes) -> str:
        """The name under which what is made of these bytes is kept."""
        return hashlib.sha256(content).hexdigest()[:40]

    def get(self, key: str) -> PreparedSound | None:
        """What is kept under a key; it counts as used now."""
        if key not in self._sizes:
            return None
        path = self._path(key)
        try:
            with path.open("rb") as file:
                count = sample_count(file.read(HEADER.size))
        except (OSError, FramesError):
            # Somebody tidied up behind our back, or the disk lost it: it will be made again.
            self._total -= self._sizes.pop(key)
            return None
        self._sizes.move_to_end(key)
        return _prepared(path, count)

    def put(self, key: str, samples: Samples, content: bytes | None = None) -> PreparedSound:
        """Keep samples under a key, and let the oldest go if there are too many. Raises OSError (a full disk).

        `content`: the same samples prepared already, by whoever did it in a thread.
        """
        content = prepare(samples) if content is None else content
        self.write(key, content)
        return self.remember(key, len(content), len(samples))

    def write(self, key: str, content: bytes) -> None:
        """The part of `put` that waits for the disk, which any one thread may do; `remember` follows, on the loop.
        Raises OSError."""
        path = self._path(key)
        draft = path.with_suffix(f".{os.getpid()}.part")
        try:
            draft.write_bytes(content)
            draft.replace(path)
        except OSError:
            draft.unlink(missing_ok=True)
            raise

    def remember(self, key: str, size: int, count: int) -> PreparedSound:
        """What was written is kept from now on: so many bytes, so many samples."""
        self._remember(key, size)
        self._make_room(key)
        return _prepared(self._path(key), count)

    def _remember(self, key: str, size: int) -> None:
        self._total += size - self._sizes.get(key, 0)
        self._sizes[key] = size
        self._sizes.move_to_end(key)

    def _make_room(self, newest: str) -> None:
        while self._total > self._max_bytes and len(self._sizes) > 1:
            key, size = next(iter(self._sizes.items()))
            if key == newest:
                return
            del self._sizes[key]
            self._total -= size
            with contextlib.suppress(OSError):
                self._path(key).unlink()

    def _path(self, key: str) -> Path:
        return self._folder / f"{key}{SUFFIX}"


class SpareCache:
    """A small cache off the disk, for sounds that a full disk does not take; made when it is first needed."""

    def __init__(self, parent: Path | None = None, max_bytes: int = SPARE_MAX_BYTES) -> None:
        memory = MEMORY_FOLDER if os.access(MEMORY_FOLDER, os.W_OK) else None
        self._parent = parent or memory
        self._max_bytes = max_bytes
        self._folder: tempfile.TemporaryDirectory[str] | None = None
        self._cache: SoundCache | None = None

    def get(self, key: str) -> PreparedSound | None:
        """What is kept under a key."""
        return None if self._cache is None else self._cache.get(key)

    def put(self, key: str, samples: Samples, content: bytes | None = None) -> PreparedSound:
        """Keep samples under a key. Raises OSError when there is no room here either."""
        if self._cache is None:
            self._folder = tempfile.TemporaryDirectory(prefix="offhook-sound-", dir=self._parent)
            self._cache = SoundCache(Path(self._folder.name), self._max_bytes)
        return self._cache.put(key, samples, content)

    def close(self) -> None:
        """Give the room back."""
        if self._folder is not None:
            self._folder.cleanup()
        self._folder = self._cache = None


def _prepared(path: Path, count: int) -> PreparedSound:
    return PreparedSound(path=path, duration_ms=count * 1000 // SAMPLE_RATE_HZ)
