"""Bytes of the control protocol, both ways: `native/protocol.toml` says what they are, and the tests hold this file to
it. Pure: it neither opens the socket nor decides what a message means. What it cannot read raises `WireError`, and the
connection that said it is of no more use."""

import struct
from collections.abc import Callable
from enum import IntEnum
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any, Final, TypeAlias

from offhook.media import commands as c
from offhook.media import events as e

PROTOCOL_VERSION: Final = 1
MAX_FRAME_BYTES: Final = 65_536
FIRST_EVENT_KIND: Final = 16

Put: TypeAlias = Callable[[bytearray, Any], None]
Take: TypeAlias = Callable[[bytes, int], tuple[Any, int]]
Field: TypeAlias = tuple[Put, Take]

_LENGTH: Final = struct.Struct("<I")
_NUMBER: Final = struct.Struct("<Q")


class WireError(ValueError):
    """The bytes are not this protocol's, or a value does not fit its field."""


def _number(code: str) -> Field:
    shape = struct.Struct("<" + code)

    def put(out: bytearray, value: Any) -> None:
        out += shape.pack(value)

    def take(data: bytes, at: int) -> tuple[Any, int]:
        return shape.unpack_from(data, at)[0], at + shape.size

    return put, take


def _optional(code: str, none: int) -> Field:
    shape = struct.Struct("<" + code)

    def put(out: bytearray, value: Any) -> None:
        if value == none:
            raise WireError(f"{value} means none here and cannot be sent as a value")
        out += shape.pack(none if value is None else value)

    def take(data: bytes, at: int) -> tuple[Any, int]:
        value = shape.unpack_from(data, at)[0]
        return (None if value == none else value), at + shape.size

    return put, take


def _put_bool(out: bytearray, value: Any) -> None:
    out.append(1 if value else 0)


def _take_bool(data: bytes, at: int) -> tuple[Any, int]:
    if data[at] > 1:
        raise WireError(f"{data[at]} is no bool")
    return data[at] == 1, at + 1


def _put_text(out: bytearray, value: Any) -> None:
    encoded = value.encode()
    out += struct.pack("<H", len(encoded))
    out += encoded


def _take_text(data: bytes, at: int) -> tuple[Any, int]:
    (length,) = struct.unpack_from("<H", data, at)
    end = at + 2 + length
    if end > len(data):
        raise WireError("a text runs over the end of its frame")
    return data[at + 2 : end].decode(), end


def _put_ip(out: bytearray, value: Any) -> None:
    ip = ip_address(value)
    out.append(ip.version)
    out += ip.packed


def _take_ip(data: bytes, at: int) -> tuple[Any, int]:
    size = {4: 4, 6: 16}.get(data[at])
    if size is None or at + 1 + size > len(data):
        raise WireError(f"{data[at]} is no family of addresses")
    packed = data[at + 1 : at + 1 + size]
    return str(IPv4Address(packed) if size == 4 else IPv6Address(packed)), at + 1 + size


def _put_address(out: bytearray, value: Any) -> None:
    _put_ip(out, value[0])
    out += struct.pack("<H", value[1])


def _take_address(data: bytes, at: int) -> tuple[Any, int]:
    host, at = _take_ip(data, at)
    return (host, struct.unpack_from("<H", data, at)[0]), at + 2


def _put_opt_address(out: bytearray, value: Any) -> None:
    if value is None:
        out.append(0)
    else:
        _put_address(out, value)


def _take_opt_address(data: bytes, at: int) -> tuple[Any, int]:
    return (None, at + 1) if data[at] == 0 else _take_address(data, at)


def _put_digit(out: bytearray, value: Any) -> None:
    if len(value) > 1 or value not in "0123456789*#ABCD":
        raise WireError(f"{value!r} is no digit: 0-9, *, #, A-D, or empty for a pause")
    out.append(ord(value) if value else 0)


def _take_digit(data: bytes, at: int) -> tuple[Any, int]:
    return (chr(data[at]) if data[at] else ""), at + 1


def _enum(kind: type[IntEnum]) -> Field:
    def put(out: bytearray, value: Any) -> None:
        out.append(int(value))

    def take(data: bytes, at: int) -> tuple[Any, int]:
        return kind(data[at]), at + 1

    return put, take


def _list(item: Field) -> Field:
    put_item, take_item = item

    def put(out: bytearray, value: Any) -> None:
        out += struct.pack("<H", len(value))
        for each in value:
            put_item(out, each)

    def take(data: bytes, at: int) -> tuple[Any, int]:
        (count,) = struct.unpack_from("<H", data, at)
        at += 2
        found = []
        for _ in range(count):
            each, at = take_item(data, at)
            found.append(each)
        return tuple(found), at

    return put, take


