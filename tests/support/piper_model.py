"""A model file in the form that piper takes (ONNX: phonemes in, sound out), small enough to be written here.

It is no voice: for every phoneme it hums a tenth of a second, so that piper's whole way can be tried with no download.
Written by hand in ONNX's encoding (protobuf wire format) to spare the tests a library.
"""

import json
import math
import struct
from pathlib import Path

__all__ = ["write_model"]

HUM = 2205
FLOAT, INT64 = 1, 7


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*out, value])


def _field(number: int, content: int | bytes | str) -> bytes:
    if isinstance(content, int):
        return _varint(number << 3) + _varint(content)
    raw = content.encode() if isinstance(content, str) else content
    return _varint(number << 3 | 2) + _varint(len(raw)) + raw


def _value(name: str, kind: int, dimensions: list[int | str]) -> bytes:
    """`ValueInfoProto`."""
    shape = b"".join(_field(1, _field(1, d) if isinstance(d, int) else _field(2, d)) for d in dimensions)
    return _field(1, name) + _field(2, _field(1, _field(1, kind) + _field(2, shape)))


def _tensor(name: str, kind: int, dimensions: list[int], raw: bytes) -> bytes:
    """`TensorProto`."""
    return b"".join(_field(1, d) for d in dimensions) + _field(2, kind) + _field(8, name) + _field(9, raw)


def _node(operation: str, inputs: list[str], output: str, **attributes: int) -> bytes:
    """`NodeProto`, its attributes integers."""
    made = b"".join(_field(1, each) for each in inputs) + _field(2, output) + _field(4, operation)
    for name, value in attributes.items():
        made += _field(5, _field(1, name) + _field(3, value) + _field(20, 2))
    return made


def write_model(path: Path) -> Path:
    """The model, and its `.json` beside it."""
    hum = b"".join(struct.pack("<f", 0.5 * math.sin(2 * math.pi * 220 * at / 22_050)) for at in range(HUM))
    # One row of the hum for each phoneme: its number times zero, plus the hum, as one long row [1, 1, phonemes × HUM].
    nodes = [
        _node("Cast", ["input"], "numbers", to=FLOAT),
        _node("Mul", ["numbers", "zero"], "zeros"),
        _node("Unsqueeze", ["zeros", "last"], "column"),
        _node("Add", ["column", "hum"], "rows"),
        _node("Reshape", ["rows", "shape"], "output"),
    ]
    graph = b"".join(_field(1, node) for node in nodes) + _field(2, "hum")
    graph += _field(5, _tensor("zero", FLOAT, [1], struct.pack("<f", 0.0)))
    graph += _field(5, _tensor("last", INT64, [1], struct.pack("<q", -1)))
    graph += _field(5, _tensor("hum", FLOAT, [1, 1, HUM], hum))
    graph += _field(5, _tensor("shape", INT64, [3], struct.pack("<3q", 1, 1, -1)))
    graph += _field(11, _value("input", INT64, ["batch", "phonemes"]))
    graph += _field(11, _value("input_lengths", INT64, ["batch"]))
    graph += _field(11, _value("scales", FLOAT, [3]))
    graph += _field(12, _value("output", FLOAT, [1, 1, "time"]))
    path.write_bytes(_field(1, 8) + _field(7, graph) + _field(8, _field(1, "") + _field(2, 13)))
    phonemes = "_^$ abcdefghijklmnopqrstuvwxyzæðŋɐɑɒɔəɚɛɜɝɡɪɫɹɾʃʊʌʒʔˈˌːθᵻ.,;:!?'"
    described = {
        "audio": {"sample_rate": 22_050},
        "espeak": {"voice": "en-us"},
        "inference": {"noise_scale": 0.667, "length_scale": 1.0, "noise_w": 0.8},
        "phoneme_type": "espeak",
        "num_symbols": len(phonemes),
        "num_speakers": 1,
        "phoneme_id_map": {sign: [at] for at, sign in enumerate(phonemes)},
        "speaker_id_map": {},
    }
    Path(f"{path}.json").write_text(json.dumps(described), encoding="utf-8")
    return path
