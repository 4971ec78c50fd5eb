"""Via: the way that a response goes back (RFC 3261 sections 18.2 and 20.42, RFC 3581 for rport).

One element; `Headers.values` splits the list. It refuses to decide where a response goes: that is the transport's.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from typing import Any, Final

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import Params, find_param, format_params, number, parse_params, replace_param

MAGIC_COOKIE: Final = "z9hG4bK"
PORT_MAX: Final = 65_535

_TOKEN: Final = r"[A-Za-z0-9\-.!%*_+`'~]++"
_SENT: Final = r"([A-Za-z0-9](?:[A-Za-z0-9.\-_]*+)|\[[0-9A-Fa-f:.]++\])(?:[ \t]*+:[ \t]*+([0-9]{1,5}))?"
_VIA = re.compile(rf"({_TOKEN})[ \t]*+/[ \t]*+({_TOKEN})[ \t]*+/[ \t]*+({_TOKEN})[ \t]++{_SENT}[ \t]*+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Via:
    """One hop: `transport` in capitals, the `host` and `port` it was sent by, and its parameters as written."""

    transport: str
    host: str
    port: int | None = None
    params: Params = ()
    version: str = "SIP/2.0"

    @classmethod
    def parse(cls, text: str) -> Via:
        """One `via-parm`; otherwise `SyntaxFault`."""
        found = _VIA.match(text)
        if found is None:
            raise SyntaxFault("Via", "is malformed", text)
        name, version, transport, host, port = found.groups()
        return cls(
            transport=transport.upper(),
            host=host,
            port=number("Via", port, maximum=PORT_MAX) if port else None,
            params=parse_params("Via", text[found.end() :]),
            version=f"{name}/{version}".upper(),
        )

    def __str__(self) -> str:
        return f"{self.version}/{self.transport} {self.sent_by}{format_params(self.params)}"

    @property
    def sent_by(self) -> str:
        """Host, and port if there is one: what matches a response to its sender (section 18.1.2)."""
        return self.host if self.port is None else f"{self.host}:{self.port}"

    @property
    def branch(self) -> str | None:
        """The transaction's id, or `None`."""
        return find_param(self.params, "branch")

    @property
    def is_rfc3261(self) -> bool:
        """Whether the branch begins with the magic cookie and so identifies the transaction (section 8.1.1.7)."""
        branch = self.branch
        return branch is not None and branch[: len(MAGIC_COOKIE)].lower() == MAGIC_COOKIE.lower()

    @property
    def received(self) -> str | None:
        """The address that the request really came from, without the brackets of IPv6."""
        value = find_param(self.params, "received")
        return value if value is None else value.strip("[]")

    @property
    def rport(self) -> int | None:
        """The port that the request really came from; `None` if it is not there, empty or no port."""
        value = find_param(self.params, "rport")
        return int(value) if value and value.isdecimal() and len(value) <= 5 and int(value) <= PORT_MAX else None

    @property
    def wants_rport(self) -> bool:
        """Whether the sender asked, by the flag, for responses to its source port (RFC 3581 section 4)."""
        return find_param(self.params, "rport") is not None

    @property
    def maddr(self) -> str | None:
        """The (multicast) address that responses are to go to, or `None`."""
        return find_param(self.params, "maddr")

    def with_(self, **changes: Any) -> Via:
        """A copy with fields changed."""
        return replace(self, **changes)

    def with_param(self, name: str, value: str | None = None) -> Via:
        """A copy with one parameter set."""
        return replace(self, params=replace_param(self.params, name, value))
