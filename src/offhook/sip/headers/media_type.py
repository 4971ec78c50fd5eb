"""Content-Type, Content-Disposition and Accept (RFC 3261 sections 20.1, 20.11 and 20.15)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import Params, find_param, format_params, is_token, parse_params

_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]++"
_TYPE = re.compile(rf"({_TOKEN})[ \t]*+/[ \t]*+({_TOKEN})[ \t]*+")


@dataclass(frozen=True, slots=True)
class MediaType:
    """`type` and `subtype` in small letters (a range has stars), and parameters as written."""

    type: str
    subtype: str
    params: Params = ()

    @classmethod
    def parse(cls, text: str, what: str = "Content-Type") -> MediaType:
        """One media type or range; otherwise `SyntaxFault`."""
        found = _TYPE.match(text)
        if found is None:
            raise SyntaxFault(what, "is not a media type", text)
        return cls(found.group(1).lower(), found.group(2).lower(), parse_params(what, text[found.end() :]))

    def __str__(self) -> str:
        return f"{self.type}/{self.subtype}{format_params(self.params)}"

    @property
    def essence(self) -> str:
        """`type/subtype`, for comparison."""
        return f"{self.type}/{self.subtype}"

    def param(self, name: str) -> str | None:
        """A parameter's value, such as a `boundary`."""
        return find_param(self.params, name)

    def covers(self, essence: str) -> bool:
        """Whether this range takes a body of the type `essence`."""
        kind, _, sub = essence.lower().partition("/")
        return self.type in ("*", kind) and self.subtype in ("*", sub)


@dataclass(frozen=True, slots=True)
class Disposition:
    """What a body is for: `session`, `render`…; `optional` if a receiver that does not know it may ignore it."""

    type: str
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> Disposition:
        """`disp-type *( SEMI disp-param )`; otherwise `SyntaxFault`."""
        kind, semicolon, params = text.partition(";")
        kind = kind.strip(" \t")
        if not is_token(kind):
            raise SyntaxFault("Content-Disposition", "has no type", text)
        return cls(kind.lower(), parse_params("Content-Disposition", semicolon + params))

    def __str__(self) -> str:
        return f"{self.type}{format_params(self.params)}"

    @property
    def optional(self) -> bool:
        """`handling=optional` (section 20.11); the default is required."""
        return (find_param(self.params, "handling") or "").lower() == "optional"


def parse_accept(values: Iterable[str]) -> tuple[MediaType, ...]:
    """The ranges of all Accept lines; an empty line means that nothing is taken (section 20.1)."""
    return tuple(MediaType.parse(value, "Accept") for value in values if value)
