"""Refusing new calls as cheaply as possible: a stateless answer (RFC 3261 section 8.2.7) cut from the octets of the
INVITE, which is not parsed.

It looks only for what a response must copy. Whatever is unusual is left to the ordinary way, which refuses it too.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from zlib import crc32

from offhook.sip.hop import Hop

HEAD_MAX_BYTES = 8192
"""A longer head is not looked at here."""

_COPIED = re.compile(
    rb"\r\n((?:Via|v|From|f|To|t|Call-ID|i|CSeq)[ \t]*:(?:[^\r\n]|\r\n[ \t])*)",
    re.IGNORECASE,
)
_NAME = re.compile(rb"[^ \t:]+")
_VIA = re.compile(rb"(?:Via|v)[ \t]*:[ \t]*SIP/2\.0/UDP[ \t]+([^ \t;,:\[]+)(:\d+)?(;[^\r\n, \t]*)", re.IGNORECASE)
_BRANCH = re.compile(rb";branch=(z9hG4bK[^;, \t]*)", re.IGNORECASE)
_LONG = {b"v": b"via", b"f": b"from", b"t": b"to", b"i": b"call-id"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An INVITE of which just enough was read."""

    key: str
    """The server transaction it would belong to: a repeat of an INVITE that was taken is not refused."""
    copied: list[bytes]
    """The header lines that every response carries, with Via and To as a response has them."""

    def refusal(self, status: int, reason: str, retry_after_s: int) -> bytes:
        """The response. Its tag depends on the request alone, so that every repeat gets the same (8.2.7)."""
        lines = [b"SIP/2.0 %d %s" % (status, reason.encode()), *self.copied]
        lines.append(b"Retry-After: %d" % retry_after_s)
        lines.append(b"Content-Length: 0\r\n\r\n")
        return b"\r\n".join(lines)


def draft(data: bytes, hop: Hop) -> Draft | None:
    """Read an INVITE over UDP that begins a call; None for anything that needs a real look."""
    if hop.transport != "udp" or not data.startswith(b"INVITE "):
        return None
    end = data.find(b"\r\n\r\n", 0, HEAD_MAX_BYTES)
    if end < 0:
        return None
    lines: list[bytes] = _COPIED.findall(data[: end + 2])
    names = [_name(line) for line in lines]
    if names.count(b"from") != 1 or names.count(b"to") != 1 or names.count(b"call-id") != 1:
        return None
    if names.count(b"cseq") != 1 or b"via" not in names:
        return None
    top = names.index(b"via")
    via = _VIA.fullmatch(lines[top])
    branch = None if via is None else _BRANCH.search(via.group(3))
    to = names.index(b"to")
    if via is None or branch is None or re.search(rb";[ \t]*tag[ \t]*=", lines[to], re.IGNORECASE):
        return None
    # Only the plain case of RFC 3581 or a true sent-by; anything else would need a rewritten Via.
    params = via.group(3).lower()
    rport = b";rport" in params
    host, port = hop.remote
    source = host.encode()
    if rport:
        if b";rport=" in params or b";received=" in params:
            return None
        bare = lines[top]
        at = bare.lower().index(b";rport")
        if bare[at + 6 : at + 7] not in (b"", b";"):
            return None
        lines[top] = bare[: at + 6] + b"=%d;received=%s" % (port, source) + bare[at + 6 :]
    elif via.group(1) != source or (via.group(2) or b":5060") != b":%d" % port or b";maddr=" in params:
        return None
    sent_by = via.group(1) + (via.group(2) or b"")
    lines[to] += b";tag=" + tag_for(branch.group(1)).encode()
    key = f"s|{branch.group(1).decode('latin-1')}|{sent_by.decode('latin-1').lower()}|INVITE"
    return Draft(key=key, copied=lines)


def tag_for(branch: bytes) -> str:
    """The To tag of a stateless answer: the same for each repeat of a request (section 8.2.7)."""
    return f"{crc32(branch):08x}"


def _name(line: bytes) -> bytes:
    found = _NAME.match(line)
    name = b"" if found is None else found.group().lower()
    return _LONG.get(name, name)
