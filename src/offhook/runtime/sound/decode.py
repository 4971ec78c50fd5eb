"""Sound files to 16-bit samples at 8000 Hz, by PyAV: WAV, MP3, OGG Vorbis, FLAC, Opus and whatever else it reads.

Only bytes go in, and only containers that hold sound are read: playlists, session descriptions and the like, through
which FFmpeg would open files and sockets of its own, are not, and no protocol of its own is allowed besides. Decoding
happens in a pool of threads (FFmpeg works without Python's lock), so that the event loop and other calls go on; it is
limited in sound made, in samples read and in time.
"""

import io
import time
from typing import Any

import av
import numpy as np
from av.audio.resampler import AudioResampler

from offhook.media.frames import SAMPLE_RATE_HZ, Samples

__all__ = ["SOUND_MAX_S", "BadSource", "decode"]

SOUND_MAX_S = 3600
"""An hour; a longer sound is cut there, since a caller who waits an hour is no listener."""
READ_BYTES = 32 * 1024
DECODE_MAX_S = 30.0
"""The longest music that is welcome takes a third of this on a slow core; what takes longer is made to take long."""
RATE_MIN_HZ, RATE_MAX_HZ = 2_000, 384_000
"""Outside of these nobody hears anything, and a small file unfolds to a huge one."""
CONTAINERS = "wav,w64,mp3,ogg,flac,aiff,au,aac,mov,mp4,m4a,matroska,webm"
"""FFmpeg's names of what is read: sound in one file. Everything else it knows is left out, much of it opens others."""
NO_PROTOCOL = "none"


class BadSource(Exception):
    """A sound that cannot be played; the text says why, for the customer's timeline."""


def decode(content: bytes) -> Samples:
    """All of a sound file as one channel. Raises `BadSource`. Takes about 2 ms of CPU for a second of MP3."""
    if not content:
        raise BadSource("the file is empty")
    file = _Timed(content, DECODE_MAX_S)
    try:
        with av.open(
            file,
            mode="r",
            metadata_errors="ignore",
            buffer_size=READ_BYTES,
            container_options={"format_whitelist": CONTAINERS, "protocol_whitelist": NO_PROTOCOL},
            io_open=_refuse_to_open,
        ) as container:
            if not container.streams.audio:
                raise BadSource("the file has no sound in it")
            samples = _samples(container, file)
    except (av.FFmpegError, ValueError, EOFError, OSError) as error:
        raise BadSource(f"this is no sound that can be read ({_reason(error)})") from None
    if not len(samples):
        raise BadSource("the file has no sound in it")
    return samples


class _Timed(io.BytesIO):
    """The file, which gives nothing any more when the time is up: a demuxer that goes round in circles ends then."""

    def __init__(self, content: bytes, within_s: float) -> None:
        super().__init__(content)
        self._until = time.monotonic() + within_s

    def check(self) -> None:
        """Raises `BadSource` when the time is up."""
        if time.monotonic() > self._until:
            raise BadSource(f"it takes more than {DECODE_MAX_S:g} s to decode")

    def read(self, size: int | None = -1, /) -> bytes:
        """As a file does."""
        self.check()
        return super().read(size)

    def seek(self, offset: int, whence: int = 0, /) -> int:
        """As a file does."""
        self.check()
        return super().seek(offset, whence)


def _refuse_to_open(url: str, flags: int, options: Any) -> Any:
    raise BadSource("the file names other files")


def _samples(container: Any, clock: _Timed) -> Samples:
    resampler = AudioResampler(format="s16", layout="mono", rate=SAMPLE_RATE_HZ)
    parts: list[Samples] = []
    count = 0
    try:
        for frame in container.decode(audio=0):
            if not RATE_MIN_HZ <= frame.sample_rate <= RATE_MAX_HZ:
                raise BadSource(f"its rate of {frame.sample_rate} Hz is none that can be played")
            clock.check()
            count += _take(resampler.resample(frame), parts)
            if count >= SOUND_MAX_S * SAMPLE_RATE_HZ:
                break
    except (av.FFmpegError, EOFError):
        # A file that breaks off is played as far as it goes, as every player does; one that never begins is refused.
        if not parts:
            raise
    _take(resampler.resample(None), parts)
    if not parts:
        return np.zeros(0, dtype=np.int16)
    return np.concatenate(parts)[: SOUND_MAX_S * SAMPLE_RATE_HZ]


def _take(frames: list[Any], parts: list[Samples]) -> int:
    taken = 0
    for frame in frames:
        samples = np.asarray(frame.to_ndarray(), dtype=np.int16).reshape(-1)
        parts.append(samples)
        taken += len(samples)
    return taken


def _reason(error: Exception) -> str:
    return getattr(error, "strerror", None) or str(error) or type(error).__name__
