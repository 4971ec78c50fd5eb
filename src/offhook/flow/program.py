"""Steps and flows: which step follows which outcome. One structure for trees of continuations and for sequences.

A step is a verb and a table from outcome to what next: an inline flow, a document to fetch, or nothing, which falls
through to the following step. Running off the end of a flow hangs up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from offhook.flow.document import Document
from offhook.flow.verbs import Verb

__all__ = ["Document", "Flow", "Next", "Outcome", "OutcomeKind", "Step"]


class OutcomeKind(Enum):
    """How a verb ended."""

    OK = "ok"
    BUSY = "busy"
    FAILED = "failed"
    DIGITS = "digits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How a verb ended, with what it brought."""

    kind: OutcomeKind
    why: str | None = None
    """For `FAILED`: `hangup`, `badsource`, `noinput`, `tooshort`, or what a Dial could not do."""
    digits: str = ""
    """For `DIGITS`: the keys, leading zeros kept."""
    waited: bool = True
    """Whether time passed on the wire; steps that take none are counted against the loop limit."""
    leg: int | None = None
    """Of a Dial: the number of the leg it is about (`CallView.leg_of`)."""
    seconds: int = 0
    """Of a Dial: how long that leg was connected; of a Record: its length."""
    recording_url: str = ""
    """Of a Dial or a Record; empty if nothing was kept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A verb and what follows it."""

    verb: Verb
    branches: "Mapping[OutcomeKind, Next]" = field(default_factory=lambda: MappingProxyType({}))
    """By kind of outcome. `DIGITS` is asked after `digits`."""
    digits: "Mapping[str, Next]" = field(default_factory=lambda: MappingProxyType({}))
    """By the exact keys of a `DIGITS` outcome; these go before every other branch."""
    otherwise: "Next | None" = None
    """For every outcome with no branch of its own; `None` falls through."""
    wording: Mapping[str, Any] = field(default_factory=lambda: MappingProxyType({}))
    """The step in the customer's own words (plain JSON), for the dialect alone to show again in its log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """Steps that run one after another."""

    steps: tuple[Step, ...] = ()


Next = Flow | Document
