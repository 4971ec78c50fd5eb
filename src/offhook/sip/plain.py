"""Machines as plain data and back: what ``export`` and ``restore`` are made of.

Driven by the types that the dataclasses declare, so that a new field is kept without another line of code. It knows no
machine. The data is what JSON can say; octets are kept one character each (Latin-1), so that nothing is lost.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from dataclasses import fields, is_dataclass
from enum import Enum
from functools import cache
from operator import attrgetter
from typing import Any, Literal, NewType, TypeVar, Union, get_args, get_origin, get_type_hints

from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.message import Request, Response
from offhook.sip.parser import parse_datagram
from offhook.sip.uri import Uri

T = TypeVar("T")
Plain = None | bool | int | float | str | list[Any] | dict[str, Any]


def to_plain(value: object) -> Plain:
    """A value as plain data. Raises ``TypeError`` for what cannot be kept."""
    kind: type[Any] = type(value)
    if kind in _LEAVES:
        return value  # type: ignore[return-value]
    writer = _WRITERS.get(kind)
    if writer is None:
        writer = _WRITERS[kind] = _writer(kind)
    return writer(value)


_LEAVES = frozenset((type(None), bool, int, float, str))


_WRITERS: dict[type[Any], Callable[[Any], Plain]] = {}


def _writer(kind: type[Any]) -> Callable[[Any], Plain]:
    """How values of a class are written, worked out once: a session is written several times while it lasts."""
    if issubclass(kind, (Uri, NameAddr)):
        return str
    if issubclass(kind, (Request, Response)):
        return lambda value: value.encode().decode("latin-1")
    if issubclass(kind, Enum):
        members = {member: to_plain(member.value) for member in kind}
        return members.__getitem__
    for plain in (bool, int, float, str):
        if issubclass(kind, plain):
            return lambda value: value
    if issubclass(kind, bytes):
        return lambda value: value.decode("latin-1")
    if issubclass(kind, (list, tuple)):
        return lambda value: [to_plain(item) for item in value]
    if issubclass(kind, dict):
        return lambda value: {_text_key(key): to_plain(item) for key, item in value.items()}
    if is_dataclass(kind):
        return _dataclass_writer(tuple(field.name for field in fields(kind)))
    raise TypeError(f"{kind.__name__} cannot be kept as plain data")


def _dataclass_writer(names: tuple[str, ...]) -> Callable[[Any], Plain]:
    if len(names) < 2:
        return lambda value: {name: to_plain(getattr(value, name)) for name in names}
    take = attrgetter(*names)
    # Most fields are leaves, and asking here costs less than a call.
    return lambda value: {
        name: item if type(item) in _LEAVES else to_plain(item) for name, item in zip(names, take(value), strict=True)
    }


def from_plain(kind: type[T], data: Plain) -> T:
    """What ``to_plain`` made of a value of this type. Raises ``ValueError`` or ``TypeError`` for anything else."""
    made: T = _read(kind, data)
    return made


def _text_key(key: object) -> str:
    if not isinstance(key, str):
        raise TypeError("a table is kept by text only")
    return key


@cache
def _hints(kind: type) -> dict[str, Any]:
    return get_type_hints(kind)


def _read(kind: Any, data: Any) -> Any:
    origin = get_origin(kind)
    if kind is Any:
        return data
    if origin in (Union, types.UnionType):
        return _read_optional(get_args(kind), data)
    if origin is Literal:
        if data not in get_args(kind):
            raise ValueError(f"{data!r} is none of {get_args(kind)}")
        return data
    if origin is tuple:
        inner = get_args(kind)
        if len(inner) == 2 and inner[1] is Ellipsis:
            return tuple(_read(inner[0], item) for item in data)
        return tuple(_read(each, item) for each, item in zip(inner, data, strict=True))
    if origin is list:
        return [_read(get_args(kind)[0], item) for item in data]
    if origin is dict:
        return {key: _read(get_args(kind)[1], item) for key, item in data.items()}
    if isinstance(kind, NewType):
        return _read(kind.__supertype__, data)
    return _read_one(kind, data)


def _read_optional(choices: tuple[Any, ...], data: Any) -> Any:
    if data is None and type(None) in choices:
        return None
    left = [choice for choice in choices if choice is not type(None)]
    if len(left) != 1:
        raise TypeError(f"cannot tell which of {left} is meant")
    return _read(left[0], data)


def _read_one(kind: Any, data: Any) -> Any:
    if kind in (bool, int, str):
        if type(data) is not kind:
            raise ValueError(f"{data!r} is no {kind.__name__}")
        return data
    if kind is float:
        return float(data)
    if kind is bytes:
        return data.encode("latin-1")
    if kind in (Uri, NameAddr):
        return kind.parse(data)
    if kind in (Request, Response):
        message = parse_datagram(data.encode("latin-1"))
        if not isinstance(message, kind):
            raise ValueError(f"a {kind.__name__} was expected")
        return message
    if issubclass(kind, Enum):
        return kind(data)
    if isinstance(kind, type) and is_dataclass(kind):
        hints = _hints(kind)
        return kind(**{name: _read(hints[name], item) for name, item in data.items()})
    raise TypeError(f"{kind} cannot be read from plain data")
