"""A flow that runs in a call, as plain data: whose it is, how far it is, who performs, and what it waits for.

A call has one of its own (`MAIN`); a performer may begin others for other legs, or beside its own. Walking them is the
`Runner`'s.
"""

from dataclasses import dataclass

from offhook.call.care import Comfort
from offhook.call.commands import RequestId
from offhook.call.perform.cast import AnyPerformer
from offhook.call.plain import Mono
from offhook.call.stage import Acting, ScriptId
from offhook.flow.interpreter import Interpreter
from offhook.flow.view import Performed

__all__ = ["HookFailed", "Script"]


@dataclass(frozen=True, slots=True, kw_only=True)
class HookFailed:
    """A control webhook that failed, as its fallback is told of it."""

    url: str
    """As the customer wrote it."""
    why: str
    """The stable word (`hook_timeout`, `hook_avoided`, `wrong_type`)."""
    detail: str
    status: int | None = None

    @property
    def params(self) -> tuple[tuple[str, str], ...]:
        """What is added to the parameters that the failed request had."""
        told = [("failed_url", self.url), ("failed_why", self.why), ("failed_detail", self.detail)]
        return (*told, *(() if self.status is None else (("failed_status", str(self.status)),)))


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
    comfort: Comfort | None = None
    """While a document is waited for: what is heard meanwhile."""
    failed: HookFailed | None = None
    """The web application failed, and this is what the fallback, which is being asked, is told."""
    last: Performed | None = None
    """Of a flow that is not the call's own: what it did last, for its next question."""
