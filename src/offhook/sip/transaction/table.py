"""The words in which the four transaction machines of RFC 3261 section 17 are written down, and their diagrams.

A machine is a literal table: (state, input) to (actions, next state). A pair that stands in neither the table nor
the machine's list of what it lets pass is an error in the table, and a test finds it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum


class State(Enum):
    """All states of all four machines."""

    __hash__ = object.__hash__

    INITIAL = "Initial"
    CALLING = "Calling"
    TRYING = "Trying"
    PROCEEDING = "Proceeding"
    COMPLETED = "Completed"
    CONFIRMED = "Confirmed"
    ACCEPTED = "Accepted"
    TERMINATED = "Terminated"


class Input(Enum):
    """Everything that can happen to a transaction."""

    __hash__ = object.__hash__

    REQUEST = "request"
    """Client: the user hands over the request to send. Server: it arrives, or arrives again."""
    ACK = "ACK"
    PROVISIONAL = "1xx"
    """Client: arrives. Server: the user hands it over. So for the next two."""
    SUCCESS = "2xx"
    FAILURE = "300-699"
    TIMER_A = "timer A"
    TIMER_B = "timer B"
    TIMER_D = "timer D"
    TIMER_E = "timer E"
    TIMER_F = "timer F"
    TIMER_G = "timer G"
    TIMER_H = "timer H"
    TIMER_I = "timer I"
    TIMER_J = "timer J"
    TIMER_K = "timer K"
    TIMER_L = "timer L"
    TIMER_M = "timer M"
    TRANSPORT_ERROR = "transport error"
    ABANDON = "abandon"
    """The user no longer waits (section 9.1: no final answer 64*T1 after a CANCEL; or nobody decided)."""


class Action(Enum):
    """Everything that a transaction can do."""

    __hash__ = object.__hash__

    SEND = "send"
    """Send the message at hand and keep its bytes."""
    REPEAT = "repeat"
    """Send the kept bytes again, if there are any."""
    SEND_ACK = "send ACK"
    REPEAT_ACK = "repeat ACK"
    DELIVER = "tell user"
    """Hand the message at hand to the transaction user."""
    REPORT_TIMEOUT = "tell user: timeout"
    REPORT_ERROR = "tell user: transport error"
    START_A = "start A"
    START_B = "start B"
    START_D = "start D"
    START_E = "start E"
    START_F = "start F"
    START_G = "start G"
    START_H = "start H"
    START_I = "start I"
    START_J = "start J"
    START_K = "start K"
    START_L = "start L"
    START_M = "start M"
    DOUBLE_A = "double A"
    DOUBLE_E = "double E to T2"
    SLOW_E = "E in T2"
    DOUBLE_G = "double G to T2"
    STOP_A = "stop A"
    STOP_B = "stop B"
    STOP_E = "stop E"
    STOP_F = "stop F"
    STOP_G = "stop G"
    STOP_H = "stop H"


Row = tuple[tuple[Action, ...], State]
Table = Mapping[tuple[State, Input], Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """One transaction machine, whole."""

    name: str
    clause: str
    states: tuple[State, ...]
    inputs: tuple[Input, ...]
    """What can reach this machine at all."""
    table: Table
    passes: frozenset[tuple[State, Input]]
    """Pairs that mean nothing and change nothing, each on purpose."""

    def diagram(self) -> str:
        """The table as a Mermaid state diagram."""
        lines = ["stateDiagram-v2"]
        for (state, given), (actions, after) in self.table.items():
            source = "[*]" if state is State.INITIAL else state.value
            target = "[*]" if after is State.TERMINATED else after.value
            done = ", ".join(action.value for action in actions) or "nothing"
            lines.append(f"    {source} --> {target}: {given.value} / {done.replace(':', '')}")
        return "\n".join(lines) + "\n"


def repeated(states: tuple[State, ...], inputs: tuple[Input, ...]) -> frozenset[tuple[State, Input]]:
    """Every pair of the two lists; for writing ``passes``."""
    return frozenset((state, given) for state in states for given in inputs)
