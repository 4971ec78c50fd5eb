"""The non-INVITE client transaction on the clock: RFC 3261 section 17.1.2."""

from tests.support.transactions import Recorder


def test_17_1_2_2_timer_e_doubles_up_to_t2_until_timer_f() -> None:
    side = Recorder()
    side.send("OPTIONS")
    assert side.sent() == ["OPTIONS"]
    times = [at for at, _ in side.pass_time(40)]
    assert times == [0.5, 1.5, 3.5, 7.5, 11.5, 15.5, 19.5, 23.5, 27.5, 31.5]
    assert side.told == ["timeout", "terminated"]


def test_17_1_2_2_in_proceeding_repeats_come_every_t2() -> None:
    side = Recorder()
    tx = side.send("OPTIONS")
    side.sent()
    side.answer(tx, 100)
    assert [at for at, _ in side.pass_time(40)] == [0.5, 4.5, 8.5, 12.5, 16.5, 20.5, 24.5, 28.5]
    assert side.told == ["100", "timeout", "terminated"]


def test_17_1_2_2_no_repeats_on_a_reliable_transport_but_still_timer_f() -> None:
    side = Recorder("tcp")
    side.send("BYE")
    side.sent()
    assert side.pass_time(33) == []
    assert side.told == ["timeout", "terminated"]


def test_17_1_2_2_a_final_answer_is_told_once_and_timer_k_absorbs_repeats() -> None:
    side = Recorder()
    tx = side.send("BYE")
    side.sent()
    side.answer(tx, 200)
    side.answer(tx, 200)
    side.answer(tx, 481)
    assert side.told == ["200"]
    side.pass_time(4.9)
    assert side.told == ["200"]
    side.pass_time(0.2)
    assert side.told == ["200", "terminated"]


def test_17_1_2_2_timer_k_is_zero_on_a_reliable_transport() -> None:
    side = Recorder("tcp")
    tx = side.send("BYE")
    side.answer(tx, 200)
    side.pass_time(0)
    assert side.told == ["200", "terminated"]


def test_17_1_2_2_a_failure_is_final_too() -> None:
    side = Recorder()
    tx = side.send("INFO")
    side.sent()
    side.answer(tx, 415)
    assert side.pass_time(10) == []
    assert side.told == ["415", "terminated"]


def test_17_1_4_a_transport_error_ends_it() -> None:
    for provisional in (False, True):
        side = Recorder()
        tx = side.send("OPTIONS")
        if provisional:
            side.answer(tx, 100)
        side.layer.failed(side.hop)
        assert side.told[-2:] == ["transport error", "terminated"]


def test_an_error_elsewhere_concerns_nobody_here() -> None:
    side = Recorder()
    side.send("OPTIONS")
    side.layer.failed(type(side.hop)("udp", side.hop.local, ("198.51.100.7", 5060)))
    side.layer.failed(type(side.hop)("tcp", side.hop.local, side.hop.remote))
    assert side.told == []
