"""Requests and responses as values (RFC 3261 section 7), and the response that a request gets (section 8.2.6).

Header values are raw until they are asked for; each typed view is parsed once and kept. A view raises `SyntaxFault`
when the value is malformed or a mandatory header is missing: `validate` looks first, whoever comes later need not. It
refuses to read a body.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Final, TypeVar

from offhook.sip.errors import SyntaxFault
from offhook.sip.grammar import is_call_id, number
from offhook.sip.headers.auth import Challenge, Credentials
from offhook.sip.headers.cseq import RSEQ_MAX, CSeq, RAck
from offhook.sip.headers.event import Event, Replaces, SubscriptionState
from offhook.sip.headers.lists import Warning, parse_methods, parse_option_tags, parse_privacy
from offhook.sip.headers.media_type import Disposition, MediaType, parse_accept
from offhook.sip.headers.name_addr import STAR, NameAddr, Star, parse_contacts
from offhook.sip.headers.reason import Reason
from offhook.sip.headers.table import Headers
from offhook.sip.headers.timers import RetryAfter, SessionExpires, parse_min_se, parse_seconds
from offhook.sip.headers.via import Via
from offhook.sip.phrases import phrase
from offhook.sip.uri import Uri

__all__ = ["STAR", "CSeq", "Headers", "Message", "NameAddr", "Request", "Response", "Star", "Uri", "Via"]

SIP_VERSION: Final = "SIP/2.0"
MAX_FORWARDS_MAX: Final = 255

T = TypeVar("T")

# Section 12.1.1: responses that make a dialog carry the request's Record-Route back.
_DIALOG_METHODS: Final = frozenset({"INVITE", "SUBSCRIBE", "REFER", "NOTIFY"})


class _Head:
    """What requests and responses share: the headers, their typed views, the body.

    `flaw` is what the parser found wrong around the values (a header line without a colon, a Content-Length that is
    none); `None` for a message that is whole. It is not part of what the message says and is not compared.
    """

    __slots__ = ("body", "flaw", "headers")

    headers: Headers
    body: bytes
    flaw: str | None

    def _one(self, name: str, parse: Callable[[str], T]) -> T | None:
        """The typed view of a header that stands at most once; `None` if it is not there."""

        def view(headers: Headers) -> T | None:
            raw = headers.get(name)
            return None if raw is None else parse(raw)

        return self.headers.parsed(name, view)

    def _must(self, name: str, parse: Callable[[str], T]) -> T:
        found = self._one(name, parse)
        if found is None:
            raise SyntaxFault(name, "is missing")
        return found

    def _list(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """The typed view of a header that is a list."""
        return self.headers.parsed(name, lambda headers: tuple(parse(value) for value in headers.values(name)))

    def _readable(self, name: str, parse: Callable[[str], T]) -> tuple[T, ...]:
        """The elements of a list that only informs, without those that are malformed (section 8.2)."""

        def view(headers: Headers) -> tuple[T, ...]:
            found: list[T] = []
            try:
                for value in headers.values(name):
                    with suppress(SyntaxFault):
                        found.append(parse(value))
            except SyntaxFault:
                return ()
            return tuple(found)

        return self.headers.parsed(name, view)

    def _addresses(self, name: str) -> tuple[NameAddr, ...]:
        return self.headers.parsed(name, lambda headers: NameAddr.parse_all(headers.values(name), name))

    def _tags(self, name: str) -> tuple[str, ...]:
        return self.headers.parsed(name, lambda headers: parse_option_tags(name, headers.all(name)))

    @property
    def via(self) -> Via:
        """The top Via."""
        vias = self.vias
        if not vias:
            raise SyntaxFault("Via", "is missing")
        return vias[0]

    @property
    def vias(self) -> tuple[Via, ...]:
        """Every Via, the newest first."""
        return self._list("Via", Via.parse)

    @property
    def from_(self) -> NameAddr:
        """From."""
        return self._must("From", lambda raw: NameAddr.parse(raw, "From"))

    @property
    def to(self) -> NameAddr:
        """To."""
        return self._must("To", lambda raw: NameAddr.parse(raw, "To"))

    @property
    def call_id(self) -> str:
        """Call-ID, compared octet by octet (section 8.1.1.4)."""
        return self._must("Call-ID", _call_id)

    @property
    def cseq(self) -> CSeq:
        """CSeq."""
        return self._must("CSeq", CSeq.parse)

    @property
    def contacts(self) -> list[NameAddr] | Star:
        """Every Contact, or `STAR`."""
        return self.headers.parsed("Contact", lambda headers: parse_contacts(headers.values("Contact")))

    @property
    def contact(self) -> NameAddr | None:
        """The first Contact that is an address, or `None`."""
        contacts = self.contacts
        return contacts[0] if isinstance(contacts, list) and contacts else None

    @property
    def max_forwards(self) -> int | None:
        """Max-Forwards, from 0 to 255."""
        return self._one("Max-Forwards", lambda raw: number("Max-Forwards", raw, maximum=MAX_FORWARDS_MAX))

    @property
    def routes(self) -> tuple[NameAddr, ...]:
        """Route, in order."""
        return self._addresses("Route")

    @property
    def record_routes(self) -> tuple[NameAddr, ...]:
        """Record-Route, in the order of the message."""
        return self._addresses("Record-Route")

    @property
    def path(self) -> tuple[NameAddr, ...]:
        """Path (RFC 3327)."""
        return self._addresses("Path")

    @property
    def service_route(self) -> tuple[NameAddr, ...]:
        """Service-Route (RFC 3608)."""
        return self._addresses("Service-Route")

    @property
    def expires(self) -> int | None:
        """Expires in seconds."""
        return self._one("Expires", lambda raw: parse_seconds("Expires", raw))

    @property
    def min_expires(self) -> int | None:
        """Min-Expires in seconds."""
        return self._one("Min-Expires", lambda raw: parse_seconds("Min-Expires", raw))

    @property
    def session_expires(self) -> SessionExpires | None:
        """Session-Expires (RFC 4028)."""
        return self._one("Session-Expires", SessionExpires.parse)

    @property
    def min_se(self) -> int | None:
        """Min-SE in seconds (RFC 4028)."""
        return self._one("Min-SE", parse_min_se)

    @property
    def retry_after(self) -> RetryAfter | None:
        """Retry-After."""
        return self._one("Retry-After", RetryAfter.parse)

    @property
    def allow(self) -> tuple[str, ...]:
        """Allow: methods."""
        return self.headers.parsed("Allow", lambda headers: parse_methods(headers.all("Allow")))

    @property
    def supported(self) -> tuple[str, ...]:
        """Supported: option tags in small letters, as in the three that follow."""
        return self._tags("Supported")

    @property
    def require(self) -> tuple[str, ...]:
        """Require."""
        return self._tags("Require")

    @property
    def proxy_require(self) -> tuple[str, ...]:
        """Proxy-Require."""
        return self._tags("Proxy-Require")

    @property
    def unsupported(self) -> tuple[str, ...]:
        """Unsupported."""
        return self._tags("Unsupported")

    @property
    def content_type(self) -> MediaType | None:
        """Content-Type."""
        return self._one("Content-Type", MediaType.parse)

    @property
    def content_disposition(self) -> Disposition | None:
        """Content-Disposition."""
        return self._one("Content-Disposition", Disposition.parse)

    @property
    def content_encoding(self) -> tuple[str, ...]:
        """Content-Encoding, in small letters."""
        return self._tags("Content-Encoding")

    @property
    def accept(self) -> tuple[MediaType, ...] | None:
        """Accept; `None` if it is not there, which for most requests means SDP (section 20.1)."""
        if "Accept" not in self.headers:
            return None
        return self.headers.parsed("Accept", lambda headers: parse_accept(headers.values("Accept")))

    @property
    def www_authenticate(self) -> tuple[Challenge, ...]:
        """The challenges of WWW-Authenticate."""
        return self._list("WWW-Authenticate", lambda raw: Challenge.parse(raw, "WWW-Authenticate"))

    @property
    def proxy_authenticate(self) -> tuple[Challenge, ...]:
        """The challenges of Proxy-Authenticate."""
        return self._list("Proxy-Authenticate", lambda raw: Challenge.parse(raw, "Proxy-Authenticate"))

    @property
    def authorization(self) -> tuple[Credentials, ...]:
        """The credentials of Authorization."""
        return self._list("Authorization", lambda raw: Credentials.parse(raw, "Authorization"))

    @property
    def proxy_authorization(self) -> tuple[Credentials, ...]:
        """The credentials of Proxy-Authorization."""
        return self._list("Proxy-Authorization", lambda raw: Credentials.parse(raw, "Proxy-Authorization"))

    @property
    def event(self) -> Event | None:
        """Event (RFC 6665)."""
        return self._one("Event", Event.parse)

    @property
    def subscription_state(self) -> SubscriptionState | None:
        """Subscription-State (RFC 6665)."""
        return self._one("Subscription-State", SubscriptionState.parse)

    @property
    def refer_to(self) -> NameAddr | None:
        """Refer-To (RFC 3515)."""
        return self._one("Refer-To", lambda raw: NameAddr.parse(raw, "Refer-To"))

    @property
    def replaces(self) -> Replaces | None:
        """Replaces (RFC 3891)."""
        return self._one("Replaces", Replaces.parse)

    @property
    def p_asserted_identity(self) -> tuple[NameAddr, ...]:
        """P-Asserted-Identity (RFC 3325); malformed ones are passed over, as in the four that follow."""
        return self._readable("P-Asserted-Identity", lambda raw: NameAddr.parse(raw, "P-Asserted-Identity"))

    @property
    def referred_by(self) -> NameAddr | None:
        """Referred-By (RFC 3892)."""
        return next(iter(self._readable("Referred-By", lambda raw: NameAddr.parse(raw, "Referred-By"))), None)

    @property
    def privacy(self) -> frozenset[str]:
        """Privacy (RFC 3323); empty if it is not there."""
        return self.headers.parsed("Privacy", lambda headers: parse_privacy(headers.all("Privacy")))

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Reason (RFC 3326); not the reason phrase."""
        return self._readable("Reason", Reason.parse)

    @property
    def warnings(self) -> tuple[Warning, ...]:
        """Warning."""
        return self._readable("Warning", Warning.parse)

    @property
    def rseq(self) -> int | None:
        """RSeq (RFC 3262)."""
        return self._one("RSeq", lambda raw: number("RSeq", raw, maximum=RSEQ_MAX))

    @property
    def rack(self) -> RAck | None:
        """RAck (RFC 3262)."""
        return self._one("RAck", RAck.parse)

    def _encode(self, start_line: str) -> bytes:
        """Start line, headers, a true Content-Length, body. A header that would break a line is our own fault."""
        lines = [start_line]
        lines += [f"{name}: {value}" for key, name, value in self.headers.lines() if key != "content-length"]
        lines.append(f"Content-Length: {len(self.body)}\r\n\r\n")
        text = "\r\n".join(lines)
        breaks = len(lines) + 1
        if text.count("\n") != breaks or text.count("\r") != breaks:
            raise ValueError("a header value or the start line holds a line break; take it out before it is sent")
        return text.encode("utf-8", "surrogateescape") + self.body


