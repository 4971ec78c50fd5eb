"""Legs over SIP: joins signalling, session descriptions and sound, and speaks call control upwards.

The only file in which a SIP status, a session description and a call's event meet. It decides nothing about calls: what
a caller hears next is the call's word, whom to call is routing's.
"""

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

import structlog

from offhook.call.commands import LegId
from offhook.call.events import DigitPressed, LegAnswered, LegEnded, LegHeld, LegPlaced, LegProgress, Tariff
from offhook.flow.view import Cause
from offhook.media.commands import NO_SESSION, SetRemote
from offhook.runtime.agreed_media import keep_outside, remote_of
from offhook.runtime.media_leg import MediaLeg
from offhook.runtime.media_legs import MediaLegs
from offhook.runtime.sip_causes import cause_of, reason_of, status_of
from offhook.runtime.sip_driver import SipDriver, now
from offhook.runtime.sip_leg import SESSION_ID_BITS, LegOwner, LegState, SipLeg
from offhook.sdp.description import SdpError
from offhook.sdp.offer_answer import LocalAudio, Negotiated, OfferAnswer, OutOfTurn, Preference, Turn
from offhook.sip import events as sip
from offhook.sip.commands import Body, InviteOrder, SessionId
from offhook.sip.hop import Hop

__all__ = ["LegOwner", "LegState", "SipLeg", "SipLegs"]

log = structlog.get_logger(__name__)

UNHEARD_MOST_S = 0.06
"""How much of a sound may have gone out before the answer that lets a caller hear it: three frames."""
TRYING_AFTER_S = 0.15
"""A caller hears 100 after this if nothing else has been said by then; RFC 3261 section 17.2.1 asks for it in 0.2 s."""
RINGING, SESSION_PROGRESS, NOT_ACCEPTABLE_HERE = 180, 183, 488


