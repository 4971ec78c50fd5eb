"""What a request is owed before anybody else sees it: RFC 3261 sections 8.2, 11.2, 18 and 21, and keep-alives."""

import pytest
from tests.support.bench import ACCOUNT, ANSWER, HOP, OFFER, THEM, US, Bench, statuses

from offhook.sip.events import Answered, CloseHop, InfoReceived, Resolve, StrayKind, StrayMessage
from offhook.sip.hop import Hop, HopChange
from offhook.sip.message import Response
from offhook.sip.session.invite import EARLY_DIALOGS_MAX

STREAM = Hop("tcp", US, ("192.0.2.9", 50001), 1)
TCP = "SIP/2.0/TCP 192.0.2.9:5060;branch=z9hG4bK-{}"


def answered(bench: Bench, text: str, hop: Hop = HOP) -> Response:
    (answer,) = bench.receive(text, hop)
    assert isinstance(answer, Response)
    return answer


@pytest.mark.parametrize("method", ["SUBSCRIBE", "NOTIFY", "PUBLISH", "REFER", "MESSAGE", "PRACK"])
def test_8_2_1_a_method_that_we_know_and_do_not_do_gets_405(method: str) -> None:
    answer = answered(Bench(), Bench().request(method))
    assert answer.status == 405
    assert set(answer.allow) == {"INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "INFO", "UPDATE", "REGISTER"}


def test_21_5_2_a_method_that_nobody_knows_gets_501() -> None:
    assert answered(Bench(), Bench().request("NEWMETHOD")).status == 501


def test_8_2_2_1_an_unknown_scheme_gets_416() -> None:
    assert answered(Bench(), Bench().request("INVITE", uri="nobody:knows@this")).status == 416


@pytest.mark.parametrize("tag", ["100rel", "nothing-we-know"])
def test_8_2_2_3_an_extension_that_is_required_in_vain_gets_420(tag: str) -> None:
    answer = answered(Bench(), Bench().request("INVITE", headers=f"Require: timer, {tag}\n"))
    assert (answer.status, answer.unsupported) == (420, (tag,))


def test_8_2_3_a_body_of_another_type_gets_415() -> None:
    answer = answered(Bench(), Bench().request("INVITE", headers="Content-Type: text/plain\n", body="hello"))
    assert (answer.status, answer.headers.get("Accept")) == (415, "application/sdp")
    optional = "Content-Type: text/plain\nContent-Disposition: session;handling=optional\n"
    assert answered(Bench(), Bench().request("INVITE", headers=optional, body="hello")).status == 100
    coded = answered(Bench(), Bench().request("INVITE", headers="Content-Encoding: gzip\n", body="v=0"))
    assert (coded.status, coded.headers.get("Accept-Encoding")) == (415, "identity")


def test_8_2_2_2_a_merged_request_gets_482() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE"))
    assert answered(bench, bench.request("INVITE")).status == 482


def test_11_2_options_tell_what_we_can_do() -> None:
    answer = answered(Bench(), Bench().request("OPTIONS"))
    assert answer.status == 200
    for name, value in (
        ("Accept", "application/sdp"),
        ("Accept-Encoding", "identity"),
        ("Accept-Language", "en"),
        ("Supported", "timer"),
    ):
        assert answer.headers.get(name) == value
    assert "INVITE" in answer.allow


def test_11_2_options_within_a_dialog() -> None:
    bench = Bench()
    _, tag = bench.established_callee()
    assert answered(bench, bench.request("OPTIONS", to_tag=tag, cseq=2)).status == 200
    assert answered(bench, bench.request("REGISTER", to_tag=tag, cseq=3)).status == 481


def test_rfc_4475_3_3_11_max_forwards_of_zero_is_taken_where_the_request_ends() -> None:
    text = Bench().request("OPTIONS").replace("Max-Forwards: 70", "Max-Forwards: 0")
    assert answered(Bench(), text).status == 200


def test_a_faulty_request_is_answered_without_a_transaction() -> None:
    bench = Bench()
    text = bench.request("INVITE", branch="z9hG4bK-x").replace("CSeq: 1 INVITE", "CSeq: 1 BYE")
    first = answered(bench, text)
    assert first.status == 400
    assert answered(bench, text).to.tag == first.to.tag, "8.2.7: each repeat gets the same tag"
    assert bench.endpoint._inside.layer.by_key == {}


def test_what_nobody_can_answer_is_counted() -> None:
    bench = Bench()
    bad_ack = bench.request("ACK").replace("CSeq: 1 ACK", "CSeq: 1 BYE")
    no_via = bench.request("OPTIONS").replace("Via: ", "X-Via: ")
    for text in (b"not sip at all\r\n\r\n", bad_ack, no_via, "SIP/2.0 200 OK\nVia: nonsense\n\n"):
        assert bench.receive(text) == []
    kinds = [event.kind for event in bench.events() if isinstance(event, StrayMessage)]
    assert kinds == [StrayKind.UNPARSEABLE, StrayKind.DISCARDED, StrayKind.DISCARDED, StrayKind.DISCARDED]


def test_a_response_that_nobody_waits_for_is_counted() -> None:
    bench = Bench()
    _, invite = bench.call()
    text = bench.reply(invite, 200).replace(invite.via.branch or "", "z9hG4bK-other")
    assert bench.receive(text) == []
    assert bench.one(StrayMessage).kind is StrayKind.RESPONSE


def test_datagrams_that_only_hold_a_mapping_open_say_nothing() -> None:
    bench = Bench()
    for data in (b"\r\n\r\n", b"\x00", b""):
        assert bench.receive(data) == []
    assert bench.events() == []


def test_rfc_5626_3_5_1_a_ping_on_a_stream_gets_a_pong() -> None:
    bench = Bench()
    bench.endpoint.handle_stream(b"\r\n\r\n", STREAM, bench.now)
    assert bench.endpoint.poll_transmit() == (b"\r\n", STREAM)
    bench.endpoint.handle_stream(b"\r\n", STREAM, bench.now)
    assert bench.endpoint.poll_transmit() is None


def test_18_3_a_stream_may_be_cut_anywhere() -> None:
    bench = Bench()
    data = bench.request("OPTIONS", via=TCP.format("o")).replace("\n", "\r\n")
    data = data.replace("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n")
    for octet in data.encode():
        bench.endpoint.handle_stream(bytes([octet]), STREAM, bench.now)
    assert statuses(bench.sent()) == [200]
    assert bench.raw[-1][1] == STREAM


def test_18_2_2_an_answer_finds_another_connection_when_its_own_is_closed() -> None:
    bench = Bench()
    bench.receive(bench.request("REGISTER", via=TCP.format("r")), STREAM)
    handle = next(event.handle for event in bench.events() if hasattr(event, "handle"))
    bench.endpoint.handle_hop(HopChange.CLOSED, STREAM, bench.now)
    bench.endpoint.accept_register(handle, bench.now)
    bench.sent()
    assert bench.raw[-1][1] == Hop("tcp", US, ("192.0.2.9", 5060), None), "where the Via says that it listens"


def test_18_2_2_repeats_of_a_2xx_find_another_connection_too() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", via=TCP.format("i").replace(":5060", ""), body="v=0 offer\r\n"), STREAM)
    session = next(event.session for event in bench.events() if hasattr(event, "handle"))
    bench.endpoint.answer(session, ANSWER, bench.now)
    bench.sent()
    assert bench.raw[-1][1] == STREAM
    bench.endpoint.handle_hop(HopChange.CLOSED, STREAM, bench.now)
    assert statuses(bench.pass_time(0.6)) == [200]
    assert bench.raw[-1][1] == Hop("tcp", US, ("192.0.2.9", 5060), None)
    other = Hop("tcp", US, ("192.0.2.9", 5060), 8)
    bench.endpoint.handle_hop(HopChange.OPENED, other, bench.now)
    assert statuses(bench.pass_time(1.1)) == [200]
    assert bench.raw[-1][1] == other, "the new one is used again"


def test_without_room_for_a_transaction_what_is_new_gets_a_stateless_503() -> None:
    bench = Bench(transactions_max=2)
    _, tag = bench.established_callee(branch="z9hG4bK-i")
    assert answered(bench, bench.request("OPTIONS", call_id="o1", branch="z9hG4bK-o")).status == 200
    for method in ("OPTIONS", "REGISTER", "INVITE"):
        refusal = answered(bench, bench.request(method, call_id="o2", branch="z9hG4bK-n"))
        assert (refusal.status, refusal.headers.get("Retry-After")) == (503, "5")
    assert len(bench.endpoint.export()["transactions"]) == 2
    assert answered(bench, bench.request("OPTIONS", call_id="o1", branch="z9hG4bK-o")).status == 200, "a repeat"
    assert answered(bench, bench.request("BYE", to_tag=tag, cseq=2)).status == 200, "a call that stands can end"


def test_a_stream_without_framing_is_closed() -> None:
    bench = Bench()
    bench.endpoint.handle_stream(b"nonsense " * 10 + b"\r\n\r\n", STREAM, bench.now)
    kinds = [type(event) for event in bench.events()]
    assert kinds == [StrayMessage, CloseHop]


def test_a_faulty_request_on_a_stream_is_owed_its_answer() -> None:
    bench = Bench()
    text = bench.request("OPTIONS", via=TCP.format("o")).replace("\n", "\r\n")
    bench.endpoint.handle_stream(text.encode(), STREAM, bench.now)
    assert statuses(bench.sent()) == [400], "without Content-Length nobody knows where it ends (18.3)"


def test_octets_of_a_stream_need_a_connection() -> None:
    bench = Bench()
    with pytest.raises(ValueError, match="number of their connection"):
        bench.endpoint.handle_stream(b"x", Hop("tcp", US, THEM), bench.now)


def test_connections_come_and_go() -> None:
    bench = Bench()
    standing = bench.endpoint._inside.core.connections
    bench.endpoint.handle_hop(HopChange.OPENED, STREAM, bench.now)
    assert list(standing.values()) == [STREAM]
    bench.endpoint.handle_hop(HopChange.OPENED, Hop("udp", US, THEM), bench.now)
    assert list(standing.values()) == [STREAM], "a datagram hop does not open"
    bench.endpoint.handle_hop(HopChange.CLOSED, Hop("tcp", US, STREAM.remote, 99), bench.now)
    assert list(standing.values()) == [STREAM], "another one closed"
    bench.endpoint.handle_hop(HopChange.CLOSED, STREAM, bench.now)
    assert not standing


def test_info_is_told_and_answered() -> None:
    bench = Bench()
    session, tag = bench.established_callee()
    dtmf = "Content-Type: application/dtmf-relay\n"
    text = bench.request("INFO", to_tag=tag, cseq=2, headers=dtmf, body="Signal=5\r\nDuration=160\r\n")
    assert answered(bench, text).status == 200
    event = bench.one(InfoReceived)
    assert (event.session, event.body.content_type) == (session, "application/dtmf-relay")
    assert event.body.content == b"Signal=5\r\nDuration=160\r\n"
    assert answered(bench, bench.request("INFO", to_tag=tag, cseq=3)).status == 200
    assert bench.events() == [], "an empty one only asks whether we are there"
    assert answered(bench, bench.request("INFO", to_tag="nobody", cseq=4)).status == 481
    assert answered(bench, bench.request("INFO", call_id="other")).status == 481


def test_12_2_2_a_request_out_of_order_gets_500_and_changes_nothing() -> None:
    bench = Bench()
    _, tag = bench.established_callee(cseq=10)  # type: ignore[arg-type]
    assert answered(bench, bench.request("BYE", to_tag=tag, cseq=9)).status == 500
    assert bench.events() == []


def test_an_invite_failed_without_ack_leaves_nothing() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE"))
    session = next(event.session for event in bench.events() if hasattr(event, "handle"))
    bench.endpoint.reject(session, 486, bench.now)
    bench.sent()
    assert set(statuses(bench.pass_time(40))) == {486}
    assert bench.endpoint.export()["transactions"] == []


def test_a_late_word_for_a_session_that_is_gone_is_dropped() -> None:
    bench = Bench()
    session, invite = bench.call()
    desk = bench.endpoint._inside.sessions
    del desk.by_id[session]
    for status in (180, 200):
        bench.receive(bench.reply(invite, status))
    bench.mono += 1
    assert bench.events() == []


CHALLENGE = 'WWW-Authenticate: Digest realm="r", nonce="{}", algorithm=MD5, qop="auth"'


def test_22_2_requests_within_a_dialog_are_challenged_and_counted_too() -> None:
    bench = Bench()
    session, _ = bench.established_caller(account=ACCOUNT)
    bench.endpoint.reoffer(session, OFFER, bench.now)
    (first,) = bench.sent()
    ack, again = bench.receive(bench.reply(first, 401, headers=CHALLENGE.format("n1")))
    assert statuses([ack, again]) == ["ACK", "INVITE"]
    assert again.cseq.number == first.cseq.number + 1
    bench.receive(bench.reply(again, 200))
    bench.endpoint.hang_up(session, bench.now)
    (bye,) = bench.sent()
    assert bye.cseq.number == again.cseq.number + 1, "the dialog counts on from there"
    (second,) = bench.receive(bench.reply(bye, 401, headers=CHALLENGE.format("n2") + ", stale=true"))
    assert second.cseq.number == bye.cseq.number + 1
    assert 'nonce="n2"' in (second.headers.get("Authorization") or "")


def test_a_stray_branch_of_a_fork_may_challenge_its_bye() -> None:
    bench = Bench()
    _, invite = bench.established_caller(account=ACCOUNT)
    _, bye = bench.receive(bench.reply(invite, 200, tag="other"))
    (again,) = bench.receive(bench.reply(bye, 401, headers=CHALLENGE.format("n1")))
    assert (again.to.tag, again.cseq.number) == ("other", bye.cseq.number + 1)


def test_a_wide_fork_is_told_of_but_not_followed_without_end() -> None:
    bench = Bench()
    session, invite = bench.call()
    for number in range(EARLY_DIALOGS_MAX + 3):
        bench.receive(bench.reply(invite, 180, tag=f"t{number}"))
    assert len(bench.events()) == EARLY_DIALOGS_MAX + 3
    assert len(bench.endpoint._inside.sessions.get(session).early) == EARLY_DIALOGS_MAX
    bench.receive(bench.reply(invite, 200, tag=f"t{EARLY_DIALOGS_MAX + 1}"))
    assert bench.one(Answered).early == f"t{EARLY_DIALOGS_MAX + 1}", "its 2xx wins all the same"


def test_an_early_dialog_moves_with_its_contact() -> None:
    bench = Bench()
    session, invite = bench.call()
    bench.receive(bench.reply(invite, 180))
    bench.receive(bench.reply(invite, 183, headers="Contact: <sip:moved@192.0.2.9>"))
    assert bench.endpoint._inside.sessions.get(session).early["peer"].target.user == "moved"


def test_a_change_of_ours_that_waited_for_the_ack_meets_theirs() -> None:
    bench = Bench()
    bench.receive(bench.request("INVITE", body="v=0 offer\r\n"))
    session = next(event.session for event in bench.events() if hasattr(event, "handle"))
    bench.endpoint.answer(session, ANSWER, bench.now)
    tag = bench.sent()[0].to.tag or ""
    bench.endpoint.reoffer(session, OFFER, bench.now)
    assert bench.sent() == [], "the ACK is still out"
    out = bench.receive(bench.request("INVITE", to_tag=tag, cseq=2, body="v=0 x\r\n"))
    assert statuses(out) == ["INVITE", 491], "their INVITE stands for the ACK, so ours leaves, and theirs must wait"


def test_an_ack_that_needs_a_look_up_follows_it() -> None:
    bench = Bench()
    _, invite = bench.call()
    assert bench.receive(bench.reply(invite, 200, headers="Contact: <sip:peer@pbx.test:5060>")) == []
    asked = next(event for event in bench.events() if isinstance(event, Resolve))
    assert bench.receive(bench.reply(invite, 200, headers="Contact: <sip:peer@pbx.test:5060>")) == []
    bench.endpoint.handle_resolved(asked.query, ("192.0.2.33",), bench.now)
    assert statuses(bench.sent()) == ["ACK"]
    assert bench.raw[-1][1].remote == ("192.0.2.33", 5060)
    assert statuses(bench.receive(bench.reply(invite, 200, headers="Contact: <sip:peer@pbx.test:5060>"))) == ["ACK"]


def test_an_ack_that_leads_nowhere_leaves_the_call_to_the_callee() -> None:
    bench = Bench()
    _, invite = bench.call()
    bench.receive(bench.reply(invite, 200, headers="Contact: <sip:peer@pbx.test:5060>"))
    asked = next(event for event in bench.events() if isinstance(event, Resolve))
    bench.endpoint.handle_resolved(asked.query, (), bench.now)
    assert bench.sent() == []
    assert bench.endpoint.sessions_count == 1
