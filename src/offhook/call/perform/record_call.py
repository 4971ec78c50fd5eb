"""Carries out RecordCall: both parties, from here to the end of the call (46elks `recordcall`, section 5.5 of its API).

Takes no time. The first one of a call wins, until one says that it ends (didML `recording` with `off`). Before an
answer there is nothing to record, so it begins with the answer.
"""

from offhook.call.commands import StopRecording
from offhook.call.perform.performer import OK
from offhook.call.stage import Stage, WholeCall
from offhook.flow.program import Outcome
from offhook.flow.verbs import RecordCall

__all__ = ["record_call", "start_whole_call"]


def record_call(verb: RecordCall, stage: Stage) -> Outcome:
    """Ask for it, unless it was asked for before; or end it, if it was."""
    wanted = stage.standing.whole_call
    if verb.stop:
        if wanted is not None and wanted.recording is not None:
            stage.say(StopRecording(recording=wanted.recording))
        stage.standing.whole_call = None
    elif wanted is None:
        stage.standing.whole_call = WholeCall(deliver_to=verb.deliver_to)
        start_whole_call(stage)
    return OK


def start_whole_call(stage: Stage) -> None:
    """Begin it if it is wanted and the party is there; asked again at the answer."""
    wanted = stage.standing.whole_call
    if wanted is not None and wanted.recording is None and stage.party.up:
        wanted.recording = stage.record(deliver_to=wanted.deliver_to, both=True)
