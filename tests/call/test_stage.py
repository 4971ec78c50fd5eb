"""The stage: numbers that are used once, keys that are kept, and targets in the customer's words."""

import pytest

from offhook.call.commands import Note, PlaceLeg
from offhook.call.events import Now, Tariff
from offhook.call.leg import Leg, LegState
from offhook.call.stage import PARTY, Stage, Standing, target_text
from offhook.flow.verbs import NumberTarget, SipTarget, Target, UnusableTarget
from offhook.flow.view import Cause


def stage() -> Stage:
    party = Leg(id=PARTY, incoming=True, to="+1", from_="+2", state=LegState.UP, tariff=Tariff())
    return Stage(Standing(legs={PARTY: party}, other_party="+2"), Now(5.0, 1005.0))


def test_numbers_are_used_once() -> None:
    here = stage()
    assert [here.next_request(), here.next_request()] == [1, 2]
    assert [here.next_playback(), here.next_playback()] == [1, 2]
    assert [here.record(deliver_to=None), here.record(deliver_to=None)] == [1, 2]
    assert here.party.id == PARTY


def test_a_leg_is_placed() -> None:
    here = stage()
    leg = here.place(NumberTarget(number="+3"), "+2")
    assert (leg.id, leg.to, leg.from_, leg.state) == (1, "+3", "+2", LegState.PLACING)
    assert here.legs[leg.id] is leg
    assert here.out[-1] == PlaceLeg(leg=leg.id, target=NumberTarget(number="+3"), caller_id="+2")


def test_what_is_no_target_has_failed_already() -> None:
    here = stage()
    leg = here.place(UnusableTarget(text="mum"), "+2")
    assert (leg.gone, leg.cause) == (True, Cause.NOT_FOUND)
    assert not any(isinstance(each, PlaceLeg) for each in here.out)


def test_notes_leave_out_what_is_not_there() -> None:
    here = stage()
    here.note("verb.ended", verb="play", why=None)
    assert here.out.pop() == Note(kind="verb.ended", data={"verb": "play"})


def test_keys_are_kept_until_they_are_taken() -> None:
    here = stage()
    here.type_ahead("1")
    here.type_ahead("2")
    assert here.take_typed_ahead() == "12"
    assert here.take_typed_ahead() == ""


def test_later_is_on_the_monotonic_clock() -> None:
    assert stage().after(2.5) == 7.5


@pytest.mark.parametrize(
    ("target", "text"),
    [
        (NumberTarget(number="+46"), "+46"),
        (SipTarget(uri="sip:a@b"), "sip:a@b"),
        (UnusableTarget(text="mum"), "mum"),
    ],
)
def test_targets_in_the_customers_words(target: Target, text: str) -> None:
    assert target_text(target) == text
