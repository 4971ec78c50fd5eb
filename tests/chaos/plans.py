"""What each call of a run is to be, drawn from the seed and its number alone, and the document that makes it so.

Every plan ends by itself and says how, so that a call that did not go on after a kill is told from one that did.
"""

import random
from dataclasses import dataclass
from enum import Enum
from typing import Any

__all__ = ["CALLED", "CALLER", "Kind", "ORDERED", "Plan", "Role", "Span", "document", "plan"]

CALLER, CALLED, ORDERED = "+4671", "+4672", "+4673"
"""Numbers that begin so call us, are connected to, and are called by the API."""
DIGITS = "0123456789"


class Kind(Enum):
    """What a call does."""

    PROMPT = "prompt"
    GATHER = "menu"
    BRIDGE = "bridge"
    RECORD = "recording"
    DIDML = "didML prompt"
    CONFERENCE = "conference"
    QUEUE = "queue"


class Role(Enum):
    """What somebody does where several meet (`tests.chaos.meetings`)."""

    ALONE = "alone"
    CHAIR = "chair"
    """Ends the conference by leaving."""
    LEAVER = "leaver"
    """Leaves before, and ends nothing."""
    STAYER = "stayer"
    """Is let go when the conference is over."""
    CALLER = "caller"
    """The first who waits: the agent's."""
    SECOND = "second"
    """Waits until the two have talked, and hangs up."""
    AGENT = "agent"


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """How long calls last, seconds."""

    least_s: float = 3.0
    most_s: float = 7.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """One call."""

    index: int
    kind: Kind
    ordered: bool
    """The API asks for it; else somebody calls our number."""
    loud: bool
    """What its parties say and hear is looked at packet by packet."""
    told: bool
    """It has a `whenhangup`."""
    kept: bool
    """A bridge that is recorded."""
    lasts_s: int
    """Of the prompt, the talk, the recording, or until the key is pressed."""
    by_caller: bool
    """Who of a bridge hangs up: the first party, else the called one."""
    rings_s: float
    key: str
    """What is pressed in the menu."""
    role: Role = Role.ALONE
    meeting: int = 0
    """Of a party of a room: the number of the first of them. The room's name."""
    comes_s: float = 0.0
    """Of a party of a room: how long after the meeting's beginning it calls; in a queue, after who came before it."""
    tone: int = 0
    """Of a party of a conference: which tone it is heard by."""

    @property
    def didml(self) -> bool:
        """A call of a DIDforSale account, else of a 46elks one."""
        return self.kind in (Kind.DIDML, Kind.CONFERENCE, Kind.QUEUE)

    @property
    def leads(self) -> bool:
        """Whose leaving ends it for who is left."""
        return self.role is Role.CHAIR or self.role is (Role.CALLER if self.by_caller else Role.AGENT)

    @property
    def number(self) -> str:
        """The far end of the first leg; what the customer knows the call by."""
        return f"{ORDERED if self.ordered else CALLER}{self.index:07d}"

    @property
    def called(self) -> str:
        """The far end of the second leg."""
        return f"{CALLED}{self.index:07d}"


def plan(seed: int, index: int, span: Span, loud_share: float) -> Plan:
    """The plan of a call."""
    chance = random.Random(f"{seed}/call/{index}")
    kind = chance.choices((Kind.PROMPT, Kind.GATHER, Kind.BRIDGE, Kind.RECORD), (3, 3, 3, 1))[0]
    return Plan(
        index=index,
        kind=kind,
        ordered=chance.random() < 0.4,
        loud=kind in (Kind.PROMPT, Kind.BRIDGE) and chance.random() < loud_share,
        told=chance.random() < 0.8,
        kept=kind is Kind.BRIDGE and chance.random() < 0.3,
        lasts_s=round(chance.uniform(span.least_s, span.most_s)),
        by_caller=chance.random() < 0.5,
        rings_s=chance.choice((0.0, 0.05, chance.uniform(0.0, 0.5))),
        key=chance.choice(DIGITS),
    )


def document(made: Plan, base: str) -> dict[str, Any]:
    """What the customer answers when the call begins. `base`: where its application is."""
    key = made.number
    action: dict[str, Any]
    match made.kind:
        case Kind.PROMPT:
            action = {"play": f"{base}/sound/{made.lasts_s}.wav"}
        case Kind.GATHER:
            action = {
                "ivr": f"{base}/sound/2.wav",
                "digits": 1,
                "timeout": 30,
                "repeat": 5,
                "next": f"{base}/next/{key}",
            }
        case Kind.BRIDGE:
            action = {"connect": made.called, "timeout": 30}
        case Kind.RECORD:
            action = {"record": f"{base}/rec/{key}", "timelimit": made.lasts_s, "silencedetection": "no"}
    if made.kept:
        action["recordcall"] = f"{base}/rec/{key}"
    if made.told:
        action["whenhangup"] = f"{base}/bye/{key}"
    return action
