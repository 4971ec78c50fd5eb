"""A leg goes through JSON and comes back as it was, in every state that it may be kept in."""

import json
from collections.abc import Mapping
from typing import Any

import pytest
from tests.support.sip_party import description

from offhook.call.commands import LegId
from offhook.call.events import Event, Tariff
from offhook.media import commands as engine
from offhook.runtime.media_leg import MediaLeg
from offhook.runtime.sip_leg import LegState, SipLeg
from offhook.sdp.offer_answer import LocalAudio, OfferAnswer
from offhook.sip.commands import Account, InviteOrder, SessionId
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop
from offhook.sip.uri import Uri

FACTS = {"version": 1}


class Owner:
    """Whose leg it is."""

    def post(self, event: Event) -> None:
        raise AssertionError(f"nothing happened: {event}")

    def note(self, kind: str, data: Mapping[str, Any]) -> None:
        raise AssertionError(f"nothing happened: {kind}")


def leg(state: LegState) -> SipLeg:
    """One that says something in each of its fields."""
    made = SipLeg(LegId(1), Owner(), state, sound(), session=SessionId("s1"), tariff=Tariff(set_up=1, per_minute=2))
    made.sdp.offer(LocalAudio(address="127.0.0.1", port=20_000, rtcp_port=20_001))
    made.early["tag"] = OfferAnswer(session_id=4)
    made.offer = description()
    made.order = InviteOrder(
        target=Uri.sip("+46", "192.0.2.1", 5060),
        from_=NameAddr.parse("<sip:a@b>"),
        to=NameAddr.parse('"A" <sip:c@d;x=y>'),
        offer=None,
        account=Account(username="u", password="p"),
        hop=Hop("udp", ("192.0.2.2", 5060), ("192.0.2.1", 5060)),
        headers=(("Privacy", "id"),),
    )
    made.described = made.answer_wanted = made.early_wanted = made.held = made.events_agreed = True
    return made


def sound() -> MediaLeg:
    return MediaLeg(engine.SessionId(7), LegId(1), lambda _: None, address=("127.0.0.1", 20_000), rtcp_port=20_001)


@pytest.mark.parametrize("state", [LegState.CALLING, LegState.OFFERED, LegState.ANSWERED])
def test_a_leg_comes_back(state: LegState) -> None:
    data = json.loads(json.dumps(leg(state).export(FACTS)))
    assert data["sip"] == FACTS
    back = SipLeg.restore(data, Owner(), sound())
    assert back.export(FACTS) == data
    assert back.order is None, "its INVITE has left, or there is none"


def test_one_that_waits_for_its_ports_still_knows_whom_to_call() -> None:
    waiting = leg(LegState.OPENING)
    waiting.session = None
    data = json.loads(json.dumps(waiting.export(None)))
    back = SipLeg.restore(data, Owner(), sound())
    assert (back.session, back.order) == (None, waiting.order)


def test_of_one_that_has_ended_only_its_session_is_kept() -> None:
    data = json.loads(json.dumps(leg(LegState.ENDED).export(FACTS)))
    assert set(data) == {"id", "state", "session", "sip"}
    back = SipLeg.restore(data, Owner(), sound())
    assert (back.state, back.session) == (LegState.ENDED, "s1")


def test_what_is_no_leg_is_refused() -> None:
    with pytest.raises(ValueError, match="nowhere"):
        SipLeg.restore({"id": 1, "state": "nowhere", "session": None}, Owner(), sound())
