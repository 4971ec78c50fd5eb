"""Frozen and plain dataclasses to JSON and back, led by their annotations alone.

A call's state is made of dataclasses, enums, tuples and mappings; this writes them as plain JSON and reads them again,
so that no machine needs an export of its own. It knows no version (`Call.export` writes one) and reads only what it
wrote.
"""

import types
import typing
from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass
from datetime import datetime
from enum import Enum
from functools import cache
from operator import attrgetter
from types import MappingProxyType
from typing import Any, NewType

from offhook.flow import plain as flow_plain
from offhook.flow.interpreter import Interpreter
from offhook.flow.program import Outcome, Step

__all__ = ["Mono", "from_plain", "to_plain"]

Mono = NewType("Mono", float)
"""A moment on the monotonic clock, seconds. Written as wall-clock seconds, since another process has another clock."""

KIND = "is"
"""Where a union needs it, the class of a value stands under this key; for what flows are made of, its tag."""

OWN_FORM: Mapping[Any, tuple[Callable[[Any], Any], Callable[[Any], Any]]] = MappingProxyType(
    {
        Interpreter: (Interpreter.export, Interpreter.restore),
        Step: (flow_plain.from_step, flow_plain.to_step),
        Outcome: (flow_plain.from_outcome, flow_plain.to_outcome),
        **dict.fromkeys(flow_plain.TAGS, (flow_plain.from_value, flow_plain.to_value)),
    }
)
"""What flows are made of has one form, `offhook.flow.plain`, here as there."""


Write = Callable[[Any, float], Any]
"""A value, and how far the wall clock is ahead of the monotonic one, to plain JSON."""


def to_plain(value: Any, as_type: Any, wall_minus_mono: float) -> Any:
    """Plain JSON for a value of `as_type`; moments become wall-clock seconds."""
    return _writer(as_type)(value, wall_minus_mono)


@cache
def _writer(as_type: Any) -> Write:
    """How values of a type are written, worked out once: a call is written several times while it lasts."""
    if as_type is Mono:
        return lambda value, shift: value + shift
    as_type = _bare(as_type)
    if as_type in OWN_FORM:
        own = OWN_FORM[as_type][0]
        return lambda value, _: own(value)
    origin = typing.get_origin(as_type)
    if origin in (typing.Union, types.UnionType):
        return _union_writer(as_type)
    if is_dataclass(as_type):
        return _dataclass_writer(_class(as_type))
    if origin in (tuple, list):
        item = _writer(typing.get_args(as_type)[0])
        return lambda value, shift: [item(each, shift) for each in value]
    if origin is frozenset:
        return lambda value, _: sorted(value)
    if _is_mapping(origin):
        key, item = map(_writer, typing.get_args(as_type))
        return lambda value, shift: [[key(k, 0.0), item(v, shift)] for k, v in value.items()]
    if isinstance(as_type, type) and issubclass(as_type, Enum):
        members = {member: member.value for member in as_type}
        return lambda value, _: members[value]
    if as_type is datetime:
        return lambda value, _: value.isoformat()
    return _as_it_is


def _as_it_is(value: Any, _shift: float) -> Any:
    return value


def _dataclass_writer(cls: type) -> Write:
    """Its fields are looked at when the first one is written: classes may hold each other."""
    names = tuple(f.name for f in fields(cls))
    if len(names) < 2:
        return lambda value, shift: {name: _writer(_hints(cls)[name])(getattr(value, name), shift) for name in names}
    take = attrgetter(*names)
    written: list[tuple[str, Write]] = []

    def write(value: Any, shift: float) -> Any:
        if not written:
            hints = _hints(cls)
            writers = [(name, _writer(hints[name])) for name in names]
            written.extend(each for each in writers if each[1] is not _as_it_is)
        plain = dict(zip(names, take(value), strict=True))
        for name, writer in written:
            plain[name] = writer(plain[name], shift)
        return plain

    return write


def _union_writer(union: Any) -> Write:
    by_class: dict[type, Write] = {type(None): _as_it_is}

    def write(value: Any, shift: float) -> Any:
        writer = by_class.get(type(value))
        if writer is None:
            writer = by_class[type(value)] = _member_writer(value, union)
        return writer(value, shift)

    return write


def _member_writer(value: Any, union: Any) -> Write:
    cls = type(value)
    if cls in OWN_FORM:
        own = OWN_FORM[cls][0]
        return lambda each, _: own(each)
    writer = _writer(_member_of(value, union))
    if not is_dataclass(cls):
        return writer
    return lambda each, shift: {KIND: cls.__name__, **writer(each, shift)}


def from_plain(plain: Any, as_type: Any, wall_minus_mono: float) -> Any:
    """The value that `to_plain` wrote, its moments on this process's clock."""
    if as_type is Mono:
        return plain - wall_minus_mono
    as_type = _bare(as_type)
    if as_type in OWN_FORM and plain is not None:
        return OWN_FORM[as_type][1](plain)
    origin = typing.get_origin(as_type)
    if origin in (typing.Union, types.UnionType):
        return from_plain(plain, _member_named(plain, as_type), wall_minus_mono)
    if is_dataclass(as_type):
        hints = _hints(_class(as_type))
        values = {f.name: from_plain(plain[f.name], hints[f.name], wall_minus_mono) for f in fields(as_type)}
        return _class(as_type)(**values)
    if origin in (tuple, list):
        item = typing.get_args(as_type)[0]
        return origin(from_plain(each, item, wall_minus_mono) for each in plain)
    if origin is frozenset:
        return frozenset(plain)
    if _is_mapping(origin):
        key, item = typing.get_args(as_type)
        pairs = {from_plain(k, key, 0.0): from_plain(v, item, wall_minus_mono) for k, v in plain}
        return pairs if origin is dict else MappingProxyType(pairs)
    if isinstance(as_type, type) and issubclass(as_type, Enum):
        return as_type(plain)
    if as_type is datetime:
        return datetime.fromisoformat(plain)
    return plain


def _bare(as_type: Any) -> Any:
    """A NewType is its base, except for `Mono`, which keeps its meaning inside unions."""
    while isinstance(as_type, NewType) and as_type is not Mono:
        as_type = as_type.__supertype__
    return as_type


def _is_mapping(origin: Any) -> bool:
    return isinstance(origin, type) and issubclass(origin, Mapping)


def _member_of(value: Any, union: Any) -> Any:
    """The member of a union that a value belongs to."""
    if value is None:
        return type(None)
    members = [member for member in typing.get_args(union) if member is not type(None)]
    for member in members:
        if isinstance(_bare(member), type) and isinstance(value, _bare(member)):
            return member
    return members[0]


def _member_named(plain: Any, union: Any) -> Any:
    """The member of a union that something plain was written as."""
    if plain is None:
        return type(None)
    members = [member for member in typing.get_args(union) if member is not type(None)]
    if isinstance(plain, dict) and len(members) > 1:
        return next(member for member in members if plain[KIND] in (member.__name__, flow_plain.TAGS.get(member)))
    return members[0]


def _class(as_type: Any) -> type:
    assert isinstance(as_type, type)
    return as_type


@cache
def _hints(cls: type) -> dict[str, Any]:
    return typing.get_type_hints(cls)
