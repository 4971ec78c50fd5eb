"""What every dialect can do, so that calls and the world need not know which one runs."""

from dataclasses import dataclass
from typing import Any, Protocol

from offhook.flow.program import Flow, Outcome
from offhook.flow.targets import LegStage
from offhook.flow.verbs import Sound
from offhook.flow.view import CallView, LegView, RecordingView

__all__ = ["Dialect", "Params", "Reading"]

Params = tuple[tuple[str, str], ...]
"""Names and values of a webhook, in order, not yet encoded."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """A document that could be read."""

    flow: Flow
    warnings: tuple[str, ...] = ()
    """What was leniently understood, in words for the customer's timeline."""


class Dialect(Protocol):
    """Documents in, flows out; views in, webhook parameters out."""

    @property
    def name(self) -> str:
        """The word for it in settings (`--dialect`) and on numbers."""

    @property
    def open_links(self) -> bool:
        """Whether its customers fetch recordings by the link alone, without credentials."""

    @property
    def files(self) -> bool:
        """Whether its documents may be files: a POST that is answered with 405 is asked again with GET."""

    @property
    def apology(self) -> Sound:
        """What a caller hears before a call is ended because its web application failed."""

    def read(self, body: bytes, address: str) -> Reading:
        """The flow that a document asks for; `address` is where it came from (base of relative URLs, may be empty).

        Raises `offhook.flow.errors.DocumentError`, whose text tells the customer what to mend.
        """

    def begun(self, view: CallView) -> Params:
        """The first control webhook of a flow: of the call's, or of another leg's own (`view.leg`)."""

    def continued(self, view: CallView, outcome: Outcome) -> Params:
        """A control webhook after the verb that ran last, `view.performed[-1]`, with its outcome."""

    def recorded(self, view: CallView, recording: RecordingView) -> Params:
        """The post about a finished recording."""

    def ended(self, view: CallView) -> Params:
        """The post about the end of the call."""

    def actions(self, view: CallView) -> list[dict[str, Any]]:
        """The log of the call, kept with it: what ran, as its customer wrote it (`Step.wording`), with the result."""

    def status(self, view: CallView, leg: LegView, stage: LegStage, extra: Params) -> Params:
        """What a leg's status hook is told at a stage; `extra` is what the hook was set with (`StatusHook.extra`)."""
