"""Who is to be called, and how each of them is treated: values, in nobody's dialect. Durations are seconds.

Whether somebody can be called at all (a trunk, a registered phone, an allowed host) is for routing to say.
"""

from dataclasses import dataclass, field
from enum import Enum
from types import MappingProxyType
from typing import Any

from offhook.flow.document import Document

__all__ = [
    "AT_DEFAULT_UNSAID",
    "LegStage",
    "NumberTarget",
    "PhoneTarget",
    "SipTarget",
    "StatusHook",
    "Target",
    "Treatment",
    "UnusableTarget",
    "target_text",
]

AT_DEFAULT_UNSAID: MappingProxyType[str, Any] = MappingProxyType({"at_default_unsaid": True})
"""Metadata of a field that exports and descriptions leave out while it has its default: what only some need."""


class LegStage(Enum):
    """How far a leg is, as its customer may be told (didML `statusCallbackEvent`). The values are the words."""

    INITIATED = "initiated"
    """It is being called."""
    RINGING = "ringing"
    """The far end rings, or is heard, for the first time."""
    ANSWERED = "answered"
    COMPLETED = "completed"
    """It is over, whether it was answered or not."""


@dataclass(frozen=True, slots=True, kw_only=True)
class StatusHook:
    """Who is told how a leg fares, and of what."""

    url: str
    method: str = "POST"
    stages: frozenset[LegStage] = frozenset({LegStage.COMPLETED})
    extra: tuple[tuple[str, str], ...] = ()
    """Parameters that go along; the dialect decides how they mix with its own."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """How one of those called is treated. What is `None` is as the Dial has it."""

    caller_id: str | None = None
    ring_timeout_s: float | None = None
    time_limit_s: float | None = None
    send_digits: str = ""
    """Sent after the answer, before anything else; as in `SentDigits`."""
    briefing: Document | None = None
    """A flow for that party alone, run after its answer (and the digits) and before it is joined. Its `Hangup` declines
    the call."""
    record: bool = False
    """Both are recorded from the joining to the end of this leg."""
    told: StatusHook | None = None


LIKE_ANYBODY = Treatment()


@dataclass(frozen=True, slots=True, kw_only=True)
class NumberTarget:
    """A number in E.164 with `+`; whether it is a phone of ours or goes out by a trunk is for routing to say."""

    number: str
    treatment: Treatment = field(default=LIKE_ANYBODY, metadata=AT_DEFAULT_UNSAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class SipTarget:
    """A `sip:` or `sips:` URI as the customer wrote it; allowed hosts are checked when the leg is placed.

    Without a user part (`sip:host`) the call's `to` is the user.
    """

    uri: str
    with_plus: bool = field(default=True, metadata=AT_DEFAULT_UNSAID)
    """Whether that `to` keeps its `+` (didML's hosts know numbers without)."""
    treatment: Treatment = field(default=LIKE_ANYBODY, metadata=AT_DEFAULT_UNSAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class PhoneTarget:
    """A phone that registers with us, by its user name (didML `client`)."""

    user: str
    treatment: Treatment = field(default=LIKE_ANYBODY, metadata=AT_DEFAULT_UNSAID)


@dataclass(frozen=True, slots=True, kw_only=True)
class UnusableTarget:
    """Something that stands where a number should, and is none. Calling it fails, and the other targets still ring."""

    text: str
    treatment: Treatment = field(default=LIKE_ANYBODY, metadata=AT_DEFAULT_UNSAID)


Target = NumberTarget | SipTarget | PhoneTarget | UnusableTarget


def target_text(target: Target) -> str:
    """A target as the customer wrote it."""
    match target:
        case NumberTarget():
            return target.number
        case SipTarget():
            return target.uri
        case PhoneTarget():
            return target.user
        case UnusableTarget():
            return target.text
