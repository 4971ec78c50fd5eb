"""What a live call would lose with the process, as plain JSON, and the call made of it again: one fact for each call.

Signalling, session descriptions, sound and flow of a call stand in one fact, so that they are of one moment. What waits
on its queue is in it too: a far end that was answered does not say anything twice.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from offhook.call.call import Call
from offhook.call.commands import LegId, RecordingId, StartRecording
from offhook.call.events import Event
from offhook.call.plain import from_plain, to_plain
from offhook.flow.dialects.choose import DIALECTS
from offhook.media import commands as engine
from offhook.runtime.call_task import now
from offhook.runtime.live_call import FACT, LiveCall, Recording
from offhook.runtime.routing import Caller
from offhook.runtime.services import Services
from offhook.sip.commands import SessionId
from offhook.storage.facts import Fact

__all__ = ["VERSION", "call_alone", "call_fact", "restored_call", "session_ids_in", "sessions_in"]


VERSION = 1


def call_fact(live: LiveCall) -> Fact:
    """A call as it stands; none of its commands may wait to be carried out."""
    moment = now()
    shift = moment.wall - moment.mono
    line = live.services.media.line
    data = {
        "call": live.call.export(moment),
        "queue": [to_plain(event, Event, shift) for event in live.task.waiting],
        "caller": to_plain(live.caller, Caller, 0.0),
        "dialect": live.dialect.name,
        "legs": [live.services.legs.export(leg) for leg in live.legs.values()],
        "kept": {name: str(path) for name, path in live.kept.items()},
        "recordings": [
            [number, kept.number, to_plain(kept.command, StartRecording, 0.0), kept.stopping, kept.paused]
            for number, kept in live.recordings.items()
        ],
        "recordings_made": live.recordings_made,
        "heard": line.heard,
        "engine": line.engine_generation,
    }
    return Fact(kind=FACT, key=live.id, version=VERSION, data=data)


def sessions_in(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the endpoint exported of a call's sessions."""
    return [leg["sip"] for leg in data.get("legs", ()) if leg["sip"] is not None]


def session_ids_in(data: Mapping[str, Any]) -> list[SessionId]:
    """The sessions of a call, also of one that cannot be restored."""
    return [SessionId(leg["session"]) for leg in data.get("legs", ()) if leg.get("session") is not None]


def restored_call(data: Mapping[str, Any], services: Services) -> LiveCall:
    """The call again, when the endpoint has its sessions; `LiveCall.resume` lets it go on.

    Raises `NotOurExport`, `ValueError`, `KeyError` or `TypeError` for what `call_fact` did not write.
    """
    moment = now()
    shift = moment.wall - moment.mono
    queue = [from_plain(event, Event, shift) for event in data["queue"]]
    live = call_alone(data, services)
    # Another engine numbers its events anew.
    after = data["heard"] if data["engine"] == services.media.line.engine_generation else 0
    for leg in data["legs"]:
        live.legs[LegId(leg["id"])] = services.legs.restore(live, leg, after=after)
    for event in queue:
        live.task.post(event)
    return live


def call_alone(data: Mapping[str, Any], services: Services) -> LiveCall:
    """The call without its far ends and its queue: it can only be ended, and says what is owed of that.

    Raises as `restored_call` does.
    """
    dialect = DIALECTS[data["dialect"]]
    call = Call.restore(data["call"], dialect, now())
    live = LiveCall(call, from_plain(data["caller"], Caller, 0.0), dialect, services)
    live.kept = {name: Path(path) for name, path in data["kept"].items()}
    live.recordings_made = data["recordings_made"]
    for number, sound, plain, stopping, paused in data["recordings"]:
        command: StartRecording = from_plain(plain, StartRecording, 0.0)
        path = live.path_of(command)
        live.recordings[RecordingId(number)] = Recording(engine.RecordingId(sound), path, command, stopping, paused)
    return live