def _struct(kind: type[Any], types: str) -> Field:
    """A dataclass field by field, in the order it declares them."""
    fields = [(name, *FIELDS[type_]) for name, type_ in zip(kind.__slots__, types.split(), strict=True)]

    def put(out: bytearray, value: Any) -> None:
        for name, put_field, _ in fields:
            put_field(out, getattr(value, name))

    def take(data: bytes, at: int) -> tuple[Any, int]:
        values = {}
        for name, _, take_field in fields:
            values[name], at = take_field(data, at)
        return kind(**values), at

    return put, take


FIELDS: Final[dict[str, Field]] = {
    "u8": _number("B"),
    "u16": _number("H"),
    "u32": _number("I"),
    "u64": _number("Q"),
    "opt_u8": _optional("B", 0xFF),
    "opt_u16": _optional("H", 0xFFFF),
    "opt_u32": _optional("I", 0xFFFF_FFFF),
    "bool": (_put_bool, _take_bool),
    "text": (_put_text, _take_text),
    "ip": (_put_ip, _take_ip),
    "address": (_put_address, _take_address),
    "opt_address": (_put_opt_address, _take_opt_address),
    "digit": (_put_digit, _take_digit),
}
ENUMS: Final[tuple[type[IntEnum], ...]] = (
    c.Codec, c.Direction, c.Latch, c.RecordingKind,
    e.PlaybackEnd, e.DigitSource, e.DigitsEnd, e.RecordingEnd, e.OpenFailure, e.CloseCause, e.RefusedWhy,
)  # fmt: skip
FIELDS.update({kind.__name__: _enum(kind) for kind in ENUMS})
STRUCTS: Final[dict[type[Any], str]] = {
    c.PayloadMap: "u8 Codec",
    c.DigitTone: "digit u16 u16",
    e.SessionStatistics: "u64 u64 u64 u64 u32 u32 u32 u32 u32 opt_u32 opt_u32 opt_u32 opt_u16 Codec",
}
for _kind, _types in STRUCTS.items():
    FIELDS[_kind.__name__] = _struct(_kind, _types)
for _name in ("text", "u32", "PayloadMap", "DigitTone"):
    FIELDS["list:" + _name] = _list(FIELDS[_name])

COMMANDS: Final[dict[type[Any], tuple[int, str]]] = {
    c.Hello: (1, "u16 u64"),
    c.Ack: (2, "u64"),
    c.Shutdown: (3, ""),
    c.OpenSession: (4, "u32 ip u32 u16"),
    c.SetRemote: (
        5,
        "u32 address opt_address Codec u8 list:PayloadMap opt_u8 opt_u8 u8 Direction Latch bool bool bool u32",
    ),
    c.CloseSession: (6, "u32"),
    c.Play: (7, "u32 u32 list:text u16 u32 u32"),
    c.StopPlayback: (8, "u32 u32"),
    c.SendDigits: (9, "u32 u32 list:DigitTone"),
    c.WatchSilence: (10, "u32 u32"),
    c.StartRecording: (11, "u32 u32 RecordingKind text u32 u32"),
    c.StopRecording: (12, "u32"),
    c.PauseRecording: (13, "u32 bool"),
    c.Bridge: (14, "u32 u32"),
    c.Unbridge: (15, "u32 u32"),
    c.JoinMix: (16, "u32 u32 bool"),
    c.LeaveMix: (17, "u32 u32"),
    c.MuteInMix: (18, "u32 u32 bool"),
    c.GetStatistics: (19, "u32"),
    c.Mute: (20, "u32 bool"),
    c.KeepSocket: (32, "text"),
    c.FetchSockets: (33, ""),
    c.DropSocket: (34, "text"),
}
REPLIES: Final[dict[type[Any], tuple[int, str]]] = {
    e.Welcome: (1, "u16 u32 u64 u32 u64 u32 u64"),
    e.Refused: (2, "RefusedWhy u16 u64"),
    e.SessionAlive: (3, "u32 address u16 opt_address Direction u32 u32 u32 list:u32"),
    e.Sockets: (4, "list:text"),
}
EVENTS: Final[dict[type[Any], tuple[int, str]]] = {
    e.SessionOpened: (16, "u32 address u16"),
    e.SessionFailed: (17, "u32 OpenFailure text"),
    e.SessionClosed: (18, "u32 CloseCause SessionStatistics"),
    e.PlaybackEnded: (19, "u32 u32 PlaybackEnd u32 text"),
    e.Digit: (20, "u32 digit u32 DigitSource u64"),
    e.DigitsSent: (21, "u32 u32 DigitsEnd"),
    e.Silence: (22, "u32 u32"),
    e.RecordingEnded: (23, "u32 u32 RecordingEnd u32 u32 u64 text"),
    e.MediaLost: (24, "u32 u32"),
    e.MediaBack: (25, "u32"),
    e.Statistics: (26, "u32 SessionStatistics"),
    e.TickLate: (27, "u32 u32"),
    e.CommandFailed: (28, "u8 u32 text"),
}


