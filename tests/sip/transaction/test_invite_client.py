"""The INVITE client transaction on the clock: RFC 3261 section 17.1.1 and RFC 6026 section 7.2."""

import pytest
from tests.support.transactions import Recorder


def test_17_1_1_2_timer_a_doubles_without_a_ceiling_until_timer_b() -> None:
    side = Recorder()
    side.send()
    assert side.sent() == ["INVITE"]
    times = [at for at, _ in side.pass_time(40)]
    assert times == [0.5, 1.5, 3.5, 7.5, 15.5, 31.5]
    assert side.told == ["timeout", "terminated"]
    assert side.layer.by_key == {}


def test_17_1_1_2_no_repeats_on_a_reliable_transport() -> None:
    side = Recorder("tcp")
    side.send()
    assert side.sent() == ["INVITE"]
    assert side.pass_time(31.9) == []
    assert side.told == []
    side.pass_time(0.2)
    assert side.told == ["timeout", "terminated"]


def test_17_1_1_2_a_provisional_answer_ends_all_waiting() -> None:
    side = Recorder()
    tx = side.send()
    side.sent()
    assert side.answer(tx, 180)
    assert side.pass_time(3600) == []
    assert side.told == ["180"]
    assert side.core.timers.next() is None


@pytest.mark.parametrize("before", [[], [100], [180, 183]])
def test_17_1_1_2_a_failure_is_acknowledged_here_and_again_for_each_repeat(before: list[int]) -> None:
    side = Recorder()
    tx = side.send()
    for status in before:
        side.answer(tx, status)
    side.sent()
    side.answer(tx, 486)
    assert side.sent() == ["ACK"]
    side.answer(tx, 486)
    assert side.sent() == ["ACK"]
    assert side.told == [*map(str, before), "486"]
    assert side.pass_time(31.9) == []
    assert side.layer.by_key
    side.pass_time(0.2)
    assert side.told[-1] == "terminated"


def test_17_1_1_2_timer_d_is_zero_on_a_reliable_transport() -> None:
    side = Recorder("tcp")
    tx = side.send()
    side.answer(tx, 486)
    side.pass_time(0)
    assert side.told == ["486", "terminated"]


def test_17_1_1_3_the_ack_of_a_failure_is_made_of_the_invite_and_the_response() -> None:
    side = Recorder()
    request = side.request(more="Route: <sip:proxy.test;lr>\r\n")
    tx = side.layer.request(request, side.hop, "")
    side.core.outbox.clear()
    side.layer.receive_response(request.reply(404, to_tag="resp"))
    ack = side.core.outbox.popleft()[0].decode()
    assert ack.startswith("ACK sip:bob@192.0.2.1 SIP/2.0\r\n")
    assert "Via: SIP/2.0/UDP 192.0.2.9:5060;branch=z9hG4bK-a\r\n" in ack
    assert "To: <sip:bob@192.0.2.1>;tag=resp\r\n" in ack
    assert "CSeq: 1 ACK\r\n" in ack
    assert "Route: <sip:proxy.test;lr>\r\n" in ack
    assert tx.state.value == "Completed"


def test_rfc_6026_7_2_every_2xx_reaches_the_user_for_64_t1() -> None:
    side = Recorder()
    tx = side.send()
    side.sent()
    side.answer(tx, 200, tag="b")
    side.pass_time(20)
    side.answer(tx, 200, tag="c")
    assert side.told == ["200", "200"]
    assert side.sent() == [], "the user sends the ACK of a 2xx"
    side.pass_time(12.1)
    assert side.told[-1] == "terminated"
    assert not side.answer(tx, 200, tag="d")


def test_17_1_4_a_transport_error_while_calling_ends_it() -> None:
    side = Recorder()
    side.send()
    side.layer.failed(side.hop)
    assert side.told == ["transport error", "terminated"]


def test_a_transport_error_in_proceeding_is_another_messages() -> None:
    side = Recorder()
    tx = side.send()
    side.answer(tx, 180)
    side.layer.failed(side.hop)
    assert side.told == ["180"]


def test_9_1_an_invite_can_be_given_up() -> None:
    side = Recorder()
    tx = side.send()
    side.answer(tx, 180)
    side.layer.abandon(tx)
    assert side.told == ["180", "terminated"]
    assert side.core.timers.next() is None
