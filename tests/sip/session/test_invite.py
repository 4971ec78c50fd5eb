"""The caller: RFC 3261 sections 13.2, 9.1 and 12.1.2, with the races they allow."""

import pytest
from tests.support.bench import ACCOUNT, ANSWER, HOP, OFFER, THEM, US, Bench, statuses

from offhook.sip.commands import Body, InviteOrder, SessionTimerPolicy
from offhook.sip.events import Answered, EndCause, Ended, Established, Progress, Refused, Resolve
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.hop import Hop, HopChange
from offhook.sip.message import Request
from offhook.sip.uri import Uri


def test_8_1_1_the_invite_holds_what_it_must() -> None:
    bench = Bench()
    _, invite = bench.call(headers=(("P-Asserted-Identity", "<sip:+4620@example.test>"),), max_forwards=12)
    assert invite.raw_uri == "sip:bob@192.0.2.9"
    assert invite.from_.tag
    assert invite.to.tag is None
    assert str(invite.cseq) == "1 INVITE"
    assert invite.max_forwards == 12
    assert invite.via.branch is not None
    assert invite.via.is_rfc3261
    assert invite.via.wants_rport
    assert str(invite.contacts[0].uri) == "sip:+4620@192.0.2.1:5060"  # type: ignore[index]
    assert "UPDATE" in invite.allow
    assert "100rel" not in invite.supported
    assert invite.headers.get("P-Asserted-Identity") == "<sip:+4620@example.test>"
    assert (invite.body, invite.headers.get("Content-Type")) == (OFFER.content, "application/sdp")


def test_8_1_2_an_outbound_proxy_is_a_preloaded_loose_route() -> None:
    bench = Bench()
    _, invite = bench.call(target=Uri.parse("sip:bob@far.test"), routes=(Uri.parse("sip:192.0.2.9"),))
    assert invite.headers.all("Route") == ["<sip:192.0.2.9;lr>"]
    assert invite.raw_uri == "sip:bob@far.test"
    assert bench.raw[0][1].remote == THEM


def test_a_whole_call() -> None:
    bench = Bench()
    session, invite = bench.call()
    bench.receive(bench.reply(invite, 100, tag=""))
    assert bench.events() == [], "100 says nothing"
    bench.receive(bench.reply(invite, 183, body="v=0 early\r\n"))
    progress = bench.one(Progress)
    assert (progress.status, progress.early, progress.body) == (183, "peer", Body(b"v=0 early\r\n"))
    ack = bench.receive(bench.reply(invite, 200, body="v=0 answer\r\n"))
    assert statuses(ack) == ["ACK"]
    assert str(ack[0].cseq) == "1 ACK"
    assert ack[0].via.branch != invite.via.branch, "13.2.2.4: a transaction of its own"
    answered, established = bench.events()
    assert answered == Answered(session=session, early="peer", body=ANSWER, ack_needed=False)
    assert established == Established(session=session, body=None)
    bench.endpoint.hang_up(session, bench.now, reason="Q.850;cause=16")
    (bye,) = bench.sent()
    assert isinstance(bye, Request)
    assert (bye.method, bye.raw_uri, str(bye.cseq)) == ("BYE", "sip:peer@192.0.2.9", "2 BYE")
    assert bye.headers.get("Reason") == "Q.850;cause=16"
    bench.receive(bench.reply(bye, 200))
    assert bench.one(Ended) == Ended(session=session, cause=EndCause.LOCAL)
    assert bench.pass_time(60) == []
    assert bench.endpoint.poll_deadline() is None, "nothing is left behind"
    assert bench.endpoint.export()["sessions"] == []


def test_13_2_2_4_each_repeat_of_the_2xx_gets_the_same_ack() -> None:
    bench = Bench()
    _, invite = bench.established_caller()
    first = bench.raw[-1][0]
    again = bench.receive(bench.reply(invite, 200, body="v=0 answer\r\n"))
    assert statuses(again) == ["ACK"]
    assert bench.raw[-1][0] == first
    assert bench.events() == []


def test_13_2_2_4_forking_the_first_2xx_wins_and_others_are_ended() -> None:
    bench = Bench()
    session, invite = bench.call()
    for tag in ("one", "two"):
        bench.receive(bench.reply(invite, 180, tag=tag))
    assert [event.early for event in bench.events() if isinstance(event, Progress)] == ["one", "two"]
    assert statuses(bench.receive(bench.reply(invite, 200, tag="two"))) == ["ACK"]
    assert [type(event) for event in bench.events()] == [Answered, Established]
    other = bench.receive(bench.reply(invite, 200, tag="one"))
    assert statuses(other) == ["ACK", "BYE"]
    assert {message.to.tag for message in other} == {"one"}
    assert statuses(bench.receive(bench.reply(invite, 200, tag="one"))) == ["ACK"], "ended once only"
    bench.receive(bench.reply(other[1], 200, tag=""))
    assert bench.events() == [], "the call itself goes on"
    third = bench.receive(bench.reply(invite, 200, tag="three"))
    assert statuses(third) == ["ACK", "BYE"], "a branch that never rang"
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    assert bye.to.tag == "two"


