"""How gaps are counted: what a speaker or a listener is late with is nobody's gap."""

import socket
from itertools import pairwise

import pytest
from tests.chaos import sound as module
from tests.chaos.sound import HEADER, SAMPLES, SERVERS, SILENCE, Gap, Heard, Sound, gaps_of_bridge, gaps_of_prompt
from tests.restart.outage import until
from tests.support.sip_crowd import LATE_FRAMES

BEAT = 0.02
TRANSIT = 0.003


def beat(count: int, start: float = 100.0) -> list[float]:
    return [start + BEAT * n for n in range(count)]


def heard(sent: list[float], missing: range = range(0), late: float = 0.0, from_: int = 0) -> list[Heard]:
    return [
        Heard(at + TRANSIT + (late if n >= from_ and late else 0.0), n) for n, at in enumerate(sent) if n not in missing
    ]


def lengths(found: list[Gap]) -> list[float]:
    return [round(gap.length_s, 3) for gap in found]


def bridge(came: list[Heard], sent: list[float], longer_than_s: float = 0.03) -> list[float]:
    return lengths(list(gaps_of_bridge(came, sent, sent[0] - 1, sent[-1] + 1, longer_than_s)))


def test_a_bridge_without_a_fault_has_no_gap() -> None:
    assert bridge(heard(beat(100)), beat(100)) == []


def test_packets_that_never_came_are_a_gap_of_their_length() -> None:
    assert bridge(heard(beat(100), range(40, 49)), beat(100)) == [0.2]


def test_packets_that_waited_are_a_gap_of_their_wait() -> None:
    assert bridge(heard(beat(100), late=0.15, from_=50), beat(100)) == [0.17]


def test_a_speaker_that_paused_makes_no_gap() -> None:
    sent = beat(50) + beat(50, start=101.5)
    assert bridge(heard(sent), sent) == []


def test_what_is_missing_at_either_end_counts() -> None:
    sent = beat(100)
    assert bridge(heard(sent, range(10)), sent) == [0.2]
    assert bridge(heard(sent, range(90, 100)), sent) == [0.2]
    assert bridge([], sent) == [2.0]


def test_what_was_said_before_and_after_the_talk_is_nobodys() -> None:
    sent = beat(100)
    came = heard(sent, range(10))
    assert lengths(list(gaps_of_bridge(came, sent, sent[10], sent[90], 0.03))) == []


def test_sound_that_is_no_far_ends_fills_no_gap() -> None:
    sent = beat(100)
    came = [each if each.number not in range(40, 49) else Heard(each.at, -1) for each in heard(sent)]
    assert bridge(came, sent) == [0.2]


def test_a_prompt_stands_still_where_nothing_comes() -> None:
    came = [Heard(each.at, SERVERS) for each in heard(beat(100), range(40, 49))]
    assert lengths(list(gaps_of_prompt(came, 0.03))) == [0.2]
    whole = [Heard(each.at, SERVERS) for each in heard(beat(100))]
    assert list(gaps_of_prompt(whole, 0.03)) == []


def test_silence_is_no_prompt() -> None:
    came = [Heard(each.at, SILENCE if 40 <= each.number < 49 else SERVERS) for each in heard(beat(100))]
    assert lengths(list(gaps_of_prompt(came, 0.03))) == [0.2]


async def test_what_a_speaker_had_no_time_to_say_is_silence_of_its_length() -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as ear:
        ear.bind(("127.0.0.1", 0))
        ear.settimeout(5.0)
        mouth = Sound("127.0.0.1", hears=False, speaks=True)
        mouth.open()
        mouth.remote = ear.getsockname()
        mouth.slot()
        # As if the beat had been held up for half a second.
        mouth._next_due -= 0.5
        for _ in range(LATE_FRAMES + 1):
            mouth.slot()
        heads = [HEADER.unpack_from(ear.recv(2048)) for _ in range(LATE_FRAMES + 2)]
        mouth.close()
    assert [after[2] - before[2] for before, after in pairwise(heads)] == [1] * (LATE_FRAMES + 1)
    skipped, *steady = [(after[3] - before[3]) // SAMPLES for before, after in pairwise(heads)]
    assert 0.5 / BEAT - LATE_FRAMES - 1 <= skipped - 1 <= 0.5 / BEAT - LATE_FRAMES
    assert steady == [1] * LATE_FRAMES


async def test_a_far_end_that_says_nothing_is_heard_now_and_then(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "STAYS_EVERY_S", 0.01)
    ear, mute = (Sound("127.0.0.1", hears=hears, speaks=False) for hears in (True, False))
    host, port = ear.open()
    mute.open()
    mute.towards(f"v=0\r\nc=IN IP4 {host}\r\nm=audio {port} RTP/AVP 8\r\n")
    try:
        await until(lambda: len(ear.heard) > 1)
    finally:
        mute.close()
        ear.close()
    assert {each.number for each in ear.heard} == {SILENCE}
