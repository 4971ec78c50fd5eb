"""Prepared sound: what the media engine plays. Linear samples in, the bytes of one file out; encoded in both laws once,
so that a call hearing it copies 160 bytes a packet. Pure: it writes no file. (Write a prepared file under another name,
then rename it: the engine takes a file as it finds it.)

    0   8 bytes  `OFFHOOKF`
    8   u16      version, 1
    10  u16      size of this header, 64
    12  u32      samples a second, 8000
    16  u64      samples of sound
    24  u64      where the A-law block begins
    32  u64      where the mu-law block begins
    40  24 bytes zero

Numbers are little-endian. A block has one byte a sample (ITU-T G.711), silence added up to whole packets of 160.
"""

import struct
from typing import Final

import numpy as np
import numpy.typing as npt

from offhook.media.commands import Codec

SAMPLE_RATE_HZ: Final = 8000
PACKET_SAMPLES: Final = 160
MAGIC: Final = b"OFFHOOKF"
VERSION: Final = 1
HEADER: Final = struct.Struct("<8sHHIQQQ24x")
SILENCE: Final = {Codec.PCMA: 0xD5, Codec.PCMU: 0xFF}

Samples = npt.NDArray[np.int16]


class FramesError(ValueError):
    """These bytes are no prepared sound."""


def _segments(magnitude: npt.NDArray[np.int32], first_bits: int) -> npt.NDArray[np.int32]:
    """Number of the segment of a logarithmic law: 0 below 2**first_bits, one more for each further bit."""
    edges = (1 << np.arange(first_bits, first_bits + 7)).astype(np.int32)
    return np.searchsorted(edges, magnitude, side="right").astype(np.int32)


def _a_law_table() -> npt.NDArray[np.uint8]:
    """G.711 table 1a for every 16-bit sample (the 13 bits of the law are its upper ones); even bits inverted."""
    linear = np.arange(-32768, 32768, dtype=np.int32) >> 3
    negative = linear < 0
    magnitude = np.where(negative, ~linear, linear)
    segment = _segments(magnitude, 5)
    mantissa = (magnitude >> np.maximum(segment, 1)) & 0x0F
    code = (segment << 4) | mantissa | np.where(negative, 0, 0x80)
    return np.asarray(code ^ 0x55, dtype=np.uint8)


def _mu_law_table() -> npt.NDArray[np.uint8]:
    """G.711 table 2a for every 16-bit sample (14 bits and a bias of 33, four times as fine here)."""
    linear = np.arange(-32768, 32768, dtype=np.int32)
    negative = linear < 0
    magnitude = np.minimum(np.where(negative, ~linear, linear) + 132, 0x7FFF)
    segment = _segments(magnitude, 8)
    mantissa = (magnitude >> (segment + 3)) & 0x0F
    code = (segment << 4) | mantissa | np.where(negative, 0x80, 0)
    return np.asarray(code ^ 0xFF, dtype=np.uint8)


_TABLES: Final = {Codec.PCMA: _a_law_table(), Codec.PCMU: _mu_law_table()}


def encode(samples: Samples, codec: Codec) -> bytes:
    """G.711 of 16-bit samples, one byte each."""
    encoded: npt.NDArray[np.uint8] = _TABLES[codec][samples.astype(np.int32) + 32768]
    return encoded.tobytes()


def prepare(samples: Samples) -> bytes:
    """The whole file for one channel of 16-bit samples at 8000 Hz. Raises FramesError on another shape or type."""
    if samples.dtype != np.int16 or samples.ndim != 1:
        raise FramesError(f"prepared sound is made of one row of int16, not {samples.ndim} of {samples.dtype}")
    padding = -len(samples) % PACKET_SAMPLES
    size = len(samples) + padding
    a_law = encode(samples, Codec.PCMA) + bytes([SILENCE[Codec.PCMA]]) * padding
    mu_law = encode(samples, Codec.PCMU) + bytes([SILENCE[Codec.PCMU]]) * padding
    header = HEADER.pack(MAGIC, VERSION, HEADER.size, SAMPLE_RATE_HZ, len(samples), HEADER.size, HEADER.size + size)
    return header + a_law + mu_law


def sample_count(prepared: bytes) -> int:
    """How many samples a prepared file holds, from its first 64 bytes. Raises FramesError if it is none."""
    if len(prepared) < HEADER.size:
        raise FramesError(f"prepared sound begins with {HEADER.size} bytes, here are {len(prepared)}")
    magic, version, header, rate, samples, _, _ = HEADER.unpack_from(prepared)
    if (magic, version, header, rate) != (MAGIC, VERSION, HEADER.size, SAMPLE_RATE_HZ):
        raise FramesError("these bytes do not begin as prepared sound does")
    return int(samples)


def block(prepared: bytes, codec: Codec) -> bytes:
    """The encoded sound of one law, padding included."""
    samples = sample_count(prepared)
    size = samples + -samples % PACKET_SAMPLES
    *_, a_law, mu_law = HEADER.unpack_from(prepared)
    start = a_law if codec is Codec.PCMA else mu_law
    if start + size > len(prepared):
        raise FramesError("prepared sound that is cut off")
    return prepared[start : start + size]
