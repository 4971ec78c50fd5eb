"""The callee: RFC 3261 sections 13.3, 9.2 and 8.2, with a lost ACK and a caller that gives up."""

import pytest
from tests.support.bench import ANSWER, HOP, OFFER, US, Bench, statuses

from offhook.sip.commands import Body
from offhook.sip.events import EndCause, Ended, Established, HangUpKind, IncomingInvite, RemoteHungUp, StrayMessage
from offhook.sip.hop import Hop, HopChange
from offhook.sip.message import Response
from offhook.sip.session import answer


def ringing(bench: Bench, **changes: str) -> IncomingInvite:
    """A call of theirs that waits for us."""
    changes.setdefault("body", "v=0 offer\r\n")
    bench.receive(bench.request("INVITE", **changes))  # type: ignore[arg-type]
    return bench.one(IncomingInvite)


def test_17_2_1_a_call_gets_100_at_once_and_is_told() -> None:
    bench = Bench()
    headers = "P-Asserted-Identity: <sip:+4699@trunk.test>\nDiversion: <sip:+4688@trunk.test>\n"
    assert statuses(bench.receive(bench.request("INVITE", headers=headers, body="v=0 offer\r\n"))) == [100]
    event = bench.one(IncomingInvite)
    assert event.uri.user == "+4610"
    assert event.from_.tag == "them"
    assert event.offer == OFFER
    assert event.headers.get("P-Asserted-Identity") == "<sip:+4699@trunk.test>"
    assert event.headers.get("Diversion") == "<sip:+4688@trunk.test>"
    assert (event.hop, event.max_forwards, event.credentials) == (HOP, 70, ())


def test_17_2_1_the_application_may_say_100_itself() -> None:
    bench = Bench(trying_at_once=False)
    assert bench.receive(bench.request("INVITE", body="v=0 offer\r\n", branch="z9hG4bK-same")) == []
    event = bench.one(IncomingInvite)
    assert bench.receive(bench.request("INVITE", body="v=0 offer\r\n", branch="z9hG4bK-same")) == []
    bench.endpoint.trying(event.session, bench.now)
    assert statuses(bench.sent()) == [100]
    assert statuses(bench.receive(bench.request("INVITE", body="v=0 offer\r\n", branch="z9hG4bK-same"))) == [100]
    bench.endpoint.ring(event.session, bench.now)
    assert statuses(bench.sent()) == [180]
    bench.endpoint.trying(event.session, bench.now)
    bench.endpoint.reject(event.session, 486, bench.now)
    assert statuses(bench.sent()) == [486]
    bench.endpoint.trying(event.session, bench.now)
    assert bench.sent() == []


def test_a_whole_call() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.ring(event.session, bench.now)
    (progress,) = bench.sent()
    assert isinstance(progress, Response)
    assert (progress.status, str(progress.contacts[0].uri)) == (180, "sip:+4610@192.0.2.1:5060")  # type: ignore[index]
    tag = progress.to.tag
    bench.endpoint.ring(event.session, bench.now, 183, Body(b"v=0 early\r\n"))
    (early,) = bench.sent()
    assert (early.body, early.to.tag) == (b"v=0 early\r\n", tag)
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    (ok,) = bench.sent()
    assert isinstance(ok, Response)
    assert (ok.status, ok.to.tag, ok.body) == (200, tag, ANSWER.content)
    assert "INFO" in ok.allow
    bench.receive(bench.request("ACK", to_tag=tag or ""))
    assert bench.one(Established) == Established(session=event.session, body=None)
    assert bench.receive(bench.request("ACK", to_tag=tag or "")) == []
    assert bench.events() == [], "a repeated ACK means nothing"
    out = bench.receive(bench.request("BYE", to_tag=tag or "", cseq=2, headers="Reason: Q.850;cause=16\n"))
    assert statuses(out) == [200]
    gone, ended = bench.events()
    assert gone == RemoteHungUp(session=event.session, how=HangUpKind.BYE, reason="Q.850;cause=16")
    assert ended == Ended(session=event.session, cause=EndCause.REMOTE)
    bench.pass_time(60)
    assert bench.endpoint.poll_deadline() is None
    assert bench.endpoint.export()["sessions"] == []


