"""The INVITE server transaction: RFC 3261 section 17.2.1 with the Accepted state of RFC 6026 section 7.1.

The 100 is the user's to send, at once, so there is no 200 ms timer. A 2xx is repeated by the user until its ACK
(section 13.3.1.4); Accepted only swallows repeats of the INVITE. A transport error is reported and changes no state.
"""

from __future__ import annotations

from offhook.sip.transaction.table import Action as Do
from offhook.sip.transaction.table import Input, Machine, State, repeated

S, I = State, Input  # noqa: E741 - a table is read in columns

INVITE_SERVER = Machine(
    name="INVITE server",
    clause="RFC 3261 17.2.1, RFC 6026 7.1",
    states=(S.INITIAL, S.PROCEEDING, S.COMPLETED, S.CONFIRMED, S.ACCEPTED, S.TERMINATED),
    inputs=(
        I.REQUEST,
        I.ACK,
        I.PROVISIONAL,
        I.SUCCESS,
        I.FAILURE,
        I.TIMER_G,
        I.TIMER_H,
        I.TIMER_I,
        I.TIMER_L,
        I.TRANSPORT_ERROR,
        I.ABANDON,
    ),
    table={
        (S.INITIAL, I.REQUEST): ((Do.DELIVER,), S.PROCEEDING),
        (S.PROCEEDING, I.REQUEST): ((Do.REPEAT,), S.PROCEEDING),
        (S.PROCEEDING, I.PROVISIONAL): ((Do.SEND,), S.PROCEEDING),
        (S.PROCEEDING, I.SUCCESS): ((Do.START_L, Do.SEND), S.ACCEPTED),
        (S.PROCEEDING, I.FAILURE): ((Do.START_G, Do.START_H, Do.SEND), S.COMPLETED),
        (S.PROCEEDING, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.PROCEEDING),
        (S.PROCEEDING, I.ABANDON): ((), S.TERMINATED),
        (S.COMPLETED, I.REQUEST): ((Do.REPEAT,), S.COMPLETED),
        (S.COMPLETED, I.TIMER_G): ((Do.REPEAT, Do.DOUBLE_G), S.COMPLETED),
        (S.COMPLETED, I.TIMER_H): ((Do.STOP_G, Do.REPORT_TIMEOUT), S.TERMINATED),
        (S.COMPLETED, I.ACK): ((Do.STOP_G, Do.STOP_H, Do.START_I), S.CONFIRMED),
        (S.COMPLETED, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.COMPLETED),
        (S.CONFIRMED, I.TIMER_I): ((), S.TERMINATED),
        (S.ACCEPTED, I.ACK): ((Do.DELIVER,), S.ACCEPTED),
        (S.ACCEPTED, I.SUCCESS): ((Do.SEND,), S.ACCEPTED),
        (S.ACCEPTED, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.ACCEPTED),
        (S.ACCEPTED, I.TIMER_L): ((), S.TERMINATED),
    },
    passes=repeated((S.INITIAL, S.TERMINATED), tuple(x for x in I if x is not I.REQUEST))
    | repeated((S.TERMINATED,), (I.REQUEST,))
    | repeated((S.PROCEEDING,), (I.ACK, I.TIMER_G, I.TIMER_H, I.TIMER_I, I.TIMER_L))
    # 17.2.1: any other final response passed by the user in Completed is discarded.
    | repeated((S.COMPLETED,), (I.PROVISIONAL, I.SUCCESS, I.FAILURE, I.TIMER_I, I.TIMER_L, I.ABANDON))
    | repeated(
        (S.CONFIRMED,),
        (
            I.REQUEST,
            I.ACK,
            I.PROVISIONAL,
            I.SUCCESS,
            I.FAILURE,
            I.TIMER_G,
            I.TIMER_H,
            I.TIMER_L,
            I.TRANSPORT_ERROR,
            I.ABANDON,
        ),
    )
    # RFC 6026 7.1: repeats of the INVITE are absorbed without an answer.
    | repeated(
        (S.ACCEPTED,),
        (I.REQUEST, I.PROVISIONAL, I.FAILURE, I.TIMER_G, I.TIMER_H, I.TIMER_I, I.ABANDON),
    ),
)
