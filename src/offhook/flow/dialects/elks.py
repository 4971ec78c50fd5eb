"""The dialect of 46elks: JSON actions in (`elks_reading`), form parameters out (`elks_words`).

Its conformance page is `docs/conformance/elks.md`, proved by the cases in `tests/conformance/elks/`.
"""

from dataclasses import dataclass
from typing import Any

from offhook.flow.dialects import elks_reading, elks_words
from offhook.flow.dialects.dialect import Params, Reading
from offhook.flow.program import Outcome
from offhook.flow.targets import LegStage
from offhook.flow.verbs import NamedSound, Sound
from offhook.flow.view import CallView, LegView, RecordingView

__all__ = ["Elks"]


SORRY = NamedSound(name="sorry")


@dataclass(frozen=True, slots=True)
class Elks:
    """46elks voice, as a `Dialect`. Holds nothing: one is enough."""

    name: str = "elks"
    apology: Sound = SORRY
    open_links: bool = False
    files: bool = False
    """Every status but 200 to 204 ends the call (its Swagger file, "hooks")."""

    def read(self, body: bytes, address: str) -> Reading:
        """See `elks_reading.read`."""
        return elks_reading.read(body, address)

    def begun(self, view: CallView) -> Params:
        """See `elks_words.begun`."""
        return elks_words.begun(view)

    def continued(self, view: CallView, outcome: Outcome) -> Params:
        """See `elks_words.continued`."""
        return elks_words.continued(view, outcome)

    def recorded(self, view: CallView, recording: RecordingView) -> Params:
        """See `elks_words.recorded`."""
        return elks_words.recorded(view, recording)

    def ended(self, view: CallView) -> Params:
        """See `elks_words.ended`."""
        return elks_words.ended(view)

    def actions(self, view: CallView) -> list[dict[str, Any]]:
        """See `elks_words.actions`."""
        return elks_words.actions(view)

    def status(self, view: CallView, leg: LegView, stage: LegStage, extra: Params) -> Params:
        """See `elks_words.status`."""
        return elks_words.status(view, leg, stage, extra)
