"""Which transaction a message belongs to (RFC 3261 17.1.3, 17.2.3, 9.2, 8.2.2.2) and where answers go (18.2)."""

from hypothesis import given
from hypothesis import strategies as st
from tests.support.transactions import THEM, US, Recorder

from offhook.sip.hop import Hop
from offhook.sip.transaction.layer import (
    MACHINES,
    Kind,
    Transaction,
    cancel_for,
    response_hop,
    server_key,
    stamp_via,
)
from offhook.sip.transaction.table import Input, State

OLD = "SIP/2.0/UDP 192.0.2.9:5060;branch=1"


def test_17_1_3_a_response_needs_the_branch_and_the_method() -> None:
    side = Recorder()
    tx = side.send("INVITE")
    other = side.request("INVITE", "z9hG4bK-other")
    assert not side.layer.receive_response(other.reply(200))
    cancel = cancel_for(tx.request)
    assert not side.layer.receive_response(cancel.reply(200)), "same branch, another method"
    assert side.layer.receive_response(tx.request.reply(180))
    assert side.told == ["180"]


def test_17_2_3_branch_sent_by_and_method_make_a_server_transaction() -> None:
    side = Recorder()
    side.layer.receive_request(side.request("INVITE"), side.hop)
    side.layer.receive_request(side.request("INVITE", via="SIP/2.0/UDP 192.0.2.9:5060;BRANCH=z9hG4bK-a"), side.hop)
    assert side.told == ["INVITE"], "the same"
    side.layer.receive_request(
        side.request("INVITE", via="SIP/2.0/UDP 192.0.2.10:5060;branch=z9hG4bK-a", call_id="c2"), side.hop
    )
    assert side.told == ["INVITE", "INVITE"], "another sent-by"
    side.layer.receive_request(side.request("OPTIONS", call_id="c3"), side.hop)
    assert side.told == ["INVITE", "INVITE", "OPTIONS"], "another method"


def test_17_2_3_a_peer_of_rfc_2543_is_matched_by_what_identified_a_request_then() -> None:
    side = Recorder()
    side.layer.receive_request(side.request(via=OLD), side.hop)
    tx = side.incoming[0]
    side.layer.respond(tx, tx.request.reply(486, to_tag=tx.to_tag))
    side.sent()
    side.layer.receive_request(side.request(via=OLD), side.hop)
    assert side.sent() == ["486"], "a repeat"
    side.layer.receive_request(side.request("ACK", via=OLD, to=";tag=wrong"), side.hop)
    assert tx.state is State.COMPLETED, "the ACK's To tag must be the response's"
    side.layer.receive_request(side.request("ACK", via=OLD, to=f";tag={tx.to_tag}"), side.hop)
    assert tx.state is State.CONFIRMED
    side.layer.receive_request(side.request(via=OLD, cseq="2"), side.hop)
    assert side.told.count("INVITE") == 2, "another number is another request"


def test_9_2_a_cancel_finds_its_invite_old_or_new() -> None:
    for via in ("SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-a", OLD):
        side = Recorder()
        side.layer.receive_request(side.request(via=via), side.hop)
        cancel = side.request("CANCEL", via=via)
        side.layer.receive_request(cancel, side.hop)
        assert side.layer.invite_of(cancel) is side.incoming[0]
        assert side.layer.invite_of(side.request("CANCEL", via=via.replace(".9", ".8"))) is None


def test_9_1_a_cancel_is_made_of_its_invite() -> None:
    side = Recorder()
    invite = side.request(more="Route: <sip:p.test;lr>\r\nAuthorization: Digest a=b\r\n")
    cancel = cancel_for(invite)
    assert cancel.method == "CANCEL"
    assert cancel.via == invite.via
    assert str(cancel.cseq) == "1 CANCEL"
    assert cancel.headers.all("Route") == ["<sip:p.test;lr>"]
    assert cancel.raw_uri == invite.raw_uri
    assert (cancel.call_id, cancel.to, cancel.from_) == (invite.call_id, invite.to, invite.from_)
    assert "Authorization" not in cancel.headers


