"""Prepared sounds are found again, also by another process; the least recently used go first."""

from pathlib import Path

import numpy as np
import pytest

from offhook.media.commands import Codec
from offhook.media.frames import Samples, block, encode
from offhook.runtime.sound.cache import SoundCache, SpareCache


def noise(seed: int, count: int = 8000) -> Samples:
    return np.random.default_rng(seed).integers(-9000, 9000, count).astype(np.int16)


def test_what_was_put_is_got(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    assert cache.get("a") is None
    put = cache.put("a", noise(1))
    assert put.duration_ms == 1000
    assert cache.get("a") == put
    assert block(put.path.read_bytes(), Codec.PCMA) == encode(noise(1), Codec.PCMA)
    assert SoundCache(tmp_path).get("a") == put


def test_the_least_recently_used_goes_first(tmp_path: Path) -> None:
    size = SoundCache(tmp_path / "measure").put("x", noise(1)).path.stat().st_size
    cache = SoundCache(tmp_path / "cache", max_bytes=size * 2)
    for key in ("a", "b"):
        cache.put(key, noise(2))
    assert cache.get("a") is not None
    cache.put("c", noise(3))
    assert cache.get("b") is None
    assert cache.get("a") is not None
    assert cache.get("c") is not None
    assert len(list((tmp_path / "cache").iterdir())) == 2


def test_a_sound_larger_than_all_room_can_still_be_played(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path, max_bytes=10)
    assert cache.put("a", noise(1)).path.exists()


def test_a_file_that_is_gone_or_spoilt_is_made_again(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    cache.put("a", noise(1)).path.unlink()
    assert cache.get("a") is None
    cache.put("b", noise(1)).path.write_bytes(b"rubbish")
    assert cache.get("b") is None


def test_the_same_key_again_takes_no_more_room(tmp_path: Path) -> None:
    cache = SoundCache(tmp_path)
    first = cache.put("a", noise(1))
    second = cache.put("a", noise(2))
    assert first.path == second.path
    assert cache._total == second.path.stat().st_size


def test_a_full_disk_leaves_no_half_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = SoundCache(tmp_path)

    def full(self: Path, content: bytes) -> int:
        self.touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="No space"):
        cache.put("a", noise(1))
    assert list(tmp_path.iterdir()) == []


def test_keys_follow_the_content() -> None:
    assert SoundCache.key(b"a") == SoundCache.key(b"a") != SoundCache.key(b"b")


def test_a_spare_cache_takes_its_room_when_it_is_needed_and_gives_it_back(tmp_path: Path) -> None:
    spare = SpareCache(tmp_path)
    assert spare.get("a") is None
    spare.close()
    assert list(tmp_path.iterdir()) == []
    put = spare.put("a", noise(1))
    assert spare.get("a") == put
    assert put.path.is_relative_to(tmp_path)
    spare.close()
    assert spare.get("a") is None
    assert list(tmp_path.iterdir()) == []


def test_a_spare_cache_lies_off_the_disk_where_the_system_can() -> None:
    spare = SpareCache()
    try:
        assert spare.put("a", noise(1)).path.is_file()
    finally:
        spare.close()
