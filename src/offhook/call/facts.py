"""All that a call has to remember, as plain data: what `Call.export` writes and `Call.restore` reads.

Nothing here acts. Positions in flows have an export, and a version, of their own.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from offhook.call.care import Apology, Care
from offhook.call.commands import RequestId
from offhook.call.events import Now
from offhook.call.plain import Mono, from_plain, to_plain
from offhook.call.script import Script
from offhook.call.stage import PARTY, ScriptId, Standing
from offhook.flow.errors import NotOurExport
from offhook.flow.program import Next
from offhook.flow.view import CallView

__all__ = ["VERSION", "Facts", "read_facts", "view_of", "written_facts"]

VERSION = 2


@dataclass(slots=True, kw_only=True)
class Facts:
    """What a call is, what stands on its stage, and what it waits for."""

    view: CallView
    standing: Standing
    start: Next
    """What runs: at once for an incoming call, with the answer for an outgoing one."""
    first_keys: str = ""
    """Sent to the first party of an outgoing call when it answers, before the flow runs."""
    sending: RequestId | None = None
    """Those keys, on their way."""
    scripts: dict[ScriptId, Script] = field(default_factory=dict)
    """The flows under way: the call's own and those that run beside it."""
    fallback: Next | None = None
    """What the call's own flow goes on with where its web application fails."""
    care: Care = field(default_factory=Care)
    apology: Apology | None = None
    """It is being played; then the call ends."""
    ring_deadline: Mono | None = None
    """Until when the first party of an outgoing call may ring."""
    time_limit_s: float | None = None
    """How long the call may last from its answer."""
    time_deadline: Mono | None = None
    """When that is over; set by the answer."""
    watchdog: Mono | None = None
    """Set when the call begins to end: when it is over, whatever is missing."""
    finished: bool = False


def view_of(facts: Facts) -> CallView:
    """The call as its customer may see it now."""
    legs = facts.standing.legs
    party = legs.get(PARTY)
    return replace(
        facts.view,
        legs=tuple(leg.view() for leg in legs.values() if leg.id != PARTY),
        recording_url="" if party is None else party.recording_url,
    )


def written_facts(facts: Facts, now: Now) -> dict[str, Any]:
    """Plain JSON, versioned."""
    return {"version": VERSION, "facts": to_plain(facts, Facts, now.wall - now.mono)}


def read_facts(data: Mapping[str, Any], now: Now) -> Facts:
    """What `written_facts` gave, on this process's clock. Raises `NotOurExport` for anything else."""
    if data.get("version") != VERSION:
        raise NotOurExport(f"a call of version {data.get('version')!r}; known is {VERSION}")
    try:
        facts: Facts = from_plain(data["facts"], Facts, now.wall - now.mono)
    except (KeyError, TypeError, ValueError, AttributeError, StopIteration) as error:
        raise NotOurExport(f"a call that does not hold together: {error!r}") from error
    return facts
