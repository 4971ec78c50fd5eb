"""What a message that was read is worth: nothing wrong, a status owed, or (a response) nothing (RFC 3261 sections 8.2,
16.3, 18.1.2 and 21).

The checks run in the order of section 8.2, and every typed view that this stack relies on has been looked at once they
pass. It refuses to decide what depends on who asks or on a dialog: authentication, 481, 404. A fault of an ACK is never
answered (section 17); that is the caller's to keep.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from offhook.sip.errors import Fault, SyntaxFault
from offhook.sip.grammar import token_list
from offhook.sip.headers.media_type import MediaType
from offhook.sip.headers.table import identify
from offhook.sip.headers.via import MAGIC_COOKIE
from offhook.sip.message import SIP_VERSION, Message, Request, Response
from offhook.sip.phrases import phrase

URI_MAX_CHARS: Final = 2_048
"""A longer Request-URI gets 414."""

REGISTERED_METHODS: Final = frozenset(
    {"ACK", "BYE", "CANCEL", "INFO", "INVITE", "MESSAGE", "NOTIFY", "OPTIONS", "PRACK", "PUBLISH", "REFER", "REGISTER"}
    | {"SUBSCRIBE", "UPDATE"}
)

_MANDATORY: Final = ("via", "from", "to", "call-id", "cseq")
# Headers whose grammar is one value: section 7.3.1 allows several lines of a name only where it is a list.
_ONCE: Final = frozenset(
    {
        "from",
        "to",
        "call-id",
        "cseq",
        "max-forwards",
        "content-type",
        "content-disposition",
        "date",
        "event",
        "expires",
        "min-expires",
        "min-se",
        "rack",
        "refer-to",
        "replaces",
        "retry-after",
        "rseq",
        "session-expires",
        "subscription-state",
    }
)
_DATE = re.compile(
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [0-9]{4} "
    r"[0-9]{2}:[0-9]{2}:[0-9]{2} GMT"
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the element that validates can do; `None` means that the question is left to someone else.

    `methods`: a registered method that is not among them gets 405, any other 501. `extensions`: option tags that a
    Require may name (420). `body_types`: `type/subtype` of bodies that are read (415). `answers`: types of body that
    an INVITE is answered with, one of which its Accept must take (406).
    """

    methods: tuple[str, ...] | None = None
    schemes: tuple[str, ...] = ("sip", "sips", "tel")
    extensions: tuple[str, ...] = ()
    body_types: tuple[str, ...] | None = None
    answers: tuple[str, ...] | None = None


ANYTHING: Final = Capabilities()


def validate_request(request: Request, capabilities: Capabilities = ANYTHING) -> Fault | None:
    """What is wrong with a request, or `None`; the fault tells the status, its phrase and the headers owed with it."""
    if request.version != SIP_VERSION:
        return _fault(505)
    if request.flaw is not None:
        return _fault(400, request.flaw)
    try:
        wrong = _syntax(request)
        if wrong is None and request.cseq.method != request.method:
            wrong = "CSeq Names Another Method"
        if wrong is not None:
            return _fault(400, wrong)
        return (
            _method(request, capabilities)
            or _request_uri(request, capabilities)
            or _extensions(request, capabilities)
            or _body(request, capabilities)
            or _acceptable(request, capabilities)
        )
    except SyntaxFault as error:
        return _fault(400, _sentence(error))


def validate_response(response: Response) -> str | None:
    """Why a response is to be dropped, or `None` if it may be used."""
    if response.flaw is not None:
        return response.flaw
    if response.version != SIP_VERSION:
        return "the version is not SIP/2.0"
    if not 100 <= response.status <= 699:
        return "the status is not from 100 to 699"
    try:
        wrong = _syntax(response)
        if wrong is None and len(response.vias) > 1:
            # Section 8.1.3.3: a user agent is the last to see it, so that a second Via means that it is not for us.
            wrong = "more than one Via is left"
    except SyntaxFault as error:
        return _sentence(error)
    return wrong


def _syntax(message: Message) -> str | None:
    groups = message.headers.groups()
    for key in _MANDATORY:
        if key not in groups:
            return f"Missing {identify(key)[1]}"
    for key, lines in groups.items():
        if len(lines) > 1 and key in _ONCE:
            return f"More Than One {identify(key)[1]}"
        check = _CHECKS.get(key)
        if check is not None:
            check(message)
    if message.via.branch == MAGIC_COOKIE:
        return "The Branch Of Via Is Empty"
    return None


def _method(request: Request, capabilities: Capabilities) -> Fault | None:
    if capabilities.methods is None or request.method in capabilities.methods:
        return None
    status = 405 if request.method in REGISTERED_METHODS else 501
    return _fault(status, headers=(("Allow", ", ".join(capabilities.methods)),))


