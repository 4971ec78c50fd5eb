"""The client transaction of every method but INVITE: RFC 3261 section 17.1.2.

It gives up after 64*T1 even when provisional answers came (RFC 4320 leaves that as it is).
"""

from __future__ import annotations

from offhook.sip.transaction.table import Action as Do
from offhook.sip.transaction.table import Input, Machine, State, repeated

S, I = State, Input  # noqa: E741 - a table is read in columns

CLIENT = Machine(
    name="non-INVITE client",
    clause="RFC 3261 17.1.2",
    states=(S.INITIAL, S.TRYING, S.PROCEEDING, S.COMPLETED, S.TERMINATED),
    inputs=(
        I.REQUEST,
        I.PROVISIONAL,
        I.SUCCESS,
        I.FAILURE,
        I.TIMER_E,
        I.TIMER_F,
        I.TIMER_K,
        I.TRANSPORT_ERROR,
        I.ABANDON,
    ),
    table={
        (S.INITIAL, I.REQUEST): ((Do.START_E, Do.START_F, Do.SEND), S.TRYING),
        (S.TRYING, I.TIMER_E): ((Do.REPEAT, Do.DOUBLE_E), S.TRYING),
        (S.TRYING, I.TIMER_F): ((Do.STOP_E, Do.REPORT_TIMEOUT), S.TERMINATED),
        (S.TRYING, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.TERMINATED),
        (S.TRYING, I.ABANDON): ((), S.TERMINATED),
        (S.TRYING, I.PROVISIONAL): ((Do.DELIVER,), S.PROCEEDING),
        (S.TRYING, I.SUCCESS): ((Do.STOP_E, Do.STOP_F, Do.START_K, Do.DELIVER), S.COMPLETED),
        (S.TRYING, I.FAILURE): ((Do.STOP_E, Do.STOP_F, Do.START_K, Do.DELIVER), S.COMPLETED),
        (S.PROCEEDING, I.TIMER_E): ((Do.REPEAT, Do.SLOW_E), S.PROCEEDING),
        (S.PROCEEDING, I.TIMER_F): ((Do.STOP_E, Do.REPORT_TIMEOUT), S.TERMINATED),
        (S.PROCEEDING, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.TERMINATED),
        (S.PROCEEDING, I.ABANDON): ((), S.TERMINATED),
        (S.PROCEEDING, I.PROVISIONAL): ((Do.DELIVER,), S.PROCEEDING),
        (S.PROCEEDING, I.SUCCESS): ((Do.STOP_E, Do.STOP_F, Do.START_K, Do.DELIVER), S.COMPLETED),
        (S.PROCEEDING, I.FAILURE): ((Do.STOP_E, Do.STOP_F, Do.START_K, Do.DELIVER), S.COMPLETED),
        (S.COMPLETED, I.TIMER_K): ((), S.TERMINATED),
    },
    passes=repeated((S.INITIAL, S.TERMINATED), tuple(x for x in I if x is not I.REQUEST))
    | repeated((S.TERMINATED, S.TRYING, S.PROCEEDING, S.COMPLETED), (I.REQUEST,))
    | repeated((S.TRYING, S.PROCEEDING), (I.TIMER_K,))
    | repeated(
        (S.COMPLETED,),
        (I.PROVISIONAL, I.SUCCESS, I.FAILURE, I.TIMER_E, I.TIMER_F, I.TRANSPORT_ERROR, I.ABANDON),
    ),
)