def test_12_1_1_answers_that_make_a_dialog_copy_record_route() -> None:
    bench = Bench()
    event = ringing(bench, headers="Record-Route: <sip:p.test;lr>\nRecord-Route: <sip:q.test;lr>\n")
    bench.endpoint.ring(event.session, bench.now)
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    for message in bench.sent():
        assert message.headers.all("Record-Route") == ["<sip:p.test;lr>", "<sip:q.test;lr>"]


def test_13_3_1_4_the_2xx_is_repeated_until_its_ack() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    tag = bench.sent()[0].to.tag or ""
    start = bench.mono
    times = []
    while bench.mono - start < 12:
        times += [round(bench.mono - start, 2) for _ in bench.pass_time(0.5)]
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5]
    bench.receive(bench.request("ACK", to_tag=tag))
    assert bench.pass_time(60) == []
    assert bench.one(Established)


def test_13_3_1_4_it_is_repeated_on_streams_too() -> None:
    bench = Bench()
    stream = Hop("tcp", US, ("192.0.2.9", 50123), 1)
    bench.endpoint.handle_hop(HopChange.OPENED, stream, bench.now)
    via = "SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK-t"
    bench.receive(bench.request("INVITE", via=via, body="v=0 offer\r\n"), stream)
    bench.endpoint.answer(bench.one(IncomingInvite).session, ANSWER, bench.now)
    bench.sent()
    assert statuses(bench.pass_time(2)) == [200, 200]
    assert {hop for _, hop in bench.raw} == {stream}


def test_13_3_1_4_no_ack_in_64_t1_ends_the_call_with_a_bye() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    bench.sent()
    out = bench.pass_time(32.0)
    assert statuses(out)[-1] == "BYE"
    gone, ended = bench.events()
    assert gone == RemoteHungUp(session=event.session, how=HangUpKind.TIMEOUT, reason=None)
    assert ended == Ended(session=event.session, cause=EndCause.REMOTE)
    bench.receive(bench.reply(out[-1], 481))
    assert bench.events() == []


def test_15_hanging_up_before_the_ack_waits_for_it() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    tag = bench.sent()[0].to.tag or ""
    bench.endpoint.hang_up(event.session, bench.now)
    assert bench.sent() == []
    (bye,) = bench.receive(bench.request("ACK", to_tag=tag))
    assert str(bye.cseq) == "1 BYE"
    bench.receive(bench.reply(bye, 200))
    assert bench.one(Ended).cause is EndCause.LOCAL


def test_15_hanging_up_and_the_ack_never_comes() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    bench.endpoint.hang_up(event.session, bench.now)
    out = bench.pass_time(32.0)
    assert statuses(out)[-1] == "BYE"
    bench.receive(bench.reply(out[-1], 200))
    assert bench.one(Ended).cause is EndCause.LOCAL


def test_13_2_1_a_call_without_offer_is_offered_in_the_answer() -> None:
    bench = Bench()
    event = ringing(bench, body="")
    assert event.offer is None
    bench.endpoint.answer(event.session, OFFER, bench.now)
    tag = bench.sent()[0].to.tag or ""
    bench.receive(bench.request("ACK", to_tag=tag, body="v=0 answer\r\n"))
    assert bench.one(Established).body == ANSWER


def test_13_3_1_1_ringing_is_said_again_every_minute() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.ring(event.session, bench.now)
    bench.sent()
    assert statuses(bench.pass_time(185)) == [180, 180, 180]
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    bench.receive(bench.request("ACK", to_tag=bench.sent()[0].to.tag or ""))
    assert bench.pass_time(185) == []


@pytest.mark.parametrize("status", [302, 404, 486, 503, 603])
def test_13_3_1_3_a_call_can_be_turned_down(status: int) -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.reject(event.session, status, bench.now, reason="No", headers=(("Retry-After", "5"),))
    (refusal,) = bench.sent()
    assert isinstance(refusal, Response)
    assert (refusal.status, refusal.reason, refusal.headers.get("Retry-After")) == (status, "No", "5")
    assert bench.one(Ended) == Ended(session=event.session, cause=EndCause.LOCAL)
    assert statuses(bench.pass_time(1)) == [status]
    bench.receive(bench.request("ACK", branch="z9hG4bK-p1", to_tag=refusal.to.tag or ""))
    assert bench.pass_time(60) == []
    assert bench.events() == []


def test_hanging_up_a_ringing_call_is_480() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.hang_up(event.session, bench.now, reason="Q.850;cause=16")
    (refusal,) = bench.sent()
    assert statuses([refusal]) == [480]
    assert refusal.headers.get("Reason") == "Q.850;cause=16"
    assert bench.one(Ended).cause is EndCause.LOCAL


