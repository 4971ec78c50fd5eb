"""The INVITE client transaction: RFC 3261 section 17.1.1 with the Accepted state of RFC 6026 section 7.2.

There is no timer in Proceeding: how long a phone may ring is the session's business. The ACK of a 2xx is not sent
here either (section 13.2.2.4); the ACK of anything worse is.
"""

from __future__ import annotations

from offhook.sip.transaction.table import Action as Do
from offhook.sip.transaction.table import Input, Machine, State, repeated

S, I = State, Input  # noqa: E741 - a table is read in columns

INVITE_CLIENT = Machine(
    name="INVITE client",
    clause="RFC 3261 17.1.1, RFC 6026 7.2",
    states=(S.INITIAL, S.CALLING, S.PROCEEDING, S.COMPLETED, S.ACCEPTED, S.TERMINATED),
    inputs=(
        I.REQUEST,
        I.PROVISIONAL,
        I.SUCCESS,
        I.FAILURE,
        I.TIMER_A,
        I.TIMER_B,
        I.TIMER_D,
        I.TIMER_M,
        I.TRANSPORT_ERROR,
        I.ABANDON,
    ),
    table={
        (S.INITIAL, I.REQUEST): ((Do.START_A, Do.START_B, Do.SEND), S.CALLING),
        (S.CALLING, I.TIMER_A): ((Do.REPEAT, Do.DOUBLE_A), S.CALLING),
        (S.CALLING, I.TIMER_B): ((Do.REPORT_TIMEOUT,), S.TERMINATED),
        (S.CALLING, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.TERMINATED),
        (S.CALLING, I.ABANDON): ((), S.TERMINATED),
        (S.CALLING, I.PROVISIONAL): ((Do.STOP_A, Do.STOP_B, Do.DELIVER), S.PROCEEDING),
        (S.CALLING, I.SUCCESS): ((Do.STOP_A, Do.STOP_B, Do.START_M, Do.DELIVER), S.ACCEPTED),
        (S.CALLING, I.FAILURE): ((Do.STOP_A, Do.STOP_B, Do.START_D, Do.SEND_ACK, Do.DELIVER), S.COMPLETED),
        (S.PROCEEDING, I.PROVISIONAL): ((Do.DELIVER,), S.PROCEEDING),
        (S.PROCEEDING, I.SUCCESS): ((Do.START_M, Do.DELIVER), S.ACCEPTED),
        (S.PROCEEDING, I.FAILURE): ((Do.START_D, Do.SEND_ACK, Do.DELIVER), S.COMPLETED),
        (S.PROCEEDING, I.ABANDON): ((), S.TERMINATED),
        (S.COMPLETED, I.FAILURE): ((Do.REPEAT_ACK,), S.COMPLETED),
        (S.COMPLETED, I.TIMER_D): ((), S.TERMINATED),
        (S.COMPLETED, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.TERMINATED),
        (S.ACCEPTED, I.SUCCESS): ((Do.DELIVER,), S.ACCEPTED),
        (S.ACCEPTED, I.TIMER_M): ((), S.TERMINATED),
    },
    passes=repeated((S.INITIAL, S.TERMINATED), tuple(x for x in I if x is not I.REQUEST))
    | repeated((S.TERMINATED, S.CALLING, S.PROCEEDING, S.COMPLETED, S.ACCEPTED), (I.REQUEST,))
    | repeated((S.CALLING,), (I.TIMER_D, I.TIMER_M))
    # An error on this hop is another message's: here nothing is being sent.
    | repeated((S.PROCEEDING,), (I.TIMER_A, I.TIMER_B, I.TIMER_D, I.TIMER_M, I.TRANSPORT_ERROR))
    # A 1xx or 2xx after a failure: the next element is broken, or this is the slower branch of a stateless fork.
    | repeated((S.COMPLETED,), (I.PROVISIONAL, I.SUCCESS, I.TIMER_A, I.TIMER_B, I.TIMER_M, I.ABANDON))
    | repeated(
        (S.ACCEPTED,),
        (I.PROVISIONAL, I.FAILURE, I.TIMER_A, I.TIMER_B, I.TIMER_D, I.TRANSPORT_ERROR, I.ABANDON),
    ),
)