def test_8_2_2_2_the_same_request_by_another_path_is_a_loop() -> None:
    side = Recorder()
    side.layer.receive_request(side.request("INVITE", "z9hG4bK-a"), side.hop)
    side.layer.receive_request(side.request("INVITE", "z9hG4bK-b"), side.hop)
    assert side.sent() == ["482"]
    assert side.told == ["INVITE"]
    side.layer.receive_request(side.request("INVITE", "z9hG4bK-c", to=";tag=known"), side.hop)
    assert side.told == ["INVITE", "INVITE"], "within a dialog the rule does not hold"
    first = side.incoming[0]
    side.layer.respond(first, first.request.reply(486, to_tag=first.to_tag))
    side.pass_time(33)
    side.layer.receive_request(side.request("INVITE", "z9hG4bK-d"), side.hop)
    assert side.told.count("INVITE") == 3, "the first has gone"


def test_18_2_1_and_rfc_3581_the_via_learns_where_it_came_from() -> None:
    side = Recorder()
    hop = Hop("udp", US, ("198.51.100.7", 40000))
    nat = side.request(via="SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-a;rport")
    stamp_via(nat, hop)
    assert (nat.via.received, nat.via.rport) == ("198.51.100.7", 40000)
    assert response_hop(nat, hop) == hop
    plain = side.request(via="SIP/2.0/UDP 10.0.0.1:5070;branch=z9hG4bK-a")
    stamp_via(plain, hop)
    assert plain.via.received == "198.51.100.7"
    assert response_hop(plain, hop) == Hop("udp", US, ("198.51.100.7", 5070)), "18.2.2: sent-by port"
    honest = side.request()
    stamp_via(honest, Hop("udp", US, THEM))
    assert honest.via.received is None
    default = side.request(via="SIP/2.0/UDP 10.0.0.1;branch=z9hG4bK-a")
    assert response_hop(default, hop).remote == ("198.51.100.7", 5060)


def test_18_2_2_maddr_is_not_followed_and_streams_are() -> None:
    side = Recorder()
    maddr = side.request(via="SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-a;maddr=192.0.2.77")
    # Against the letter: whoever asks cannot have the answer sent to somebody else.
    assert response_hop(maddr, side.hop).remote == (side.hop.remote[0], 5060)
    stream = Hop("tcp", US, ("192.0.2.9", 33333), 4)
    assert response_hop(maddr, stream) is stream


def test_18_2_1_only_the_top_via_is_changed() -> None:
    side = Recorder()
    request = side.request(
        via="SIP/2.0/UDP 10.0.0.1:5060;branch=z9hG4bK-a;rport, SIP/2.0/UDP 10.0.0.2;branch=z9hG4bK-z"
    )
    stamp_via(request, Hop("udp", US, ("198.51.100.7", 40000)))
    assert [via.host for via in request.vias] == ["10.0.0.1", "10.0.0.2"]
    assert request.vias[1].received is None


def test_8_2_6_2_all_answers_have_one_tag_or_the_requests_own() -> None:
    side = Recorder()
    side.layer.receive_request(side.request(), side.hop)
    assert len(side.incoming[0].to_tag) == 16
    side.layer.receive_request(side.request("BYE", "z9hG4bK-b", to=";tag=mine"), side.hop)
    assert side.incoming[1].to_tag == "mine"


@given(kind=st.sampled_from(list(Kind)), inputs=st.lists(st.sampled_from(list(Input)), max_size=30))
def test_any_input_in_any_state_does_what_the_table_says_and_no_more(kind: Kind, inputs: list[Input]) -> None:
    side = Recorder()
    invite = kind in (Kind.INVITE_CLIENT, Kind.INVITE_SERVER)
    request = side.request("INVITE" if invite else "OPTIONS")
    tx = Transaction(key=server_key(request), kind=kind, hop=side.hop, request=request, to_tag="t")
    side.layer.adopt(tx)
    statuses = {Input.PROVISIONAL: 100, Input.SUCCESS: 200, Input.FAILURE: 486}
    for given_input in [Input.REQUEST, *inputs]:
        if given_input in statuses:
            message = request.reply(statuses[given_input], to_tag="t")
        else:
            message = request
        before = tx.state
        row = MACHINES[kind].table.get((before, given_input))
        side.core.outbox.clear()
        # Timers reach a machine by name; everything else as the layer feeds it.
        side.layer._feed(tx, given_input, message)
        assert tx.state is (before if row is None else row[1])
        if row is None:
            assert not side.core.outbox
    assert (tx.key in side.layer.by_key) == (tx.state is not State.TERMINATED)
    if tx.state is State.TERMINATED:
        assert side.told.count("terminated") == 1
        assert side.core.timers.next() is None, "a transaction that is gone leaves no timer"
