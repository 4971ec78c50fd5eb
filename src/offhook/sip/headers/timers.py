"""Headers that count seconds: Session-Expires and Min-SE (RFC 4028), Expires, Min-Expires, Retry-After (RFC 3261
sections 20.19, 20.23 and 20.33)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import Params, find_param, format_params, number, parse_params

DELTA_SECONDS_MAX: Final = 2**32 - 1

_RETRY_AFTER = re.compile(r"([0-9]+)[ \t]*+(?:\(((?:[^()\\]|\\.)*+)\)[ \t]*+)?")


class Refresher(Enum):
    """Who refreshes the session: the request's sender or its receiver (RFC 4028 section 4)."""

    UAC = "uac"
    UAS = "uas"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionExpires:
    """How long a session lasts without a refresh, in seconds, and who refreshes it (`None`: not said yet)."""

    interval_s: int
    refresher: Refresher | None = None

    @classmethod
    def parse(cls, text: str) -> SessionExpires:
        """`delta-seconds *( SEMI se-params )`; otherwise `SyntaxFault`."""
        interval_s, params = _seconds("Session-Expires", text)
        refresher = find_param(params, "refresher")
        if refresher is None:
            return cls(interval_s=interval_s)
        try:
            return cls(interval_s=interval_s, refresher=Refresher(refresher.lower()))
        except ValueError:
            raise SyntaxFault("Session-Expires", "has a refresher that is neither uac nor uas", text) from None

    def __str__(self) -> str:
        return f"{self.interval_s}" + (f";refresher={self.refresher.value}" if self.refresher else "")


@dataclass(frozen=True, slots=True, kw_only=True)
class RetryAfter:
    """After how many seconds to try again, with the comment and parameters (`duration`)."""

    delay_s: int
    comment: str | None = None
    params: Params = ()

    @classmethod
    def parse(cls, text: str) -> RetryAfter:
        """`delta-seconds [ comment ] *( SEMI retry-param )`; otherwise `SyntaxFault`."""
        found = _RETRY_AFTER.match(text)
        if found is None:
            raise SyntaxFault("Retry-After", "does not begin with a number of seconds", text)
        return cls(
            delay_s=number("Retry-After", found.group(1), maximum=DELTA_SECONDS_MAX),
            comment=found.group(2),
            params=parse_params("Retry-After", text[found.end() :]),
        )

    def __str__(self) -> str:
        comment = "" if self.comment is None else f" ({self.comment})"
        return f"{self.delay_s}{comment}{format_params(self.params)}"


def parse_min_se(text: str) -> int:
    """Min-SE in seconds (its extension parameters mean nothing yet); otherwise `SyntaxFault`."""
    return _seconds("Min-SE", text)[0]


def parse_seconds(what: str, text: str) -> int:
    """`delta-seconds` below 2**32, as in Expires and Min-Expires; otherwise a `SyntaxFault` about `what`."""
    return number(what, text, maximum=DELTA_SECONDS_MAX)


def _seconds(what: str, text: str) -> tuple[int, Params]:
    seconds, semicolon, params = text.partition(";")
    return parse_seconds(what, seconds.strip(" \t")), parse_params(what, semicolon + params)
