"""A dialog: what two user agents remember of each other (RFC 3261 section 12).

It numbers requests, routes them and says whether one arrived in order. It knows no INVITE transaction and no session;
one session may hold several early dialogs (section 13.2.2.4).
"""

from __future__ import annotations

from dataclasses import dataclass

from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop
from offhook.sip.message import Headers, Request, Response
from offhook.sip.uri import Uri

MAX_FORWARDS = "70"
_NOT_IN_REQUEST_URI = ("method",)
"""Section 19.1.1, table 1: what may stand in a Route but not in a Request-URI, besides headers."""


@dataclass(slots=True, kw_only=True)
class Dialog:
    """One side's view; plain data."""

    call_id: str
    local: NameAddr
    """Our address with our tag: From of what we send."""
    remote: NameAddr
    """Theirs; the tag is missing only with a peer of RFC 2543."""
    local_seq: int
    """Number of our last request."""
    remote_seq: int | None
    """Number of their last request; None before the first."""
    routes: tuple[NameAddr, ...]
    """In the order of our Route header; fixed for the dialog's life, but see ``confirm``."""
    target: Uri
    """Their Contact: the Request-URI of what we send."""
    flow: Hop | None = None
    """Where to send without asking the target: a phone behind NAT, or on a connection of its own. Only while the
    route set is empty."""
    confirmed: bool = False

    @property
    def remote_tag(self) -> str:
        """The peer's tag, or "" (section 12.1.1)."""
        return self.remote.tag or ""

    def request(self, method: str, *, seq: int | None = None) -> tuple[Request, Uri]:
        """A request within the dialog, without Via and Contact, and the URI that leads to its next hop (12.2.1.1).

        ``seq`` repeats a number, as an ACK does; otherwise the next one is taken.
        """
        if seq is None:
            self.local_seq += 1
            seq = self.local_seq
        routes = self.routes
        uri = next_hop = self.target
        if routes:
            first = routes[0].uri
            next_hop = first
            if not first.has("lr"):
                # A strict router wants to find itself in the Request-URI and the target at the end.
                uri = in_request_uri(first)
                routes = (*routes[1:], NameAddr(uri=self.target))
        headers = Headers()
        for route in routes:
            headers.add("Route", str(route))
        headers.add("Max-Forwards", MAX_FORWARDS)
        headers.add("From", str(self.local))
        headers.add("To", str(self.remote))
        headers.add("Call-ID", self.call_id)
        headers.add("CSeq", f"{seq} {method}")
        return Request(method, uri, headers), next_hop

    def takes(self, request: Request) -> bool:
        """Whether a request comes in order, and if so note its number (12.2.2); otherwise 500 is owed."""
        number = request.cseq.number
        if self.remote_seq is not None and number <= self.remote_seq:
            return False
        self.remote_seq = number
        return True

    def retarget(self, message: Request | Response, hop: Hop | None = None) -> None:
        """Take over the Contact of a target refresh request or its 2xx (12.2.1.2, 12.2.2), and where it came from."""
        contact = message.contact
        if contact is None:
            return
        if self.flow is not None and hop is not None:
            self.flow = hop
        self.target = contact.uri

    def confirm(self, response: Response) -> None:
        """A 2xx makes it a confirmed dialog; only now the route set of the 2xx counts (13.2.2.4)."""
        self.confirmed = True
        self.routes = tuple(reversed(response.record_routes))
        if self.routes:
            self.flow = None
        self.retarget(response)


def in_request_uri(uri: Uri) -> Uri:
    """A URI without what must not stand in a Request-URI (section 19.1.1)."""
    kept = tuple(pair for pair in uri.params if pair[0].lower() not in _NOT_IN_REQUEST_URI)
    return uri.with_(params=kept, headers=())


def as_caller(request: Request, response: Response, *, flow: Hop | None) -> Dialog:
    """The dialog that a 101–299 to our INVITE makes (12.1.2).

    A response without Contact, which is against the rules in a 2xx, leaves the Request-URI as target.
    """
    routes = tuple(reversed(response.record_routes))
    contact = response.contact
    return Dialog(
        call_id=request.call_id,
        local=request.from_,
        remote=response.to,
        local_seq=request.cseq.number,
        remote_seq=None,
        routes=routes,
        target=request.uri if contact is None else contact.uri,
        flow=None if routes else flow,
    )


def as_callee(request: Request, tag: str, hop: Hop) -> Dialog:
    """The dialog that our 101–299 to their INVITE makes (12.1.1); ``hop`` is where the INVITE came from.

    Without a proxy on the way, and if the caller did not come from where it says it is (NAT) or came by a stream of
    its own, requests go back on that same flow: its Contact could not be reached (the practice of RFC 5626).
    """
    contact = request.contact
    routes = request.record_routes
    direct = not routes and (hop.transport != "udp" or request.via.received not in (None, request.via.host))
    if direct and contact is not None and contact.uri.host.strip("[]") == hop.remote[0]:
        direct = hop.transport != "udp" or (contact.uri.port or 5060) != hop.remote[1]
    return Dialog(
        call_id=request.call_id,
        local=request.to.with_tag(tag),
        remote=request.from_,
        local_seq=0,
        remote_seq=request.cseq.number,
        routes=routes,
        target=request.from_.uri if contact is None else contact.uri,
        flow=hop if direct else None,
    )
