"""What counts as a far end that has hung up, given when there was a server to hear it."""

import pytest
from tests.chaos.phones import Ended, Phones
from tests.chaos.standing import Absence, hung_up, unheard
from tests.support.sip_peer import Message

AWAY = Absence(100.0, 160.0)
TIMEOUT_S = 32.0


@pytest.mark.parametrize(
    ("ended", "bye_at", "took_s", "good"),
    [
        pytest.param(Ended.OURS, 50.0, 0.1, True, id="answered"),
        pytest.param(Ended.THEIRS, 50.0, 0.1, True, id="crossed"),
        pytest.param(Ended.THEIRS, 0.0, 0.0, False, id="only theirs"),
        pytest.param(Ended.UNKNOWN, 99.9, 62.0, True, id="481, a kill between"),
        pytest.param(Ended.UNKNOWN, 50.0, 0.1, False, id="481, no kill"),
        pytest.param(Ended.DEAF, 110.0, TIMEOUT_S, True, id="nobody was there all the while"),
        pytest.param(Ended.DEAF, 99.9, TIMEOUT_S, True, id="the kill came before the answer could leave"),
        pytest.param(Ended.DEAF, 128.1, TIMEOUT_S, True, id="it gave up as the server began to read"),
        pytest.param(Ended.DEAF, 99.0, TIMEOUT_S, False, id="somebody was there at first"),
        pytest.param(Ended.DEAF, 140.0, TIMEOUT_S, False, id="somebody was there at last"),
    ],
)
def test_a_far_end_has_hung_up(ended: Ended, bye_at: float, took_s: float, good: bool) -> None:
    dialog = Phones(("127.0.0.1", 5060)).calling("1", "2", ("127.0.0.1", 4000))
    dialog.ended, dialog.bye_at, dialog.over_at = ended, bye_at, bye_at + took_s
    assert hung_up(dialog, [AWAY]) is good


@pytest.mark.parametrize(
    ("ended", "answered_at", "took_s", "excused"),
    [
        pytest.param(Ended.UNACKNOWLEDGED, 110.0, TIMEOUT_S, True, id="nobody was there all the while"),
        pytest.param(Ended.UNACKNOWLEDGED, 99.9, TIMEOUT_S, True, id="the kill came before the ACK could leave"),
        pytest.param(Ended.UNACKNOWLEDGED, 99.5, TIMEOUT_S, False, id="somebody was there at first"),
        pytest.param(Ended.UNACKNOWLEDGED, 140.0, TIMEOUT_S, False, id="somebody was there at last"),
        pytest.param(Ended.HANGING, 110.0, TIMEOUT_S, False, id="something else"),
    ],
)
def test_an_answer_could_not_be_acknowledged(ended: Ended, answered_at: float, took_s: float, excused: bool) -> None:
    dialog = Phones(("127.0.0.1", 5060)).calling("1", "2", ("127.0.0.1", 4000))
    dialog.ended, dialog.answered_at, dialog.over_at = ended, answered_at, answered_at + took_s
    assert unheard(dialog, [AWAY]) is excused


async def test_an_ack_connects_whoever_still_waits_for_it() -> None:
    via = ("Via", "SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK1")
    invite, ack = (
        Message(0.0, ("127.0.0.1", 5060), f"{name} sip:2@127.0.0.1 SIP/2.0", (via,), "") for name in ("INVITE", "ACK")
    )
    for ended, connected in ((None, True), (Ended.UNACKNOWLEDGED, False)):
        dialog = Phones(("127.0.0.1", 5060)).calling("1", "2", ("127.0.0.1", 4000))
        dialog.talk.first, dialog.status, dialog.ended = invite, 200, ended
        dialog.take(ack)
        assert bool(dialog.up_at) is connected
