"""The Python side of the control protocol against the two files that both sides are held to: the layouts of
`native/protocol.toml` and the bytes of `native/golden.txt` (the Rust side's `protocol.rs` is tested with both too)."""

import contextlib
import tomllib
from enum import IntEnum
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from offhook.media import commands as c
from offhook.media import events as e
from offhook.media import wire

NATIVE = Path(__file__).parents[2] / "native"
SCHEMA = tomllib.loads((NATIVE / "protocol.toml").read_text())
GOLDEN = [line.split(" ", 2) for line in (NATIVE / "golden.txt").read_text().splitlines() if line and line[0] != "#"]


def camel(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


def as_rust_prints(value: Any, type_: str = "") -> str:
    """A message in the words of Rust's `Debug`, which the golden file uses."""
    if type_.startswith("opt_"):
        return "None" if value is None else f"Some({as_rust_prints(value, type_[4:])})"
    if type_ == "digit":
        return f"'{value}'" if value else "'\\0'"
    if type_ == "ip":
        return str(value)
    if type_ == "address":
        return f"[{value[0]}]:{value[1]}" if ":" in value[0] else f"{value[0]}:{value[1]}"
    if isinstance(value, IntEnum):
        return camel(value.name)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f'"{value}"'
    if isinstance(value, tuple):
        return "[" + ", ".join(as_rust_prints(each) for each in value) + "]"
    if isinstance(value, int):
        return str(value)
    tables = wire.COMMANDS | wire.REPLIES | wire.EVENTS
    types = tables[type(value)][1] if type(value) in tables else wire.STRUCTS[type(value)]
    shown = [
        f"{name}: {as_rust_prints(getattr(value, name), t)}"
        for name, t in zip(value.__slots__, types.split(), strict=True)
    ]
    return f"{type(value).__name__} {{ {', '.join(shown)} }}" if shown else type(value).__name__


@pytest.mark.parametrize(
    ("side", "text", "hex_"),
    [(s, t, h) for s, h, t in GOLDEN],
    ids=[f"{i}-{g[2].split(' ')[0]}" for i, g in enumerate(GOLDEN)],
)
def test_golden_bytes(side: str, text: str, hex_: str) -> None:
    [frame] = wire.Frames().feed(bytes.fromhex(hex_))
    if side == "control":
        command = wire.decode_command(frame)
        assert as_rust_prints(command) == text
        assert wire.encode_command(command).hex() == hex_
    else:
        number, answer = wire.decode_answer(frame)
        assert as_rust_prints(answer) == text
        assert wire.encode_answer(answer, number).hex() == hex_
        assert number == (7 if frame[0] >= wire.FIRST_EVENT_KIND else 0)


def test_the_golden_file_has_every_message() -> None:
    told = {text.split(" ")[0] for _, _, text in GOLDEN}
    assert told == {kind.__name__ for kind in wire.COMMANDS | wire.REPLIES | wire.EVENTS}


@pytest.mark.parametrize(
    ("section", "table"), [("commands", wire.COMMANDS), ("replies", wire.REPLIES), ("events", wire.EVENTS)]
)
def test_messages_are_laid_out_as_the_schema_says(section: str, table: dict[type[Any], tuple[int, str]]) -> None:
    ours = {
        kind.__name__: {
            "kind": number,
            "fields": [list(pair) for pair in zip(kind.__slots__, types.split(), strict=True)],
        }
        for kind, (number, types) in table.items()
    }
    assert ours == SCHEMA[section]


def test_structs_and_enums_are_as_the_schema_says() -> None:
    structs = {
        k.__name__: [list(p) for p in zip(k.__slots__, types.split(), strict=True)] for k, types in wire.STRUCTS.items()
    }
    assert structs == SCHEMA["structs"]
    camel_enums = {kind.__name__: {camel(m.name): m.value for m in kind} for kind in wire.ENUMS}
    schema_enums = dict(SCHEMA["enums"])
    ours, theirs = camel_enums.pop("Direction"), schema_enums.pop("Direction")
    assert {k.lower(): v for k, v in ours.items()} == {k.lower(): v for k, v in theirs.items()}
    assert camel_enums == schema_enums
    assert SCHEMA["version"] == wire.PROTOCOL_VERSION


def test_bytes_by_hand() -> None:
    hello = wire.encode_command(c.Hello(version=1, generation=5))
    assert hello == b"\x0b\x00\x00\x00" + b"\x01" + b"\x01\x00" + b"\x05" + bytes(7)
    opened = b"\x10" + (9).to_bytes(8, "little") + b"\x02\x00\x00\x00" + b"\x04\x7f\x00\x00\x01\x20\x4e" + b"\x21\x4e"
    assert wire.decode_answer(opened) == (
        9,
        e.SessionOpened(session=c.SessionId(2), local=("127.0.0.1", 20000), rtcp_port=20001),
    )


@given(st.lists(st.integers(min_value=0, max_value=2**64 - 1), max_size=20), st.data())
def test_a_stream_may_be_cut_anywhere(numbers: list[int], data: st.DataObject) -> None:
    stream = b"".join(wire.encode_command(c.Ack(event=number)) for number in numbers)
    frames, found = wire.Frames(), []
    while stream:
        cut = data.draw(st.integers(min_value=1, max_value=len(stream)))
        found += frames.feed(stream[:cut])
        stream = stream[cut:]
    assert [wire.decode_command(frame) for frame in found] == [c.Ack(event=number) for number in numbers]


@given(st.binary(min_size=1, max_size=80))
def test_any_frame_is_read_or_refused(frame: bytes) -> None:
    for decode in (wire.decode_answer, wire.decode_command):
        with contextlib.suppress(wire.WireError):
            message = decode(frame)
            assert message is not None


def test_lengths_that_cannot_be_are_refused() -> None:
    for length in (0, wire.MAX_FRAME_BYTES + 1):
        with pytest.raises(wire.WireError):
            wire.Frames().feed(length.to_bytes(4, "little"))


@pytest.mark.parametrize(
    "command",
    [
        c.OpenSession(session=c.SessionId(1), local="localhost"),
        c.OpenSession(session=c.SessionId(2**32), local="127.0.0.1"),
        c.SendDigits(session=c.SessionId(1), request=c.RequestId(1), digits=(c.DigitTone(digit="E"),)),
        c.SendDigits(session=c.SessionId(1), request=c.RequestId(1), digits=(c.DigitTone(digit="12"),)),
        c.Play(session=c.SessionId(1), playback=c.PlaybackId(1), files=("x" * 60_000, "y" * 60_000)),
    ],
)
def test_what_does_not_fit_is_not_sent(command: c.Command) -> None:
    with pytest.raises(wire.WireError):
        wire.encode_command(command)


def test_none_cannot_be_said_by_its_number() -> None:
    with pytest.raises(wire.WireError):
        wire.encode_command(
            c.SetRemote(
                session=c.SessionId(1),
                remote=("::1", 2),
                send_codec=c.Codec.PCMA,
                send_payload_type=8,
                receive=(),
                send_events=255,
            )
        )


@pytest.mark.parametrize(
    ("frame", "word"),
    [(b"\x63", "no message"), (b"\x10\x00", "number"), (b"\x02\x00", "cannot be read"), (b"\x03\x00", "too many")],
)
def test_a_refusal_says_why(frame: bytes, word: str) -> None:
    with pytest.raises(wire.WireError, match=word):
        (wire.decode_answer if frame[0] == 0x10 else wire.decode_command)(frame)


def test_broken_fields_are_refused() -> None:
    with pytest.raises(wire.WireError, match="bool"):
        wire.decode_command(b"\x0d\x01\x00\x00\x00\x02")
    with pytest.raises(wire.WireError, match="text"):
        wire.decode_command(b"\x20\x05\x00ab")
    with pytest.raises(wire.WireError, match="family"):
        wire.decode_command(b"\x04\x01\x00\x00\x00\x07")