def _codecs(table: dict[type[Any], tuple[int, str]]) -> tuple[dict[type[Any], tuple[int, Put]], dict[int, Take]]:
    puts, takes = {}, {}
    for kind, (number, types) in table.items():
        put, take = _struct(kind, types)
        puts[kind] = (number, put)
        takes[number] = take
    return puts, takes


_COMMAND_PUT, _COMMAND_TAKE = _codecs(COMMANDS)
_ANSWER_PUT, _ANSWER_TAKE = _codecs(REPLIES | EVENTS)


def encode_command(command: c.Command) -> bytes:
    """One frame. Raises WireError where a value does not fit (a digit that is none, an address that is a name)."""
    kind, put = _COMMAND_PUT[type(command)]
    out = bytearray((0, 0, 0, 0, kind))
    try:
        put(out, command)
    except (struct.error, ValueError, UnicodeEncodeError) as error:
        raise WireError(f"{command!r} cannot be sent to the media engine: {error}") from error
    return _sealed(out)


def encode_answer(answer: e.Reply | e.Event, number: int = 0) -> bytes:
    """One frame as the engine writes it, for the tests and for pretend engines; `number` counts for events only."""
    kind, put = _ANSWER_PUT[type(answer)]
    out = bytearray((0, 0, 0, 0, kind))
    if kind >= FIRST_EVENT_KIND:
        out += _NUMBER.pack(number)
    put(out, answer)
    return _sealed(out)


def _sealed(out: bytearray) -> bytes:
    length = len(out) - _LENGTH.size
    if length > MAX_FRAME_BYTES:
        raise WireError(f"a frame of {length} bytes is over the limit of {MAX_FRAME_BYTES}: say it in several commands")
    _LENGTH.pack_into(out, 0, length)
    return bytes(out)


class Frames:
    """Cuts a stream into frames. Bytes may come in any pieces."""

    __slots__ = ("_waiting",)

    def __init__(self) -> None:
        self._waiting = b""

    def feed(self, data: bytes) -> list[bytes]:
        """Whole frames, without their length, in order. Raises WireError on a length that cannot be."""
        data = self._waiting + data if self._waiting else data
        frames: list[bytes] = []
        at, end = 0, len(data)
        while end - at >= _LENGTH.size:
            (length,) = _LENGTH.unpack_from(data, at)
            if not 1 <= length <= MAX_FRAME_BYTES:
                raise WireError(f"a frame of {length} bytes is not of this protocol")
            if end - at < _LENGTH.size + length:
                break
            at += _LENGTH.size
            frames.append(data[at : at + length])
            at += length
        self._waiting = data[at:]
        return frames


def decode_command(frame: bytes) -> c.Command:
    """A frame of the control process, without its length."""
    command: c.Command = _whole(_COMMAND_TAKE, frame, 1)
    return command


def decode_answer(frame: bytes) -> tuple[int, e.Reply | e.Event]:
    """A frame of the engine, without its length: (event number, event), or (0, reply)."""
    if frame[0] < FIRST_EVENT_KIND:
        return 0, _whole(_ANSWER_TAKE, frame, 1)
    if len(frame) < 1 + _NUMBER.size:
        raise WireError("an event without its number")
    return _NUMBER.unpack_from(frame, 1)[0], _whole(_ANSWER_TAKE, frame, 1 + _NUMBER.size)


def _whole(takes: dict[int, Take], frame: bytes, at: int) -> Any:
    take = takes.get(frame[0])
    if take is None:
        raise WireError(f"no message of kind {frame[0]} in version {PROTOCOL_VERSION} of the protocol")
    try:
        message, end = take(frame, at)
    except WireError:
        raise
    except (struct.error, IndexError, ValueError) as error:
        raise WireError(f"message of kind {frame[0]} cannot be read: {error}") from error
    if end != len(frame):
        raise WireError(f"message of kind {frame[0]} has {len(frame) - end} bytes too many")
    return message
