"""Runs the cases of a dialect: a document to its flow and the trace of a call, a view to its webhook parameters.

Everything here goes one way, from the first part of a case to the text of the others; the test compares.
"""

import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import urlencode

from tests.support.cases import Case

from offhook.flow.describe import describe_flow
from offhook.flow.dialects.dialect import Dialect, Params
from offhook.flow.errors import DocumentError
from offhook.flow.interpreter import DocumentFailed, DocumentRead, Effect, End, Fetch, Input, Interpreter, Perform
from offhook.flow.plain import TAGS
from offhook.flow.program import Flow, Outcome, OutcomeKind
from offhook.flow.view import CallId, CallState, CallView, Cause, Direction, LegView, Performed, RecordingView

__all__ = ["body_of", "leg_of", "outcome_of", "params_text", "reading_text", "recording_of", "trace_text", "view_of"]

ADDRESS = "https://app.example/voice/start"
_HERE, _THERE = "<<", ">>"


def body_of(case: Case) -> bytes:
    """The document of a case, after what its headers ask for.

    `repeat: N` writes what stands in `<<…>>` N times, with commas (or `between`) and `%d` counting; `nest: N` puts the
    document into its own `@` N times, the innermost being `{}`; `pad: N` adds blanks up to N bytes; `escapes: yes`
    reads `\\xff` as that byte.
    """
    text = case.parts[0]
    if "repeat" in case.headers:
        before, rest = text.split(_HERE)
        repeated, after = rest.split(_THERE)
        copies = (repeated.replace("%d", str(n)) for n in range(int(case.headers["repeat"])))
        text = before + case.headers.get("between", ", ").join(copies) + after
    if "nest" in case.headers:
        shell, text = text, "{}"
        for _ in range(int(case.headers["nest"])):
            text = shell.replace("@", text)
    body = text.encode()
    if "escapes" in case.headers:
        body = text.encode().decode("unicode_escape").encode("latin-1")
    return body.ljust(int(case.headers.get("pad", "0")))


def reading_text(dialect: Dialect, body: bytes) -> tuple[str, Flow | None]:
    """The flow with its warnings, or the error, as text."""
    try:
        reading = dialect.read(body, ADDRESS)
    except DocumentError as error:
        return f"error {error.name}: {error}", None
    lines = [*(f"warning: {warning}" for warning in reading.warnings), describe_flow(reading.flow)]
    return "\n".join(lines), reading.flow


def outcome_of(text: str) -> Outcome:
    """`ok`, `busy`, `failed`, `failed badsource`, `keys 12`; with ` at once` if no time passed.

    Before that, of a talk or a recording: ` of leg 1`, ` for 12 s`, ` recorded https://…`.
    """
    words, at_once, _ = text.partition(" at once")
    more: dict[str, Any] = {}
    for name, pattern, cast in _BROUGHT:
        if (found := re.search(pattern, words)) is not None:
            words = words.replace(found[0], "")
            more[name] = cast(found[1])
    return replace(_outcome_of(words, waited=not at_once), **more)


_BROUGHT: Sequence[tuple[str, str, Callable[[str], Any]]] = [
    ("leg", r" of leg (\d+)", int),
    ("seconds", r" for (\d+) s", int),
    ("recording_url", r" recorded (\S+)", str),
]


def _outcome_of(words: str, *, waited: bool) -> Outcome:
    kind, _, more = words.partition(" ")
    if kind == "keys":
        return Outcome(kind=OutcomeKind.DIGITS, digits=more, waited=waited)
    return Outcome(kind=OutcomeKind(kind), why=more or None, waited=waited)


# ── traces ───────────────────────────────────────────────────────────────────────────────────────────────────────────


def trace_text(dialect: Dialect, flow: Flow, expected: str, direction: str) -> str:
    """What happens when the `<-` lines of `expected` happen, in the same form.

    `->` is an effect; an indented line is what the customer is sent with it; a last line `actions` is the log.
    """
    trace = _Trace(dialect, view_of({"direction": direction}))
    trace.begin(flow)
    for line in expected.splitlines():
        if line.startswith("<- "):
            trace.take(line.removeprefix("<- "))
    if expected.splitlines()[-1].startswith("actions "):
        trace.log()
    return "\n".join(trace.lines)


