"""One leg: every decision and every event in every state."""

import pytest

from offhook.call.commands import AnswerLeg, EarlyMediaLeg, HangUpLeg, LegId, RingLeg
from offhook.call.events import LegAnswered, LegEnded, LegHeld, LegPlaced, LegProgress, Now, Tariff
from offhook.call.leg import Leg, LegEvent, LegState
from offhook.flow.view import CallState, Cause

NOW = Now(10.0, 1000.0)
LATER = Now(72.6, 1062.6)
ID = LegId(3)
IN = (LegState.OFFERED, LegState.RINGING, LegState.EARLY, LegState.ANSWERING)
OUT = (LegState.PLACING, LegState.RINGING, LegState.EARLY)


def leg(state: LegState, *, incoming: bool = True) -> Leg:
    return Leg(id=ID, incoming=incoming, to="+1", from_="+2", state=state, tariff=Tariff())


def placed() -> LegPlaced:
    return LegPlaced(leg=ID, tariff=Tariff(set_up=7))


# ── decisions ────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_ringing_is_said_once_and_only_at_first() -> None:
    a = leg(LegState.OFFERED)
    assert a.ring() == [RingLeg(leg=ID)]
    assert a.ring() == []
    assert leg(LegState.UP).ring() == []
    assert leg(LegState.PLACING, incoming=False).ring() == []


@pytest.mark.parametrize("state", [LegState.OFFERED, LegState.RINGING])
def test_early_media_is_opened_once(state: LegState) -> None:
    a = leg(state)
    assert a.open_early() == [EarlyMediaLeg(leg=ID)]
    assert a.open_early() == []
    assert a.audible
    assert leg(LegState.RINGING, incoming=False).open_early() == []


@pytest.mark.parametrize("state", [LegState.OFFERED, LegState.RINGING, LegState.EARLY])
def test_an_incoming_leg_is_answered_once(state: LegState) -> None:
    a = leg(state)
    assert a.answer() == [AnswerLeg(leg=ID)]
    assert a.answer() == []
    assert a.hear(LegAnswered(leg=ID), NOW)
    assert a.up
    assert a.answer() == []


def test_we_do_not_answer_for_others() -> None:
    assert leg(LegState.RINGING, incoming=False).answer() == []


@pytest.mark.parametrize("state", [*IN, LegState.UP])
def test_a_leg_is_hung_up_once(state: LegState) -> None:
    a = leg(state)
    assert a.hang_up(Cause.BUSY, NOW) == [HangUpLeg(leg=ID, cause=Cause.BUSY)]
    assert a.hang_up(Cause.NORMAL, NOW) == []
    assert a.gone
    assert a.hear(LegEnded(leg=ID, cause=Cause.NORMAL), NOW)
    assert a.cause is Cause.BUSY, "our cause stays"
    assert a.hang_up(Cause.NORMAL, NOW) == []
    assert not a.hear(LegEnded(leg=ID, cause=Cause.NORMAL), NOW)


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize("state", OUT)
def test_an_outgoing_leg_is_answered_from_wherever_it_is(state: LegState) -> None:
    a = leg(state, incoming=False)
    assert a.hear(LegAnswered(leg=ID), NOW)
    assert (a.state, a.answered_at) == (LegState.UP, 10.0)


@pytest.mark.parametrize("state", [LegState.OFFERED, LegState.RINGING, LegState.EARLY])
def test_an_incoming_leg_is_not_answered_before_we_answered_it(state: LegState) -> None:
    assert not leg(state).hear(LegAnswered(leg=ID), NOW)


def test_early_media_once_there_stays() -> None:
    a = leg(LegState.PLACING, incoming=False)
    assert a.hear(LegProgress(leg=ID, early_media=False), NOW)
    assert a.state is LegState.RINGING
    assert not a.hear(LegProgress(leg=ID, early_media=False), NOW)
    assert a.hear(LegProgress(leg=ID, early_media=True), NOW)
    assert not a.hear(LegProgress(leg=ID, early_media=False), NOW)
    assert a.state is LegState.EARLY


def test_the_tariff_comes_when_it_is_placed() -> None:
    a = leg(LegState.PLACING, incoming=False)
    assert a.hear(placed(), NOW)
    assert a.tariff.set_up == 7
    assert not leg(LegState.OFFERED).hear(placed(), NOW)


def test_holding() -> None:
    a = leg(LegState.UP)
    assert a.hear(LegHeld(leg=ID, held=True), NOW)
    assert not a.hear(LegHeld(leg=ID, held=True), NOW)
    assert a.hear(LegHeld(leg=ID, held=False), NOW)
    assert not leg(LegState.RINGING).hear(LegHeld(leg=ID, held=True), NOW)


@pytest.mark.parametrize("state", [LegState.ENDING, LegState.ENDED])
@pytest.mark.parametrize(
    "event", [placed(), LegProgress(leg=ID, early_media=True), LegAnswered(leg=ID), LegHeld(leg=ID, held=True)]
)
@pytest.mark.parametrize("incoming", [True, False])
def test_nothing_is_heard_from_the_dead(state: LegState, event: LegEvent, incoming: bool) -> None:
    a = leg(state, incoming=incoming)
    assert not a.hear(event, NOW)
    assert a.state is state


# ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def test_an_answered_leg_in_view() -> None:
    a = leg(LegState.PLACING, incoming=False)
    assert (a.view().state, a.view().duration_s) == (CallState.ONGOING, 0)
    a.hear(LegAnswered(leg=ID), NOW)
    assert (a.view().state, a.view().duration_s) == (CallState.ONGOING, 0)
    a.hear(LegEnded(leg=ID, cause=Cause.NORMAL), LATER)
    view = a.view()
    assert (view.to, view.from_, view.state, view.duration_s) == ("+1", "+2", CallState.SUCCESS, 63)


def test_the_talk_ends_when_we_hang_up_not_when_it_is_confirmed() -> None:
    a = leg(LegState.PLACING, incoming=False)
    a.hear(LegAnswered(leg=ID), NOW)
    a.hang_up(Cause.TIME_LIMIT, Now(20.0, 1010.0))
    a.hear(LegEnded(leg=ID, cause=Cause.TIME_LIMIT), LATER)
    assert a.view().duration_s == 10


@pytest.mark.parametrize(("cause", "state"), [(Cause.BUSY, CallState.BUSY), (Cause.REJECTED, CallState.FAILED)])
def test_an_unanswered_leg_in_view(cause: Cause, state: CallState) -> None:
    a = leg(LegState.RINGING, incoming=False)
    a.hear(LegEnded(leg=ID, cause=cause), NOW)
    assert (a.view().state, a.view().duration_s) == (state, 0)
