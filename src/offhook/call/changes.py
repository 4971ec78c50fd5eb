"""What may be changed in a call from outside while it lives: mute, keys, its recording; and why something may not be.

Going on elsewhere moves the flow and is the runner's, an end is the call's. No change is taken back by a flow, and none
asks whether the flow would like it.
"""

from enum import Enum
from typing import assert_never

from offhook.call.commands import LegId, MuteLeg, PauseRecording, SendDigits, StopRecording
from offhook.call.events import ChangeRecording, GoOn, HangUp, Mute, PressKeys, RecordingChange
from offhook.call.facts import Facts
from offhook.call.perform.record_call import start_whole_call
from offhook.call.stage import Stage, WholeCall

__all__ = ["Change", "Objection", "change", "objection"]

Change = GoOn | HangUp | Mute | PressKeys | ChangeRecording


class Objection(Enum):
    """Why a change cannot be made; the word is stable."""

    CALL_OVER = "call_over"
    NO_LEG = "no_leg"
    LEG_NOT_THERE = "leg_not_there"
    """It has not answered yet, or is gone."""
    NOT_RECORDED = "not_recorded"
    RECORDED_ALREADY = "recorded_already"


def objection(wanted: Change, facts: Facts) -> Objection | None:
    """Why it cannot be made now; `None`: it can."""
    if facts.watchdog is not None or (facts.apology is not None and not isinstance(wanted, HangUp)):
        return Objection.CALL_OVER
    match wanted:
        case GoOn() | HangUp():
            return None
        case Mute() | PressKeys():
            return _about_leg(wanted.leg, facts)
        case ChangeRecording():
            return _about_recording(wanted.change, facts)
        case _:
            assert_never(wanted)


def _about_leg(number: LegId, facts: Facts) -> Objection | None:
    leg = facts.standing.legs.get(number)
    if leg is None:
        return Objection.NO_LEG
    return None if leg.up else Objection.LEG_NOT_THERE


def _about_recording(wanted: RecordingChange, facts: Facts) -> Objection | None:
    whole_call = facts.standing.whole_call
    if wanted is RecordingChange.START:
        return None if whole_call is None else Objection.RECORDED_ALREADY
    if whole_call is None or whole_call.recording not in facts.standing.recordings:
        return Objection.NOT_RECORDED
    return None


def change(wanted: Mute | PressKeys | ChangeRecording, stage: Stage) -> None:
    """Make a change to which there is no objection."""
    match wanted:
        case Mute():
            stage.legs[wanted.leg].muted = wanted.muted
            stage.say(MuteLeg(leg=wanted.leg, muted=wanted.muted))
            stage.note("leg.muted" if wanted.muted else "leg.unmuted", leg=wanted.leg)
        case PressKeys():
            stage.say(SendDigits(leg=wanted.leg, request=stage.next_request(), keys=wanted.keys))
            stage.note("keys.sent", leg=wanted.leg, keys=wanted.keys)
        case ChangeRecording():
            _record(wanted, stage)
        case _:
            assert_never(wanted)


def _record(wanted: ChangeRecording, stage: Stage) -> None:
    if wanted.change is RecordingChange.START:
        stage.standing.whole_call = WholeCall(deliver_to=wanted.deliver_to)
        start_whole_call(stage)
        return
    whole_call = stage.standing.whole_call
    assert whole_call is not None, "there is an objection to that"
    recording = whole_call.recording
    assert recording is not None, "there is an objection to that"
    match wanted.change:
        case RecordingChange.PAUSE | RecordingChange.RESUME:
            paused = wanted.change is RecordingChange.PAUSE
            stage.say(PauseRecording(recording=recording, paused=paused))
            stage.note("recording.paused" if paused else "recording.resumed", recording=recording)
        case RecordingChange.STOP:
            stage.say(StopRecording(recording=recording))
            stage.standing.whole_call = None
        case _:
            assert_never(wanted.change)