class _Trace:
    def __init__(self, dialect: Dialect, view: CallView) -> None:
        self.dialect = dialect
        self.view = view
        self.lines: list[str] = []
        self.position: Interpreter

    def begin(self, flow: Flow) -> None:
        self._go_on(Interpreter.begin(flow))

    def take(self, text: str) -> None:
        self.lines.append(f"<- {text}")
        happened = self._input(text)
        waited_for = self.position.waiting_for
        if isinstance(happened, Outcome) and isinstance(waited_for, Perform):
            done = Performed(step=waited_for.step, outcome=happened)
            self.view = replace(self.view, performed=(*self.view.performed, done))
        self._go_on(self.position.apply(happened))

    def log(self) -> None:
        params = dict(self.dialect.ended(self.view))
        self.lines.append(f"actions {params.get('actions', '[]')}")

    def _input(self, text: str) -> Input:
        kind, _, more = text.partition(" ")
        if kind == "no-document":
            return DocumentFailed(cause=Cause(more))
        if kind != "document":
            return outcome_of(text)
        try:
            return DocumentRead(flow=self.dialect.read(more.encode(), ADDRESS).flow)
        except DocumentError as error:
            return DocumentFailed(cause=error.cause, detail=str(error))

    def _go_on(self, moved: tuple[Interpreter, tuple[Effect, ...]]) -> None:
        self.position, effects = moved
        for effect in effects:
            self.lines.extend(self._effect(effect))

    def _effect(self, effect: Effect) -> Iterator[str]:
        match effect:
            case Perform(step=step):
                yield f"-> {TAGS[type(step.verb)]}"
            case Fetch(document=document, outcome=outcome):
                yield f"-> {document.method} {document.url}"
                params = (
                    self.dialect.begun(self.view) if outcome is None else self.dialect.continued(self.view, outcome)
                )
                yield f"   {urlencode(params)}"
            case End(cause=cause, detail=detail):
                self.view = replace(self.view, cause=cause)
                yield f"-> end {cause.value}{': ' * bool(detail)}{detail}"


# ── views ────────────────────────────────────────────────────────────────────────────────────────────────────────────


def _moment(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text)


def view_of(data: Mapping[str, Any], dialect: Dialect | None = None) -> CallView:
    """A view from plain data. `performed` is a list of pairs: a document, and the outcome of its last step.

    A document is JSON, or a text (XML) that is read as it is.
    """
    performed = []
    for document, outcome in data.get("performed", ()):
        assert dialect is not None
        text = document if isinstance(document, str) else json.dumps(document)
        flow = dialect.read(text.encode(), ADDRESS).flow
        performed += [Performed(step=step, outcome=Outcome(kind=OutcomeKind.OK)) for step in flow.steps[:-1]]
        performed.append(Performed(step=flow.steps[-1], outcome=outcome_of(outcome)))
    return CallView(
        id=CallId(data.get("id", "0123456789abcdef0123456789abcdef")),
        direction=Direction(data.get("direction", "incoming")),
        from_=data.get("from", "+46700000001"),
        to=data.get("to", "+46700000002"),
        created=datetime.fromisoformat(data.get("created", "2026-01-02T03:04:05.678901")),
        state=CallState(data.get("state", "ongoing")),
        start=_moment(data.get("start")),
        end=_moment(data.get("end")),
        cause=None if data.get("cause") is None else Cause(data["cause"]),
        cost=data.get("cost"),
        ring_timeout_s=data.get("timeout"),
        owner=data.get("owner", ""),
        performed=tuple(performed),
        legs=tuple(leg_of(leg) for leg in data.get("legs", ())),
        leg=None if data.get("leg") is None else leg_of(data["leg"]),
        caller_name=data.get("caller_name", ""),
        recording_url=data.get("recording_url", ""),
        quirks=frozenset(data.get("quirks", ())),
        recordings=tuple(data.get("recordings", ())),
    )


def leg_of(data: Mapping[str, Any]) -> LegView:
    """A party that was called, or that a call began with, from plain data."""
    return LegView(
        to=data["to"],
        from_=data["from"],
        state=CallState(data.get("state", "ongoing")),
        duration_s=data.get("duration", 0),
        number=data.get("number", 0),
        direction=Direction(data.get("direction", "outgoing")),
        recording_url=data.get("recording_url", ""),
    )


def recording_of(view: CallView, data: Mapping[str, Any]) -> RecordingView:
    """The recording that a case tells of."""
    created = _moment(data.get("created")) or view.created + timedelta(seconds=30)
    return RecordingView(index=data.get("index", 0), created=created, duration_s=data["duration"], wav_url=data["wav"])


def params_text(params: Params) -> str:
    """A parameter per line, not encoded."""
    return "\n".join(f"{name}={value}" for name, value in params)