def _request_uri(request: Request, capabilities: Capabilities) -> Fault | None:
    if len(request.raw_uri) > URI_MAX_CHARS:
        return _fault(414)
    uri = request.uri
    if uri.scheme not in capabilities.schemes:
        return _fault(416)
    if uri.headers:
        # Section 19.1.1, table 1: a Request-URI has no headers.
        return _fault(400, "The Request-URI Has Headers")
    return None


def _extensions(request: Request, capabilities: Capabilities) -> Fault | None:
    if request.method in ("ACK", "CANCEL"):
        # Section 8.2.2.3: these are never refused for an extension.
        return None
    asked = token_list("Require", request.headers.all("Require"))
    unknown = [tag for tag in asked if tag.lower() not in capabilities.extensions]
    return _fault(420, headers=(("Unsupported", ", ".join(unknown)),)) if unknown else None


def _body(request: Request, capabilities: Capabilities) -> Fault | None:
    if not request.body:
        return None
    kind = request.content_type
    if kind is None:
        return _fault(400, "The Body Has No Content-Type")
    disposition = request.content_disposition
    if disposition is not None and disposition.optional:
        return None
    if any(coding != "identity" for coding in request.content_encoding):
        return _fault(415, headers=(("Accept-Encoding", "identity"),))
    if capabilities.body_types is not None and kind.essence not in capabilities.body_types:
        return _fault(415, headers=(("Accept", ", ".join(capabilities.body_types)),))
    return None


def _acceptable(request: Request, capabilities: Capabilities) -> Fault | None:
    accept = request.accept
    if request.method != "INVITE" or accept is None or capabilities.answers is None:
        return None
    return None if any(_takes(accept, essence) for essence in capabilities.answers) else _fault(406)


def _takes(accept: tuple[MediaType, ...], essence: str) -> bool:
    return any(kind.covers(essence) and kind.param("q") not in ("0", "0.0", "0.00", "0.000") for kind in accept)


def _fault(status: int, reason: str | None = None, headers: tuple[tuple[str, str], ...] = ()) -> Fault:
    return Fault(status=status, reason=phrase(status) if reason is None else reason, headers=headers)


def _sentence(error: SyntaxFault) -> str:
    """The reason phrase for a value that breaks its grammar; the value itself stays out of it."""
    return f"{error.what} {error.why}"


def _date(message: Message) -> None:
    text = message.headers.get("date") or ""
    if not _DATE.fullmatch(text):
        raise SyntaxFault("Date", "is no RFC 1123 date in GMT", text)


def _contacts(message: Message) -> None:
    contacts = message.contacts
    if isinstance(contacts, list):
        for contact in contacts:
            _ = contact.expires_s, contact.q


# The views that the stack steers by. What is only told to people (Reason, Warning, P-Asserted-Identity…) is not here: a
# malformed one is passed over, as section 8.2 says of headers that are not needed.
_CHECKS: Final[dict[str, Callable[[Message], Any]]] = {
    "accept": lambda message: message.accept,
    "allow": lambda message: message.allow,
    "authorization": lambda message: message.authorization,
    "call-id": lambda message: message.call_id,
    "contact": _contacts,
    "content-disposition": lambda message: message.content_disposition,
    "content-encoding": lambda message: message.content_encoding,
    "content-type": lambda message: message.content_type,
    "cseq": lambda message: message.cseq,
    "date": _date,
    "event": lambda message: message.event,
    "expires": lambda message: message.expires,
    "from": lambda message: message.from_,
    "max-forwards": lambda message: message.max_forwards,
    "min-expires": lambda message: message.min_expires,
    "min-se": lambda message: message.min_se,
    "path": lambda message: message.path,
    "proxy-authenticate": lambda message: message.proxy_authenticate,
    "proxy-authorization": lambda message: message.proxy_authorization,
    "rack": lambda message: message.rack,
    "record-route": lambda message: message.record_routes,
    "refer-to": lambda message: message.refer_to,
    "replaces": lambda message: message.replaces,
    "require": lambda message: message.require,
    "retry-after": lambda message: message.retry_after,
    "route": lambda message: message.routes,
    "rseq": lambda message: message.rseq,
    "service-route": lambda message: message.service_route,
    "session-expires": lambda message: message.session_expires,
    "subscription-state": lambda message: message.subscription_state,
    "supported": lambda message: message.supported,
    "to": lambda message: message.to,
    "unsupported": lambda message: message.unsupported,
    "via": lambda message: message.vias,
    "www-authenticate": lambda message: message.www_authenticate,
}