class SipLegs:
    """All legs over SIP of one endpoint."""

    def __init__(self, *, driver: SipDriver, media: MediaLegs, media_host: str, media_timeout_ms: int) -> None:
        self._driver = driver
        self._media = media
        self._host = media_host
        self._media_timeout_ms = media_timeout_ms
        self._by_session: dict[SessionId, SipLeg] = {}
        self.on_urgent: Callable[[SipLeg], None] = lambda _: None
        """Told of a leg about which something is said next that cannot be taken back: it must be durable before."""
        self.on_changed: Callable[[SipLeg], None] = lambda _: None
        """Told of a leg of which the endpoint knows something new."""
        self.on_ended: Callable[[SessionId], None] = lambda _: None
        """Told of a session that is over on the wire too."""

    @property
    def live(self) -> int:
        """Legs that have a session."""
        return len(self._by_session)

    def all(self) -> list[SipLeg]:
        """Legs that have a session, ended ones whose far end has not said so among them."""
        return list(self._by_session.values())

    # ── what owners ask for ──────────────────────────────────────────────────────────────────────────────────────

    def place(
        self, owner: LegOwner, leg: LegId, order: InviteOrder, tariff: Tariff, near: SipLeg | None = None
    ) -> SipLeg:
        """Call somebody: ports first, then the INVITE. `LegPlaced` or `LegEnded` follows."""
        made = self._made(owner, leg, LegState.OPENING, near)
        made.order, made.tariff = order, tariff
        return made

    def read_offer(self, invite: sip.IncomingInvite) -> OfferAnswer:
        """What a caller offers, for `incoming`: read once, and before anybody is asked what to do with the call.

        Raises `SdpError` for an offer with nothing in it that we can carry: 488 is owed (RFC 3261 section 21.4.26).
        """
        sdp = OfferAnswer(session_id=secrets.randbits(SESSION_ID_BITS))
        if invite.offer is not None:
            sdp.receive_offer(invite.offer.content)
        return sdp

    def incoming(
        self, owner: LegOwner, leg: LegId, invite: sip.IncomingInvite, sdp: OfferAnswer | None = None
    ) -> SipLeg:
        """Take up an incoming INVITE as a leg; ports are taken at once, so that an answer need not wait for them.

        `sdp`: what `read_offer` gave; without it the offer is read when it is answered.
        """
        made = self._made(owner, leg, LegState.OFFERED, None)
        made.session, made.offer = invite.session, invite.offer
        if sdp is not None:
            made.sdp = sdp
        self._by_session[invite.session] = made
        asyncio.get_running_loop().call_later(TRYING_AFTER_S, self._trying, made)
        # The endpoint told of the INVITE before there was a leg to tell it of.
        note = {"leg": leg, "what": "INVITE", **_peer(invite.hop)}
        if (call_id := invite.headers.get("Call-ID")) is not None:
            note["call_id"] = call_id
        owner.note("sip.received", note)
        return made

    def ring(self, leg: SipLeg) -> None:
        """Tell an unanswered caller that it rings."""
        if leg.state is LegState.OFFERED and leg.session is not None:
            self.on_urgent(leg)
            self._driver.endpoint.ring(leg.session, now(), status=RINGING)
            self._driver.pump()

    def early_media(self, leg: SipLeg) -> None:
        """Let an unanswered caller hear something."""
        if leg.state is LegState.OFFERED:
            leg.early_wanted = True
            self._progress(leg)

    def answer(self, leg: SipLeg) -> None:
        """Answer an incoming leg as soon as its ports are there."""
        if leg.state is LegState.OFFERED:
            leg.answer_wanted = True
            self._answer(leg)

    def hang_up(self, leg: SipLeg, cause: Cause) -> None:
        """End a leg in whatever state it is. Its owner hears of it at once; SIP sees to its own end."""
        if leg.state is LegState.ENDED:
            return
        if leg.session is not None:
            if leg.state is LegState.OFFERED:
                self._driver.endpoint.reject(leg.session, status_of(cause), now())
            else:
                self._driver.endpoint.hang_up(leg.session, now(), reason=reason_of(cause))
        self._end(leg, cause, "")
        self._driver.pump()

    # ── what the endpoint says ───────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: sip.SessionEvent) -> None:
        """Take an event of a session of ours; one whose leg has ended before it is ignored."""
        leg = self._by_session.get(event.session)
        if leg is None:
            if isinstance(event, sip.Ended):
                self.on_ended(event.session)
            return
        if not isinstance(event, sip.Milestone):
            self.on_changed(leg)
        match event:
            case sip.Progress():
                self._heard_progress(leg, event)
            case sip.Answered():
                self._heard_answer(leg, event)
            case sip.Established():
                self._read_answer(leg, event.body)
            case sip.Refused():
                detail = f"{event.status} {event.reason}".strip()
                self._end(leg, cause_of(event.status), detail)
            case sip.OfferReceived():
                self.on_urgent(leg)
                self._heard_offer(leg, event)
            case sip.OfferAnswered():
                self._read_answer(leg, event.body)
            case sip.InfoReceived():
                self._heard_info(leg, event)
            case sip.RemoteHungUp():
                self._heard_hangup(leg, event)
            case sip.Ended():
                del self._by_session[event.session]
                self._end(leg, Cause.NORMAL, "")
                self.on_ended(event.session)
            case sip.Milestone():
                self._note(leg, event)
            case sip.IncomingInvite() | sip.OfferRefused():
                pass

    # ── outliving the process ────────────────────────────────────────────────────────────────────────────────────

    def export(self, leg: SipLeg) -> dict[str, Any]:
        """A leg, its session and its sound as plain JSON."""
        return leg.export(self.session_facts(leg))

    def session_facts(self, leg: SipLeg) -> dict[str, Any] | None:
        """What the endpoint knows of a leg's session; `None` if there is none, or no longer."""
        if leg.session is None or leg.session not in self._by_session:
            return None
        return self._driver.endpoint.export(leg.session, now())

    def restore(self, owner: LegOwner, data: Mapping[str, Any], *, after: int) -> SipLeg:
        """Go on with an exported leg; the endpoint has its session already.

        `after`: the last event of the media engine that the export knows of. Raises `ValueError`, `KeyError` or
        `TypeError` for what was not exported here.
        """
        made = LegId(data["id"])
        if LegState(data["state"]) is LegState.ENDED:
            leg = SipLeg.restore(data, owner, MediaLeg(NO_SESSION, made, owner.post, closing=True))
        elif data["sip"] is not None and data["session"] not in self._driver.endpoint.sessions():
            raise ValueError(f"leg {made} has a session that could not be restored")
        else:
            media = self._media.restore(data["media"], made, owner.post, after=after)
            leg = SipLeg.restore(data, owner, media)
            media.on_open = lambda _: self._opened(leg)
            media.on_lost = lambda _: self._media_lost(leg)
            if media.address is not None:
                leg.local = LocalAudio(address=self._host, port=media.address[1], rtcp_port=media.rtcp_port)
            if leg.sdp.negotiated is not None:
                media.remote = self._remote_of(leg, leg.sdp.negotiated)
        if leg.session is not None and data["sip"] is not None:
            self._by_session[leg.session] = leg
        return leg

    def disown(self, session: SessionId, cause: Cause) -> None:
        """A session whose leg could not be restored: it is ended at its far end, and nobody hears of it."""
        self._by_session.pop(session, None)
        self._driver.endpoint.hang_up(session, now(), reason=reason_of(cause))
        self._driver.pump()

    # ── inside ───────────────────────────────────────────────────────────────────────────────────────────────────

    def _made(self, owner: LegOwner, leg: LegId, state: LegState, near: SipLeg | None) -> SipLeg:
        legs: list[SipLeg] = []
        media = self._media.open(
            leg,
            owner.post,
            on_open=lambda _: self._opened(legs[0]),
            on_lost=lambda _: self._media_lost(legs[0]),
            near=near.media if near is not None else None,
        )
        legs.append(SipLeg(leg, owner, state, media))
        return legs[0]

    def _opened(self, leg: SipLeg) -> None:
        assert leg.media.address is not None
        leg.local = LocalAudio(address=self._host, port=leg.media.address[1], rtcp_port=leg.media.rtcp_port)
        if leg.state is LegState.ENDED:
            return
        if leg.state is LegState.OPENING:
            self._invite(leg)
        elif leg.answer_wanted:
            self._answer(leg)
        elif leg.early_wanted:
            self._progress(leg)

    def _invite(self, leg: SipLeg) -> None:
        assert leg.order is not None
        assert leg.local is not None
        leg.state = LegState.CALLING
        order = replace(leg.order, offer=Body(leg.sdp.offer(leg.local)))
        leg.session = self._driver.endpoint.invite(order, now())
        self._by_session[leg.session] = leg
        self.on_urgent(leg)
        leg.owner.post(LegPlaced(leg=leg.id, tariff=leg.tariff))
        self._driver.pump()

    def _progress(self, leg: SipLeg) -> None:
        if leg.local is None or leg.session is None or leg.described:
            return
        body = self._describe_to_caller(leg)
        if body is not None:
            leg.described = True
            self.on_urgent(leg)
            self._configure(leg)
            self._driver.endpoint.ring(leg.session, now(), status=SESSION_PROGRESS, body=body)
            self._driver.pump()
            self._driver.hold(partial(self._left, leg, now().mono))

    def _answer(self, leg: SipLeg) -> None:
        if leg.local is None or leg.session is None:
            return
        body = self._describe_to_caller(leg)
        if body is None:
            return
        leg.state = LegState.ANSWERED
        leg.owner.post(LegAnswered(leg=leg.id))
        # The engine is told before facts are written: what the caller is to hear next need not wait for that.
        self._configure(leg)
        self.on_urgent(leg)
        self._driver.endpoint.answer(leg.session, body, now())
        self._driver.pump()
        self._driver.hold(partial(self._left, leg, now().mono))

    def _left(self, leg: SipLeg, since: float) -> None:
        """The answer has left that a caller must have to hear anything. What was begun meanwhile began unheard."""
        if leg.state is not LegState.ENDED and now().mono - since > UNHEARD_MOST_S:
            self._media.begin_anew(leg.media)
            self.on_changed(leg)

    def _describe_to_caller(self, leg: SipLeg) -> Body | None:
        """Our answer to the caller's offer (the same one in 183 and 200), or our offer if it made none."""
        assert leg.local is not None
        if leg.described:
            assert leg.sdp.last_sent is not None
            return Body(leg.sdp.last_sent)
        if leg.offer is None:
            return Body(leg.sdp.offer(leg.local))
        try:
            if leg.sdp.turn is Turn.NOBODY:
                leg.sdp.receive_offer(leg.offer.content)
            body, agreed = leg.sdp.answer(leg.local, preference=Preference.OURS)
            keep_outside(agreed, self._host)
        except SdpError as error:
            self._incompatible(leg, str(error))
            return None
        return Body(body)

    def _incompatible(self, leg: SipLeg, detail: str) -> None:
        log.info("leg.incompatible", detail=detail)
        assert leg.session is not None
        if leg.state is LegState.OFFERED:
            self._driver.endpoint.reject(leg.session, NOT_ACCEPTABLE_HERE, now())
        else:
            self._driver.endpoint.hang_up(leg.session, now(), reason=reason_of(Cause.INCOMPATIBLE_MEDIA))
        self._end(leg, Cause.INCOMPATIBLE_MEDIA, detail)
        self._driver.pump()

    def _heard_progress(self, leg: SipLeg, event: sip.Progress) -> None:
        if leg.state is not LegState.CALLING:
            return
        if event.body is not None:
            # Every fork answers the one offer; none may spoil it for the next.
            answered = leg.sdp.copy()
            try:
                agreed = keep_outside(answered.receive_answer(event.body.content), self._host)
            except SdpError as error:
                # An early description that cannot be read spoils nothing: the final one counts.
                log.info("leg.early.unreadable", detail=str(error))
            else:
                leg.early[event.early] = answered
                self._tell_engine(leg, agreed)
                leg.owner.post(LegProgress(leg=leg.id, early_media=True))
                return
        leg.owner.post(LegProgress(leg=leg.id, early_media=False))

    def _heard_answer(self, leg: SipLeg, event: sip.Answered) -> None:
        if leg.state is not LegState.CALLING:
            return
        early = leg.early.get(event.early)
        leg.early.clear()
        if early is not None:
            leg.sdp = early  # this dialog has described itself before; the final answer may say it again
        if event.body is not None:
            try:
                keep_outside(leg.sdp.receive_answer(event.body.content), self._host)
            except SdpError as error:
                self._incompatible(leg, str(error))
                return
        if leg.sdp.negotiated is None:
            self._incompatible(leg, "the answer has no session description")
            return
        leg.state = LegState.ANSWERED
        self.on_urgent(leg)
        leg.owner.post(LegAnswered(leg=leg.id))
        self._configure(leg)

    def _read_answer(self, leg: SipLeg, body: Body | None) -> None:
        """The answer to an offer of ours within the session, or to the one in our 200."""
        if leg.state is not LegState.ANSWERED or (body is None and leg.sdp.turn is not Turn.OURS):
            return
        if body is None:
            leg.sdp.withdraw()
            if leg.sdp.negotiated is None:
                # RFC 3261 section 13.2.1: the ACK must bring it, and without it there is nobody to send sound to.
                self._incompatible(leg, "our offer was never answered")
            return
        try:
            keep_outside(leg.sdp.receive_answer(body.content), self._host)
        except (SdpError, OutOfTurn) as error:
            self._incompatible(leg, str(error))
            return
        self._configure(leg)

    def _heard_offer(self, leg: SipLeg, event: sip.OfferReceived) -> None:
        endpoint = self._driver.endpoint
        if leg.local is None or leg.sdp.turn is not Turn.NOBODY:
            endpoint.refuse_offer(event.session, now(), NOT_ACCEPTABLE_HERE)
            return
        if event.body is None:
            endpoint.accept_offer(event.session, Body(leg.sdp.offer(leg.local)), now())
            return
        before = leg.sdp.copy()
        try:
            leg.sdp.receive_offer(event.body.content)
            body, agreed = leg.sdp.answer(leg.local, preference=Preference.OURS)
            keep_outside(agreed, self._host)
        except SdpError as error:
            leg.sdp = before
            leg.owner.note("leg.offer_refused", {"leg": leg.id, "why": str(error)})
            endpoint.refuse_offer(event.session, now(), NOT_ACCEPTABLE_HERE)
            return
        endpoint.accept_offer(event.session, Body(body), now())
        self._configure(leg)

    def _heard_info(self, leg: SipLeg, event: sip.InfoReceived) -> None:
        """Keys by INFO, as older gateways send them; beside agreed telephone-events they would count twice."""
        digit = _info_digit(event.body)
        if digit is not None and not leg.events_agreed and leg.state is LegState.ANSWERED:
            leg.owner.post(DigitPressed(leg=leg.id, digit=digit))

    def _heard_hangup(self, leg: SipLeg, event: sip.RemoteHungUp) -> None:
        causes = {
            sip.HangUpKind.BYE: Cause.NORMAL,
            sip.HangUpKind.CANCEL: Cause.CANCELLED,
            sip.HangUpKind.TIMEOUT: Cause.NETWORK_ERROR,
            sip.HangUpKind.TRANSPORT: Cause.NETWORK_ERROR,
        }
        self._end(leg, causes[event.how], event.reason or "")

    def _configure(self, leg: SipLeg) -> None:
        """Tell the engine what was agreed, and the owner of a hold."""
        agreed = leg.sdp.negotiated
        if agreed is None:
            return
        self._tell_engine(leg, agreed)
        if leg.state is LegState.ANSWERED and agreed.held_by_peer != leg.held:
            leg.held = agreed.held_by_peer
            leg.owner.post(LegHeld(leg=leg.id, held=leg.held))

    def _trying(self, leg: SipLeg) -> None:
        """It takes longer than a caller waits without a word: say that the call is here, once it outlives us."""
        if leg.state is LegState.OFFERED and leg.session is not None and not self._driver.says_trying:
            self.on_urgent(leg)
            self._driver.endpoint.trying(leg.session, now())
            self._driver.pump()

    def _tell_engine(self, leg: SipLeg, agreed: Negotiated) -> None:
        leg.events_agreed = agreed.receive_event is not None
        self._media.configure(leg.media, self._remote_of(leg, agreed))

    def _remote_of(self, leg: SipLeg, agreed: Negotiated) -> SetRemote:
        # Before the answer many send nothing, and signalling watches how long that lasts.
        timeout_ms = self._media_timeout_ms if leg.state is LegState.ANSWERED else 0
        return remote_of(agreed, leg.media.session, media_timeout_ms=timeout_ms)

    def _media_lost(self, leg: SipLeg) -> None:
        if leg.state is LegState.ENDED:
            return
        leg.owner.note("leg.media_lost", {"leg": leg.id})
        never_opened = leg.media.address is None
        self.hang_up(leg, Cause.CONGESTION if never_opened else Cause.MEDIA_LOST)

    def _end(self, leg: SipLeg, cause: Cause, detail: str) -> None:
        if leg.state is LegState.ENDED:
            return
        leg.state = LegState.ENDED
        self.on_urgent(leg)
        self._media.close(leg.media, on_closed=_statistics_noted(leg))
        leg.owner.post(LegEnded(leg=leg.id, cause=cause, detail=detail))

    @staticmethod
    def _note(leg: SipLeg, event: sip.Milestone) -> None:
        data: dict[str, Any] = {"leg": leg.id, "what": event.what}
        if event.hop is not None:
            data |= _peer(event.hop)
        if event.what == "INVITE":
            data["call_id"] = event.call_id
        if event.reason is not None:
            data["reason"] = event.reason
        leg.owner.note("sip.sent" if event.sent else "sip.received", data)


