"""Carries out Notify: asks the call to tell a URL where it stands (didML `action` of `say`). Takes no time.

What is told is the dialect's; that it arrives is the outbox's; what is replied is nobody's.
"""

from offhook.call.masking import shown_url
from offhook.call.perform.performer import OK
from offhook.call.stage import Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import Notify

__all__ = ["notify"]


def notify(verb: Notify, stage: Stage) -> Outcome:
    """Leave the notice to the call, which knows what may be told."""
    stage.notices.append(verb)
    stage.note("notice.owed", url=shown_url(verb.url))
    return OK
