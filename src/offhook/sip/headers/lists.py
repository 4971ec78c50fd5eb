"""Headers that are lists of tokens, Allow, Supported, Require, Proxy-Require, Unsupported, Allow-Events,
Content-Encoding, Privacy, and Warning (RFC 3261 sections 20.5, 20.12, 20.29, 20.32, 20.37, 20.40, 20.43; RFC 3323
section 4.2)."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import is_token, quote, readable, token_list, unquote

_WARNING = re.compile(r'([0-9]{3})[ \t]++([^ \t"]++)[ \t]++("(?:[^"\\]|\\.)*+")')


def parse_methods(lines: Iterable[str]) -> tuple[str, ...]:
    """Allow: methods, whose case counts."""
    return token_list("Allow", lines)


def parse_option_tags(what: str, lines: Iterable[str]) -> tuple[str, ...]:
    """Supported, Require and the like: option tags in small letters, since case does not count (section 7.3.1)."""
    return tuple(tag.lower() for tag in token_list(what, lines))


def parse_privacy(lines: Iterable[str]) -> frozenset[str]:
    """Privacy: the kinds asked for (`id`, `header`, `session`, `user`, `none`, `critical`), in small letters."""
    pieces = (piece.strip(" \t").lower() for line in lines for piece in line.replace(",", ";").split(";"))
    # A word that is none is passed over, since the others may still ask for a number to be hidden.
    return frozenset(piece for piece in pieces if is_token(piece))


@dataclass(frozen=True, slots=True, kw_only=True)
class Warning:
    """One warning: `code` from 300 to 399, the host (or a pseudonym) that gives it, and its text for people."""

    code: int
    agent: str
    text: str

    @classmethod
    def parse(cls, value: str) -> Warning:
        """`warn-code SP warn-agent SP warn-text`; otherwise `SyntaxFault`."""
        found = _WARNING.fullmatch(value)
        if found is None:
            raise SyntaxFault("Warning", "is not a code, an agent and a quoted text", value)
        return cls(code=int(found.group(1)), agent=found.group(2), text=readable(unquote(found.group(3))))

    def __str__(self) -> str:
        return f"{self.code} {self.agent} {quote(self.text)}"
