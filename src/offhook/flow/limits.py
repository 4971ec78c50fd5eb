"""How large a customer's document may be and how long a flow may go on without time passing: limits, each with a name.

What breaks one of them is an error in `offhook.flow.errors`. Nothing here cuts a document to size: it is read whole or
refused.
"""

from collections.abc import Iterator

from offhook.flow.errors import DocumentTooLarge, NestingTooDeep, TooManySteps
from offhook.flow.program import Flow, Next, Step

__all__ = [
    "MAX_ATTRIBUTES",
    "MAX_DEPTH",
    "MAX_DOCUMENTS_WITHOUT_WAIT",
    "MAX_DOCUMENT_BYTES",
    "MAX_ELEMENTS",
    "MAX_STEPS_PER_DOCUMENT",
    "MAX_STEPS_WITHOUT_WAIT",
    "MAX_TARGETS",
    "check_flow",
    "check_size",
]

MAX_DOCUMENT_BYTES = 64 * 1024
"""Of one document, as it came."""

MAX_DEPTH = 40
"""Flows within flows in one document, the outermost counted as 1. Deeper hunting lists belong behind a URL."""

MAX_ELEMENTS = 2000
"""XML elements in one document, known or not."""

MAX_ATTRIBUTES = 40
"""Attributes of one XML element; no verb knows half as many."""

MAX_STEPS_PER_DOCUMENT = 1000
"""Steps in one document, all branches together."""

MAX_TARGETS = 30
"""Parties that one Dial may ring at once: one document must not become a flood of INVITEs."""

MAX_STEPS_WITHOUT_WAIT = 200
"""Steps one after another in which no time passed on the wire."""

MAX_DOCUMENTS_WITHOUT_WAIT = 20
"""Documents one after another in which no time passed on the wire: two pages that send the call to each other."""


def check_size(body: bytes) -> None:
    """Raises `DocumentTooLarge` for a body over `MAX_DOCUMENT_BYTES`."""
    if len(body) > MAX_DOCUMENT_BYTES:
        raise DocumentTooLarge(size=len(body), limit=MAX_DOCUMENT_BYTES)


def check_flow(flow: Flow) -> None:
    """Raises `NestingTooDeep` or `TooManySteps` for a flow over the limits. No recursion: no depth can hurt it."""
    steps = 0
    level: list[Flow] = [flow]
    depth = 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise NestingTooDeep(limit=MAX_DEPTH)
        steps += sum(len(inner.steps) for inner in level)
        if steps > MAX_STEPS_PER_DOCUMENT:
            raise TooManySteps(limit=MAX_STEPS_PER_DOCUMENT)
        level = [inner for outer in level for step in outer.steps for inner in _inner_flows(step)]


def _inner_flows(step: Step) -> Iterator[Flow]:
    branches: list[Next | None] = [*step.branches.values(), *step.digits.values(), step.otherwise]
    return (branch for branch in branches if isinstance(branch, Flow))
