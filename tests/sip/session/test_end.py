"""The end of a session: RFC 3261 section 15, from both sides and at once."""

import pytest
from tests.support.bench import ANSWER, HOP, Bench, statuses

from offhook.sip.events import EndCause, Ended, HangUpKind, Progress, RemoteHungUp
from offhook.sip.hop import HopChange
from offhook.sip.session import end


def test_15_1_2_a_bye_for_no_dialog_gets_481() -> None:
    bench = Bench()
    assert statuses(bench.receive(bench.request("BYE", to_tag="nobody"))) == [481]
    assert statuses(bench.receive(bench.request("BYE", call_id="x"))) == [481]


def test_12_2_2_the_peers_tag_must_fit_too() -> None:
    bench = Bench()
    _, tag = bench.established_callee()
    assert statuses(bench.receive(bench.request("BYE", to_tag=tag, from_tag="stranger", cseq=2))) == [481]
    assert bench.events() == []


def test_both_hang_up_at_once() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    assert statuses(bench.receive(bench.request("BYE", to_tag=tag, cseq=2))) == [200]
    assert bench.one(Ended) == Ended(session=session, cause=EndCause.LOCAL)
    bench.receive(bench.reply(bye, 481, tag=""))
    assert bench.events() == []


@pytest.mark.parametrize("status", [200, 481, 500])
def test_15_1_1_any_answer_to_our_bye_ends_it(status: int) -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.hang_up(session, bench.now)
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    bench.receive(bench.reply(bye, status))
    assert bench.one(Ended).cause is EndCause.LOCAL


def test_15_1_1_no_answer_to_our_bye_ends_it_too() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.hang_up(session, bench.now)
    assert set(statuses(bench.pass_time(33))) == {"BYE"}
    assert bench.one(Ended) == Ended(session=session, cause=EndCause.LOCAL)


def test_a_bye_that_cannot_be_sent_ends_it() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    bench.endpoint.hang_up(session, bench.now)
    bench.sent()
    bench.endpoint.handle_hop(HopChange.FAILED, HOP, bench.now)
    assert bench.one(Ended).cause is EndCause.LOCAL


def test_15_1_2_a_bye_in_the_early_dialog_ends_the_invite_with_487() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", body="v=0 offer\r\n"))
    session = next(event.session for event in bench.events() if hasattr(event, "handle"))
    bench.endpoint.ring(session, bench.now)
    tag = bench.sent()[0].to.tag or ""
    assert statuses(bench.receive(bench.request("BYE", to_tag=tag, cseq=2))) == [200, 487]
    assert [type(event) for event in bench.events()] == [RemoteHungUp, Ended]


def test_a_branch_of_a_fork_that_says_bye_leaves_the_others() -> None:
    bench = Bench()
    session, invite = bench.call()
    for tag in ("one", "two"):
        bench.receive(bench.reply(invite, 180, tag=tag))
    assert len([event for event in bench.events() if isinstance(event, Progress)]) == 2
    ours = invite.from_.tag or ""
    assert statuses(bench.receive(bench.request("BYE", call_id=invite.call_id, to_tag=ours, from_tag="one"))) == [200]
    assert bench.events() == []
    assert statuses(bench.receive(bench.reply(invite, 200, tag="two"))) == ["ACK"]
    bye = bench.request("BYE", call_id=invite.call_id, to_tag=ours, from_tag="two")
    assert statuses(bench.receive(bye)) == [200]
    assert Ended(session=session, cause=EndCause.REMOTE) in bench.events()


def test_a_bye_before_the_ack_ends_an_answered_call() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", body="v=0 offer\r\n"))
    session = next(event.session for event in bench.events() if hasattr(event, "handle"))
    bench.endpoint.answer(session, ANSWER, bench.now)
    tag = bench.sent()[0].to.tag or ""
    assert statuses(bench.receive(bench.request("BYE", to_tag=tag, cseq=2))) == [200]
    assert bench.one(RemoteHungUp).how is HangUpKind.BYE
    assert bench.pass_time(60) == [], "the 2xx is not repeated any more"


def test_a_repeated_bye_gets_the_same_answer() -> None:
    bench = Bench()
    _, tag = bench.established_callee()
    bye = bench.request("BYE", to_tag=tag, cseq=2, branch="z9hG4bK-bye")
    assert statuses(bench.receive(bye)) == [200]
    bench.events()
    assert statuses(bench.receive(bye)) == [200]
    assert bench.events() == []


def test_a_dialog_that_ended_is_unknown() -> None:
    bench = Bench()
    session, invite = bench.established_caller()
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    bench.receive(bench.reply(bye, 200))
    info = bench.request("INFO", call_id=invite.call_id, to_tag=invite.from_.tag or "", from_tag="peer")
    assert statuses(bench.receive(info)) == [481]


def test_a_timer_that_no_session_has_is_a_fault_of_ours() -> None:
    bench = Bench()
    session, _ = bench.established_caller()
    desk = bench.endpoint._inside.sessions
    with pytest.raises(ValueError, match="no timer"):
        end.on_timer(desk, desk.get(session), "tea")
