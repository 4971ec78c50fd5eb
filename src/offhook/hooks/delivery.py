"""What is owed to customers, in order, until it is delivered or dead. Pure: `runtime/outbox.py` sends and stores.

Delivers at least once: a delivery that was under way when the program ended is tried again.
"""

from collections import Counter, deque
from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from heapq import heappop, heappush
from typing import Any, NamedTuple

from offhook.hooks.errors import HookCause, HookFailure, WrongHookUrl
from offhook.hooks.policy import DeliveryPolicy, longest_pause_s, pause_s, plain_policy, policy_from
from offhook.hooks.request import Receiver, WebhookRequest, receiver

MAX_UNDER_WAY_PER_RECEIVER = 16
"""Requests at a time of one account to one receiver."""
MAX_UNDER_WAY_PER_ACCOUNT = 128
"""Requests at a time of one account to all its receivers."""
EXPORT_VERSION = 1


class Now(NamedTuple):
    """Deadlines run on `mono`, and are kept on `wall` (Unix time). Both in seconds."""

    mono: float
    wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Send:
    """Try this now, then say `delivered` or `failed`. `number` counts its tries from 1."""

    request: WebhookRequest
    number: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Delivered:
    """The receiver has it, after `tries`."""

    request: WebhookRequest
    tries: int
    status: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Postponed:
    """A try failed; the next is at `next_wall` (Unix time)."""

    request: WebhookRequest
    tries: int
    failure: HookFailure
    next_wall: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Dead:
    """Its policy allows no more tries. What came after it in its lane goes on without it."""

    request: WebhookRequest
    tries: int
    failure: HookFailure


class Turn(Enum):
    """Whether something owed is tried now, and if it is not, what it waits for."""

    NOW = "now"
    """It is under way, or has been tried a moment ago."""
    EARLIER = "earlier"
    """What is owed to the same call and receiver before it; that is tried now."""
    OTHERS = "others"
    """Others of its account to the same receiver: as many are under way, or held in memory, as may be."""
    SERVER = "server"
    """None runs."""


DeliveryEvent = Delivered | Postponed | Dead


@dataclass(slots=True, kw_only=True)
class _Entry:
    request: WebhookRequest
    policy: DeliveryPolicy
    tries: int = 0
    earlier: int = 0
    """How many of the tries were made before it was replayed; its policy does not count them."""
    first_at: float | None = None
    """Monotonic, of the first try; the age of a delivery is counted from it."""
    due_at: float = 0.0
    timer: int | None = None
    """The one that it waits for; others that were set for it before mean nothing any more."""
    under_way: bool = False


_Lane = tuple[str, Receiver]


