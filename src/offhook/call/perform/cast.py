"""Which file carries out which verb: some take time and have a performer, the others are done at once."""

from typing import assert_never

from offhook.call.perform.conference import Conferring
from offhook.call.perform.dial import Dialling
from offhook.call.perform.enqueue import Queueing
from offhook.call.perform.gather import Gathering
from offhook.call.perform.goto import go
from offhook.call.perform.hangup import hang_up
from offhook.call.perform.notify import notify
from offhook.call.perform.pause import Pausing
from offhook.call.perform.play import Playing
from offhook.call.perform.record import Recording
from offhook.call.perform.record_call import record_call
from offhook.call.perform.set_hangup_hook import set_hangup_hook
from offhook.call.perform.take_from_queue import Taking
from offhook.call.stage import Stage
from offhook.flow.program import Outcome
from offhook.flow.verbs import (
    Conference,
    Dial,
    Enqueue,
    Gather,
    Goto,
    Hangup,
    Notify,
    Pause,
    Play,
    Record,
    RecordCall,
    SetHangupHook,
    TakeFromQueue,
    Verb,
)

__all__ = ["BESIDE", "AnyPerformer", "done_at_once", "performer_for", "verb_name"]

AnyPerformer = Playing | Gathering | Dialling | Recording | Pausing | Queueing | Taking | Conferring
AtOnce = SetHangupHook | RecordCall | Hangup | Notify | Goto
TakesTime = Play | Gather | Dial | Record | Pause | Enqueue | TakeFromQueue | Conference
BESIDE: tuple[type[Verb], ...] = (Play, Gather, Pause, Notify, Goto, Hangup)
"""What a flow may do that is not the call's own: speak to its one party, listen to it, and end."""


def performer_for(verb: TakesTime) -> AnyPerformer:
    """A performer for a verb, not begun yet."""
    match verb:
        case Play():
            return Playing.of(verb)
        case Gather():
            return Gathering.of(verb)
        case Dial():
            return Dialling.of(verb)
        case Record():
            return Recording.of(verb)
        case Pause():
            return Pausing.of(verb)
        case Enqueue():
            return Queueing.of(verb)
        case TakeFromQueue():
            return Taking.of(verb)
        case Conference():
            return Conferring.of(verb)
        case _:
            assert_never(verb)


def done_at_once(verb: AtOnce, stage: Stage) -> Outcome:
    """Carry out a verb that takes no time."""
    match verb:
        case SetHangupHook():
            return set_hangup_hook(verb, stage)
        case RecordCall():
            return record_call(verb, stage)
        case Hangup():
            return hang_up(verb, stage)
        case Notify():
            return notify(verb, stage)
        case Goto():
            return go()
        case _:
            assert_never(verb)


NAMES: dict[type[Verb], str] = {
    Play: "play",
    Gather: "gather",
    Dial: "dial",
    Record: "record",
    RecordCall: "record_call",
    SetHangupHook: "set_hangup_hook",
    Hangup: "hangup",
    Pause: "pause",
    Notify: "notify",
    Goto: "goto",
    Enqueue: "enqueue",
    TakeFromQueue: "take_from_queue",
    Conference: "conference",
}


def verb_name(verb: Verb) -> str:
    """The verb in the words of the timeline: `play`, `record_call`."""
    return NAMES[type(verb)]
