"""What the application can say to an endpoint, and how an endpoint is set up: values only.

What is not in this file or a method of ``Endpoint`` cannot be asked for. A body is octets with a type: this room never
looks inside one.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import NewType

from offhook.sip.digest import Algorithm
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop, Way
from offhook.sip.timers import TimerValues
from offhook.sip.uri import Uri

SessionId = NewType("SessionId", str)
"""One INVITE session, ours or theirs; never used twice."""
RequestHandle = NewType("RequestHandle", str)
"""One incoming request that waits for the application's word."""
RegistrationId = NewType("RegistrationId", str)
"""One registration of ours at somebody else's registrar."""
QueryId = NewType("QueryId", str)
"""One name to look up."""
OptionsId = NewType("OptionsId", str)
"""One OPTIONS of ours."""

Entropy = Callable[[int], bytes]
"""Gives that many random octets; tags, branches and Call-IDs are made of it, so it must be good (section 19.3)."""

HeaderLines = tuple[tuple[str, str], ...]


def one_line(*texts: str | None) -> None:
    """Refuse, with ``ValueError``, what would break out of its header line."""
    for text in texts:
        if text is not None and ("\r" in text or "\n" in text):
            raise ValueError(f"{text!r} holds a line break, which no header line may")


def one_line_each(headers: HeaderLines) -> None:
    """The same for header lines."""
    for name, value in headers:
        one_line(name, value)


@dataclass(frozen=True, slots=True)
class Body:
    """A message body, unread."""

    content: bytes
    content_type: str = "application/sdp"

    def __post_init__(self) -> None:
        one_line(self.content_type)


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """What we prove ourselves with when challenged (section 22)."""

    username: str
    password: str = field(repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionTimerPolicy:
    """RFC 4028, in seconds."""

    offer: bool = False
    """Whether our own INVITEs ask for a session timer. An answer to somebody else's is given in any case."""
    interval_s: int = 1800
    min_interval_s: int = 90
    """Shorter intervals are refused with 422 (section 4 names 90 as the least)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrarPolicy:
    """Section 10.3, in seconds."""

    default_expires_s: int = 3600
    min_expires_s: int = 60
    """Shorter wishes get 423 with this figure."""
    max_expires_s: int = 7200
    """Longer wishes are granted this."""
    contacts_max: int = 10
    """More bindings than this for one address are refused with 403."""


@dataclass(frozen=True, slots=True, kw_only=True)
class EndpointConfig:
    """Everything an endpoint is told once."""

    ways: tuple[Way, ...]
    """Our addresses; the first of a transport is its default. At least one."""
    domain: str
    """The realm and domain of phones that register here."""
    user_agent: str = "Offhook"
    timers: TimerValues = field(default_factory=TimerValues)
    session_timer: SessionTimerPolicy = field(default_factory=SessionTimerPolicy)
    registrar: RegistrarPolicy = field(default_factory=RegistrarPolicy)
    large_request_bytes: int | None = 1300
    """A request above this goes by TCP if we and the URI allow it (section 18.1.1); None: never for size."""
    decision_timeout_s: float = 20.0
    """How long a REGISTER may wait for the application before it is dropped unanswered (RFC 4320 forbids 408)."""
    transactions_max: int = 200_000
    """With so many alive, whatever begins something new gets a stateless 503: memory is not the sender's to spend."""
    digest_algorithms: tuple[Algorithm, ...] = (Algorithm.SHA256, Algorithm.MD5)
    """What phones are asked for, the preferred one first (RFC 8760 section 2.4); others are not taken."""
    digest_secret: bytes | None = field(default=None, repr=False)
    """Signs the nonces of our challenges, at least 16 octets; given, nonces outlive a restart. None: drawn."""
    trying_at_once: bool = True
    """Whether 100 answers an INVITE at once. Else the application says it with ``trying``, within 200 ms (17.2.1), when
    it has made sure that the call outlives it: a caller who was told something repeats the INVITE no more."""
    trace: bool = True
    """Whether ``Milestone`` events are emitted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class InviteOrder:
    """A call to make."""

    target: Uri
    """The Request-URI."""
    from_: NameAddr
    to: NameAddr
    """Both without a tag; it is made here."""
    offer: Body | None
    """None makes the peer offer, and ``Answered.ack_needed`` ask for our answer (section 13.2.1)."""
    account: Account | None = None
    routes: tuple[Uri, ...] = ()
    """A preloaded route set: an outbound proxy, ``;lr`` added if it is missing (section 8.1.2)."""
    hop: Hop | None = None
    """Use exactly this flow, as for a phone that registered over it; nothing is looked up."""
    headers: HeaderLines = ()
    """More header lines: P-Asserted-Identity, Diversion, Privacy…"""
    max_forwards: int = 70
    contact_user: str | None = None
    """User part of our Contact; None takes From's."""

    def __post_init__(self) -> None:
        one_line_each(self.headers)
        one_line(str(self.target), str(self.from_), str(self.to), *(str(route) for route in self.routes))


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationOrder:
    """A registration to keep up at somebody else's registrar (section 10.2)."""

    registrar: Uri
    """The Request-URI: a domain without a user."""
    aor: NameAddr
    """What is registered; To and From."""
    account: Account | None
    expires_s: int = 600
    contact_user: str | None = None
    """User part of the Contact; None takes the address of record's."""
    routes: tuple[Uri, ...] = ()

    def __post_init__(self) -> None:
        one_line(str(self.registrar), str(self.aor), *(str(route) for route in self.routes))
