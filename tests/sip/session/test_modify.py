"""Changes in an established session: RFC 3261 section 14, RFC 3311, and refreshes by RFC 4028."""

import pytest
from tests.support.bench import ANSWER, OFFER, Bench, statuses

from offhook.sip.commands import Body, SessionTimerPolicy
from offhook.sip.events import (
    EndCause,
    Ended,
    Established,
    HangUpKind,
    IncomingInvite,
    OfferAnswered,
    OfferReceived,
    OfferRefused,
    RemoteHungUp,
)
from offhook.sip.message import Request, Response

HOLD = Body(b"v=0 hold\r\n")
RESUME = Body(b"v=0 resume\r\n")


# Theirs


def test_14_2_a_re_invite_is_told_and_answered_and_acknowledged() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    out = bench.receive(
        bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 hold\r\n", contact="<sip:new@192.0.2.77>")
    )
    assert statuses(out) == [100]
    assert bench.one(OfferReceived) == OfferReceived(session=session, method="INVITE", body=HOLD)
    bench.endpoint.accept_offer(session, ANSWER, bench.now)
    (ok,) = bench.sent()
    assert (statuses([ok]), ok.body) == ([200], ANSWER.content)
    assert statuses(bench.pass_time(0.6)) == [200], "13.3.1.4 holds for a re-INVITE too"
    bench.receive(bench.request("ACK", to_tag=tag, cseq=2))
    assert bench.events() == []
    assert bench.pass_time(60) == []
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    assert isinstance(bye, Request)
    assert bye.raw_uri == "sip:new@192.0.2.77", "12.2.2: the target moved"


def test_14_2_a_re_invite_can_be_refused_and_the_session_stays() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n", contact="<sip:new@192.0.2.77>"))
    bench.endpoint.refuse_offer(session, bench.now)
    assert statuses(bench.sent()) == [488]
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    assert isinstance(bye, Request)
    assert bye.raw_uri == "sip:them@192.0.2.9", "a refused refresh moves nothing"


def test_14_2_a_re_invite_without_offer_wants_ours() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.receive(bench.request("INVITE", to_tag=tag, cseq=2))
    assert bench.one(OfferReceived).body is None
    bench.endpoint.accept_offer(session, OFFER, bench.now)
    assert bench.sent()[0].body == OFFER.content
    bench.receive(bench.request("ACK", to_tag=tag, cseq=2, body="v=0 answer\r\n"))
    assert bench.one(OfferAnswered) == OfferAnswered(session=session, body=ANSWER)


def test_14_2_a_second_offer_before_the_first_is_answered_is_put_off() -> None:
    bench = Bench()
    _, tag = bench.established_callee()
    bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n"))
    (refusal,) = bench.receive(bench.request("INVITE", to_tag=tag, cseq=3, body="v=0 y\r\n"))
    assert statuses([refusal]) == [500]
    assert refusal.retry_after is not None
    assert 0 <= refusal.retry_after.delay_s <= 10


