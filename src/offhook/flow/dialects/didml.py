"""The dialect of DIDforSale: didML (XML) in (`didml_xml`, `didml_reading`), form parameters out (`didml_words`).

Its conformance page is `docs/conformance/didml.md`, proved by the cases in `tests/conformance/didml/`.
"""

from dataclasses import dataclass
from typing import Any

from offhook.flow.dialects import didml_reading, didml_words
from offhook.flow.dialects.dialect import Params, Reading
from offhook.flow.program import Outcome
from offhook.flow.targets import LegStage
from offhook.flow.verbs import Sound, Speech
from offhook.flow.view import CallView, LegView, RecordingView

__all__ = ["Didml"]


SORRY = Speech(text="We are sorry, an application error has occurred. Goodbye.")


@dataclass(frozen=True, slots=True)
class Didml:
    """didML voice, as a `Dialect`. Holds nothing: one is enough."""

    name: str = "didml"
    apology: Sound = SORRY
    open_links: bool = True
    files: bool = True

    def read(self, body: bytes, address: str) -> Reading:
        """See `didml_reading.read`."""
        return didml_reading.read(body, address)

    def begun(self, view: CallView) -> Params:
        """See `didml_words.begun`."""
        return didml_words.begun(view)

    def continued(self, view: CallView, outcome: Outcome) -> Params:
        """See `didml_words.continued`."""
        return didml_words.continued(view, outcome)

    def recorded(self, view: CallView, recording: RecordingView) -> Params:
        """See `didml_words.recorded`."""
        return didml_words.recorded(view, recording)

    def ended(self, view: CallView) -> Params:
        """See `didml_words.ended`."""
        return didml_words.ended(view)

    def actions(self, view: CallView) -> list[dict[str, Any]]:
        """See `didml_words.actions`."""
        return didml_words.actions(view)

    def status(self, view: CallView, leg: LegView, stage: LegStage, extra: Params) -> Params:
        """See `didml_words.status`."""
        return didml_words.status(view, leg, stage, extra)
