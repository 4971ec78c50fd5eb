"""A name and an address: From, To, Contact, Route, Record-Route, Path, Refer-To, Referred-By, P-Asserted-Identity…
(RFC 3261 sections 20.10, 20.20, 20.30, 20.34, 20.39; RFC 3515; RFC 3892; RFC 3325).

One element; `Headers.values` splits the lists. Without angle brackets, whatever follows a semicolon belongs to the
header and not to the URI, and the URI may hold no comma, question mark or semicolon (section 20).
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Final

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import (
    Params,
    find_param,
    format_params,
    is_display_tokens,
    number,
    parse_params,
    quote,
    quoted_prefix,
    readable,
    remove_param,
    replace_param,
)
from offhook.sip.uri import Uri

EXPIRES_MAX_S: Final = 2**32 - 1
_Q_VALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")


class Star(Enum):
    """The Contact of a REGISTER that removes every binding (section 10.2.2)."""

    STAR = "*"

    def __str__(self) -> str:
        return "*"


STAR: Final = Star.STAR


@dataclass(frozen=True, slots=True, kw_only=True)
class NameAddr:
    """An address with what stands around it.

    `display` is the name without quotes and escapes (`""` for `"" <sip:…>`, `None` for none; octets that were no
    UTF-8 are U+FFFD). `params` are the header's parameters, those of the URI are in `uri`.
    """

    uri: Uri
    display: str | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str, what: str = "name-addr") -> NameAddr:
        """One `name-addr` or `addr-spec` with parameters; otherwise a `SyntaxFault` about `what`."""
        display: str | None = None
        rest = text
        if text[:1] == '"':
            display, rest = quoted_prefix(what, text)
            display = readable(display)
            rest = rest.lstrip(" \t")
            if rest[:1] != "<":
                raise SyntaxFault(what, "has a name and no address in angle brackets", text)
        before, bracket, after = rest.partition("<")
        if not bracket:
            return cls._bare(rest, what)
        name = before.strip(" \t")
        if name:
            if not is_display_tokens(name):
                raise SyntaxFault(what, "has a name that needs quotes", text)
            display = name
        address, closing, params = after.partition(">")
        if not closing:
            raise SyntaxFault(what, "has an angle bracket without its end", text)
        return cls(uri=Uri.parse(address), display=display, params=parse_params(what, params) if params else ())

    @classmethod
    def _bare(cls, text: str, what: str) -> NameAddr:
        address, semicolon, params = text.partition(";")
        address = address.rstrip(" \t")
        if "?" in address or "," in address:
            raise SyntaxFault(what, "needs angle brackets around an address with a comma or a question mark", text)
        return cls(uri=Uri.parse(address), params=parse_params(what, semicolon + params) if semicolon else ())

    @classmethod
    def parse_all(cls, values: Iterable[str], what: str) -> tuple[NameAddr, ...]:
        """Every element of a list header."""
        return tuple(cls.parse(value, what) for value in values)

    def __str__(self) -> str:
        if self.display is None:
            return f"<{self.uri}>{format_params(self.params)}"
        name = self.display if is_display_tokens(self.display) else quote(self.display)
        return f"{name} <{self.uri}>{format_params(self.params)}"

    @property
    def tag(self) -> str | None:
        """The dialog's half on this side (section 19.3), or `None`."""
        return find_param(self.params, "tag") or None

    def param(self, name: str) -> str | None:
        """A header parameter; `""` for a flag, `None` if it is not there."""
        return find_param(self.params, name)

    @property
    def expires_s(self) -> int | None:
        """A Contact's `expires` in seconds; `None` if it is not there. Raises `SyntaxFault` if it is no such number."""
        value = find_param(self.params, "expires")
        return None if value is None else number("Contact expires", value, maximum=EXPIRES_MAX_S)

    @property
    def q(self) -> float:
        """A Contact's preference from 0 to 1, 1 if it states none (section 20.10). Raises `SyntaxFault`."""
        value = find_param(self.params, "q")
        if value is None:
            return 1.0
        if not _Q_VALUE.fullmatch(value):
            raise SyntaxFault("Contact q", "is not from 0 to 1 with at most three decimals", value)
        return float(value)

    def with_(self, **changes: Any) -> NameAddr:
        """A copy with fields changed."""
        return replace(self, **changes)

    def with_param(self, name: str, value: str | None = None) -> NameAddr:
        """A copy with one header parameter set."""
        return replace(self, params=replace_param(self.params, name, value))

    def with_tag(self, tag: str | None) -> NameAddr:
        """A copy with this tag, or with none."""
        if tag is None:
            return replace(self, params=remove_param(self.params, "tag"))
        return self.with_param("tag", tag)


def parse_contacts(values: list[str]) -> list[NameAddr] | Star:
    """The elements of all Contact lines: addresses, or the star, which stands alone (section 10.2.2)."""
    if "*" in values:
        if len(values) > 1:
            raise SyntaxFault("Contact", "has a star beside other values", ", ".join(values))
        return STAR
    return [NameAddr.parse(value, "Contact") for value in values]
