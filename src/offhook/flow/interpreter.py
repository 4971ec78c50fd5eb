"""A position in a flow, as plain frozen data: an outcome or a document goes in, what to do next comes out.

Knows steps and branches only. It never asks which dialect wrote them, never performs or fetches anything, and keeps no
time: whoever performs says whether time passed. An interpreter belongs to one party of a call; several may run at once.

    position, effects = Interpreter.begin(flow)        effects: Perform | Fetch | End
    position, effects = position.apply(outcome)        after Perform
    position, effects = position.apply(DocumentRead)   after Fetch
    position, effects = position.apply(Diverted)       at any time before its end

A branch is a jump: an inline flow takes the place of what would have followed; when it runs off its end, the call ends.
When the party leaves, nobody is there to control, so the interpreter is told nothing more.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import Enum
from typing import Any, Self, assert_never

from offhook.flow import plain
from offhook.flow.errors import FlowLoop, NotOurExport, OutOfTurn
from offhook.flow.limits import MAX_DOCUMENTS_WITHOUT_WAIT, MAX_STEPS_WITHOUT_WAIT
from offhook.flow.program import Document, Flow, Next, Outcome, OutcomeKind, Step
from offhook.flow.verbs import Hangup
from offhook.flow.view import Cause

__all__ = [
    "Diverted",
    "DocumentFailed",
    "DocumentRead",
    "Effect",
    "End",
    "Fetch",
    "Input",
    "Interpreter",
    "Perform",
    "Phase",
    "Skipped",
]

_EXPORT_VERSION = 1


# ── inputs ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentRead:
    """The document that was asked for has come, and this is what it says."""

    flow: Flow


@dataclass(frozen=True, slots=True, kw_only=True)
class DocumentFailed:
    """The document that was asked for could not be had or not be read."""

    cause: Cause
    detail: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Skipped:
    """The step was not carried out, since it has no place here: its branches do not count."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Diverted:
    """Somebody else than the flow says what comes next: a fallback, or a change from outside.

    What is under way is left, and whatever was to follow it is gone.
    """

    to: Next
    outcome: Outcome | None = None
    """What the customer is told with a request for `to`: how the verb under way ended. `None` while a document is
    waited for, since its failure is told as what it was itself to be asked with."""


Input = Outcome | Skipped | DocumentRead | DocumentFailed | Diverted


# ── effects ──────────────────────────────────────────────────────────────────────────────────────────────────────────


@dataclass(frozen=True, slots=True, kw_only=True)
class Perform:
    """Carry out a step's verb, then apply its `Outcome`."""

    step: Step


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetch:
    """Ask for a document, then apply `DocumentRead` or `DocumentFailed`."""

    document: Document
    outcome: Outcome | None
    """What the customer is told with the request; `None` at the very beginning of a flow."""


@dataclass(frozen=True, slots=True, kw_only=True)
class End:
    """Nothing is left to do: end the call."""

    cause: Cause
    detail: str = ""
    """For the timeline, in words for the customer; empty when there is nothing to add to the cause."""


Effect = Perform | Fetch | End


# ── the position ─────────────────────────────────────────────────────────────────────────────────────────────────────


