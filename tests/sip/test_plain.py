"""Machines as plain data: what declared types say is kept, what they don't is refused."""

import json
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Literal, NewType

import pytest

from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.message import Headers, Request, Response
from offhook.sip.plain import from_plain, to_plain
from offhook.sip.uri import Uri

Name = NewType("Name", str)


class Colour(Enum):
    RED = "red"
    BLUE = "blue"


@dataclass(slots=True, kw_only=True)
class Part:
    name: Name
    pairs: tuple[tuple[str, int], ...] = ()


@dataclass(slots=True, kw_only=True)
class Whole:
    colour: Colour
    kind: Literal["udp", "tcp"]
    address: tuple[str, int]
    octets: bytes
    uri: Uri | None
    person: NameAddr
    parts: list[Part]
    table: dict[str, Part]
    request: Request
    response: Response
    ratio: float
    yes: bool
    anything: Any = field(default_factory=dict)


def whole() -> Whole:
    headers = [("Via", "SIP/2.0/UDP 192.0.2.1;branch=z9hG4bK-1"), ("To", "<sip:å@b.test>")]
    return Whole(
        colour=Colour.BLUE,
        kind="tcp",
        address=("192.0.2.1", 5060),
        octets=bytes(range(256)),
        uri=None,
        person=NameAddr.parse('"A \\"B\\"" <sip:a@b.test;lr>;tag=x'),
        parts=[Part(name=Name("one"), pairs=(("a", 1), ("b", 2)))],
        table={"x": Part(name=Name("two"))},
        request=Request("INVITE", "sip:a@b.test", Headers(headers), b"\x00\xff"),
        response=Response(200, "Très bien", Headers(headers)),
        ratio=0.1,
        yes=True,
        anything={"deep": [1, None]},
    )


def test_everything_comes_back_through_json() -> None:
    kept = json.loads(json.dumps(to_plain(whole())))
    made = from_plain(Whole, kept)
    before = whole()
    # Messages gain a Content-Length on the way, which says nothing new.
    for message in (made.request, made.response):
        message.headers.remove("Content-Length")
    assert made == before


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, object()])
def test_what_cannot_be_kept_is_refused(value: object) -> None:
    with pytest.raises(TypeError):
        to_plain(value)


@pytest.mark.parametrize(
    ("name", "wrong"),
    [
        ("colour", "green"),
        ("kind", "sctp"),
        ("address", ["192.0.2.1"]),
        ("octets", "€"),
        ("uri", "nonsense"),
        ("yes", 1),
        ("ratio", "fast"),
        ("request", "SIP/2.0 200 OK\r\n\r\n"),
        ("parts", [{"name": 5}]),
    ],
)
def test_what_does_not_fit_its_type_is_refused(name: str, wrong: object) -> None:
    kept = to_plain(whole())
    assert isinstance(kept, dict)
    kept[name] = wrong  # type: ignore[assignment]
    with pytest.raises(ValueError):
        from_plain(Whole, kept)


@dataclass
class Vague:
    either: int | str


@dataclass
class Alien:
    what: complex


def test_types_that_say_too_little_are_refused() -> None:
    with pytest.raises(TypeError, match="which of"):
        from_plain(Vague, {"either": 1})
    with pytest.raises(TypeError, match="cannot be read"):
        from_plain(Alien, {"what": 1})
