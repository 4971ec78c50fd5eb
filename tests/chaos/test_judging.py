"""That the judge finds what it is to find: holes in recordings, and files that nobody could read."""

import time
from pathlib import Path

import numpy as np
from tests.chaos.judging import longest_hole_s, unreadable
from tests.support.sound_checks import RATE, silence, voice, write_wav


def test_a_hole_is_found_where_nobody_paused(tmp_path: Path) -> None:
    loud = np.full(RATE, 3000, np.int16)
    whole = write_wav(tmp_path / "whole.wav", loud)
    holed = write_wav(tmp_path / "holed.wav", np.concatenate((loud, silence(0.3), loud)))
    late = write_wav(tmp_path / "late.wav", np.concatenate((silence(0.5), loud, silence(0.5))))
    assert longest_hole_s(whole) == longest_hole_s(late) == 0.0
    assert longest_hole_s(write_wav(tmp_path / "mute.wav", silence(1.0))) == 1.0
    assert abs(longest_hole_s(holed) - 0.3) < 0.03


def test_a_recording_cut_short_is_unreadable(tmp_path: Path) -> None:
    good = write_wav(tmp_path / "good.wav", voice(1, 1.0))
    (tmp_path / "cut.wav").write_bytes(good.read_bytes()[:-100])
    (tmp_path / "none.wav").write_bytes(b"RIFF")
    found = unreadable(tmp_path, now_wall=time.time())
    assert [each.partition(":")[0] for each in found] == ["cut.wav", "none.wav"]


def test_one_that_is_only_just_begun_may_be_empty(tmp_path: Path) -> None:
    (tmp_path / "new.wav").touch()
    assert unreadable(tmp_path, now_wall=time.time()) == []
    assert len(unreadable(tmp_path, now_wall=time.time() + 60)) == 1