def test_14_2_while_our_offer_is_open_theirs_gets_491() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    bench.sent()
    assert statuses(bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n"))) == [491]
    assert statuses(bench.receive(bench.request("UPDATE", to_tag=tag, cseq=3, body="v=0 x\r\n"))) == [491]


def test_12_2_2_a_number_out_of_order_gets_500() -> None:
    bench = Bench()
    _, tag = bench.established_callee(cseq=5)  # type: ignore[arg-type]
    assert statuses(bench.receive(bench.request("INVITE", to_tag=tag, cseq=4, body="v=0 x\r\n"))) == [500]
    assert bench.events() == []


def test_rfc_5407_a_re_invite_that_overtakes_the_ack_stands_for_it() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", body="v=0 offer\r\n"))
    session = bench.one(IncomingInvite).session
    bench.endpoint.answer(session, ANSWER, bench.now)
    tag = bench.sent()[-1].to.tag or ""
    assert statuses(bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 hold\r\n"))) == [100]
    assert [type(event) for event in bench.events()] == [Established, OfferReceived]
    assert bench.pass_time(5) == [], "the first 2xx is not repeated any more"


def test_a_re_invite_before_the_ack_that_brings_an_answer_gets_491() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE"))
    session = bench.one(IncomingInvite).session
    bench.endpoint.answer(session, OFFER, bench.now)
    tag = bench.sent()[-1].to.tag or ""
    assert statuses(bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 hold\r\n"))) == [491]


def test_a_re_invite_after_hanging_up_gets_491_before_the_ack_and_481_after() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", body="v=0 offer\r\n"))
    session = bench.one(IncomingInvite).session
    bench.endpoint.answer(session, ANSWER, bench.now)
    tag = bench.sent()[-1].to.tag or ""
    bench.endpoint.hang_up(session, bench.now)
    assert statuses(bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n"))) == [491]
    assert statuses(bench.receive(bench.request("ACK", to_tag=tag))) == ["BYE"]
    assert statuses(bench.receive(bench.request("INVITE", to_tag=tag, cseq=3, body="v=0 x\r\n"))) == [481]


def test_9_2_a_re_invite_can_be_cancelled() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n", branch="z9hG4bK-r"))
    bench.events()
    assert statuses(bench.receive(bench.request("CANCEL", cseq=2, branch="z9hG4bK-r"))) == [200, 487]
    bench.endpoint.accept_offer(session, ANSWER, bench.now)
    bench.endpoint.refuse_offer(session, bench.now)
    assert bench.sent() == []
    assert bench.events() == [], "the session stays"


def test_15_1_2_a_bye_ends_an_open_re_invite_with_487() -> None:
    bench = Bench()
    _, tag = bench.established_callee()
    bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n"))
    assert statuses(bench.receive(bench.request("BYE", to_tag=tag, cseq=3))) == [200, 487]


def test_rfc_3311_an_update_with_an_offer() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    assert bench.receive(bench.request("UPDATE", to_tag=tag, cseq=2, body="v=0 hold\r\n")) == []
    assert bench.one(OfferReceived).method == "UPDATE"
    bench.endpoint.accept_offer(session, ANSWER, bench.now)
    (ok,) = bench.sent()
    assert (statuses([ok]), ok.body) == ([200], ANSWER.content)
    assert "Contact" in ok.headers
    assert bench.pass_time(60) == [], "no ACK, so no repeats"


def test_rfc_3311_an_update_without_offer_is_answered_here() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    assert statuses(bench.receive(bench.request("UPDATE", to_tag=tag, cseq=2, contact="<sip:m@192.0.2.77>"))) == [200]
    assert bench.events() == []
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    assert isinstance(bye, Request)
    assert bye.raw_uri == "sip:m@192.0.2.77"


def test_rfc_3311_5_2_an_update_before_our_answer_is_put_off() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", body="v=0 offer\r\n"))
    session = bench.one(IncomingInvite).session
    bench.endpoint.ring(session, bench.now)
    tag = bench.sent()[0].to.tag or ""
    assert statuses(bench.receive(bench.request("UPDATE", to_tag=tag, cseq=2, body="v=0 x\r\n"))) == [500]
    assert statuses(bench.receive(bench.request("UPDATE", to_tag=tag, cseq=3))) == [200]


def test_rfc_3311_an_update_in_an_early_dialog_while_our_offer_is_open() -> None:
    bench = Bench()
    _, invite = bench.call()
    bench.receive(bench.reply(invite, 183))
    update = bench.request(
        "UPDATE", call_id=invite.call_id, to_tag=invite.from_.tag or "", from_tag="peer", body="v=0 x\r\n"
    )
    assert statuses(bench.receive(update)) == [491]


# Ours


def test_14_1_our_re_invite() -> None:
    bench = Bench()
    session, invite = bench.established_caller()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (again,) = bench.sent()
    assert isinstance(again, Request)
    assert (again.method, str(again.cseq), again.body) == ("INVITE", "2 INVITE", HOLD.content)
    assert (again.from_.tag, again.to.tag) == (invite.from_.tag, "peer")
    assert "Contact" in again.headers
    ack = bench.receive(bench.reply(again, 200, body="v=0 answer\r\n", headers="Contact: <sip:moved@192.0.2.9>"))
    assert (statuses(ack), str(ack[0].cseq)) == (["ACK"], "2 ACK")
    assert bench.one(OfferAnswered) == OfferAnswered(session=session, body=ANSWER)
    assert statuses(bench.receive(bench.reply(again, 200, body="v=0 answer\r\n"))) == ["ACK"]
    assert bench.events() == []
    assert isinstance(ack[0], Request)
    assert ack[0].raw_uri == "sip:moved@192.0.2.9", "12.2.1.2"


def test_14_1_one_offer_at_a_time_and_the_newest_waits() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    for body in (HOLD, RESUME, HOLD, OFFER):
        bench.endpoint.reoffer(session, body, bench.now)
    (first,) = bench.sent()
    out = bench.receive(bench.reply(first, 200, body="v=0 answer\r\n"))
    assert statuses(out) == ["ACK", "INVITE"]
    assert out[1].body == OFFER.content


def test_14_1_our_offer_waits_for_theirs() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n"))
    bench.endpoint.reoffer(session, HOLD, bench.now)
    assert bench.sent() == []
    bench.endpoint.accept_offer(session, ANSWER, bench.now)
    assert statuses(bench.sent()) == [200]
    out = bench.receive(bench.request("ACK", to_tag=tag, cseq=2))
    assert statuses(out) == ["INVITE"]
    bench.receive(bench.reply(out[0], 200, tag=""))
    bench.receive(bench.request("UPDATE", to_tag=tag, cseq=3, body="v=0 x\r\n"))
    bench.endpoint.reoffer(session, RESUME, bench.now)
    bench.endpoint.refuse_offer(session, bench.now)
    assert statuses(bench.sent()) == [488, "INVITE"]


@pytest.mark.parametrize(("caller", "low", "high"), [(True, 2.1, 4.0), (False, 0.0, 2.0)])
def test_14_1_after_491_it_waits_as_the_owner_of_the_call_id_should(caller: bool, low: float, high: float) -> None:
    for _ in range(5):
        bench = Bench()
        session = bench.established_caller()[0] if caller else bench.established_callee()[0]
        bench.endpoint.reoffer(session, HOLD, bench.now)
        (first,) = bench.sent()
        assert statuses(bench.receive(bench.reply(first, 491, tag=""))) == ["ACK"]
        bench.endpoint.reoffer(session, RESUME, bench.now)
        assert bench.sent() == [], "the pause holds for a newer offer too"
        begun = bench.mono
        out: list[object] = []
        while not out and bench.mono < begun + high + 0.01:
            out = [message for message in bench.pass_time(0.01) if isinstance(message, Request)]
        assert low <= bench.mono - begun <= high + 0.011
        assert isinstance(out[0], Request)
        assert out[0].body == RESUME.content
        assert bench.events() == []


def test_14_1_a_refused_offer_leaves_the_session_as_it_was() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (first,) = bench.sent()
    bench.receive(bench.reply(first, 488))
    assert bench.one(OfferRefused) == OfferRefused(session=session, status=488, reason="Not Acceptable Here")
    bench.endpoint.reoffer(session, HOLD, bench.now)
    assert statuses(bench.sent()) == ["INVITE"]


@pytest.mark.parametrize("status", [481, 408])
def test_12_2_1_2_481_and_408_end_the_dialog(status: int) -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (first,) = bench.sent()
    assert statuses(bench.receive(bench.reply(first, status))) == ["ACK", "BYE"]
    gone, ended = bench.events()
    assert gone == RemoteHungUp(session=session, how=HangUpKind.TIMEOUT, reason=None)
    assert ended == Ended(session=session, cause=EndCause.REMOTE)


def test_12_2_1_2_silence_ends_the_dialog() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    assert statuses(bench.pass_time(32.1))[-1] == "BYE"
    assert bench.one(RemoteHungUp).how is HangUpKind.TIMEOUT
    bench.endpoint.reoffer(session, HOLD, bench.now)
    assert bench.sent() == []


def test_hanging_up_over_an_open_re_invite() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (first,) = bench.sent()
    bench.endpoint.hang_up(session, bench.now)
    assert statuses(bench.sent()) == ["BYE"]
    assert statuses(bench.receive(bench.reply(first, 200))) == ["ACK"]
    assert bench.events() == []


def test_a_re_invite_that_only_gets_provisional_answers_is_cancelled() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (first,) = bench.sent()
    bench.receive(bench.reply(first, 100))
    (cancel,) = bench.pass_time(60)
    assert str(cancel.cseq) == "2 CANCEL"
    bench.receive(bench.reply(cancel, 200))
    assert statuses(bench.receive(bench.reply(first, 487))) == ["ACK"]
    assert bench.one(OfferRefused).status == 487
    bench.endpoint.reoffer(session, RESUME, bench.now)
    assert statuses(bench.sent()) == ["INVITE"], "the session goes on"


def test_12_2_1_2_and_if_even_that_is_not_answered_the_dialog_ends() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (first,) = bench.sent()
    bench.receive(bench.reply(first, 100))
    out = bench.pass_time(60 + 32.1)
    assert statuses(out)[-1] == "BYE"
    assert bench.one(RemoteHungUp) == RemoteHungUp(session=session, how=HangUpKind.TIMEOUT, reason=None)
    bench.pass_time(64)
    assert bench.endpoint.export()["transactions"] == []


def test_a_re_invite_that_is_open_when_the_session_ends_is_not_kept_for_ever() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (first,) = bench.sent()
    bench.receive(bench.reply(first, 100, tag=""))
    bench.receive(bench.request("BYE", to_tag=tag, cseq=2))
    bench.pass_time(5)
    assert statuses(bench.receive(bench.reply(first, 487, tag=""))) == ["ACK"], "a late refusal is acknowledged"
    bench = Bench()
    session, tag = bench.established_callee()
    bench.endpoint.reoffer(session, HOLD, bench.now)
    (first,) = bench.sent()
    bench.receive(bench.reply(first, 100, tag=""))
    bench.receive(bench.request("BYE", to_tag=tag, cseq=2))
    bench.pass_time(32.1)
    left = bench.endpoint.export()
    assert (left["transactions"], left["outgoing"]) == ([], [])


# RFC 4028


def refreshed_by_us(bench: Bench, allow: str) -> tuple[object, Request]:
    session, invite = bench.call()
    bench.receive(
        bench.reply(
            invite,
            200,
            body="v=0 answer\r\n",
            headers=f"Session-Expires: 600;refresher=uac\nRequire: timer\nAllow: {allow}",
        )
    )
    bench.events()
    assert bench.pass_time(299) == []
    (refresh,) = bench.pass_time(1)
    assert isinstance(refresh, Request)
    return session, refresh


def test_rfc_4028_7_4_we_refresh_by_update_at_half_the_interval() -> None:
    bench = Bench(session_timer=SessionTimerPolicy(offer=True, interval_s=600))
    _, update = refreshed_by_us(bench, "INVITE, UPDATE")
    assert (update.method, update.body) == ("UPDATE", b"")
    assert update.headers.get("Session-Expires") == "600;refresher=uac"
    bench.receive(bench.reply(update, 200, headers="Session-Expires: 600;refresher=uac"))
    assert bench.events() == []
    assert bench.pass_time(299) == []
    assert statuses(bench.pass_time(2)) == ["UPDATE", "UPDATE"], "the next, and its repeat after T1"


def test_rfc_4028_7_4_or_by_re_invite_with_what_stands() -> None:
    bench = Bench(session_timer=SessionTimerPolicy(offer=True, interval_s=600))
    session, again = refreshed_by_us(bench, "INVITE, BYE")
    assert (again.method, again.body) == ("INVITE", OFFER.content)
    assert statuses(bench.receive(bench.reply(again, 500))) == ["ACK"]
    assert bench.events() == [], "the application did not ask for it"
    out = bench.pass_time(151)
    assert statuses(out)[0] == "INVITE", "another try before the interval is over"
    bench.receive(bench.reply(out[0], 200, headers="Session-Expires: 600;refresher=uac", body="v=0 answer\r\n"))
    assert bench.one(OfferAnswered).session == session


def test_rfc_4028_an_update_that_the_peer_does_not_take_becomes_a_re_invite() -> None:
    bench = Bench(session_timer=SessionTimerPolicy(offer=True, interval_s=600))
    _, update = refreshed_by_us(bench, "INVITE, UPDATE")
    out = bench.receive(bench.reply(update, 405))
    assert statuses(out) == ["INVITE"]
    assert out[0].body == OFFER.content


def test_rfc_4028_7_3_a_422_to_a_refresh_lengthens_the_interval() -> None:
    bench = Bench(session_timer=SessionTimerPolicy(offer=True, interval_s=600))
    _, update = refreshed_by_us(bench, "INVITE, UPDATE")
    out = bench.receive(bench.reply(update, 422, headers="Min-SE: 1200"))
    assert out[0].headers.get("Session-Expires") == "1200;refresher=uac"


def test_rfc_4028_10_a_peer_that_does_not_refresh_is_given_up() -> None:
    bench = Bench()
    session, _ = bench.established_callee(headers="Session-Expires: 90;refresher=uac\nSupported: timer\n")
    assert bench.pass_time(59.9) == []
    (bye,) = bench.pass_time(0.2)
    assert statuses([bye]) == ["BYE"]
    assert "session timer expired" in (bye.headers.get("Reason") or "")
    assert bench.one(RemoteHungUp) == RemoteHungUp(session=session, how=HangUpKind.TIMEOUT, reason=None)


def test_rfc_4028_9_a_refresh_of_theirs_starts_the_time_anew() -> None:
    bench = Bench()
    asked = "Session-Expires: 90;refresher=uac\nSupported: timer\n"
    _, tag = bench.established_callee(headers=asked)
    bench.pass_time(50)
    (ok,) = bench.receive(bench.request("UPDATE", to_tag=tag, cseq=2, headers=asked))
    assert isinstance(ok, Response)
    assert ok.headers.get("Session-Expires") == "90;refresher=uac"
    assert ok.require == ("timer",)
    assert bench.pass_time(59) == []
    assert statuses(bench.pass_time(2))[0] == "BYE"


def test_rfc_4028_9_an_interval_that_is_too_small_gets_422() -> None:
    bench = Bench()
    asked = "Session-Expires: 30\nSupported: timer\n"
    (refusal,) = bench.receive(bench.request("INVITE", headers=asked, body="v=0 offer\r\n"))
    assert (statuses([refusal]), refusal.min_se) == ([422], 90)
    _, tag = bench.established_callee(call_id="other")
    (refusal,) = bench.receive(bench.request("UPDATE", call_id="other", to_tag=tag, cseq=2, headers=asked))
    assert (statuses([refusal]), refusal.min_se) == ([422], 90)


def test_a_refresh_waits_while_something_else_is_open() -> None:
    bench = Bench()
    session, tag = bench.established_callee(headers="Session-Expires: 90;refresher=uas\nSupported: timer\n")
    bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n"))
    assert bench.pass_time(46) == []
    bench.endpoint.accept_offer(session, ANSWER, bench.now)
    assert statuses(bench.sent()) == [200]


def test_what_is_no_refusal() -> None:
    bench = Bench()
    session, _ = bench.established_callee()
    with pytest.raises(ValueError, match="no refusal"):
        bench.endpoint.refuse_offer(session, bench.now, 200)
