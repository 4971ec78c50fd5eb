"""The server transaction of every method but INVITE: RFC 3261 section 17.2.2, kept quiet as RFC 4320 asks.

It never sends 408 (RFC 4320 section 4.2) and no provisional answer but 100 (4.1); the layer refuses both.
"""

from __future__ import annotations

from offhook.sip.transaction.table import Action as Do
from offhook.sip.transaction.table import Input, Machine, State, repeated

S, I = State, Input  # noqa: E741 - a table is read in columns

SERVER = Machine(
    name="non-INVITE server",
    clause="RFC 3261 17.2.2, RFC 4320",
    states=(S.INITIAL, S.TRYING, S.PROCEEDING, S.COMPLETED, S.TERMINATED),
    inputs=(I.REQUEST, I.PROVISIONAL, I.SUCCESS, I.FAILURE, I.TIMER_J, I.TRANSPORT_ERROR, I.ABANDON),
    table={
        (S.INITIAL, I.REQUEST): ((Do.DELIVER,), S.TRYING),
        (S.TRYING, I.PROVISIONAL): ((Do.SEND,), S.PROCEEDING),
        (S.TRYING, I.SUCCESS): ((Do.START_J, Do.SEND), S.COMPLETED),
        (S.TRYING, I.FAILURE): ((Do.START_J, Do.SEND), S.COMPLETED),
        (S.TRYING, I.ABANDON): ((), S.TERMINATED),
        (S.PROCEEDING, I.REQUEST): ((Do.REPEAT,), S.PROCEEDING),
        (S.PROCEEDING, I.PROVISIONAL): ((Do.SEND,), S.PROCEEDING),
        (S.PROCEEDING, I.SUCCESS): ((Do.START_J, Do.SEND), S.COMPLETED),
        (S.PROCEEDING, I.FAILURE): ((Do.START_J, Do.SEND), S.COMPLETED),
        (S.PROCEEDING, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.TERMINATED),
        (S.PROCEEDING, I.ABANDON): ((), S.TERMINATED),
        (S.COMPLETED, I.REQUEST): ((Do.REPEAT,), S.COMPLETED),
        (S.COMPLETED, I.TRANSPORT_ERROR): ((Do.REPORT_ERROR,), S.TERMINATED),
        (S.COMPLETED, I.TIMER_J): ((), S.TERMINATED),
    },
    passes=repeated((S.INITIAL, S.TERMINATED), tuple(x for x in I if x is not I.REQUEST))
    | repeated((S.TERMINATED,), (I.REQUEST,))
    # 17.2.2: in Trying repeats of the request are discarded; and nothing has been sent that could fail.
    | repeated((S.TRYING,), (I.REQUEST, I.TIMER_J, I.TRANSPORT_ERROR))
    | repeated((S.PROCEEDING,), (I.TIMER_J,))
    # 17.2.2: any other final response passed by the user is discarded.
    | repeated((S.COMPLETED,), (I.PROVISIONAL, I.SUCCESS, I.FAILURE, I.ABANDON)),
)
