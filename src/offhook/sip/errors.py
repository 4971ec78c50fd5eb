"""What can be wrong with a SIP message, and what the sender is owed for it (RFC 3261 sections 8.2 and 21).

Three degrees: `SyntaxFault` (a value breaks its grammar), `Fault` (a message that is owed a status) and `Unparseable`
(nothing can be answered, only dropped). None of them knows a transport: who answers, and where, is the endpoint's.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from offhook.sip.message import Request

EXCERPT_CHARS = 80


class SipError(Exception):
    """Everything that this room raises about what a peer said."""


class SyntaxFault(SipError, ValueError):
    """A value that breaks the grammar of RFC 3261 section 25; in a request, 400 is owed for it.

    `what` names the element in the RFC's word ("Via", "SIP URI"), `why` says what is wrong with it, and `text` is the
    offending value, cut to `EXCERPT_CHARS`.
    """

    def __init__(self, what: str, why: str, text: str = "") -> None:
        self.what = what
        self.why = why
        self.text = text if len(text) <= EXCERPT_CHARS else text[:EXCERPT_CHARS] + "…"
        super().__init__(f"{what}: {why}" + (f": {self.text!r}" if text else ""))


class Unparseable(SipError, ValueError):
    """Octets that are no SIP message, so that there is nobody to answer; `reason` says why, for a counter or a log."""

    def __init__(self, reason: str) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """A message that was read and is wrong.

    A request is owed a response with `status`, `reason` and `headers` (never an ACK, RFC 3261 section 17: that one is
    dropped). `request` is what could be read, where the fault was found in a stream and nothing else carries it; `None`
    means that there is nobody to answer. `fatal` means that the stream has lost its framing and is to be closed.
    """

    status: int
    reason: str
    headers: tuple[tuple[str, str], ...] = ()
    request: Request | None = None
    fatal: bool = False
