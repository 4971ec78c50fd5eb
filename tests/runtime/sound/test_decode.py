"""Every format the API names comes out as the sound that went in; what is no sound is named as such."""

import numpy as np
import pytest
from tests.support.sounds import RATE, encoded, likeness, melody

from offhook.runtime.sound.decode import BadSource, decode


@pytest.mark.parametrize(
    ("container", "codec", "rate", "layout"),
    [
        ("wav", "pcm_s16le", 8000, "mono"),
        ("wav", "pcm_s16le", 44100, "stereo"),
        ("wav", "pcm_alaw", 8000, "mono"),
        ("mp3", "libmp3lame", 44100, "stereo"),
        ("mp3", "libmp3lame", 16000, "mono"),
        ("flac", "flac", 48000, "mono"),
        ("ogg", "libopus", 48000, "mono"),
        ("ogg", "vorbis", 44100, "stereo"),
    ],
)
def test_what_comes_out_is_what_went_in(container: str, codec: str, rate: int, layout: str) -> None:
    heard = decode(encoded(container, codec, rate, layout))
    assert heard.dtype == np.int16
    assert len(heard) == pytest.approx(2 * RATE, rel=0.06)
    assert likeness(heard, melody(RATE)) > 0.95


@pytest.mark.parametrize(
    "content",
    [b"", b"hello, I am text", b"<html><body>404</body></html>", b"RIFF\x00\x00\x00\x00WAVEfmt ", bytes(5000)],
)
def test_what_is_no_sound_is_named(content: bytes) -> None:
    with pytest.raises(BadSource):
        decode(content)


def test_a_file_that_breaks_off_is_played_as_far_as_it_goes() -> None:
    whole = encoded("mp3", "libmp3lame", 16000)
    heard = decode(whole[: len(whole) // 2])
    assert RATE * 0.5 < len(heard) < RATE * 1.5


def test_a_wav_that_was_never_closed_is_played() -> None:
    whole = bytearray(encoded("wav", "pcm_s16le", 8000))
    size_at = whole.index(b"data") + 4
    whole[4:8] = whole[size_at : size_at + 4] = b"\xff\xff\xff\xff"
    assert len(decode(bytes(whole))) >= RATE


def test_a_playlist_opens_nothing() -> None:
    with pytest.raises(BadSource):
        decode(b"#EXTM3U\n#EXT-X-TARGETDURATION:5\n#EXTINF:5,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n")
    with pytest.raises(BadSource):
        decode(b"ffconcat version 1.0\nfile /etc/passwd\n")
