"""Reason: why a request or a call ended (RFC 3326), as a Q.850 cause, a SIP status or another protocol's word."""

from __future__ import annotations

from dataclasses import dataclass

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import Params, find_param, format_params, is_token, parse_params, quote, readable


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One reason value: `protocol` ("SIP", "Q.850"), `cause` in its numbering, `text` for people."""

    protocol: str
    cause: int | None = None
    text: str | None = None

    @classmethod
    def parse(cls, value: str) -> Reason:
        """`protocol *( SEMI reason-params )`; otherwise `SyntaxFault`. A cause that is no number is not given."""
        protocol, semicolon, rest = value.partition(";")
        protocol = protocol.strip(" \t")
        if not is_token(protocol):
            raise SyntaxFault("Reason", "has no protocol", value)
        params = parse_params("Reason", semicolon + rest)
        cause = find_param(params, "cause")
        text = find_param(params, "text")
        return cls(
            protocol=protocol,
            cause=int(cause) if cause and cause.isascii() and cause.isdecimal() and len(cause) <= 4 else None,
            text=None if text is None else readable(text),
        )

    def __str__(self) -> str:
        params: Params = ()
        if self.cause is not None:
            params += (("cause", str(self.cause)),)
        if self.text is not None:
            params += (("text", quote(self.text)),)
        return f"{self.protocol}{format_params(params)}"
