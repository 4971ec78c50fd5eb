"""SIPp's files as figures: counted by what a message is, whichever step of a scenario it came in."""

import dataclasses

from benchmarks.sipp import outcome, read_counts, read_times

COUNTS = [
    "CurrentTime;ElapsedTime;0_INVITE_Sent;0_INVITE_Retrans;0_INVITE_Timeout;1_100_Recv;1_100_Unexp;4_503_Recv;4_503_Retrans;"
    "5_200_Recv;5_200_Retrans;6_ACK_Sent;6_ACK_Retrans;8_BYE_Sent;8_BYE_Retrans;9_200_Recv;9_200_Retrans;10_ACK_Sent;"
    "10_ACK_Retrans;",
    "x;00:00:01:0;3;0;0;3;0;0;0;2;0;2;0;1;0;1;0;0;0;",
    "x;00:00:02:0;10;2;0;10;0;3;1;7;0;7;0;7;1;6;0;3;0;",
]
TIMES = ["Date_ms;response_time_ms;rtd_no", "10.0;4;1", "11.0;0;2", "12.5;8;1"]


def test_the_last_line_counts_and_steps_are_summed():
    counts = read_counts(COUNTS)
    assert (counts["INVITE_Sent"], counts["200_Recv"], counts["ACK_Sent"]) == (10, 13, 10)


def test_answered_is_what_was_acknowledged_and_not_refused():
    found = outcome(read_counts(COUNTS), TIMES, rate=99.0)
    assert (found.offered, found.answered, found.ended, found.refused) == (10, 7, 6, 3)
    assert (found.retransmissions, found.unexpected) == (4, 0)
    assert (found.answer_ms, found.refusal_ms) == ((4.0, 8.0), (0.0,))
    assert not found.clean


def test_clean_is_every_call_ended_and_nothing_said_twice():
    found = outcome(read_counts(COUNTS), TIMES, rate=99.0)
    clean = dataclasses.replace(found, offered=6, retransmissions=0)
    assert clean.clean
    assert not dataclasses.replace(clean, unexpected=1).clean
    assert not dataclasses.replace(clean, offered=7).clean


def test_times_are_read_by_number():
    assert read_times(TIMES, 3) == ()
