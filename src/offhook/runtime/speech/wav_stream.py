"""A WAV (RIFF, Multimedia Programming Interface 1.0) read as it comes, for engines that write one into a pipe.

Sizes in such headers are often wrong (the length was not known when they were written), so `data` is taken to go on to
the end. Only what speech engines write is read: one channel of 16-bit linear samples.
"""

import struct

import numpy as np

from offhook.runtime.speech.provider import Piece, SpeechFailed

__all__ = ["WavStream"]

HEAD_MAX_BYTES = 64 * 1024
LINEAR, EXTENSIBLE = 1, 0xFFFE
RATE_MIN_HZ, RATE_MAX_HZ = 4_000, 96_000


class WavStream:
    """Bytes in, pieces out."""

    def __init__(self, engine: str) -> None:
        """`engine`: whom errors name."""
        self._engine = engine
        self._kept = b""
        self._rate_hz = 0
        self._in_data = False

    def feed(self, content: bytes) -> Piece | None:
        """What can be heard of it so far, if anything. Raises `SpeechFailed`."""
        self._kept += content
        if not self._in_data:
            self._read_head()
            if not self._in_data:
                return None
        whole = len(self._kept) // 2 * 2
        samples, self._kept = self._kept[:whole], self._kept[whole:]
        return Piece(rate_hz=self._rate_hz, samples=np.frombuffer(samples, "<i2").astype(np.int16)) if whole else None

    def end(self) -> None:
        """All has come. Raises `SpeechFailed` if no sound began."""
        if not self._in_data:
            raise SpeechFailed(f"{self._engine} gave no sound")

    def _read_head(self) -> None:
        kept = self._kept
        if not b"RIFF".startswith(kept[:4]) or not b"WAVE".startswith(kept[8:12]):
            raise SpeechFailed(f"{self._engine} gave something that is no WAV")
        at = 12
        while len(kept) >= at + 8:
            name, size = struct.unpack_from("<4sI", kept, at)
            at += 8
            if name == b"data":
                if not self._rate_hz:
                    raise SpeechFailed(f"{self._engine} gave a WAV that does not say what is in it")
                self._in_data, self._kept = True, kept[at:]
                return
            if name == b"fmt " and len(kept) >= at + 16:
                self._rate_hz = self._format(kept[at : at + 16])
            at += size + size % 2
        if len(kept) > HEAD_MAX_BYTES:
            raise SpeechFailed(f"{self._engine} gave a WAV without sound")

    def _format(self, content: bytes) -> int:
        kind, channels, rate_hz, _, _, bits = struct.unpack("<HHIIHH", content)
        if kind not in (LINEAR, EXTENSIBLE) or channels != 1 or bits != 16 or not RATE_MIN_HZ <= rate_hz <= RATE_MAX_HZ:
            raise SpeechFailed(
                f"{self._engine} gave a WAV of {channels} channels, {bits} bits, {rate_hz} Hz; one of 16 bits is needed"
            )
        return int(rate_hz)