def _peer(hop: Hop) -> dict[str, Any]:
    """Where a message went or came from."""
    host, port = hop.remote
    return {"transport": hop.transport, "peer": f"[{host}]:{port}" if ":" in host else f"{host}:{port}"}


def _info_digit(body: Body) -> str | None:
    """The key of an INFO: application/dtmf-relay (`Signal=5`) or application/dtmf (`5`), habits and not standards."""
    kind = body.content_type.partition(";")[0].strip().lower()
    text = body.content[:200].decode("ascii", "replace")
    if kind == "application/dtmf-relay":
        for line in text.splitlines():
            name, _, value = line.partition("=")
            if name.strip().lower() == "signal":
                text = value
                break
        else:
            return None
    elif kind != "application/dtmf":
        return None
    key = {"10": "*", "11": "#"}.get(text.strip(), text.strip().upper())
    return key if len(key) == 1 and key in "0123456789*#ABCD" else None


def _statistics_noted(leg: SipLeg) -> Callable[[MediaLeg], None]:
    def noted(media: MediaLeg) -> None:
        found = media.statistics
        if found is None:
            leg.owner.note("leg.statistics", {"leg": leg.id, "quality": "unknown"})
            return
        leg.owner.note(
            "leg.statistics",
            {
                "leg": leg.id,
                "packets_received": found.packets_received,
                "packets_sent": found.packets_sent,
                "lost": found.lost,
                "late": found.late,
                "jitter_ms": None if found.jitter_us is None else found.jitter_us / 1000,
                "round_trip_ms": None if found.round_trip_us is None else found.round_trip_us / 1000,
                "quality": "unknown" if found.mos_hundredths is None else found.mos_hundredths / 100,
                "codec": found.codec.name,
            },
        )

    return noted
