"""Sounds are kept on the disk, or in memory where the disk takes none of them or does not answer."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from offhook.media.frames import Samples
from offhook.runtime.sound import shelf as module
from offhook.runtime.sound.cache import SoundCache, SpareCache
from offhook.runtime.sound.shelf import Shelf

WITHIN_S = 5.0


def noise(seed: int) -> Samples:
    return np.random.default_rng(seed).integers(-9000, 9000, 800).astype(np.int16)


class HungDisk(SoundCache):
    """A cache whose disk says nothing until it is let go."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        self.answers = threading.Event()
        self.written = threading.Event()
        self.asked: list[str] = []
        self.error: OSError | None = None

    def write(self, key: str, content: bytes) -> None:
        self.asked.append(key)
        assert self.answers.wait(WITHIN_S)
        try:
            if self.error is not None:
                raise self.error
            super().write(key, content)
        finally:
            self.written.set()


@pytest.fixture
def spare(tmp_path: Path) -> SpareCache:
    return SpareCache(tmp_path)


@pytest.fixture
def hung(tmp_path: Path) -> Iterator[HungDisk]:
    made = HungDisk(tmp_path / "disk")
    yield made
    made.answers.set()


async def test_what_is_put_is_on_the_disk(tmp_path: Path, spare: SpareCache) -> None:
    shelf = Shelf(SoundCache(tmp_path / "disk"), spare)
    kept = await shelf.put("a", noise(1))
    assert kept.path.parent == tmp_path / "disk"
    assert shelf.get("a") == kept
    assert kept.duration_ms == 100
    shelf.close()


async def test_a_full_disk_is_no_reason_to_hear_nothing(tmp_path: Path, spare: SpareCache) -> None:
    folder = tmp_path / "disk"
    disk = SoundCache(folder)
    folder.rmdir()
    folder.symlink_to("/dev/full")
    shelf = Shelf(disk, spare)
    kept = await shelf.put("a", noise(1))
    assert kept.path.is_file()
    assert shelf.get("a") == kept
    shelf.close()
    assert not kept.path.exists()


@pytest.mark.parametrize("error", [None, OSError(5, "Input/output error")])
async def test_a_disk_that_says_nothing_is_waited_for_once(
    hung: HungDisk, spare: SpareCache, monkeypatch: pytest.MonkeyPatch, error: OSError | None
) -> None:
    monkeypatch.setattr(module, "DISK_PATIENCE_S", 0.05)
    hung.error = error
    shelf = Shelf(hung, spare)
    first = await asyncio.wait_for(shelf.put("a", noise(1)), WITHIN_S)
    second = await asyncio.wait_for(shelf.put("b", noise(2)), WITHIN_S)
    assert first.path.parent == second.path.parent != hung._folder
    assert hung.asked == ["a"], "nothing else waits behind a write that hangs"

    hung.answers.set()
    assert await asyncio.to_thread(hung.written.wait, WITHIN_S)
    hung.error = None
    async with asyncio.timeout(WITHIN_S):
        while (await shelf.put("c", noise(3))).path.parent != hung._folder:
            pass
    shelf.close()