def test_what_never_fits_is_an_error() -> None:
    bench = Bench()
    event = ringing(bench)
    with pytest.raises(ValueError, match="no provisional"):
        bench.endpoint.ring(event.session, bench.now, 200)
    with pytest.raises(ValueError, match="no refusal"):
        bench.endpoint.reject(event.session, 200, bench.now)
    with pytest.raises(ValueError, match="unanswered call"):
        bench.endpoint.reoffer(event.session, OFFER, bench.now)
    with pytest.raises(ValueError, match="answered with answer or reject"):
        bench.endpoint.accept_offer(event.session, OFFER, bench.now)
    ours, _ = bench.call()
    with pytest.raises(ValueError, match="we made"):
        bench.endpoint.answer(ours, ANSWER, bench.now)


# CANCEL, 9.2


def test_9_2_a_cancel_ends_a_ringing_call_with_487() -> None:
    bench = Bench()
    event = ringing(bench, branch="z9hG4bK-i")
    bench.endpoint.ring(event.session, bench.now)
    tag = bench.sent()[0].to.tag
    out = bench.receive(bench.request("CANCEL", branch="z9hG4bK-i", headers='Reason: SIP;cause=200;text="elsewhere"\n'))
    assert statuses(out) == [200, 487]
    assert [message.to.tag for message in out] == [tag, tag], "9.2: the same tag"
    gone, ended = bench.events()
    assert gone == RemoteHungUp(session=event.session, how=HangUpKind.CANCEL, reason='SIP;cause=200;text="elsewhere"')
    assert ended == Ended(session=event.session, cause=EndCause.REMOTE)


def test_9_2_a_cancel_that_comes_too_late_changes_nothing() -> None:
    bench = Bench()
    event = ringing(bench, branch="z9hG4bK-i")
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    bench.sent()
    assert statuses(bench.receive(bench.request("CANCEL", branch="z9hG4bK-i"))) == [200]
    assert bench.events() == []


def test_9_2_a_cancel_without_its_invite_gets_481() -> None:
    bench = Bench()
    assert statuses(bench.receive(bench.request("CANCEL"))) == [481]


def test_a_verb_that_a_cancel_made_pointless_does_nothing() -> None:
    bench = Bench()
    event = ringing(bench, branch="z9hG4bK-i")
    session = bench.endpoint._inside.sessions.get(event.session)
    bench.receive(bench.request("CANCEL", branch="z9hG4bK-i"))
    desk = bench.endpoint._inside.sessions
    answer.ring(desk, session, 180, None)
    answer.accept(desk, session, ANSWER)
    answer.reject(desk, session, 486, None, [])
    assert bench.sent() == []


def test_13_3_1_an_invite_that_expires_gets_487() -> None:
    bench = Bench()
    event = ringing(bench, headers="Expires: 30\n")
    assert bench.pass_time(29.9) == []
    assert statuses(bench.pass_time(0.2)) == [487]
    gone, _ = bench.events()
    assert gone == RemoteHungUp(session=event.session, how=HangUpKind.TIMEOUT, reason=None)


def test_18_4_a_caller_that_cannot_be_reached_is_gone() -> None:
    bench = Bench()
    event = ringing(bench)
    bench.endpoint.handle_hop(HopChange.FAILED, HOP, bench.now)
    gone, ended = bench.events()
    assert gone == RemoteHungUp(session=event.session, how=HangUpKind.TRANSPORT, reason=None)
    assert ended == Ended(session=event.session, cause=EndCause.REMOTE)
    bench.endpoint.hang_up(event.session, bench.now)
    assert bench.sent() == []


def test_an_ack_for_nothing_is_a_stray() -> None:
    bench = Bench()
    assert bench.receive(bench.request("ACK", to_tag="nobody")) == []
    assert isinstance(bench.events()[0], StrayMessage)


def test_rfc_6026_a_repeated_invite_is_absorbed_after_the_answer() -> None:
    bench = Bench()
    event = ringing(bench, branch="z9hG4bK-i")
    bench.endpoint.answer(event.session, ANSWER, bench.now)
    bench.sent()
    assert bench.receive(bench.request("INVITE", branch="z9hG4bK-i", body="v=0 offer\r\n")) == []
    assert bench.events() == []
