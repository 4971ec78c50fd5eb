"""Whether a customer's web server is worth asking: closed, open or half open, for each account and host.

Pure: told what came of control webhooks, it says where the next one goes. It refuses nothing by itself: a call that has
no fallback asks the host all the same, because nothing would be gained by not asking.
"""

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Any, NamedTuple

from offhook.hooks.delivery import Now
from offhook.hooks.errors import HookCause, HookFailure
from offhook.hooks.request import Receiver

WINDOW_S = 60.0
"""What is longer ago says nothing of a host."""
FAILURES_IN_A_ROW = 3
RATE_OUTCOMES = 10
"""The rate is looked at from so many outcomes on …"""
FAILURE_RATE = 0.5
"""… and this much of them is too much."""
KEPT_OUTCOMES = 64
PAUSE_S = 5.0
LONGEST_PAUSE_S = 60.0
"""Pauses between probes double from the one to the other."""
PROBE_S = 30.0
"""A probe of which nothing was heard is lost (its call has ended meanwhile), and another may go."""
MAX_HOSTS = 10_000
"""The ones that have been quiet for longest are forgotten."""
EXPORT_VERSION = 1


class HostKey(NamedTuple):
    """An account with a host, so that what one customer does to a shared host is felt by no other."""

    account: str
    receiver: Receiver


class State(Enum):
    """What is believed of a host."""

    CLOSED = "closed"
    """It answers: ask it."""
    OPEN = "open"
    """It does not: go to the fallback."""
    HALF_OPEN = "half_open"
    """One call finds out, all others go to the fallback."""


class Input(Enum):
    """What may happen to a host."""

    ANSWERED = "answered"
    FAILED = "failed"
    TOO_MANY_FAILED = "too_many_failed"
    PAUSE_OVER = "pause_over"
    """Somebody asks, and the pause is over: that one is the probe."""
    PROBE_LOST = "probe_lost"


TABLE: Mapping[tuple[State, Input], State] = {
    (State.CLOSED, Input.ANSWERED): State.CLOSED,
    (State.CLOSED, Input.FAILED): State.CLOSED,
    (State.CLOSED, Input.TOO_MANY_FAILED): State.OPEN,
    # Asked before it opened, or by a call that has no fallback: an answer is an answer.
    (State.OPEN, Input.ANSWERED): State.CLOSED,
    (State.OPEN, Input.FAILED): State.OPEN,
    (State.OPEN, Input.TOO_MANY_FAILED): State.OPEN,
    (State.OPEN, Input.PAUSE_OVER): State.HALF_OPEN,
    (State.HALF_OPEN, Input.ANSWERED): State.CLOSED,
    (State.HALF_OPEN, Input.FAILED): State.OPEN,
    (State.HALF_OPEN, Input.TOO_MANY_FAILED): State.OPEN,
    (State.HALF_OPEN, Input.PROBE_LOST): State.OPEN,
}
"""All that can happen. A pause ends only where there is one, and a probe is lost only where one is out."""


class Advice(Enum):
    """Where a call goes."""

    ASK = "ask"
    PROBE = "probe"
    """Ask: this call finds out for all. Say what came of it."""
    AVOID = "avoid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Changed:
    """A host has another state now, for the log."""

    host: HostKey
    before: State
    state: State
    pause_s: float = 0.0
    """Until the next probe, where it is open."""


@dataclass(slots=True, kw_only=True)
class _Host:
    state: State = State.CLOSED
    outcomes: deque[tuple[float, bool]] = field(default_factory=lambda: deque(maxlen=KEPT_OUTCOMES))
    """When, and whether it answered; of the time that it was closed."""
    pause_s: float = PAUSE_S
    until: float = 0.0
    """Open: the end of the pause. Half open: when the probe counts as lost."""
    last: float = 0.0


