"""What a leg's status hook is owed: each stage once, in order, as soon as it is reached (didML `statusCallbackEvent`).

Asked after every event, it looks at how legs stand and not at what happened, so no order of events is forgotten. A leg
is completed when it has ended and what was recorded of it is closed, so that the recording can be named.
"""

from collections.abc import Callable

from offhook.call.commands import OweStatus
from offhook.call.leg import Leg, LegState
from offhook.call.masking import shown_url
from offhook.call.stage import Stage
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.targets import LegStage
from offhook.flow.view import CallView

__all__ = ["owe_statuses"]

RINGING = frozenset({LegState.RINGING, LegState.EARLY})


def owe_statuses(stage: Stage, view: Callable[[], CallView], dialect: Dialect) -> None:
    """Say what has been reached since this was asked last, if somebody wants to be told."""
    for leg in stage.legs.values():
        if leg.told is None:
            continue
        for reached in _reached(leg, stage):
            if reached in leg.stages_told:
                continue
            leg.stages_told = (*leg.stages_told, reached)
            if reached in leg.told.stages:
                params = dialect.status(view(), leg.view(), reached, leg.told.extra)
                stage.note("status.owed", leg=leg.id, stage=reached.value, url=shown_url(leg.told.url))
                stage.say(OweStatus(url=leg.told.url, method=leg.told.method, params=params, leg=leg.id, stage=reached))


def _reached(leg: Leg, stage: Stage) -> list[LegStage]:
    reached = [LegStage.INITIATED]
    if leg.state in RINGING:
        reached.append(LegStage.RINGING)
    if leg.answered_at is not None:
        reached.append(LegStage.ANSWERED)
    if leg.state is LegState.ENDED and not _is_recorded(leg, stage):
        reached.append(LegStage.COMPLETED)
    return reached


def _is_recorded(leg: Leg, stage: Stage) -> bool:
    return any(recording.leg == leg.id for recording in stage.standing.recordings.values())