def test_a_branch_that_answers_after_the_call_is_over_is_ended_too() -> None:
    bench = Bench()
    session, invite = bench.established_caller()
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    bench.receive(bench.reply(bye, 200))
    bench.events()
    assert statuses(bench.receive(bench.reply(invite, 200, tag="late"))) == ["ACK", "BYE"]
    bench.pass_time(64)
    assert bench.events() == []
    assert bench.endpoint.export()["sessions"] == []


def test_13_2_1_an_invite_without_offer_is_answered_in_the_ack() -> None:
    bench = Bench()
    session, invite = bench.call(offer=None)
    assert "Content-Type" not in invite.headers
    assert bench.receive(bench.reply(invite, 200, body="v=0 theirs\r\n")) == []
    assert bench.one(Answered).ack_needed
    assert bench.receive(bench.reply(invite, 200, body="v=0 theirs\r\n")) == [], "no ACK before our answer"
    bench.endpoint.acknowledge(session, ANSWER, bench.now)
    (ack,) = bench.sent()
    assert (ack.body, ack.headers.get("Content-Type")) == (ANSWER.content, "application/sdp")
    bench.one(Established)
    bench.endpoint.acknowledge(session, ANSWER, bench.now)
    assert bench.sent() == [], "once is enough"


def test_hanging_up_while_the_ack_is_owed_acknowledges_first() -> None:
    bench = Bench()
    session, invite = bench.call(offer=None)
    bench.receive(bench.reply(invite, 200, body="v=0 theirs\r\n"))
    bench.endpoint.hang_up(session, bench.now)
    assert statuses(bench.sent()) == ["ACK", "BYE"]


# CANCEL, 9.1


def test_9_1_cancel_waits_for_a_provisional_answer() -> None:
    bench = Bench()
    session, invite = bench.call()
    bench.endpoint.hang_up(session, bench.now)
    assert bench.sent() == []
    (cancel,) = bench.receive(bench.reply(invite, 100, tag=""))
    assert isinstance(cancel, Request)
    assert cancel.method == "CANCEL"
    assert cancel.via == invite.via
    assert cancel.cseq.number == invite.cseq.number
    bench.receive(bench.reply(cancel, 200))
    assert bench.events() == []
    assert statuses(bench.receive(bench.reply(invite, 487))) == ["ACK"]
    assert bench.one(Ended).cause is EndCause.LOCAL


def test_9_1_cancel_leaves_at_once_after_ringing_and_only_once() -> None:
    bench = Bench()
    session, invite = bench.call()
    bench.receive(bench.reply(invite, 180))
    bench.endpoint.hang_up(session, bench.now, reason="SIP;cause=200")
    (cancel,) = bench.sent()
    assert cancel.headers.get("Reason") == "SIP;cause=200"
    bench.endpoint.hang_up(session, bench.now)
    assert bench.receive(bench.reply(invite, 183)) == []


def test_9_1_a_200_that_crosses_the_cancel_is_acknowledged_and_ended() -> None:
    bench = Bench()
    session, invite = bench.call()
    bench.receive(bench.reply(invite, 180))
    bench.endpoint.hang_up(session, bench.now)
    bench.sent()
    bench.events()
    crossing = bench.receive(bench.reply(invite, 200, body="v=0\r\n"))
    assert statuses(crossing) == ["ACK", "BYE"]
    assert statuses(bench.receive(bench.reply(invite, 200, body="v=0\r\n"))) == ["ACK"]
    bench.receive(bench.reply(crossing[1], 200))
    assert bench.one(Ended) == Ended(session=session, cause=EndCause.LOCAL)


def test_9_1_without_a_final_answer_the_invite_is_given_up_after_64_t1() -> None:
    bench = Bench()
    session, invite = bench.call()
    bench.receive(bench.reply(invite, 180))
    bench.endpoint.hang_up(session, bench.now)
    (cancel,) = bench.sent()
    bench.receive(bench.reply(cancel, 200))
    bench.events()
    bench.pass_time(31.9)
    assert bench.events() == []
    bench.pass_time(0.2)
    assert bench.one(Ended).cause is EndCause.LOCAL
    bench.pass_time(60)
    assert bench.endpoint.poll_deadline() is None