class Request(_Head):
    """A request. `uri` may be given as text, which is parsed when it is first asked for."""

    __slots__ = ("_uri", "method", "version")

    def __init__(
        self,
        method: str,
        uri: Uri | str,
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        version: str = SIP_VERSION,
        flaw: str | None = None,
    ) -> None:
        self.method = method
        self._uri = uri
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.version = version
        self.flaw = flaw

    @property
    def uri(self) -> Uri:
        """The Request-URI. Raises `SyntaxFault` if it is none; a scheme that we don't know is no fault here."""
        uri = self._uri
        if isinstance(uri, str):
            uri = self._uri = Uri.parse(uri)
        return uri

    @uri.setter
    def uri(self, uri: Uri | str) -> None:
        self._uri = uri

    @property
    def raw_uri(self) -> str:
        """The Request-URI as text, be it well-formed or not."""
        return str(self._uri)

    @property
    def tags(self) -> tuple[str | None, str | None]:
        """(From tag, To tag)."""
        return self.from_.tag, self.to.tag

    def encode(self) -> bytes:
        """The octets to send, with the body's Content-Length in place of any that the headers hold."""
        return self._encode(f"{self.method} {self._uri} {self.version}")

    def reply(
        self,
        status: int,
        reason: str | None = None,
        *,
        to_tag: str | None = None,
        headers: Iterable[tuple[str, str]] = (),
        body: bytes = b"",
        content_type: str | None = None,
    ) -> Response:
        """The response to this request by section 8.2.6.2: Via, From, To, Call-ID and CSeq copied as they came.

        `to_tag` is added unless To has one already or `status` is 100; Record-Route is copied where a dialog may begin
        (section 12.1.1), Timestamp into a 100 (section 8.2.6.1). `headers` follow. The request may be malformed.
        """
        dialog = 100 < status < 300 and self.method in _DIALOG_METHODS
        items: list[tuple[str, str, str]] = []
        for item in self.headers.lines():
            key = item[0]
            if key in _COPIED or (dialog and key == "record-route") or (status == 100 and key == "timestamp"):
                if key == "to" and to_tag is not None and status != 100 and not self._has_to_tag():
                    item = (key, item[1], f"{item[2]};tag={to_tag}")
                items.append(item)
        table = Headers.adopt(items)
        for name, value in headers:
            table.add(name, value)
        if content_type is not None:
            table.set("Content-Type", content_type)
        return Response(status, phrase(status) if reason is None else reason, table, body)

    def _has_to_tag(self) -> bool:
        try:
            return self.to.tag is not None
        except SyntaxFault:
            return True

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Request):
            return NotImplemented
        return (self.method, self.raw_uri, self.version, self.body) == (
            other.method,
            other.raw_uri,
            other.version,
            other.body,
        ) and self.headers == other.headers

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Request {self.method} {self.raw_uri}>"


class Response(_Head):
    """A response. `reason` is the phrase of the status line, for people only (section 7.2)."""

    __slots__ = ("reason", "status", "version")

    def __init__(
        self,
        status: int,
        reason: str,
        headers: Headers | None = None,
        body: bytes = b"",
        *,
        version: str = SIP_VERSION,
        flaw: str | None = None,
    ) -> None:
        self.status = status
        self.reason = reason
        self.headers = Headers() if headers is None else headers
        self.body = body
        self.version = version
        self.flaw = flaw

    def encode(self) -> bytes:
        """The octets to send, with the body's Content-Length in place of any that the headers hold."""
        return self._encode(f"{self.version} {self.status} {self.reason}")

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Response):
            return NotImplemented
        return (self.status, self.reason, self.version, self.body) == (
            other.status,
            other.reason,
            other.version,
            other.body,
        ) and self.headers == other.headers

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"<Response {self.status} {self.reason}>"


Message = Request | Response

_COPIED: Final = frozenset({"via", "from", "to", "call-id", "cseq"})


def _call_id(raw: str) -> str:
    if not is_call_id(raw):
        raise SyntaxFault("Call-ID", "is malformed", raw)
    return raw