class Deliveries:
    """Lanes of deliveries: one for each call and receiver (scheme, host, port).

    Within a lane the order of `owe` holds: the next one goes only when the one before it is delivered or dead, so a
    customer never hears of a recording after the end of its call. Between lanes nothing waits for anything, but that
    an account has at most `MAX_UNDER_WAY_PER_RECEIVER` requests to one receiver at a time, and
    `MAX_UNDER_WAY_PER_ACCOUNT` in all, which its receivers take in turns: thousands of calls whose receiver hangs must
    not become thousands of connections. Another account never notices, even at the same receiver.

        owe(request, policy, now)           take it on; a request whose id is here already changes nothing
        hurry(id, now)                      try it, or what is before it in its lane, without waiting for the pause
        turn(id)                            whether that is under way now, or what it waits for
        delivered(id, status, now)          } what became of a Send
        failed(id, failure, now, chance)    }
        handle_timer(now)                   something may be due
        poll() -> Send | None               drain after each of the above
        poll_event() -> Delivered | Postponed | Dead | None
        poll_deadline() -> monotonic | None

    Requests outside calls (`call` empty) have a lane each. `export(now)` keeps wall time, so that a pause runs on while
    the program is down; `restore` makes due again what was under way. `export_one(id)` is one delivery, for a store
    that keeps them one by one; `restore_one` takes it back. `plain_delivery` is what `export_one` gives of a delivery
    that was never tried, and `revived` makes one that is done owed again.
    """

    def __init__(self) -> None:
        self._entries: dict[str, _Entry] = {}
        self._lanes: dict[_Lane, deque[str]] = {}
        self._timers: list[tuple[float, int, str]] = []
        self._order = 0
        self._ready: dict[str, dict[Receiver, deque[str]]] = {}
        self._under_way: Counter[tuple[str, Receiver]] = Counter()
        self._under_way_of: Counter[str] = Counter()
        self._sends: deque[Send] = deque()
        self._events: deque[DeliveryEvent] = deque()

    def __len__(self) -> int:
        return len(self._entries)

    def __contains__(self, request_id: str) -> bool:
        return request_id in self._entries

    def owes(self, call: str) -> bool:
        """Whether anything is owed for a call."""
        return any(lane[0] == call for lane in self._lanes)

    def owe(self, request: WebhookRequest, policy: DeliveryPolicy, now: Now) -> None:
        """A URL that cannot be asked is dead at once (an event says so): it was checked when it was given."""
        if request.id in self._entries:
            return
        self._take(_Entry(request=request, policy=policy, due_at=now.mono))
        self.handle_timer(now)

    def hurry(self, request_id: str, now: Now) -> None:
        """Raises `KeyError` when it is not owed (any more)."""
        lane = _lane_of(self._entries[request_id].request)
        head = self._entries[self._lanes[lane][0]]
        if head.timer is not None:
            head.due_at = now.mono
            self._set_timer(head)
            self.handle_timer(now)

    def turn(self, request_id: str) -> Turn:
        """Where it stands once it was to be tried without waiting. Raises `KeyError` when it is not owed (any more)."""
        entry = self._entries[request_id]
        if self._lanes[_lane_of(entry.request)][0] != request_id:
            return Turn.EARLIER
        # Ready and not under way. With a timer it was tried, and failed at once.
        return Turn.NOW if entry.under_way or entry.timer is not None else Turn.OTHERS

    def delivered(self, request_id: str, status: int, now: Now) -> None:
        entry = self._finish_try(request_id)
        self._events.append(Delivered(request=entry.request, tries=entry.tries, status=status))
        self._leave(entry, now)

    def failed(self, request_id: str, failure: HookFailure, now: Now, chance: float) -> None:
        """`chance` in [0, 1), for the jitter of policies that have one."""
        entry = self._finish_try(request_id)
        assert entry.first_at is not None
        age_s = max(now.mono - entry.first_at, 0.0)
        pause = pause_s(entry.policy, tries=entry.tries - entry.earlier, age_s=age_s, chance=chance)
        if pause is None:
            self._events.append(Dead(request=entry.request, tries=entry.tries, failure=failure))
            self._leave(entry, now)
            return
        entry.due_at = now.mono + pause
        self._events.append(
            Postponed(request=entry.request, tries=entry.tries, failure=failure, next_wall=now.wall + pause)
        )
        self._set_timer(entry)
        self._fill(entry.request.account, now)

    def handle_timer(self, now: Now) -> None:
        while self._timers and self._timers[0][0] <= now.mono:
            _, timer, request_id = heappop(self._timers)
            entry = self._entries.get(request_id)
            if entry is None or entry.timer != timer:
                continue
            entry.timer = None
            waiting = self._ready.setdefault(entry.request.account, {})
            waiting.setdefault(receiver(entry.request.url), deque()).append(request_id)
            self._fill(entry.request.account, now)

    def poll(self) -> Send | None:
        return self._sends.popleft() if self._sends else None

    def poll_event(self) -> DeliveryEvent | None:
        return self._events.popleft() if self._events else None

    def poll_deadline(self) -> float | None:
        return self._timers[0][0] if self._timers else None

    # --- within -------------------------------------------------------------------------------------------------

    def _take(self, entry: _Entry) -> None:
        try:
            lane = _lane_of(entry.request)
        except WrongHookUrl as error:
            failure = HookFailure(cause=HookCause.URL, detail=str(error))
            self._events.append(Dead(request=entry.request, tries=entry.tries, failure=failure))
            return
        self._entries[entry.request.id] = entry
        queue = self._lanes.setdefault(lane, deque())
        queue.append(entry.request.id)
        if len(queue) == 1:
            self._set_timer(entry)

    def _set_timer(self, entry: _Entry) -> None:
        self._order += 1
        entry.timer = self._order
        heappush(self._timers, (entry.due_at, self._order, entry.request.id))

    def _fill(self, account: str, now: Now) -> None:
        """Starts what is ready of an account, one for each receiver in turns, as far as it may have more under way."""
        waiting = self._ready.get(account)
        if waiting is None:
            return
        passed_over = 0
        while passed_over < len(waiting) and self._under_way_of[account] < MAX_UNDER_WAY_PER_ACCOUNT:
            who = next(iter(waiting))
            ready = waiting.pop(who)
            if self._under_way[account, who] < MAX_UNDER_WAY_PER_RECEIVER:
                self._start(self._entries[ready.popleft()], who, now)
                passed_over = 0
            else:
                passed_over += 1
            if ready:
                waiting[who] = ready
        if not waiting:
            del self._ready[account]

    def _start(self, entry: _Entry, who: Receiver, now: Now) -> None:
        entry.tries += 1
        entry.under_way = True
        entry.first_at = now.mono if entry.first_at is None else entry.first_at
        self._under_way[entry.request.account, who] += 1
        self._under_way_of[entry.request.account] += 1
        self._sends.append(Send(request=entry.request, number=entry.tries))

    def _finish_try(self, request_id: str) -> _Entry:
        entry = self._entries[request_id]
        if not entry.under_way:
            raise RuntimeError(f"delivery {request_id} is not under way")
        entry.under_way = False
        account, who = entry.request.account, receiver(entry.request.url)
        self._under_way[account, who] -= 1
        if not self._under_way[account, who]:
            del self._under_way[account, who]
        self._under_way_of[account] -= 1
        if not self._under_way_of[account]:
            del self._under_way_of[account]
        return entry

    def _leave(self, entry: _Entry, now: Now) -> None:
        """Delivered or dead: the next of its lane takes its place."""
        lane = _lane_of(entry.request)
        queue = self._lanes[lane]
        del self._entries[queue.popleft()]
        if queue:
            follower = self._entries[queue[0]]
            follower.due_at = max(follower.due_at, now.mono)
            self._set_timer(follower)
            self.handle_timer(now)
        else:
            del self._lanes[lane]
        self._fill(entry.request.account, now)

    # --- kept ---------------------------------------------------------------------------------------------------

    def export(self, now: Now) -> dict[str, Any]:
        """All that is owed, as plain data, lane by lane in order."""
        return {
            "v": EXPORT_VERSION,
            "owed": [self.export_one(request_id, now) for queue in self._lanes.values() for request_id in queue],
        }

    def export_one(self, request_id: str, now: Now) -> dict[str, Any]:
        """One delivery as plain data. Raises `KeyError` when it is not owed (any more)."""
        entry = self._entries[request_id]
        to_wall = now.wall - now.mono
        return {
            **plain_delivery(entry.request, entry.policy, entry.due_at + to_wall),
            # What is under way is not counted yet: after a restart it is tried again.
            "tries": entry.tries - entry.under_way,
            "earlier": entry.earlier,
            "first_wall": None if entry.first_at is None else entry.first_at + to_wall,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any], now: Now) -> "Deliveries":
        """From `export`. Raises `ValueError` for a version this program does not know."""
        _check_version(data)
        machine = cls()
        for one in data["owed"]:
            machine.restore_one(one, now)
        return machine

    def restore_one(self, data: Mapping[str, Any], now: Now) -> None:
        """From `export_one`; call it in the order in which they were owed, then `handle_timer`."""
        _check_version(data)
        to_monotonic = now.mono - now.wall
        first = data["first_wall"]
        request = WebhookRequest.restore(data["request"])
        if request.id not in self._entries:
            policy = policy_from(data["policy"])
            self._take(
                _Entry(
                    request=request,
                    policy=policy,
                    tries=data["tries"],
                    earlier=data["earlier"],
                    first_at=None if first is None else first + to_monotonic,
                    due_at=min(data["due_wall"] + to_monotonic, now.mono + longest_pause_s(policy)),
                )
            )


def plain_delivery(request: WebhookRequest, policy: DeliveryPolicy, due_wall: float) -> dict[str, Any]:
    """A delivery that was never tried, as plain data; `due_wall` is Unix time."""
    return {
        "v": EXPORT_VERSION,
        "request": request.export(),
        "policy": plain_policy(policy),
        "tries": 0,
        "earlier": 0,
        "first_wall": None,
        "due_wall": due_wall,
    }


def revived(data: Mapping[str, Any], *, tries: int, wall: float) -> dict[str, Any]:
    """A delivery that is done after so many tries, owed once more: its policy begins anew, its id and order stay."""
    return {**data, "tries": tries, "earlier": tries, "first_wall": None, "due_wall": wall}


def _check_version(data: Mapping[str, Any]) -> None:
    if data["v"] != EXPORT_VERSION:
        raise ValueError(f"deliveries of version {data['v']} are not known here")


def _lane_of(request: WebhookRequest) -> _Lane:
    return (request.call or f"request {request.id}", receiver(request.url))