class Phase(Enum):
    """What a position waits for."""

    PERFORMING = "performing"
    """The `Outcome` of the first of `remaining`."""
    FETCHING = "fetching"
    """`DocumentRead` or `DocumentFailed` for `document`."""
    OVER = "over"
    """Nothing; it has ended with `cause`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Interpreter:
    """Where a flow stands. Make one with `begin` or `restore`; never changed, only succeeded."""

    phase: Phase
    remaining: tuple[Step, ...] = ()
    """While performing: the step under way, then what it may fall through to."""
    document: Document | None = None
    """While fetching: what was asked for."""
    outcome: Outcome | None = None
    """While fetching: what led there."""
    cause: Cause | None = None
    detail: str = ""
    steps_without_wait: int = 0
    documents_without_wait: int = 0

    @classmethod
    def begin(cls, start: Next) -> tuple["Interpreter", tuple[Effect, ...]]:
        """At the first step of a flow, or at the document that a number names."""
        return cls(phase=Phase.OVER)._go_to(start, outcome=None)

    def apply(self, happened: Input) -> tuple["Interpreter", tuple[Effect, ...]]:
        """The position after what happened, and what to do now.

        Raises `OutOfTurn` for an input that is not waited for (see `Phase`).
        """
        match happened:
            case Outcome():
                if self.phase is not Phase.PERFORMING:
                    raise OutOfTurn(f"an outcome came while {self.phase.value}")
                return self._after_step(happened)
            case Skipped():
                if self.phase is not Phase.PERFORMING:
                    raise OutOfTurn(f"a step was skipped while {self.phase.value}")
                return self._run(self.remaining[1:])
            case DocumentRead():
                if self.phase is not Phase.FETCHING:
                    raise OutOfTurn(f"a document came while {self.phase.value}")
                return self._run(happened.flow.steps)
            case DocumentFailed():
                if self.phase is not Phase.FETCHING:
                    raise OutOfTurn(f"the failure of a document came while {self.phase.value}")
                return self._end(happened.cause, happened.detail)
            case Diverted():
                if self.phase is Phase.OVER:
                    raise OutOfTurn("a flow that is over was to go on elsewhere")
                moved = self if happened.outcome is None else self._moved(happened.outcome)
                return moved._go_to(happened.to, outcome=happened.outcome or self.outcome)
            case _:
                assert_never(happened)

    @property
    def waiting_for(self) -> Effect:
        """The effect that is under way, or the `End` that was reached: what a restored call has to take up again."""
        match self.phase:
            case Phase.PERFORMING:
                return Perform(step=self.remaining[0])
            case Phase.FETCHING:
                assert self.document is not None
                return Fetch(document=self.document, outcome=self.outcome)
            case Phase.OVER:
                assert self.cause is not None
                return End(cause=self.cause, detail=self.detail)
            case _:
                assert_never(self.phase)

    # ── moving ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _after_step(self, outcome: Outcome) -> tuple["Interpreter", tuple[Effect, ...]]:
        step, *following = self.remaining
        moved = self._moved(outcome)
        if isinstance(step.verb, Hangup):
            return moved._end(Cause.NORMAL)
        branch = branch_for(step, outcome)
        if branch is None:
            return moved._run(tuple(following))
        return moved._go_to(branch, outcome=outcome)

    def _moved(self, outcome: Outcome) -> "Interpreter":
        return replace(self, steps_without_wait=0, documents_without_wait=0) if outcome.waited else self

    def _go_to(self, target: Next, *, outcome: Outcome | None) -> tuple["Interpreter", tuple[Effect, ...]]:
        match target:
            case Flow():
                return self._run(target.steps)
            case Document():
                return self._fetch(target, outcome)
            case _:
                assert_never(target)

    def _run(self, steps: tuple[Step, ...]) -> tuple["Interpreter", tuple[Effect, ...]]:
        if not steps:
            return self._end(Cause.NORMAL)
        if self.steps_without_wait >= MAX_STEPS_WITHOUT_WAIT:
            return self._loop(FlowLoop(count=MAX_STEPS_WITHOUT_WAIT, what="actions"))
        return _announced(
            replace(
                self,
                phase=Phase.PERFORMING,
                remaining=steps,
                document=None,
                outcome=None,
                steps_without_wait=self.steps_without_wait + 1,
            )
        )

    def _fetch(self, document: Document, outcome: Outcome | None) -> tuple["Interpreter", tuple[Effect, ...]]:
        if self.documents_without_wait >= MAX_DOCUMENTS_WITHOUT_WAIT:
            return self._loop(FlowLoop(count=MAX_DOCUMENTS_WITHOUT_WAIT, what="documents"))
        return _announced(
            replace(
                self,
                phase=Phase.FETCHING,
                remaining=(),
                document=document,
                outcome=outcome,
                documents_without_wait=self.documents_without_wait + 1,
            )
        )

    def _loop(self, error: FlowLoop) -> tuple["Interpreter", tuple[Effect, ...]]:
        return self._end(error.cause, str(error))

    def _end(self, cause: Cause, detail: str = "") -> tuple["Interpreter", tuple[Effect, ...]]:
        return _announced(Interpreter(phase=Phase.OVER, cause=cause, detail=detail))

    # ── surviving a restart ──────────────────────────────────────────────────────────────────────────────────────────

    def export(self) -> dict[str, Any]:
        """Plain JSON, versioned; holds the whole of the flow that is still to run."""
        return {
            "version": _EXPORT_VERSION,
            "phase": self.phase.value,
            "remaining": [plain.from_step(step) for step in self.remaining],
            "document": None if self.document is None else plain.from_next(self.document),
            "outcome": None if self.outcome is None else plain.from_outcome(self.outcome),
            "cause": None if self.cause is None else self.cause.value,
            "detail": self.detail,
            "steps_without_wait": self.steps_without_wait,
            "documents_without_wait": self.documents_without_wait,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Self:
        """What `export` gave. Raises `NotOurExport` for anything else. Take up `waiting_for` again afterwards."""
        if data.get("version") != _EXPORT_VERSION:
            raise NotOurExport(f"a flow position of version {data.get('version')!r}; known is {_EXPORT_VERSION}")
        try:
            document = None if data["document"] is None else plain.to_next(data["document"])
            if document is not None and not isinstance(document, Document):
                raise NotOurExport("a flow stands where the awaited document should")
            position = cls(
                phase=Phase(data["phase"]),
                remaining=tuple(plain.to_step(step) for step in data["remaining"]),
                document=document,
                outcome=None if data["outcome"] is None else plain.to_outcome(data["outcome"]),
                cause=None if data["cause"] is None else Cause(data["cause"]),
                detail=data["detail"],
                steps_without_wait=data["steps_without_wait"],
                documents_without_wait=data["documents_without_wait"],
            )
        except (KeyError, TypeError, ValueError) as error:
            raise NotOurExport(f"a flow position that does not hold together: {error!r}") from error
        if not position._holds_together():
            raise NotOurExport(f"a flow position that has nothing to go on with while {position.phase.value}")
        return position

    def _holds_together(self) -> bool:
        match self.phase:
            case Phase.PERFORMING:
                return bool(self.remaining)
            case Phase.FETCHING:
                return self.document is not None
            case Phase.OVER:
                return self.cause is not None
            case _:
                assert_never(self.phase)


def branch_for(step: Step, outcome: Outcome) -> Next | None:
    """Where a step goes on: the exact keys, else the kind of outcome, else `otherwise`; `None` falls through."""
    if outcome.kind is OutcomeKind.DIGITS and outcome.digits in step.digits:
        return step.digits[outcome.digits]
    if outcome.kind in step.branches:
        return step.branches[outcome.kind]
    return step.otherwise


def _announced(position: Interpreter) -> tuple[Interpreter, tuple[Effect, ...]]:
    return position, (position.waiting_for,)
