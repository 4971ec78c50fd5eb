"""Every format the API names comes out as the sound that went in; what is no sound is named as such."""

import socket
import struct

import numpy as np
import pytest
from tests.support.sounds import RATE, encoded, likeness, melody

from offhook.runtime.sound import decode as module
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


def test_a_session_description_opens_no_port() -> None:
    # FFmpeg has a demuxer for SDP, which listens for RTP where the file says: a customer's sound would open sockets.
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as held:
        held.bind(("127.0.0.1", 0))
        port = held.getsockname()[1]
    sdp = f"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nc=IN IP4 127.0.0.1\r\nt=0 0\r\nm=audio {port} RTP/AVP 0\r\n"
    with pytest.raises(BadSource, match="Invalid argument"):
        decode(sdp.encode())


@pytest.mark.parametrize("rate", [1, 100, 1_000_000])
def test_a_rate_that_would_unfold_to_hours_or_choke_the_machine_is_refused(rate: int) -> None:
    with pytest.raises(BadSource, match="Hz"):
        decode(wav(rate, bytes([128]) * 4096))


def test_decoding_ends_when_its_time_is_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "DECODE_MAX_S", -1.0)
    with pytest.raises(BadSource, match="to decode"):
        decode(wav(8000, bytes([128]) * 8000))


def wav(rate: int, data: bytes) -> bytes:
    """Eight-bit sound at any rate."""
    form = struct.pack("<IHHIIHH", 16, 1, 1, rate, rate, 1, 8)
    return (
        b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + form + b"data" + struct.pack("<I", len(data)) + data
    )
