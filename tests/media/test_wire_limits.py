"""What fits in a message: any value of its fields' types comes back as it went, and nothing outside them is sent."""

import dataclasses
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from offhook.media import commands as c
from offhook.media import events as e
from offhook.media import wire

BITS = {"u8": 8, "u16": 16, "u32": 32, "u64": 64}
IPS = st.one_of(
    st.integers(0, 2**32 - 1).map(lambda number: str(IPv4Address(number))),
    st.integers(0, 2**128 - 1).map(lambda number: str(IPv6Address(number))),
)
ADDRESSES = st.tuples(IPS, st.integers(0, 65_535))
MESSAGES = wire.COMMANDS | wire.REPLIES | wire.EVENTS


def values(type_: str) -> st.SearchStrategy[Any]:
    """Anything a field of this type may hold."""
    if type_ in BITS:
        return st.integers(0, 2 ** BITS[type_] - 1)
    if type_.startswith("opt_u"):
        return st.none() | st.integers(0, 2 ** BITS[type_[4:]] - 2)
    if type_.startswith("list:"):
        return st.lists(values(type_[5:]), max_size=4).map(tuple)
    for kind in wire.ENUMS:
        if kind.__name__ == type_:
            return st.sampled_from(list(kind))
    for struct, types in wire.STRUCTS.items():
        if struct.__name__ == type_:
            return messages(struct, types)
    return {
        "bool": st.booleans(),
        "text": st.text(max_size=60),
        "ip": IPS,
        "address": ADDRESSES,
        "opt_address": st.none() | ADDRESSES,
        "digit": st.sampled_from(["", *"0123456789*#ABCD"]),
    }[type_]


def messages(kind: type[Any], types: str) -> st.SearchStrategy[Any]:
    names = [field.name for field in dataclasses.fields(kind)]
    return st.builds(kind, **{name: values(type_) for name, type_ in zip(names, types.split(), strict=True)})


@pytest.mark.parametrize("kind", wire.COMMANDS, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_any_command_comes_back_as_it_went(kind: type[Any], data: st.DataObject) -> None:
    command = data.draw(messages(kind, wire.COMMANDS[kind][1]))
    [frame] = wire.Frames().feed(wire.encode_command(command))
    assert wire.decode_command(frame) == command


@pytest.mark.parametrize("kind", wire.REPLIES | wire.EVENTS, ids=lambda kind: kind.__name__)
@settings(max_examples=30)
@given(data=st.data())
def test_any_answer_comes_back_as_it_went(kind: type[Any], data: st.DataObject) -> None:
    answer = data.draw(messages(kind, MESSAGES[kind][1]))
    number = data.draw(st.integers(1, 2**64 - 1)) if kind in wire.EVENTS else 0
    [frame] = wire.Frames().feed(wire.encode_answer(answer, number))
    assert wire.decode_answer(frame) == (number, answer)


@settings(max_examples=30)
@given(data=st.data())
def test_a_frame_cut_short_or_made_longer_is_refused(data: st.DataObject) -> None:
    kind = data.draw(st.sampled_from(list(wire.COMMANDS)))
    frame = wire.encode_command(data.draw(messages(kind, wire.COMMANDS[kind][1])))[4:]
    with pytest.raises(wire.WireError):
        wire.decode_command(frame + b"\x00")
    for end in range(1, len(frame)):
        with pytest.raises(wire.WireError):
            wire.decode_command(frame[:end])


def numbers() -> list[tuple[type[Any], str, int]]:
    """Every number in every command, with the first value that is too great for it."""
    found = []
    for kind, (_, types) in wire.COMMANDS.items():
        for field, type_ in zip(dataclasses.fields(kind), types.split(), strict=True):
            if type_.removeprefix("opt_") in BITS:
                found.append((kind, field.name, 2 ** BITS[type_.removeprefix("opt_")]))
    return found


@pytest.mark.parametrize(("kind", "name", "too_great"), numbers(), ids=lambda value: getattr(value, "__name__", value))
def test_numbers_out_of_range_are_not_sent(kind: type[Any], name: str, too_great: int) -> None:
    command = example(kind)
    for value in (too_great, -1):
        with pytest.raises(wire.WireError, match="cannot be sent"):
            wire.encode_command(dataclasses.replace(command, **{name: value}))


def example(kind: type[Any]) -> Any:
    """A command of a kind, its fields as plain as can be."""
    plain = {
        "ip": "::1",
        "text": "",
        "address": ("::1", 1),
        "opt_address": None,
        "Codec": c.Codec.PCMA,
        "Direction": c.Direction.INACTIVE,
        "Latch": c.Latch.STRICT,
        "RecordingKind": c.RecordingKind.PARTY,
        "bool": False,
    }
    fields = zip(dataclasses.fields(kind), wire.COMMANDS[kind][1].split(), strict=True)
    return kind(**{field.name: plain.get(type_, () if type_.startswith("list:") else 1) for field, type_ in fields})


@pytest.mark.parametrize("kind", wire.ENUMS, ids=lambda kind: kind.__name__)
def test_a_word_that_is_not_in_its_list_is_refused(kind: type[IntEnum]) -> None:
    take = wire.FIELDS[kind.__name__][1]
    for number in range(256):
        if number in list(kind):
            assert take(bytes([number]), 0) == (kind(number), 1)
        else:
            with pytest.raises(ValueError, match=kind.__name__):
                take(bytes([number]), 0)


@pytest.mark.parametrize("host", ["", "localhost", "192.0.2", "192.0.2.256", "fe80::1%eth0x", "[::1]"])
def test_a_name_is_no_address(host: str) -> None:
    command = c.OpenSession(session=c.SessionId(1), local=host)
    if "%" in host:
        # A zone means something on one machine only, and is not part of the address.
        frame = wire.encode_command(command)[4:]
        assert wire.decode_command(frame) == c.OpenSession(session=c.SessionId(1), local=host.partition("%")[0])
        return
    with pytest.raises(wire.WireError):
        wire.encode_command(command)


def test_a_frame_is_no_longer_than_its_limit() -> None:
    text = "x" * (wire.MAX_FRAME_BYTES // 2)
    play = c.Play(session=c.SessionId(1), playback=c.PlaybackId(1), files=(text, text))
    with pytest.raises(wire.WireError, match="several"):
        wire.encode_command(play)
    assert len(wire.encode_command(dataclasses.replace(play, files=(text,)))) < wire.MAX_FRAME_BYTES


def test_every_event_has_a_kind_of_its_own() -> None:
    kinds = [number for number, _ in (wire.REPLIES | wire.EVENTS).values()]
    assert len(set(kinds)) == len(kinds)
    assert all(
        (number >= wire.FIRST_EVENT_KIND) == (kind in wire.EVENTS)
        for kind, (number, _) in MESSAGES.items()
        if kind not in wire.COMMANDS
    )
    assert e.Digit in wire.EVENTS
