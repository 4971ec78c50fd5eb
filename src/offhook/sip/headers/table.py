"""The header fields of one message: an ordered multimap of raw values (RFC 3261 section 7.3).

Names fold to one key in any case and from their compact form (section 7.3.3); values stay as they came. It refuses to
interpret a value: the typed view is a function given to `parsed`, whose result is kept until that header changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final, TypeVar

from offhook.sip.grammar import split_list

T = TypeVar("T")

_COMPACT: Final = {
    "a": "Accept-Contact",
    "b": "Referred-By",
    "c": "Content-Type",
    "d": "Request-Disposition",
    "e": "Content-Encoding",
    "f": "From",
    "i": "Call-ID",
    "j": "Reject-Contact",
    "k": "Supported",
    "l": "Content-Length",
    "m": "Contact",
    "n": "Identity-Info",
    "o": "Event",
    "r": "Refer-To",
    "s": "Subject",
    "t": "To",
    "u": "Allow-Events",
    "v": "Via",
    "x": "Session-Expires",
    "y": "Identity",
}
_KNOWN: Final = (
    "Accept",
    "Accept-Encoding",
    "Accept-Language",
    "Alert-Info",
    "Allow",
    "Authentication-Info",
    "Authorization",
    "Call-Info",
    "CSeq",
    "Content-Disposition",
    "Content-Language",
    "Date",
    "Diversion",
    "Error-Info",
    "Expires",
    "Geolocation",
    "History-Info",
    "In-Reply-To",
    "Join",
    "MIME-Version",
    "Max-Forwards",
    "Min-Expires",
    "Min-SE",
    "Organization",
    "P-Asserted-Identity",
    "P-Preferred-Identity",
    "Path",
    "Priority",
    "Privacy",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Proxy-Require",
    "RAck",
    "RSeq",
    "Reason",
    "Record-Route",
    "Remote-Party-ID",
    "Replaces",
    "Reply-To",
    "Require",
    "Retry-After",
    "Route",
    "SIP-ETag",
    "SIP-If-Match",
    "Server",
    "Service-Route",
    "Subscription-State",
    "Supported",
    "Timestamp",
    "Unsupported",
    "User-Agent",
    "WWW-Authenticate",
    "Warning",
)

# Lines whose grammar is a list, so that one line with commas says the same as several lines (section 7.3.1).
_LISTS: Final = frozenset(
    {
        "accept",
        "accept-contact",
        "accept-encoding",
        "accept-language",
        "alert-info",
        "allow",
        "allow-events",
        "call-info",
        "contact",
        "content-encoding",
        "content-language",
        "diversion",
        "error-info",
        "history-info",
        "in-reply-to",
        "p-asserted-identity",
        "p-preferred-identity",
        "path",
        "proxy-require",
        "reason",
        "record-route",
        "reject-contact",
        "require",
        "route",
        "service-route",
        "supported",
        "unsupported",
        "via",
        "warning",
    }
)


def _spellings() -> dict[str, tuple[str, str]]:
    table: dict[str, tuple[str, str]] = {}
    for name in (*_KNOWN, *_COMPACT.values()):
        for spelling in (name, name.lower(), name.upper(), name.title()):
            table[spelling] = (name.lower(), name)
    for short, name in _COMPACT.items():
        table[short] = table[short.upper()] = (name.lower(), name)
    return table


SPELLINGS: Final = _spellings()
"""Usual spelling of a known name, or its compact form, to (key, name as the RFC writes it)."""


def identify(name: str) -> tuple[str, str]:
    """The key and the written form of a header name in any spelling; an unknown one is written as it came."""
    known = SPELLINGS.get(name)
    if known is None:
        key = name.lower()
        known = SPELLINGS.get(key, (key, name))
    return known


class Headers:
    """Header fields in order. Every name may be given in any case or in compact form."""

    __slots__ = ("_index", "_items", "_parsed")

    def __init__(self, items: Iterable[tuple[str, str]] = ()) -> None:
        self._items: list[tuple[str, str, str]] = [(*identify(name), value) for name, value in items]
        self._index: dict[str, list[str]] | None = None
        self._parsed: dict[str, Any] = {}

    @classmethod
    def adopt(cls, items: list[tuple[str, str, str]]) -> Headers:
        """Headers over a list of (key, name, value) that the caller gives away; the parser's way in."""
        headers = cls.__new__(cls)
        headers._items = items
        headers._index = None
        headers._parsed = {}
        return headers

    def get(self, name: str) -> str | None:
        """The first raw value, or `None`."""
        values = self._lines(name)
        return values[0] if values else None

    def all(self, name: str) -> list[str]:
        """The raw values, one for each line, not split."""
        return list(self._lines(name))

    def values(self, name: str) -> list[str]:
        """The values, lines split at commas where the header's grammar is a list; may raise `SyntaxFault`."""
        key, written = identify(name)
        lines = self._lines(name)
        if key not in _LISTS:
            return list(lines)
        return [piece for line in lines for piece in split_list(written, line)]

    def count(self, name: str) -> int:
        """How many lines there are of this name."""
        return len(self._lines(name))

    def groups(self) -> dict[str, list[str]]:
        """The raw values of every name (in small letters) that is there, to be read only."""
        return self._grouped()

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and bool(self._lines(name))

    def add(self, name: str, value: str) -> None:
        """Add a line behind all others."""
        key, written = identify(name)
        self._items.append((key, written, value))
        self._changed()

    def prepend(self, name: str, value: str) -> None:
        """Add a line before the first of its name (a Via, a Record-Route), or before all if there is none."""
        key, written = identify(name)
        place = next((i for i, item in enumerate(self._items) if item[0] == key), 0)
        self._items.insert(place, (key, written, value))
        self._changed()

    def set(self, name: str, value: str) -> None:
        """Make this the only line of its name, where the first of them stood."""
        key, written = identify(name)
        place = next((i for i, item in enumerate(self._items) if item[0] == key), len(self._items))
        self._items = [item for item in self._items if item[0] != key]
        self._items.insert(place, (key, written, value))
        self._changed()

    def remove(self, name: str) -> None:
        """Remove every line of this name; none is no error."""
        key, _ = identify(name)
        self._items = [item for item in self._items if item[0] != key]
        self._changed()

    def remove_first(self, name: str) -> None:
        """Remove the first value of this name: one element of a list, the line with it if it was the last element."""
        key, written = identify(name)
        for place, item in enumerate(self._items):
            if item[0] != key:
                continue
            rest = split_list(written, item[2])[1:] if key in _LISTS else []
            if rest:
                self._items[place] = (key, written, ", ".join(rest))
            else:
                del self._items[place]
            self._changed()
            return

    def items(self) -> Iterator[tuple[str, str]]:
        """(name, raw value) line by line, in order, names in their long form."""
        return ((name, value) for _, name, value in self._items)

    def lines(self) -> list[tuple[str, str, str]]:
        """(key in small letters, name, raw value) line by line, to be read only: the quick way through all of them."""
        return self._items

    def copy(self) -> Headers:
        """An independent copy."""
        return Headers.adopt(list(self._items))

    def parsed(self, view: str, parse: Callable[[Headers], T]) -> T:
        """What `parse` makes of these headers, kept under the name `view` until any header changes."""
        try:
            found: T = self._parsed[view]
        except KeyError:
            found = self._parsed[view] = parse(self)
        return found

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == other._items if isinstance(other, Headers) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Headers({list(self.items())!r})"

    def _lines(self, name: str) -> list[str]:
        index = self._index
        if index is None:
            index = self._grouped()
        found = index.get(name)
        return found if found is not None else index.get(identify(name)[0], _NO_LINES)

    def _grouped(self) -> dict[str, list[str]]:
        index = self._index
        if index is None:
            index = self._index = {}
            for key, _, value in self._items:
                if key in index:
                    index[key].append(value)
                else:
                    index[key] = [value]
        return index

    def _changed(self) -> None:
        self._index = None
        self._parsed = {}


_NO_LINES: Final[list[str]] = []
