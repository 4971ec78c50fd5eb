"""Everything an endpoint can tell its application. What is not in this file, it cannot say.

A session's last event is always ``Ended``, exactly once; whatever explains it (``Refused``, ``RemoteHungUp``) comes
just before.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import Literal

from offhook.sip.commands import Body, OptionsId, QueryId, RegistrationId, RequestHandle, SessionId
from offhook.sip.headers.auth import Credentials
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop
from offhook.sip.message import Headers
from offhook.sip.uri import Uri


class HangUpKind(Enum):
    """How the other side went away."""

    BYE = "bye"
    CANCEL = "cancel"
    TIMEOUT = "timeout"
    """It no longer answers: no ACK, no answer within a dialog, no session refresh."""
    TRANSPORT = "transport"
    """Nothing can be sent there any more (section 18.4)."""


class EndCause(Enum):
    """Who ended a session."""

    LOCAL = "local"
    """We: hung up, cancelled or rejected."""
    REMOTE = "remote"
    """They; ``RemoteHungUp`` came before."""
    REFUSED = "refused"
    """Our INVITE was not accepted; ``Refused`` came before."""


class RegistrationState(Enum):
    """A registration of ours, as far as the application cares; also the machine's states."""

    __hash__ = object.__hash__

    NEW = "new"
    REGISTERING = "registering"
    REGISTERED = "registered"
    REFRESHING = "refreshing"
    WAITING = "waiting"
    """Failed; another try comes by itself."""
    STOPPING = "stopping"
    """Wanted no more; leaves as soon as the REGISTER under way is answered (section 10.2)."""
    LEAVING = "leaving"
    GONE = "gone"


@dataclass(frozen=True, slots=True, kw_only=True)
class IncomingInvite:
    """Somebody calls. A 100 is on its way; now ring, answer, reject or challenge."""

    session: SessionId
    handle: RequestHandle
    """For ``challenge`` and ``check_credentials``."""
    uri: Uri
    """The Request-URI: what was dialled."""
    from_: NameAddr
    to: NameAddr
    offer: Body | None
    """None: the peer wants our offer in the answer."""
    headers: Headers
    """The whole request's, for P-Asserted-Identity, Diversion, Privacy…; not to be changed."""
    hop: Hop
    """Where it came from."""
    credentials: tuple[Credentials, ...]
    """Digest answers that came along, unverified."""
    max_forwards: int
    """What is left of it; at 0 nothing may be passed on (RFC 7332)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """A provisional answer above 100 to our INVITE."""

    session: SessionId
    status: int
    reason: str
    early: str
    """Which early dialog: the peer's tag; "" if it gave none. Forking makes several (section 13.2.2.4)."""
    body: Body | None
    """Early media's description, if any."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """Our INVITE was accepted."""

    session: SessionId
    early: str
    """The peer's tag, as in ``Progress.early``."""
    body: Body | None
    """Their answer; their offer if ``ack_needed``."""
    ack_needed: bool
    """True: our INVITE had no offer, so ``acknowledge`` must follow with an answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Established:
    """The ACK passed: sent by us as caller, received as callee."""

    session: SessionId
    body: Body | None
    """As callee who offered in the answer: their answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """Our INVITE failed for good."""

    session: SessionId
    status: int
    """300 to 699; 408 and 503 also stand for silence and for a transport error (section 8.1.3.1)."""
    reason: str
    retry_after_s: int | None
    contacts: tuple[NameAddr, ...]
    """Of a 3xx, best first."""
    headers: Headers | None
    """The response's; None where nobody answered."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferReceived:
    """The peer changes the session: answer with ``accept_offer`` or ``refuse_offer``, at once for UPDATE."""

    session: SessionId
    method: Literal["INVITE", "UPDATE"]
    body: Body | None
    """None: the peer wants our offer; its answer comes as ``OfferAnswered``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferAnswered:
    """The answer to an offer we made in an established session."""

    session: SessionId
    body: Body | None
    """None if the peer gave none."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferRefused:
    """An offer we made in an established session was turned down; the session goes on as before (section 14.1)."""

    session: SessionId
    status: int
    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class InfoReceived:
    """An INFO in the dialog; it has been answered with 200."""

    session: SessionId
    body: Body


@dataclass(frozen=True, slots=True, kw_only=True)
class RemoteHungUp:
    """The other side went away."""

    session: SessionId
    how: HangUpKind
    reason: str | None
    """The Reason header, raw (RFC 3326)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ended:
    """Nothing more will be said of this session."""

    session: SessionId
    cause: EndCause


