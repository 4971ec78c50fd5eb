"""Sounds for tests: a melody that resembles nothing but itself, in any format, and how alike two sounds are."""

import io

import av
import numpy as np

from offhook.media.frames import Samples

__all__ = ["RATE", "encoded", "likeness", "melody"]

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
