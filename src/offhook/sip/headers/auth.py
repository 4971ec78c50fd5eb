"""Challenges and credentials: WWW-Authenticate, Proxy-Authenticate, Authorization, Proxy-Authorization,
Authentication-Info (RFC 3261 sections 20.6, 20.7, 20.27, 20.28, 20.44; RFC 7616 section 3).

One line is one challenge. It refuses to compute anything: what a parameter is worth is decided in `digest.py`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final, Self

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import unquote

_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]++"
_SCHEME = re.compile(rf"({_TOKEN})(?:[ \t]++|$)")
_AUTH_PARAM = re.compile(rf'[ \t]*+({_TOKEN})[ \t]*+=[ \t]*+("(?:[^"\\]|\\.)*+"|[^\x00-\x20\x7f",]++)[ \t]*+')


@dataclass(frozen=True, slots=True, kw_only=True)
class AuthValue:
    """A scheme (in small letters: `digest`) and its parameters, names in small letters, values as they were written."""

    scheme: str
    params: tuple[tuple[str, str], ...]

    @classmethod
    def parse(cls, text: str, what: str = "Authorization") -> Self:
        """`scheme LWS param *( COMMA param )`, no parameter twice; otherwise a `SyntaxFault` about `what`."""
        found = _SCHEME.match(text)
        if found is None:
            raise SyntaxFault(what, "has no scheme", text)
        return cls(scheme=found.group(1).lower(), params=_params(what, text[found.end() :]))

    def get(self, name: str) -> str | None:
        """A parameter without quotes, or `None`."""
        return next((unquote(value) for key, value in self.params if key == name), None)

    def __str__(self) -> str:
        scheme = "Digest" if self.scheme == "digest" else self.scheme
        return f"{scheme} {format_auth_params(self.params)}"


class Challenge(AuthValue):
    """A WWW-Authenticate or Proxy-Authenticate."""

    __slots__ = ()


class Credentials(AuthValue):
    """An Authorization or Proxy-Authorization."""

    __slots__ = ()


def parse_authentication_info(text: str) -> dict[str, str]:
    """The parameters of an Authentication-Info, by name, without quotes; otherwise `SyntaxFault`."""
    return {name: unquote(value) for name, value in _params("Authentication-Info", text)}


def format_auth_params(params: tuple[tuple[str, str], ...]) -> str:
    """Parameters, whose values have their quotes already, as a list."""
    return ", ".join(f"{name}={value}" for name, value in params)


def _params(what: str, text: str) -> tuple[tuple[str, str], ...]:
    params: list[tuple[str, str]] = []
    seen: set[str] = set()
    position = 0
    while position < len(text):
        found = _AUTH_PARAM.match(text, position)
        if found is None:
            raise SyntaxFault(what, "has malformed parameters", text[position:])
        name = found.group(1).lower()
        if name in seen:
            raise SyntaxFault(what, f"has {name} twice", text)
        seen.add(name)
        params.append((name, found.group(2)))
        position = found.end()
        if position < len(text):
            if text[position] != ",":
                raise SyntaxFault(what, "has malformed parameters", text[position:])
            position += 1
    return tuple(params)