class Breaker:
    """One for the server.

        advice(host, now) -> Advice           before asking
        answered(host, now)                   } what came of it; `failed` takes what `means_down` is true for
        failed(host, now)                     }
        poll_event() -> Changed | None        drain after each of the above
        figures() -> {state: number of hosts}
        export(now) / restore(data, now)      pauses by the wall clock

    A host opens after `FAILURES_IN_A_ROW`, or when `FAILURE_RATE` of at least `RATE_OUTCOMES` within `WINDOW_S` were
    failures. After a pause the next call is the probe, and only it waits: if it fails, the pause doubles.
    """

    def __init__(self) -> None:
        self._hosts: dict[HostKey, _Host] = {}
        self._events: deque[Changed] = deque()

    def __len__(self) -> int:
        return len(self._hosts)

    def state(self, key: HostKey) -> State:
        """As it was when it was last spoken of."""
        host = self._hosts.get(key)
        return State.CLOSED if host is None else host.state

    def advice(self, key: HostKey, now: Now) -> Advice:
        """Where a call that has a fallback goes."""
        host = self._hosts.get(key)
        if host is None or host.state is State.CLOSED:
            return Advice.ASK
        if host.state is State.HALF_OPEN:
            if now.mono < host.until:
                return Advice.AVOID
            self._move(key, host, Input.PROBE_LOST, now)
            host.until = now.mono
        if now.mono < host.until:
            return Advice.AVOID
        self._move(key, host, Input.PAUSE_OVER, now)
        return Advice.PROBE

    def answered(self, key: HostKey, now: Now) -> None:
        """It answered, whatever it said."""
        host = self._hosts.get(key)
        if host is None:
            return  # nothing is known against it, so nothing need be kept for it
        host.last = now.mono
        host.outcomes.append((now.mono, True))
        self._move(key, host, Input.ANSWERED, now)
        if all(well for _, well in host.outcomes):
            del self._hosts[key]

    def failed(self, key: HostKey, now: Now) -> None:
        """It did not answer, or said that it cannot."""
        host = self._host(key)
        host.last = now.mono
        host.outcomes.append((now.mono, False))
        self._move(key, host, Input.TOO_MANY_FAILED if _too_many(host, now.mono) else Input.FAILED, now)

    def poll_event(self) -> Changed | None:
        return self._events.popleft() if self._events else None

    def figures(self) -> dict[str, int]:
        """Hosts by state; closed are those of which a failure is remembered."""
        states = [host.state for host in self._hosts.values()]
        return {state.value: states.count(state) for state in State}

    def export(self, now: Now) -> dict[str, Any]:
        """Plain JSON, versioned."""
        ahead = now.wall - now.mono
        return {
            "version": EXPORT_VERSION,
            "hosts": [
                {
                    "account": key.account,
                    "receiver": [key.receiver.scheme, key.receiver.host, key.receiver.port],
                    "state": host.state.value,
                    "outcomes": [[at + ahead, well] for at, well in host.outcomes],
                    "pause_s": host.pause_s,
                    "until": host.until + ahead,
                    "last": host.last + ahead,
                }
                for key, host in self._hosts.items()
            ],
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], now: Now) -> "Breaker":
        """From `export()`. Raises `ValueError` for a version this program does not know."""
        if data["version"] != EXPORT_VERSION:
            raise ValueError(f"a breaker of version {data['version']} is not known here")
        breaker, ahead = cls(), now.wall - now.mono
        for entry in data["hosts"]:
            scheme, host, port = entry["receiver"]
            key = HostKey(entry["account"], Receiver(scheme=scheme, host=host, port=port))
            breaker._hosts[key] = _Host(
                state=State(entry["state"]),
                outcomes=deque(((at - ahead, well) for at, well in entry["outcomes"]), maxlen=KEPT_OUTCOMES),
                pause_s=entry["pause_s"],
                until=entry["until"] - ahead,
                last=entry["last"] - ahead,
            )
        return breaker

    # --- within -------------------------------------------------------------------------------------------------

    def _host(self, key: HostKey) -> _Host:
        host = self._hosts.get(key)
        if host is None:
            if len(self._hosts) >= MAX_HOSTS:
                del self._hosts[min(self._hosts, key=lambda each: self._hosts[each].last)]
            host = self._hosts[key] = _Host()
        return host

    def _move(self, key: HostKey, host: _Host, happened: Input, now: Now) -> None:
        before, host.state = host.state, TABLE[host.state, happened]
        match before, host.state:
            case State.CLOSED, State.OPEN:
                host.pause_s = PAUSE_S
                host.until = now.mono + host.pause_s
            case State.HALF_OPEN, State.OPEN:
                host.pause_s = min(2 * host.pause_s, LONGEST_PAUSE_S)
                host.until = now.mono + host.pause_s
            case State.OPEN, State.HALF_OPEN:
                host.until = now.mono + PROBE_S
            case State.OPEN | State.HALF_OPEN, State.CLOSED:
                host.outcomes.clear()
        if before is not host.state:
            pause_s = host.pause_s if host.state is State.OPEN else 0.0
            self._events.append(Changed(host=key, before=before, state=host.state, pause_s=pause_s))


def means_down(failure: HookFailure) -> bool:
    """Whether a failure speaks against the host. One that answers 404 or too much is there."""
    if failure.cause is HookCause.STATUS:
        return failure.status is not None and failure.status >= 500
    return failure.cause not in (HookCause.REDIRECT, HookCause.TOO_LARGE, HookCause.LOCAL)


def _too_many(host: _Host, now: float) -> bool:
    recent = [well for at, well in host.outcomes if now - at <= WINDOW_S]
    if len(recent) >= FAILURES_IN_A_ROW and not any(recent[-FAILURES_IN_A_ROW:]):
        return True
    return len(recent) >= RATE_OUTCOMES and recent.count(False) / len(recent) >= FAILURE_RATE
