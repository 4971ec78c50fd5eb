"""All that a call has to remember, as plain data: what `Call.export` writes and `Call.restore` reads.

Nothing here acts. The position in the flow has an export, and a version, of its own.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from offhook.call.commands import RequestId
from offhook.call.events import Now
from offhook.call.perform.cast import AnyPerformer
from offhook.call.plain import Mono, from_plain, to_plain
from offhook.call.stage import Standing
from offhook.flow.errors import NotOurExport
from offhook.flow.interpreter import Interpreter
from offhook.flow.program import Next
from offhook.flow.view import CallView

__all__ = ["VERSION", "Facts", "read_facts", "written_facts"]

VERSION = 1


@dataclass(slots=True, kw_only=True)
class Facts:
    """What a call is, what stands on its stage, and what it waits for."""

    view: CallView
    standing: Standing
    start: Next
    """What runs: at once for an incoming call, with the answer for an outgoing one."""
    asked: RequestId | None = None
    """The document that was asked for and has not come."""
    performer: AnyPerformer | None = None
    performing_since: Mono | None = None
    ring_deadline: Mono | None = None
    """Until when the first party of an outgoing call may ring."""
    watchdog: Mono | None = None
    """Set when the call begins to end: when it is over, whatever is missing."""
    finished: bool = False


def written_facts(facts: Facts, position: Interpreter | None, now: Now) -> dict[str, Any]:
    """Plain JSON, versioned."""
    return {
        "version": VERSION,
        "facts": to_plain(facts, Facts, now.wall - now.mono),
        "position": None if position is None else position.export(),
    }


def read_facts(data: Mapping[str, Any], now: Now) -> tuple[Facts, Interpreter | None]:
    """What `written_facts` gave, on this process's clock. Raises `NotOurExport` for anything else."""
    if data.get("version") != VERSION:
        raise NotOurExport(f"a call of version {data.get('version')!r}; known is {VERSION}")
    try:
        facts: Facts = from_plain(data["facts"], Facts, now.wall - now.mono)
        position = None if data["position"] is None else Interpreter.restore(data["position"])
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise NotOurExport(f"a call that does not hold together: {error!r}") from error
    return facts, position
