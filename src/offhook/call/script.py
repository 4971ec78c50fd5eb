"""A flow that runs in a call, as plain data: whose it is, how far it is, who performs, and what it waits for.

A call has one of its own (`MAIN`); a performer may begin others for other legs, or beside its own. Walking them is the
`Runner`'s.
"""

from dataclasses import dataclass

from offhook.call.commands import RequestId
from offhook.call.perform.cast import AnyPerformer
from offhook.call.plain import Mono
from offhook.call.stage import Acting, ScriptId
from offhook.flow.interpreter import Interpreter
from offhook.flow.view import Performed

__all__ = ["Script"]


@dataclass(slots=True, kw_only=True)
class Script(Acting):
    """One flow under way."""

    parent: ScriptId | None = None
    """Whose performer began it; `None`: the call's own."""
    position: Interpreter | None = None
    """`None` only until its first effect."""
    performer: AnyPerformer | None = None
    performing_since: Mono | None = None
    asked: RequestId | None = None
    """The document that was asked for and has not come."""
    last: Performed | None = None
    """Of a flow that is not the call's own: what it did last, for its next question."""
