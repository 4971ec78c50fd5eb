"""The one property of every dialect's reader, for property tests and fuzzing: it reads, or says why not."""

import json
from dataclasses import replace
from urllib.parse import urlencode

from tests.support.dialect_cases import view_of

from offhook.flow import plain
from offhook.flow.describe import describe_flow
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.errors import DocumentError
from offhook.flow.interpreter import Interpreter, Perform
from offhook.flow.program import Outcome, OutcomeKind
from offhook.flow.view import Performed

__all__ = ["read_or_refuse"]

_OUTCOMES = [
    Outcome(kind=OutcomeKind.OK, seconds=2, recording_url="https://voice.example/r.wav"),
    Outcome(kind=OutcomeKind.BUSY),
    Outcome(kind=OutcomeKind.FAILED, why="no_answer"),
    Outcome(kind=OutcomeKind.DIGITS, digits="1"),
]


def read_or_refuse(dialect: Dialect, body: bytes, *, warnings_most: int) -> None:
    """A body is a flow that can be shown, kept, walked and told of, or a `DocumentError`; nothing else comes out."""
    try:
        reading = dialect.read(body, "https://app.example/a")
    except DocumentError as error:
        if not str(error).endswith("."):
            raise AssertionError(f"{error} is no sentence") from error
        return
    assert describe_flow(reading.flow)
    assert plain.to_flow(json.loads(json.dumps(plain.from_flow(reading.flow)))) == reading.flow
    assert len(reading.warnings) <= warnings_most
    for outcome in _OUTCOMES:
        position, (effect,) = Interpreter.begin(reading.flow)
        view = view_of({"start": "2026-01-02T03:04:06"})
        while isinstance(effect, Perform):
            view = replace(view, performed=(*view.performed, Performed(step=effect.step, outcome=outcome)))
            urlencode(dialect.continued(view, outcome))
            position, (effect,) = position.apply(outcome)
        urlencode(dialect.ended(view))
        json.dumps(dialect.actions(view), allow_nan=False)