@dataclass(frozen=True, slots=True, kw_only=True)
class RegisterReceived:
    """A REGISTER asks: answer with ``challenge``, ``accept_register`` or ``reject_request``."""

    handle: RequestHandle
    aor: Uri
    """The address of record, without parameters."""
    contacts: tuple[NameAddr, ...]
    """Empty for a query; also empty with ``star``."""
    star: bool
    """Contact: * – everything goes (section 10.2.2)."""
    hop: Hop
    credentials: tuple[Credentials, ...]
    user_agent: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Binding:
    """Where a registered address can be reached."""

    contact: Uri
    q: float
    expires_at: float
    """Monotonic, seconds: a clock that is set takes nobody's registration away."""
    hop: Hop
    """The flow the REGISTER came by; its ``connection`` is None once that has closed."""
    instance: str | None
    """``+sip.instance`` (RFC 5626), as it came."""
    user_agent: str | None
    call_id: str
    cseq: int


@dataclass(frozen=True, slots=True, kw_only=True)
class BindingsChanged:
    """The bindings of an address of record are others now."""

    aor: Uri
    bindings: tuple[Binding, ...]
    """All that stand now, best first; empty: unreachable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RegistrationChanged:
    """A registration of ours changed its state."""

    registration: RegistrationId
    state: RegistrationState
    status: int | None
    """The answer that caused it, where one did."""
    reason: str
    expires_s: int | None
    """What the registrar granted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class OptionsAnswered:
    """An OPTIONS of ours was answered, whatever by: any answer proves life. 408 and 503 mean that none came."""

    options: OptionsId
    status: int
    alive: bool
    """Whether the answer came from the other side."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Resolve:
    """Look this up and call ``handle_resolved`` (RFC 3263, RFC 2782)."""

    query: QueryId
    kind: Literal["srv", "address"]
    name: str
    """An SRV owner name, or a host name whose A and AAAA are wanted."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CloseHop:
    """This stream has lost its framing: close it."""

    hop: Hop


class StrayKind(Enum):
    """What could only be dropped."""

    UNPARSEABLE = "unparseable"
    RESPONSE = "response"
    """Matches no transaction."""
    ACK = "ack"
    """Matches no dialog."""
    DISCARDED = "discarded"
    """Wrong in a way that nobody is owed an answer for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StrayMessage:
    """Something arrived that belongs nowhere; for counters."""

    kind: StrayKind
    hop: Hop
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Milestone:
    """A message that explains a call, for its timeline."""

    session: SessionId
    sent: bool
    """False: received."""
    what: str
    """"INVITE", "180 Ringing", "BYE"…; repeats are not told."""
    hop: Hop | None
    """None where the message still waits for a name to be looked up."""
    at: float
    """Wall clock, seconds."""
    call_id: str = ""
    """The Call-ID header: what a carrier knows the call by."""
    reason: str | None = None
    """The message's Reason header, raw (RFC 3326)."""


SessionEvent = (
    IncomingInvite
    | Progress
    | Answered
    | Established
    | Refused
    | OfferReceived
    | OfferAnswered
    | OfferRefused
    | InfoReceived
    | RemoteHungUp
    | Ended
    | Milestone
)
Event = (
    SessionEvent
    | RegisterReceived
    | BindingsChanged
    | RegistrationChanged
    | OptionsAnswered
    | Resolve
    | CloseHop
    | StrayMessage
)
