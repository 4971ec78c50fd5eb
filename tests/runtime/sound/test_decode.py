"""Every format the API names comes out as the sound that went in; what is no sound is named as such."""

import io

import av
import numpy as np
import pytest

from offhook.media.frames import Samples
from offhook.runtime.sound.decode import BadSource, decode

RATE = 8000


def melody(rate: int, seconds: float = 2.0) -> Samples:
    """A sound that resembles nothing but itself: a sweep with a rhythm."""
    t = np.arange(int(rate * seconds)) / rate
    wave = np.sin(2 * np.pi * (300 + 400 * t) * t) * (0.6 + 0.4 * np.sin(2 * np.pi * 3 * t))
    return (9000 * wave).astype(np.int16)


def encoded(container: str, codec: str, rate: int, layout: str = "mono") -> bytes:
    out = io.BytesIO()
    with av.open(out, "w", format=container) as file:
        options = {"strict": "experimental"} if codec == "vorbis" else None
        stream = file.add_stream(codec, rate=rate, layout=layout, options=options)
        source = melody(rate)
        channels = 2 if layout == "stereo" else 1
        interleaved = np.repeat(source, channels).reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(interleaved, format="s16", layout=layout)
        frame.sample_rate = rate
        resampler = av.AudioResampler(format=stream.format, layout=layout, rate=rate, frame_size=stream.frame_size or 0)
        for part in [*resampler.resample(frame), *resampler.resample(None)]:
            file.mux(stream.encode(part))
        file.mux(stream.encode(None))
    return out.getvalue()


def likeness(heard: Samples, wanted: Samples) -> float:
    """The highest normalised correlation at any shift of up to 200 ms."""
    a, b = heard.astype(np.float64), wanted.astype(np.float64)
    best = 0.0
    for shift in range(-1600, 1601, 4):
        x, y = (a[shift:], b) if shift >= 0 else (a, b[-shift:])
        length = min(len(x), len(y))
        x, y = x[:length], y[:length]
        best = max(best, float(np.dot(x, y) / (np.linalg.norm(x) * np.linalg.norm(y) + 1e-9)))
    return best


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
