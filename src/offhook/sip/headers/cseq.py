"""CSeq and RAck: the order of requests (RFC 3261 sections 8.1.1.5 and 20.16, RFC 3262 section 7.2)."""

from __future__ import annotations

from typing import Final, NamedTuple

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import is_token, number

CSEQ_MAX: Final = 2**31 - 1
RSEQ_MAX: Final = 2**32 - 1


class CSeq(NamedTuple):
    """A request's number, below 2**31, and its method."""

    number: int
    method: str

    @classmethod
    def parse(cls, text: str) -> CSeq:
        """`1*DIGIT LWS Method`; otherwise `SyntaxFault`."""
        parts = text.split()
        if len(parts) != 2 or not is_token(parts[1]):
            raise SyntaxFault("CSeq", "is not a number and a method", text)
        return cls(number("CSeq", parts[0], maximum=CSEQ_MAX), parts[1])

    def __str__(self) -> str:
        return f"{self.number} {self.method}"


class RAck(NamedTuple):
    """Which provisional response a PRACK acknowledges: its RSeq, and the CSeq it answered."""

    rseq: int
    cseq: int
    method: str

    @classmethod
    def parse(cls, text: str) -> RAck:
        """`response-num LWS CSeq-num LWS Method`; otherwise `SyntaxFault`."""
        rseq, space, cseq = text.partition(" ")
        if not space:
            raise SyntaxFault("RAck", "is not two numbers and a method", text)
        return cls(number("RAck", rseq, maximum=RSEQ_MAX), *CSeq.parse(cseq))

    def __str__(self) -> str:
        return f"{self.rseq} {self.cseq} {self.method}"
