"""One webhook as a value, and what of it goes on the wire: form encoding, query, userinfo, fragment.

The encoding is 46elks': `application/x-www-form-urlencoded`, UTF-8, `+` as `%2B`, a space as `+` (API documentation,
"call actions"). A customer's URL is sent as it was written; only what no HTTP request may hold is escaped.
"""

import base64
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Any
from urllib.parse import quote, unquote, urlencode, urljoin, urlsplit, urlunsplit

from offhook.hooks.errors import WrongHookUrl

MAX_URL_CHARS = 8_192
FORM = "application/x-www-form-urlencoded"
EXPORT_VERSION = 1
DEFAULT_PORTS = {"http": 80, "https": 443}
# RFC 3986 §2.2 and §2.3, and the percent sign of what is escaped already.
_KEPT = "!#$%&'()*+,/:;=?@[]~-._"

Params = tuple[tuple[str, str], ...]
Headers = tuple[tuple[str, str], ...]


class Purpose(Enum):
    """What hangs on the answer."""

    CONTROL = "control"
    """A call waits for the document in it."""
    OWED = "owed"
    """Nobody waits; it is tried until it is delivered or dead."""


class Method(Enum):
    GET = "GET"
    POST = "POST"


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """Who answers: what `http://h:1/a` and `http://h:1/b` have in common."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{self.host}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class WebhookRequest:
    """`id` is stable over all tries, so that a receiver can be told of a repetition. `call` is empty outside calls.

    `params` are names and values in order, not encoded. `url` is the customer's, as written. `account` is whose key
    signs it (empty: nobody's). `sequence` says which one of the posts owed to its call it is, from 1 (0: none of them).
    """

    id: str
    purpose: Purpose
    call: str
    url: str
    method: Method = Method.POST
    params: Params = ()
    account: str = ""
    sequence: int = 0

    def export(self) -> dict[str, Any]:
        return {
            "v": EXPORT_VERSION,
            "id": self.id,
            "purpose": self.purpose.value,
            "call": self.call,
            "url": self.url,
            "method": self.method.value,
            "params": [list(pair) for pair in self.params],
            "account": self.account,
            "sequence": self.sequence,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> "WebhookRequest":
        """From `export()`. Raises `ValueError` for a version this program does not know."""
        if data["v"] != EXPORT_VERSION:
            raise ValueError(f"webhook request of version {data['v']} is not known here")
        return cls(
            id=data["id"],
            purpose=Purpose(data["purpose"]),
            call=data["call"],
            url=data["url"],
            method=Method(data["method"]),
            params=tuple((name, value) for name, value in data["params"]),
            account=data.get("account", ""),
            sequence=data.get("sequence", 0),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Wire:
    """An HTTP request to be sent as it is. `url` has neither userinfo nor fragment and needs no more escaping."""

    method: Method
    url: str
    headers: Headers
    body: bytes | None


def wire(request: WebhookRequest) -> Wire:
    """What goes out first. Raises `WrongHookUrl`."""
    url, authorization = split_credentials(request.url)
    if request.method is Method.GET:
        return Wire(method=Method.GET, url=merge_query(url, request.params), headers=authorization, body=None)
    headers = (("Content-Type", FORM), *authorization)
    return Wire(method=Method.POST, url=url, headers=headers, body=encode_form(request.params).encode("ascii"))


def redirected(sent: Wire, location: str) -> Wire:
    """The same request to where it was sent on (RFC 9110 §15.4). Raises `WrongHookUrl`.

    Credentials stay with the receiver they were meant for: another scheme, host or port gets those of `location` only.
    """
    try:
        target = urljoin(sent.url, location.strip())
    except ValueError as error:
        raise WrongHookUrl(str(error)) from None
    url, authorization = split_credentials(target)
    headers = sent.headers
    if authorization or receiver(url) != receiver(sent.url):
        headers = tuple(pair for pair in sent.headers if pair[0] != "Authorization") + authorization
    return Wire(method=sent.method, url=url, headers=headers, body=sent.body)


def as_get(sent: Wire, params: Params) -> Wire:
    """What was posted, as a GET to the same place: the parameters stand in its query."""
    headers = tuple(pair for pair in sent.headers if pair[0] != "Content-Type")
    return Wire(method=Method.GET, url=merge_query(sent.url, params), headers=headers, body=None)


def receiver(url: str) -> Receiver:
    """Scheme, host and port of a URL. Raises `WrongHookUrl`."""
    if len(url) > MAX_URL_CHARS:
        raise WrongHookUrl(f"it has {len(url)} characters and the limit is {MAX_URL_CHARS}")
    try:
        parts = urlsplit(url.strip())
        port = parts.port
    except ValueError as error:
        raise WrongHookUrl(str(error)) from None
    scheme = parts.scheme.lower()
    if scheme not in DEFAULT_PORTS:
        raise WrongHookUrl(f"its scheme is {scheme or 'missing'}, not http or https")
    if not parts.hostname:
        raise WrongHookUrl("it names no host")
    if port == 0:
        raise WrongHookUrl("its port is 0")
    return Receiver(scheme=scheme, host=_ascii_host(parts.hostname), port=port or DEFAULT_PORTS[scheme])


def split_credentials(url: str) -> tuple[str, Headers]:
    """The URL without userinfo and fragment, and the Basic header (RFC 7617 §2) that its userinfo asks for."""
    who = receiver(url)
    parts = urlsplit(url.strip())
    userinfo, at, _ = parts.netloc.rpartition("@")
    headers: Headers = ()
    if at:
        user, _, password = userinfo.partition(":")
        token = base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode("utf-8", "replace")).decode("ascii")
        headers = (("Authorization", f"Basic {token}"),)
    host = f"[{who.host}]" if ":" in who.host else who.host
    netloc = host if parts.port is None else f"{host}:{parts.port}"
    return urlunsplit((who.scheme, netloc, _escape(parts.path) or "/", _escape(parts.query), "")), headers


def merge_query(url: str, params: Params) -> str:
    """The URL with `params` added to its query; what is there stays, letter by letter."""
    if not params:
        return url
    parts = urlsplit(url)
    query = f"{parts.query}&{encode_form(params)}" if parts.query else encode_form(params)
    return urlunsplit(parts._replace(query=query))


def encode_form(params: Params) -> str:
    """Ordered pairs as a form body: ASCII, every byte but letters, digits and `_.-~` escaped, spaces as `+`."""
    return urlencode(params, errors="replace", encoding="utf-8")


def _escape(text: str) -> str:
    return quote(text, safe=_KEPT, errors="replace")


def _ascii_host(host: str) -> str:
    if "%" in host or any(character.isspace() or not character.isprintable() for character in host):
        raise WrongHookUrl("its host name holds a character that none may hold")
    if host.isascii():
        return host
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        raise WrongHookUrl("its host name is none") from None
