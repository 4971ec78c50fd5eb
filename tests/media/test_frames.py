"""Prepared sound: the layout byte by byte, and G.711 against values of its tables."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media.commands import Codec
from offhook.media.frames import FramesError, Samples, block, encode, prepare, sample_count


def sound(*values: int) -> Samples:
    return np.array(values, dtype=np.int16)


def decoded(code: int, codec: Codec) -> int:
    """ITU-T G.711 the other way, written from its tables: the middle of the step a code stands for, in 16 bits."""
    if codec is Codec.PCMA:
        code ^= 0x55
        segment, mantissa = (code >> 4) & 7, code & 15
        magnitude = (mantissa * 2 + 1) << 3 if segment == 0 else (mantissa * 2 + 33) << (segment + 2)
        return magnitude if code & 0x80 else -magnitude
    code ^= 0xFF
    segment, mantissa = (code >> 4) & 7, code & 15
    magnitude = (((mantissa * 2 + 33) << segment) - 33) * 4
    return -magnitude if code & 0x80 else magnitude


@pytest.mark.parametrize(
    ("value", "a_law", "mu_law"),
    [
        (0, 0xD5, 0xFF),
        (-1, 0x55, 0x7F),
        (32767, 0xAA, 0x80),
        (-32768, 0x2A, 0x00),
        (1000, 0xFA, 0xCE),
        (-1000, 0x7A, 0x4E),
    ],
)
def test_values_of_g711(value: int, a_law: int, mu_law: int) -> None:
    assert encode(sound(value), Codec.PCMA)[0] == a_law
    assert encode(sound(value), Codec.PCMU)[0] == mu_law


@pytest.mark.parametrize("codec", list(Codec))
def test_every_code_is_what_its_value_encodes_to(codec: Codec) -> None:
    values = [decoded(code, codec) for code in range(256)]
    again = encode(sound(*values), codec)
    for code, other in enumerate(again):
        assert code == other or decoded(code, codec) == decoded(other, codec) == 0


@pytest.mark.parametrize("codec", list(Codec))
def test_no_sample_moves_further_than_half_its_step(codec: Codec) -> None:
    every = np.arange(-32768, 32768, dtype=np.int16)
    back = np.array([decoded(code, codec) for code in range(256)])[np.frombuffer(encode(every, codec), dtype=np.uint8)]
    error = np.abs(back - every.astype(np.int32))
    assert (error <= np.maximum(np.abs(every.astype(np.int32)) / 16 + 8, 8) + (644 if codec is Codec.PCMU else 0)).all()


def test_the_layout() -> None:
    prepared = prepare(sound(*range(0, 1610, 10)))
    assert prepared[:16] == b"OFFHOOKF" + b"\x01\x00" + b"\x40\x00" + b"\x40\x1f\x00\x00"
    assert prepared[16:40] == b"".join(n.to_bytes(8, "little") for n in (161, 64, 64 + 320))
    assert prepared[40:64] == bytes(24)
    assert len(prepared) == 64 + 2 * 320
    assert prepared[64 + 161 : 64 + 320] == b"\xd5" * 159
    assert prepared[64 + 320 + 161 :] == b"\xff" * 159


@given(st.lists(st.integers(min_value=-32768, max_value=32767), max_size=700))
def test_what_was_prepared_is_found(values: list[int]) -> None:
    prepared = prepare(sound(*values))
    assert sample_count(prepared) == len(values)
    for codec in Codec:
        found = block(prepared, codec)
        assert found[: len(values)] == encode(sound(*values), codec)
        assert len(found) % 160 == 0


def test_other_shapes_are_refused() -> None:
    with pytest.raises(FramesError):
        prepare(np.zeros(10, dtype=np.float32))  # type: ignore[arg-type]
    with pytest.raises(FramesError):
        prepare(np.zeros((2, 10), dtype=np.int16))


def test_other_bytes_are_refused() -> None:
    with pytest.raises(FramesError, match="64 bytes"):
        sample_count(b"RIFF")
    with pytest.raises(FramesError, match="begin"):
        sample_count(b"RIFF" * 20)
    with pytest.raises(FramesError, match="cut off"):
        block(prepare(sound(1, 2, 3))[:-1], Codec.PCMU)
