"""What is remembered of one INVITE session: plain data, and the words for it (RFC 3261 sections 13 to 15).

Behaviour lives in the files beside this one.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum

from offhook.sip.commands import Account, Body, SessionId
from offhook.sip.dialog import Dialog
from offhook.sip.hop import Hop
from offhook.sip.session_timer import SessionTimer


class Phase(Enum):
    """Where a session stands."""

    __hash__ = object.__hash__

    CALLING = "calling"
    """Our INVITE waits for its final answer."""
    CANCELLING = "cancelling"
    """The same, but we hung up."""
    ACKING = "acking"
    """A 2xx brought an offer; the application owes the answer that goes into the ACK."""
    INCOMING = "incoming"
    """Their INVITE waits for our final answer."""
    ANSWERED = "answered"
    """Our 2xx waits for its ACK."""
    ESTABLISHED = "established"
    LEAVING = "leaving"
    """Our BYE waits for its answer."""
    ENDED = "ended"
    """Over; kept only while late messages may still come."""


@dataclass(slots=True, kw_only=True)
class Unacked:
    """A 2xx of ours that is repeated until its ACK comes (section 13.3.1.4)."""

    seq: int
    """The INVITE's number; its ACK has the same."""
    tx: str
    """The server transaction, which keeps the octets."""
    interval: float
    """Seconds until the next repeat."""
    offers: bool
    """The 2xx holds an offer, so the ACK brings an answer."""


@dataclass(slots=True, kw_only=True)
class Ack:
    """An ACK of ours, sent again for each repeat of its 2xx (section 13.2.2.4)."""

    seq: int
    data: bytes
    hop: Hop


@dataclass(slots=True, kw_only=True)
class Session:
    """One call, seen from here."""

    id: SessionId
    caller: bool
    """Whether the first INVITE was ours."""
    phase: Phase
    call_id: str
    tag: str
    """Ours."""
    contact_user: str
    """Escaped; the user part of our Contact."""
    account: Account | None = None
    offers_in_invite: bool = True
    """Whether the first INVITE held an offer."""

    dialog: Dialog | None = None
    """The one that counts; as caller only after a 2xx."""
    early: dict[str, Dialog] = field(default_factory=dict)
    """As caller: the early dialogs by the peer's tag."""
    strays: list[str] = field(default_factory=list)
    """As caller: tags of further 2xx, which were acknowledged and ended."""
    acks: dict[str, Ack] = field(default_factory=dict)
    """As caller: by the peer's tag."""

    invite: str = ""
    """The ``Outgoing`` of our first INVITE; "" once its transactions are gone."""
    provisional: bool = False
    """Whether any provisional answer came, before which no CANCEL may leave (section 9.1)."""
    cancelled: bool = False
    """Whether our CANCEL has left."""
    flow: Hop | None = None
    """As caller: the flow that was ordered."""
    reason: str | None = None
    """The Reason header for our CANCEL or BYE."""

    asked: str = ""
    """Server transaction of their INVITE or UPDATE that waits for the application."""
    asked_offer: bool = False
    """Whether it holds an offer; otherwise our answer to it does."""
    first: str = ""
    """As callee: server transaction of the first INVITE."""
    unacked: Unacked | None = None

    change: str = ""
    """The ``Outgoing`` of our re-INVITE or UPDATE."""
    change_body: Body | None = None
    """The offer in it; None in an UPDATE that only refreshes."""
    waiting_change: Body | None = None
    """An offer of ours that waits for its turn, or for the end of a back-off (section 14.1)."""
    bye: str = ""
    bye_wanted: bool = False
    """Hung up before the ACK came; the BYE waits for it (section 15)."""

    local_body: Body | None = None
    """The description we gave last, to refresh with; unread."""
    timer: SessionTimer = field(default_factory=SessionTimer)
    told_end: bool = False