def test_cancelled_and_never_heard_of() -> None:
    bench = Bench()
    session, _ = bench.call()
    bench.endpoint.hang_up(session, bench.now)
    assert set(statuses(bench.pass_time(40))) == {"INVITE"}
    assert bench.one(Ended) == Ended(session=session, cause=EndCause.LOCAL)


def test_hanging_up_before_anything_left() -> None:
    bench = Bench()
    order = InviteOrder(
        target=Uri.parse("sip:bob@trunk.test"),
        from_=NameAddr.parse("<sip:a@example.test>"),
        to=NameAddr.parse("<sip:bob@trunk.test>"),
        offer=OFFER,
    )
    session = bench.endpoint.invite(order, bench.now)
    resolve = bench.one(Resolve)
    bench.endpoint.hang_up(session, bench.now)
    assert bench.one(Ended) == Ended(session=session, cause=EndCause.LOCAL)
    bench.endpoint.handle_resolved(resolve.query, (), bench.now)
    assert bench.sent() == []


# Refusals


@pytest.mark.parametrize("status", [404, 486, 500, 603])
def test_8_1_3_a_refusal_ends_the_call(status: int) -> None:
    bench = Bench()
    session, invite = bench.call()
    assert statuses(bench.receive(bench.reply(invite, status, headers="Retry-After: 18"))) == ["ACK"]
    refused, ended = bench.events()
    assert isinstance(refused, Refused)
    assert (refused.status, refused.retry_after_s) == (status, 18)
    assert refused.headers is not None
    assert ended == Ended(session=session, cause=EndCause.REFUSED)


def test_8_1_3_4_a_redirection_is_reported_best_first() -> None:
    bench = Bench()
    _, invite = bench.call()
    bench.receive(bench.reply(invite, 302, headers="Contact: <sip:b@h.test>;q=0.2, <sip:c@h.test>;q=0.7"))
    refused = next(event for event in bench.events() if isinstance(event, Refused))
    assert [str(contact.uri) for contact in refused.contacts] == ["sip:c@h.test", "sip:b@h.test"]


def test_8_1_3_1_silence_is_408() -> None:
    bench = Bench()
    _, _ = bench.call()
    bench.pass_time(32.1)
    refused = next(event for event in bench.events() if isinstance(event, Refused))
    assert (refused.status, refused.headers) == (408, None)


def test_8_1_3_1_a_transport_error_is_503() -> None:
    bench = Bench()
    bench.call()
    bench.endpoint.handle_hop(HopChange.FAILED, HOP, bench.now)
    refused = next(event for event in bench.events() if isinstance(event, Refused))
    assert (refused.status, refused.headers) == (503, None)


def test_a_uri_that_leads_nowhere_is_503() -> None:
    bench = Bench()
    alice = NameAddr.parse("<sip:a@example.test>")
    order = InviteOrder(target=Uri.parse("sips:bob@192.0.2.9"), from_=alice, to=alice, offer=OFFER)
    bench.endpoint.invite(order, bench.now)
    assert [type(event) for event in bench.events()] == [Refused, Ended]


def test_a_ringing_call_has_no_timer_of_its_own() -> None:
    bench = Bench()
    _, invite = bench.call()
    bench.receive(bench.reply(invite, 180))
    bench.events()
    assert bench.pass_time(3600) == []
    assert bench.events() == []


def test_rfc_4028_7_3_422_is_followed_once_it_helps() -> None:
    bench = Bench(session_timer=SessionTimerPolicy(offer=True, interval_s=600))
    _, invite = bench.call()
    assert invite.headers.get("Session-Expires") == "600"
    out = bench.receive(bench.reply(invite, 422, headers="Min-SE: 900"))
    assert statuses(out) == ["ACK", "INVITE"]
    again = out[1]
    assert (again.headers.get("Session-Expires"), again.headers.get("Min-SE")) == ("900", "900")
    assert str(again.cseq) == "2 INVITE"
    assert (again.call_id, again.from_.tag) == (invite.call_id, invite.from_.tag)
    assert bench.events() == []
    assert statuses(bench.receive(bench.reply(again, 422, headers="Min-SE: 900"))) == ["ACK"]
    assert isinstance(bench.events()[0], Refused)


CHALLENGE = 'Digest realm="trunk", nonce="{}", algorithm=MD5, qop="auth"'


