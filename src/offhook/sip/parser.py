"""Octets to messages: one datagram, or a stream framed by Content-Length (RFC 3261 sections 7 and 18.3, RFC 5626
3.5.1).

Only the frame is read here: start line, header lines, body. What can be read but is wrong becomes the message's
`flaw` for `validate` to answer; what has no SIP start line or breaks its lines otherwise is `Unparseable`. Values are
not looked at.
"""

from __future__ import annotations

import re
from enum import Enum
from typing import Final

from offhook.sip.errors import Fault, Unparseable
from offhook.sip.grammar import is_token
from offhook.sip.headers.table import SPELLINGS, Headers, identify
from offhook.sip.message import SIP_VERSION, Message, Request, Response
from offhook.sip.phrases import phrase

DATAGRAM_MAX_BYTES: Final = 65_535
HEAD_MAX_BYTES: Final = 32_768
"""Start line and headers of one message; RFC 4475's longest has 3,365."""
BODY_MAX_BYTES: Final = 65_536
HEADERS_MAX_COUNT: Final = 256
CONTENT_LENGTH_MAX_DIGITS: Final = 10
KEEP_ALIVES_MAX_COUNT: Final = 16
"""Keep-alives reported of one call of `feed`; the rest of a flood is swallowed."""

_VERSION = re.compile(r"SIP/[0-9]{1,3}\.[0-9]{1,3}", re.IGNORECASE)
_STATUS = re.compile(r"[0-9]{1,20}")
_FOLD = re.compile(r"\r\n[ \t]+")
# A control character means something only behind the backslash of a quoted pair (section 25.1).
_CONTROL = re.compile(r"(?<!\\)[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_CONTROLS: Final = bytes((*range(9), 11, 12, *range(14, 32), 127))
_END: Final = b"\r\n\r\n"
_HEAD_TOO_LARGE: Final = Fault(status=513, reason=phrase(513), fatal=True)


class KeepAlive(Enum):
    """What a peer sends between messages to keep a flow open (RFC 5626 section 3.5.1)."""

    PING = "ping"
    """CRLF CRLF: to be answered with one CRLF."""
    PONG = "pong"
    """CRLF: the answer, or an empty line before a message, which means nothing (RFC 3261 section 7.5)."""


def is_keep_alive(data: bytes) -> bool:
    """Whether a datagram is only line ends or NULs, as phones send to hold a NAT binding: no message and no fault."""
    return not data.strip(b"\r\n\x00")


def parse_datagram(data: bytes) -> Message:
    """The message in one datagram; raises `Unparseable` when there is none.

    The body ends where Content-Length says or, without one, with the datagram; octets behind it are dropped, and a
    Content-Length beyond the datagram is a flaw (section 18.3).
    """
    if len(data) > DATAGRAM_MAX_BYTES:
        raise Unparseable(f"longer than {DATAGRAM_MAX_BYTES} octets")
    if data[:2] == b"\r\n":
        data = data.lstrip(b"\r\n")
    head, end, body = data.partition(_END)
    if len(head) > HEAD_MAX_BYTES:
        raise Unparseable(f"start line and headers are longer than {HEAD_MAX_BYTES} octets")
    message = _parse_head(head if end else head.removesuffix(b"\r\n"))
    if not end:
        message.flaw = "The headers have no end"
        return message
    length, flaw = _content_length(message.headers)
    if flaw is not None:
        message.flaw = message.flaw or flaw
    elif length is None or length == len(body):
        message.body = body
        return message
    elif length > len(body):
        message.flaw = message.flaw or "The body is shorter than its Content-Length"
    message.body = body[:length]
    return message


class StreamParser:
    """The messages of one connection, in order. After a fatal fault it is `closed` and takes nothing more."""

    __slots__ = ("_buffer", "_pending", "_scanned", "_was_pong", "closed")

    def __init__(self) -> None:
        self._buffer = bytearray()
        self._scanned = 0
        self._pending: tuple[Message, int] | None = None
        self._was_pong = False
        self.closed = False

    def feed(self, data: bytes) -> list[Message | KeepAlive | Fault]:
        """What became whole with `data`: messages, keep-alives, and at most one fault, fatal and last."""
        out: list[Message | KeepAlive | Fault] = []
        if self.closed:
            return out
        self._buffer += data
        while self._step(out):
            pass
        return out

    def _step(self, out: list[Message | KeepAlive | Fault]) -> bool:
        """Take one item off the buffer; false when more octets are needed."""
        if self._pending is not None:
            return self._take_body(out, *self._pending)
        if self._buffer[:1] == b"\r":
            return self._take_line_end(out)
        if not self._buffer:
            return False
        self._was_pong = False
        end = self._buffer.find(_END, max(0, self._scanned - len(_END)))
        if end < 0:
            self._scanned = len(self._buffer)
            if self._scanned > HEAD_MAX_BYTES:
                self._break(out, _HEAD_TOO_LARGE)
            return False
        head = bytes(self._buffer[:end])
        del self._buffer[: end + len(_END)]
        self._scanned = 0
        return self._take_head(out, head)

    def _take_line_end(self, out: list[Message | KeepAlive | Fault]) -> bool:
        if len(self._buffer) < 2:
            return False
        if self._buffer[1:2] != b"\n":
            self._break(out, Fault(status=400, reason="Lone Carriage Return", fatal=True))
            return False
        if self._buffer[2:4] == b"\r\n":
            size, kind = 4, KeepAlive.PING
        elif self._buffer[2:] == b"\r":
            return False
        elif self._was_pong:
            # The second half of a ping that came in two pieces, the first of which was taken for a pong.
            size, kind = 2, KeepAlive.PING
        else:
            size, kind = 2, KeepAlive.PONG
        self._was_pong = kind is KeepAlive.PONG
        del self._buffer[:size]
        if sum(isinstance(item, KeepAlive) for item in out[-KEEP_ALIVES_MAX_COUNT:]) < KEEP_ALIVES_MAX_COUNT:
            out.append(kind)
        return True

    def _take_head(self, out: list[Message | KeepAlive | Fault], head: bytes) -> bool:
        if len(head) > HEAD_MAX_BYTES:
            self._break(out, _HEAD_TOO_LARGE)
            return False
        try:
            message = _parse_head(head)
        except Unparseable as error:
            self._break(out, Fault(status=400, reason=error.reason, fatal=True))
            return False
        length, flaw = _content_length(message.headers)
        status = 400
        if flaw is None and length is None:
            flaw = "Content-Length Is Missing"
        elif length is not None and length > BODY_MAX_BYTES:
            status, flaw = 413, phrase(413)
        if flaw is not None or length is None:
            request = message if isinstance(message, Request) else None
            self._break(out, Fault(status=status, reason=flaw or "", request=request, fatal=True))
            return False
        return self._take_body(out, message, length)

    def _take_body(self, out: list[Message | KeepAlive | Fault], message: Message, length: int) -> bool:
        if len(self._buffer) < length:
            self._pending = (message, length)
            return False
        self._pending = None
        message.body = bytes(self._buffer[:length])
        del self._buffer[:length]
        out.append(message)
        return True

    def _break(self, out: list[Message | KeepAlive | Fault], fault: Fault) -> None:
        self.closed = True
        self._buffer.clear()
        out.append(fault)


def _parse_head(head: bytes) -> Message:
    flaw: str | None = None
    try:
        text = head.decode()
    except UnicodeDecodeError:
        # Section 7.3.1 wants UTF-8. A name in Latin-1 is no reason to lose a call: kept octet by octet.
        text = head.decode("utf-8", "surrogateescape")
    if "\r\n " in text or "\r\n\t" in text:
        text = _FOLD.sub(" ", text)
    lines = text.split("\r\n")
    breaks = len(lines) - 1
    if text.count("\n") != breaks or text.count("\r") != breaks:
        raise Unparseable("a line ends otherwise than with CRLF")
    if breaks > HEADERS_MAX_COUNT:
        raise Unparseable(f"more than {HEADERS_MAX_COUNT} header lines")
    if len(head.translate(None, _CONTROLS)) != len(head) and _CONTROL.search(text):
        flaw = "Control Character in Headers"
    message = _start_line(lines[0])
    items: list[tuple[str, str, str]] = []
    known = SPELLINGS
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        found = known.get(name)
        if found is None:
            name = name.rstrip(" \t")
            if not colon or not is_token(name):
                flaw = flaw or "Malformed Header Line"
                continue
            found = identify(name)
        items.append((found[0], found[1], value.strip(" \t")))
    message.headers = Headers.adopt(items)
    if flaw is not None:
        message.flaw = message.flaw or flaw
    return message


def _start_line(line: str) -> Message:
    if line[:4].upper() == "SIP/":
        return _status_line(line)
    method, _, rest = line.partition(" ")
    uri, _, version = rest.rpartition(" ")
    if version == SIP_VERSION and uri and " " not in uri and "\t" not in uri and is_token(method):
        return Request(method, uri)
    # One space between the three parts, and none around them (section 7.1). Whatever else has three parts is answered.
    parts = line.split()
    if len(parts) < 3 or not is_token(parts[0]) or not _VERSION.fullmatch(parts[-1]):
        raise Unparseable("no SIP start line")
    flaw = None if line == " ".join(parts) and len(parts) == 3 else "Malformed Request Line"
    return Request(parts[0], " ".join(parts[1:-1]), version=parts[-1].upper(), flaw=flaw)


def _status_line(line: str) -> Response:
    version, _, rest = line.partition(" ")
    status, _, reason = rest.partition(" ")
    if not _VERSION.fullmatch(version) or not _STATUS.fullmatch(status):
        raise Unparseable("no SIP status line")
    return Response(int(status), reason, version=version.upper())


def _content_length(headers: Headers) -> tuple[int | None, str | None]:
    """Content-Length, `None` if there is none, and what is wrong with it."""
    lines = headers.all("content-length")
    if not lines:
        return None, None
    if len(lines) > 1:
        return None, "More Than One Content-Length"
    text = lines[0]
    if not (text.isascii() and text.isdecimal()) or len(text) > CONTENT_LENGTH_MAX_DIGITS:
        return None, "Malformed Content-Length"
    return int(text), None
