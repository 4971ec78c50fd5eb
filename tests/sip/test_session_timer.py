"""Session timers: RFC 4028, the agreeing. When they act is tested with the session."""

import pytest

from offhook.sip.commands import SessionTimerPolicy
from offhook.sip.message import Headers, Request
from offhook.sip.session_timer import SessionTimer, accept, answer, offer, refresh, too_small

POLICY = SessionTimerPolicy()


def request(*lines: tuple[str, str]) -> Request:
    return Request("INVITE", "sip:b@192.0.2.1", Headers(lines))


def test_7_1_an_invite_offers_a_timer_only_when_told_to() -> None:
    assert offer(SessionTimer(), POLICY) == [("Supported", "timer")]
    asked = dict(offer(SessionTimer(), SessionTimerPolicy(offer=True, interval_s=600)))
    assert asked == {"Supported": "timer", "Session-Expires": "600", "Min-SE": "90"}


def test_7_3_after_422_the_interval_is_at_least_min_se() -> None:
    asked = dict(offer(SessionTimer(min_se_s=900, interval_s=900), SessionTimerPolicy(offer=True, interval_s=600)))
    assert asked["Session-Expires"] == "900"
    assert asked["Min-SE"] == "900"


def test_9_a_request_without_a_timer_gets_none() -> None:
    timer = SessionTimer(interval_s=500)
    assert answer(timer, request(), POLICY) == [("Supported", "timer")]
    assert timer.due_after_s is None


@pytest.mark.parametrize(
    ("refresher", "knows", "ours", "required"),
    [("uac", True, False, True), ("uas", True, True, False), ("", True, False, True), ("uac", False, True, False)],
)
def test_9_table_2_who_refreshes(refresher: str, knows: bool, ours: bool, required: bool) -> None:
    value = "1800" + (f";refresher={refresher}" if refresher else "")
    asked = request(("Session-Expires", value), *([("Supported", "timer")] if knows else []))
    timer = SessionTimer()
    lines = answer(timer, asked, POLICY)
    assert timer.ours is ours
    assert (("Require", "timer") in lines) is required
    assert dict(lines)["Session-Expires"] == f"1800;refresher={'uas' if ours else 'uac'}"


def test_9_too_small_is_refused_only_to_those_who_know_timers() -> None:
    assert too_small(request(("Session-Expires", "60"), ("Supported", "timer")), POLICY)
    assert not too_small(request(("Session-Expires", "60")), POLICY)
    assert not too_small(request(("Session-Expires", "90"), ("Supported", "timer")), POLICY)
    assert not too_small(request(), POLICY)


def test_9_the_interval_is_never_below_min_se() -> None:
    timer = SessionTimer()
    answer(timer, request(("Session-Expires", "100"), ("Min-SE", "300")), POLICY)
    assert timer.interval_s == 300
    answer(timer, request(("Session-Expires", "60")), POLICY)
    assert timer.interval_s == 90


def test_7_2_the_2xx_decides() -> None:
    timer = SessionTimer()
    asked = request(("Session-Expires", "1800"))
    accept(timer, asked.reply(200, headers=[("Session-Expires", "1200;refresher=uac"), ("Allow", "INVITE, UPDATE")]))
    assert (timer.interval_s, timer.ours, timer.by_update) == (1200, True, True)
    accept(timer, asked.reply(200, headers=[("Session-Expires", "1200;refresher=uas"), ("Allow", "INVITE")]))
    assert (timer.ours, timer.by_update) == (False, False)
    accept(timer, asked.reply(200))
    assert timer.interval_s == 0


def test_7_2_and_10_when_to_act() -> None:
    assert SessionTimer(interval_s=1800, ours=True).due_after_s == 900
    assert SessionTimer(interval_s=1800, ours=False).due_after_s == 1800 - 32
    assert SessionTimer(interval_s=90, ours=False).due_after_s == 60
    assert SessionTimer().due_after_s is None


def test_7_4_a_refresh_keeps_interval_and_refresher() -> None:
    ours = dict(refresh(SessionTimer(interval_s=600, ours=True)))
    assert ours["Session-Expires"] == "600;refresher=uac"
    theirs = dict(refresh(SessionTimer(interval_s=600, ours=False)))
    assert theirs["Session-Expires"] == "600;refresher=uas"
    assert refresh(SessionTimer()) == [("Supported", "timer")]