def test_22_2_a_challenge_is_answered_with_a_new_number_and_branch() -> None:
    bench = Bench()
    session, invite = bench.call(account=ACCOUNT)
    out = bench.receive(bench.reply(invite, 401, headers=f"WWW-Authenticate: {CHALLENGE.format('n1')}"))
    assert statuses(out) == ["ACK", "INVITE"]
    again = out[1]
    assert str(again.cseq) == "2 INVITE"
    assert again.via.branch != invite.via.branch
    assert (again.call_id, again.from_.tag, again.to.tag) == (invite.call_id, invite.from_.tag, None)
    assert 'username="alice"' in (again.headers.get("Authorization") or "")
    assert bench.events() == [], "the application need not know"
    ack = bench.receive(bench.reply(again, 200, body="v=0\r\n"))
    assert ack[0].headers.get("Authorization") == again.headers.get("Authorization"), "22.1: the ACK has them too"
    assert str(ack[0].cseq) == "2 ACK"
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    assert str(bye.cseq) == "3 BYE"
    assert "nc=00000002" in (bye.headers.get("Authorization") or ""), "22.3: what was learned serves on"


def test_22_2_the_same_credentials_are_not_refused_twice() -> None:
    bench = Bench()
    _, invite = bench.call(account=ACCOUNT)
    out = bench.receive(bench.reply(invite, 407, headers=f"Proxy-Authenticate: {CHALLENGE.format('n1')}"))
    assert "Proxy-Authorization" in out[1].headers
    assert statuses(
        bench.receive(bench.reply(out[1], 407, headers=f"Proxy-Authenticate: {CHALLENGE.format('n2')}"))
    ) == ["ACK"]
    assert [event.status for event in bench.events() if isinstance(event, Refused)] == [407]


def test_22_2_a_challenge_without_an_account_is_a_refusal() -> None:
    bench = Bench()
    _, invite = bench.call()
    bench.receive(bench.reply(invite, 401, headers=f"WWW-Authenticate: {CHALLENGE.format('n1')}"))
    assert [event.status for event in bench.events() if isinstance(event, Refused)] == [401]


def test_a_challenge_after_hanging_up_is_not_answered() -> None:
    bench = Bench()
    session, invite = bench.call(account=ACCOUNT)
    bench.endpoint.hang_up(session, bench.now)
    assert statuses(bench.receive(bench.reply(invite, 401, headers=f"WWW-Authenticate: {CHALLENGE.format('n1')}"))) == [
        "ACK"
    ]
    assert bench.one(Ended).cause is EndCause.LOCAL


def test_9_1_after_a_challenge_the_cancel_waits_for_the_new_invites_answer() -> None:
    bench = Bench()
    session, invite = bench.call(account=ACCOUNT)
    bench.receive(bench.reply(invite, 100, tag=""))
    out = bench.receive(bench.reply(invite, 401, headers=f"WWW-Authenticate: {CHALLENGE.format('n1')}"))
    bench.endpoint.hang_up(session, bench.now)
    assert bench.sent() == []
    (cancel,) = bench.receive(bench.reply(out[1], 100, tag=""))
    assert str(cancel.cseq) == "2 CANCEL"


def test_a_call_over_a_phones_flow_stays_on_it() -> None:
    bench = Bench()
    flow = Hop("udp", US, ("198.51.100.7", 41000))
    session, invite = bench.call(target=Uri.parse("sip:phone@10.0.0.5"), hop=flow)
    assert bench.raw[-1][1] == flow
    bench.receive(bench.reply(invite, 200, headers="Contact: <sip:phone@10.0.0.5>"), flow)
    assert bench.raw[-1][1] == flow
    bench.endpoint.hang_up(session, bench.now)
    bench.sent()
    assert bench.raw[-1][1] == flow


def test_12_2_1_1_record_routes_lead_the_requests_within() -> None:
    bench = Bench()
    session, invite = bench.call()
    ack = bench.receive(
        bench.reply(invite, 200, headers="Contact: <sip:b@10.0.0.9>\nRecord-Route: <sip:192.0.2.50;lr>")
    )
    assert bench.raw[-1][1].remote == ("192.0.2.50", 5060)
    assert ack[0].headers.all("Route") == ["<sip:192.0.2.50;lr>"]
    bench.endpoint.hang_up(session, bench.now)
    assert bench.sent()[0].headers.all("Route") == ["<sip:192.0.2.50;lr>"]


def test_a_2xx_that_cannot_be_read_is_dropped() -> None:
    bench = Bench()
    _, invite = bench.call()
    assert bench.receive(bench.reply(invite, 200, headers="Contact: <<nonsense")) == []
    assert bench.receive(bench.reply(invite, 200)) != [], "a good one still counts"
