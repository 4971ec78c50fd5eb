"""One party over SIP as it is remembered: its session, what was agreed, and what is still wanted of it.

Plain data with its export; what a leg does stands in `sip_legs`.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, Protocol

from offhook.call.commands import LegId
from offhook.call.events import Event, Tariff
from offhook.runtime.media_leg import MediaLeg
from offhook.sdp.offer_answer import LocalAudio, OfferAnswer
from offhook.sip.commands import Body, InviteOrder, SessionId
from offhook.sip.plain import from_plain, to_plain

__all__ = ["SESSION_ID_BITS", "LegOwner", "LegState", "SipLeg"]

SESSION_ID_BITS = 62


class LegOwner(Protocol):
    """Whose legs these are: a call's task, or a phone."""

    def post(self, event: Event) -> None:
        """Something happened to a leg."""

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        """Something that explains the leg, for the timeline."""


class LegState(Enum):
    """Where a leg stands, as far as its commands care."""

    OPENING = "opening"
    """Waits for its ports; nothing was sent."""
    CALLING = "calling"
    """We called; not answered."""
    OFFERED = "offered"
    """They called; not answered."""
    ANSWERED = "answered"
    ENDED = "ended"


@dataclass(slots=True, eq=False)
class SipLeg:
    """One party over SIP."""

    id: LegId
    owner: LegOwner
    state: LegState
    media: MediaLeg
    session: SessionId | None = None
    order: InviteOrder | None = None
    """What to call with, without the offer that needs the ports."""
    tariff: Tariff = field(default_factory=Tariff)
    offer: Body | None = None
    """Of an incoming leg."""
    sdp: OfferAnswer = field(default_factory=lambda: OfferAnswer(session_id=secrets.randbits(SESSION_ID_BITS)))
    local: LocalAudio | None = None
    """Where we hear; known once the ports are there."""
    early: dict[str, OfferAnswer] = field(default_factory=dict)
    """Answers by early dialog: a fork may describe itself before another one wins (RFC 3261 section 13.2.2.4)."""
    described: bool = False
    """Whether an incoming leg was told of our side, in a 183."""
    answer_wanted: bool = False
    early_wanted: bool = False
    held: bool = False
    events_agreed: bool = False

    def export(self, sip: Mapping[str, Any] | None) -> dict[str, Any]:
        """As plain JSON, for `restored_leg`. `sip`: what the endpoint exports of its session; `None`: it has none.

        Of a leg that has ended only that is kept: its BYE may still be owed an answer.
        """
        if self.state is LegState.ENDED:
            return {"id": self.id, "state": self.state.value, "session": self.session, "sip": sip}
        waits_for_ports = self.state is LegState.OPENING
        return {
            "id": self.id,
            "state": self.state.value,
            "session": self.session,
            "sip": sip,
            "order": to_plain(self.order) if waits_for_ports else None,
            "tariff": [self.tariff.set_up, self.tariff.per_minute],
            "offer": to_plain(self.offer),
            "sdp": self.sdp.export(),
            "early": {name: sdp.export() for name, sdp in self.early.items()},
            "described": self.described,
            "answer_wanted": self.answer_wanted,
            "early_wanted": self.early_wanted,
            "held": self.held,
            "events_agreed": self.events_agreed,
            "media": self.media.export(),
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], owner: LegOwner, media: MediaLeg) -> "SipLeg":
        """The leg that was exported. Raises `ValueError`, `KeyError` or `TypeError` for anything else."""
        leg = cls(LegId(data["id"]), owner, LegState(data["state"]), media)
        leg.session = None if data["session"] is None else SessionId(data["session"])
        if leg.state is LegState.ENDED:
            return leg
        leg.order = None if data["order"] is None else from_plain(InviteOrder, data["order"])
        leg.tariff = Tariff(set_up=data["tariff"][0], per_minute=data["tariff"][1])
        leg.offer = None if data["offer"] is None else from_plain(Body, data["offer"])
        leg.sdp = OfferAnswer.restore(data["sdp"])
        leg.early = {name: OfferAnswer.restore(sdp) for name, sdp in data["early"].items()}
        leg.described, leg.answer_wanted = data["described"], data["answer_wanted"]
        leg.early_wanted, leg.held = data["early_wanted"], data["held"]
        leg.events_agreed = data["events_agreed"]
        return leg
