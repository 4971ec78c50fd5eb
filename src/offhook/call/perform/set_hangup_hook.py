"""Carries out SetHangupHook: who is told of the end of the call (46elks `whenhangup`). The last one wins."""

from offhook.call.masking import shown_url
from offhook.call.perform.performer import OK
from offhook.call.stage import Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import SetHangupHook

__all__ = ["set_hangup_hook"]


def set_hangup_hook(verb: SetHangupHook, stage: Stage) -> Outcome:
    """Remember it."""
    stage.standing.hangup_hook = verb.url
    stage.note("hook.set", url=shown_url(verb.url))
    return OK
