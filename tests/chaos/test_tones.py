"""That a party of a mix is heard by its tone alone, through A-law and beside others, and where gaps are found."""

import numpy as np
from tests.chaos.sound import FRAME_S, SAMPLES
from tests.chaos.tones import TONES_HZ, gaps_of_mix, present, tone_packet
from tests.support.sound_checks import ALAW, voice

BEAT = 0.02


def beat(count: int, start: float = 100.0) -> list[float]:
    return [start + BEAT * n for n in range(count)]


def lengths(heard: list[float], sent: list[float], begin: float, end: float) -> list[float]:
    return [round(gap.length_s, 3) for gap in gaps_of_mix(heard, sent, begin, end, 0.03)]


def mixed(*which: int) -> bytes:
    total = np.zeros(SAMPLES, np.int64)
    for each in which:
        total += ALAW.decode(tone_packet(each))
    return ALAW.encode(np.clip(total, -32768, 32767))


def test_each_tone_is_found_alone_and_among_others_and_nowhere_else() -> None:
    everybody = range(len(TONES_HZ))
    for one in everybody:
        others = [each for each in everybody if each != one]
        assert present([tone_packet(one), mixed(*everybody)], one).tolist() == [True, True]
        assert present([tone_packet(each) for each in others] + [mixed(*others)], one).tolist() == [False] * 3
    assert not present([], 0).size


def test_where_a_frame_begins_does_not_matter() -> None:
    sound = np.concatenate([ALAW.decode(tone_packet(1))] * 4)
    for shift in (1, 37, 80, 159):
        assert present([ALAW.encode(sound[shift : shift + SAMPLES])], 1).all()


def test_silence_and_voices_are_no_tone() -> None:
    said = voice(3, 2.0)
    frames = [ALAW.encode(said[n : n + SAMPLES]) for n in range(0, len(said) - SAMPLES + 1, SAMPLES)]
    for one in range(len(TONES_HZ)):
        assert not present([b"\xd5" * SAMPLES], one).any()
        assert present(frames, one).mean() < 0.1


def test_a_mix_without_a_fault_has_no_gap() -> None:
    assert lengths(beat(100), beat(100), 100.0, 101.98) == []


def test_frames_without_the_tone_are_a_gap_of_their_length() -> None:
    heard = [at for n, at in enumerate(beat(100)) if n not in range(40, 49)]
    assert lengths(heard, beat(100), 100.0, 101.98) == [0.2]


def test_who_is_heard_too_late_or_no_longer_makes_a_gap_at_the_edge() -> None:
    assert lengths(beat(100)[10:], beat(100), 100.0, 101.98) == [0.2]
    assert lengths(beat(100)[:-10], beat(100), 100.0, 101.98) == [0.2]
    assert lengths([], beat(100), 100.0, 101.98) == [1.98]
    assert lengths([], beat(100), 101.0, 101.0) == []


def test_what_the_speaker_paused_for_is_not_counted() -> None:
    sent = beat(50) + beat(50, start=101.2)
    heard = [at + 0.06 for at in sent]
    assert lengths(heard, sent, 100.06, 102.2) == []
    # Its pause was of 0.22 s; what is missing beyond that is somebody else's.
    late = [at + 0.06 for at in sent[:50]] + [at + 0.26 for at in sent[50:]]
    assert [round(gap, 2) for gap in lengths(late, sent, 100.06, 102.2)] == [round(0.2 + FRAME_S, 2)]


def test_a_pause_elsewhere_excuses_nothing() -> None:
    sent = beat(20) + beat(80, start=100.6)
    heard = [at for n, at in enumerate(sent) if n not in range(60, 69)]
    assert 0.2 in lengths(heard, sent, 100.0, 102.1)
