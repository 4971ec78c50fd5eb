"""The INVITE server transaction on the clock: RFC 3261 section 17.2.1 and RFC 6026 section 7.1."""

import pytest
from tests.support.transactions import Recorder

from offhook.sip.transaction.layer import Transaction
from offhook.sip.transaction.table import State


def incoming(side: Recorder) -> Transaction:
    side.layer.receive_request(side.request(), side.hop)
    return side.incoming[-1]


def respond(side: Recorder, tx: Transaction, status: int) -> None:
    side.layer.respond(tx, tx.request.reply(status, to_tag=tx.to_tag))


def test_17_2_1_a_repeat_gets_the_last_provisional_answer() -> None:
    side = Recorder()
    tx = incoming(side)
    side.layer.receive_request(side.request(), side.hop)
    assert side.sent() == [], "nothing to repeat yet"
    respond(side, tx, 100)
    respond(side, tx, 180)
    assert side.sent() == ["100", "180"]
    side.layer.receive_request(side.request(), side.hop)
    assert side.sent() == ["180"]
    assert side.told == ["INVITE"]
    assert side.pass_time(600) == [], "no timer in Proceeding"


def test_17_2_1_timer_g_doubles_up_to_t2_until_timer_h() -> None:
    side = Recorder()
    tx = incoming(side)
    respond(side, tx, 486)
    side.sent()
    times = [at for at, _ in side.pass_time(40)]
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert side.told == ["INVITE", "timeout", "terminated"]


def test_17_2_1_no_repeats_on_a_reliable_transport_but_timer_h() -> None:
    side = Recorder("tcp")
    tx = incoming(side)
    respond(side, tx, 486)
    side.sent()
    assert side.pass_time(31.9) == []
    side.pass_time(0.2)
    assert side.told == ["INVITE", "timeout", "terminated"]


@pytest.mark.parametrize(("transport", "lasts"), [("udp", 5.0), ("tcp", 0.0)])
def test_17_2_1_the_ack_confirms_and_timer_i_absorbs_more(transport: str, lasts: float) -> None:
    side = Recorder(transport)  # type: ignore[arg-type]
    tx = incoming(side)
    respond(side, tx, 486)
    side.sent()
    side.layer.receive_request(side.request("ACK", to=f";tag={tx.to_tag}"), side.hop)
    assert tx.state is State.CONFIRMED
    side.layer.receive_request(side.request("ACK", to=f";tag={tx.to_tag}"), side.hop)
    side.layer.receive_request(side.request(), side.hop)
    if lasts:
        assert side.pass_time(lasts - 0.1) == []
        assert side.told == ["INVITE"]
    side.pass_time(0.2)
    assert side.told == ["INVITE", "terminated"]
    assert side.sent() == []


def test_17_2_1_a_repeat_in_completed_gets_the_final_answer_again() -> None:
    side = Recorder()
    tx = incoming(side)
    respond(side, tx, 404)
    respond(side, tx, 500)
    side.layer.receive_request(side.request(), side.hop)
    assert side.sent() == ["404", "404"], "another final answer is discarded"


def test_rfc_6026_7_1_a_2xx_is_the_users_to_repeat_and_repeats_are_absorbed() -> None:
    side = Recorder()
    tx = incoming(side)
    respond(side, tx, 200)
    assert side.sent() == ["200"]
    side.layer.receive_request(side.request(), side.hop)
    assert side.pass_time(31) == []
    assert tx.state is State.ACCEPTED
    side.pass_time(1.1)
    assert side.told == ["INVITE", "terminated"]


def test_rfc_6026_7_1_an_ack_on_the_invites_branch_reaches_the_user() -> None:
    side = Recorder()
    tx = incoming(side)
    respond(side, tx, 200)
    side.layer.receive_request(side.request("ACK", to=f";tag={tx.to_tag}"), side.hop)
    assert side.told == ["INVITE", "ACK"]
    side.layer.receive_request(side.request("ACK", "z9hG4bK-other", to=f";tag={tx.to_tag}"), side.hop)
    assert side.told == ["INVITE", "ACK", "ACK without transaction"]


def test_rfc_6026_a_transport_error_is_told_and_changes_no_state() -> None:
    for status, state in ((180, State.PROCEEDING), (486, State.COMPLETED), (200, State.ACCEPTED)):
        side = Recorder()
        tx = incoming(side)
        respond(side, tx, status)
        side.layer.failed(tx.hop)
        assert side.told == ["INVITE", "transport error"]
        assert tx.state is state
