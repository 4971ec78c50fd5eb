"""Carries out Hangup: asks the call to end (46elks `hangup`, section 5.6 of its API).

What the network is told (busy, declined, no such number) matters before an answer only; after it every hang-up is a
plain one.
"""

from offhook.call.perform.performer import OK
from offhook.call.stage import Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import Hangup

__all__ = ["hang_up"]


def hang_up(verb: Hangup, stage: Stage) -> Outcome:
    """Ask for the end; the flow has nothing after it."""
    stage.acting.wanted_end = verb.how
    return OK
