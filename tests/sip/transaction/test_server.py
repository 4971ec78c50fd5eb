"""The non-INVITE server transaction on the clock: RFC 3261 section 17.2.2 and RFC 4320."""

import pytest
from tests.support.transactions import Recorder

from offhook.sip.transaction.layer import Transaction


def incoming(side: Recorder, method: str = "OPTIONS") -> Transaction:
    side.layer.receive_request(side.request(method), side.hop)
    return side.incoming[-1]


def respond(side: Recorder, tx: Transaction, status: int) -> None:
    side.layer.respond(tx, tx.request.reply(status, to_tag=tx.to_tag))


def test_17_2_2_repeats_are_discarded_in_trying() -> None:
    side = Recorder()
    incoming(side)
    side.layer.receive_request(side.request("OPTIONS"), side.hop)
    assert side.sent() == []
    assert side.told == ["OPTIONS"]


def test_17_2_2_a_repeat_gets_the_last_answer_until_timer_j() -> None:
    side = Recorder()
    tx = incoming(side)
    respond(side, tx, 100)
    side.layer.receive_request(side.request("OPTIONS"), side.hop)
    respond(side, tx, 200)
    respond(side, tx, 500)
    side.layer.receive_request(side.request("OPTIONS"), side.hop)
    assert side.sent() == ["100", "100", "200", "200"]
    assert side.pass_time(31.9) == []
    side.pass_time(0.2)
    assert side.told == ["OPTIONS", "terminated"]


def test_17_2_2_timer_j_is_zero_on_a_reliable_transport() -> None:
    side = Recorder("tcp")
    tx = incoming(side)
    respond(side, tx, 200)
    side.pass_time(0)
    assert side.told == ["OPTIONS", "terminated"]


@pytest.mark.parametrize("status", [180, 183, 408])
def test_rfc_4320_what_must_not_answer_a_non_invite(status: int) -> None:
    side = Recorder()
    tx = incoming(side)
    with pytest.raises(ValueError, match="RFC 4320"):
        respond(side, tx, status)
    assert side.sent() == []


def test_a_request_that_nobody_decides_on_is_dropped_in_silence() -> None:
    side = Recorder()
    tx = incoming(side, "REGISTER")
    side.layer.abandon(tx)
    assert side.sent() == []
    assert side.told == ["REGISTER", "terminated"]


def test_17_2_4_a_transport_error_ends_it_once_something_was_sent() -> None:
    side = Recorder()
    tx = incoming(side)
    side.layer.failed(tx.hop)
    assert side.told == ["OPTIONS"]
    respond(side, tx, 200)
    side.layer.failed(tx.hop)
    assert side.told == ["OPTIONS", "transport error", "terminated"]
