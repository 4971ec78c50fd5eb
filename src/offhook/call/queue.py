"""A queue: callers wait, agents take who waits longest, and the two talk (didML `enqueue` and `queue`, as in TwiML).

Whatever happens, the same joint rules run until none has anything to say, so that no order of events is special: a pair
with one gone is parted, the longest waiting goes to the agent who waits longest, everybody knows their place. A caller
whose agent is gone before the two were joined has its place again. Makes no sound; it says who hears whom.
"""

from dataclasses import dataclass, field
from enum import Enum
from typing import assert_never

from offhook.call.commands import EnterConference, EnterQueue, TakeCaller
from offhook.call.events import Now, RoomBriefs, RoomEnd, RoomJoined, RoomLeft, RoomWaits
from offhook.call.plain import Mono
from offhook.call.room import (
    BRIEFING_MAX_S,
    CALLERS_MAX,
    STAY_MAX_S,
    Briefed,
    Came,
    Guest,
    GuestView,
    Join,
    Part,
    RoomHears,
    RoomView,
    Stays,
    Tell,
    Went,
)
from offhook.call.room_machine import RoomMachine, RoomState, earliest

__all__ = ["QueueRoom"]


class _Stand(Enum):
    WAITING = "waiting"
    BRIEFING = "briefing"
    """Taken, but the caller hears something first."""
    TALKING = "talking"


@dataclass(slots=True, kw_only=True)
class _Caller:
    since: float
    until: Mono
    agent: Guest | None = None
    """Who has taken it."""
    stand: _Stand = _Stand.WAITING
    told: int = 0
    """The place that it knows of; 0: none."""


@dataclass(slots=True, kw_only=True)
class _Agent:
    wish: TakeCaller
    since: float
    until: Mono
    """While it waits, of the waiting; then of the briefing, then of the talk."""
    waits_until: Mono
    """What is left of the waiting should its caller be gone before they talk."""
    caller: Guest | None = None
    stand: _Stand = _Stand.WAITING
    told: bool = False
    """That it has to wait."""


@dataclass(slots=True, kw_only=True)
class _State(RoomState):
    callers: dict[Guest, _Caller] = field(default_factory=dict)
    agents: dict[Guest, _Agent] = field(default_factory=dict)
    """Both in the order of their coming."""


class QueueRoom(RoomMachine[_State]):
    """One queue."""

    state_type = _State

    # ── the contract of a machine ────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: RoomHears, now: Now) -> None:
        """Take an event. One that comes too late, or for nobody, is dropped."""
        if self._state.closed:
            return
        match event:
            case Came(guest=guest) | Stays(guest=guest) if guest in self._state.callers:
                self._tell_caller_again(guest, self._state.callers[guest])
            case Came(guest=guest) | Stays(guest=guest) if guest in self._state.agents:
                self._tell_agent_again(guest, self._state.agents[guest])
            case Came():
                self._came(event, now)
            case Stays():
                pass
            case Went(guest=guest):
                self._went(guest)
            case Briefed(guest=guest):
                self._briefed(guest, now)
            case _:
                assert_never(event)
        self._settle(now)

    def handle_timer(self, now: Now) -> None:
        """Whatever is due: agents and callers who waited for too long, briefings and talks that last too long."""
        for guest, agent in list(self._state.agents.items()):
            if agent.until <= now.mono:
                self._agent_is_due(guest, agent, now)
        for guest, caller in list(self._state.callers.items()):
            if caller.stand is _Stand.WAITING and caller.until <= now.mono:
                del self._state.callers[guest]
                self._let_go(guest, RoomEnd.TIME_LIMIT)
        if not self._state.closed:
            self._settle(now)

    def poll_deadline(self) -> float | None:
        """Call `handle_timer` no later than this (monotonic, seconds)."""
        waiting = (each.until for each in self._state.callers.values() if each.stand is _Stand.WAITING)
        return earliest((*waiting, *(each.until for each in self._state.agents.values())))

    def view(self) -> RoomView:
        """The room as its customer may see it now: callers in the order of the queue, then agents."""
        callers = tuple(
            GuestView(
                call=guest.call,
                leg=guest.leg,
                role="caller",
                state=each.stand.value,
                since=each.since,
                position=each.told if each.stand is _Stand.WAITING else None,
            )
            for guest, each in self._state.callers.items()
        )
        agents = tuple(
            GuestView(call=guest.call, leg=guest.leg, role="agent", state=each.stand.value, since=each.since)
            for guest, each in self._state.agents.items()
        )
        return RoomView(room=self._state.room, since=self._state.since, guests=callers + agents)

    def guests(self) -> tuple[Guest, ...]:
        """Who is here."""
        return (*self._state.callers, *self._state.agents)

    # ── what happens to one ──────────────────────────────────────────────────────────────────────────────────────────

    def _came(self, event: Came, now: Now) -> None:
        guest, wish, state = event.guest, event.wish, self._state
        match wish:
            case EnterQueue() if len(state.callers) >= CALLERS_MAX:
                self._note("room.refused", guest, why=RoomEnd.FULL.value)
                self._let_go(guest, RoomEnd.FULL, entered=False)
            case EnterQueue():
                state.callers[guest] = _Caller(since=now.wall, until=Mono(now.mono + STAY_MAX_S))
                self._note("room.entered", guest, role="caller")
            case TakeCaller():
                until = Mono(now.mono + min(max(wish.timeout_s, 0.0), STAY_MAX_S))
                state.agents[guest] = _Agent(wish=wish, since=now.wall, until=until, waits_until=until)
                self._note("room.entered", guest, role="agent")
            case EnterConference():
                self._let_go(guest, RoomEnd.INTERNAL_ERROR, entered=False)
            case _:
                assert_never(wish)

    def _tell_caller_again(self, guest: Guest, caller: _Caller) -> None:
        agent = None if caller.agent is None else self._state.agents[caller.agent]
        match caller.stand:
            case _Stand.WAITING:
                caller.told = 0
            case _Stand.BRIEFING:
                assert agent is not None
                assert agent.wish.briefing is not None
                self._tell(guest, RoomBriefs(visit=guest.visit, document=agent.wish.briefing))
            case _Stand.TALKING:
                assert caller.agent is not None
                self._say(Join(a=caller.agent, b=guest), Tell(guest=guest, event=RoomJoined(visit=guest.visit)))
            case _:
                assert_never(caller.stand)

    def _tell_agent_again(self, guest: Guest, agent: _Agent) -> None:
        if agent.stand is _Stand.TALKING:
            assert agent.caller is not None
            self._say(Join(a=guest, b=agent.caller), Tell(guest=guest, event=RoomJoined(visit=guest.visit)))
        else:
            agent.told = False

    def _went(self, guest: Guest) -> None:
        if self._state.callers.pop(guest, None) or self._state.agents.pop(guest, None):
            self._note("room.left", guest)

    def _briefed(self, caller: Guest, now: Now) -> None:
        for guest, agent in self._state.agents.items():
            if agent.caller == caller and agent.stand is _Stand.BRIEFING:
                self._join(guest, agent, now)

    def _agent_is_due(self, guest: Guest, agent: _Agent, now: Now) -> None:
        match agent.stand:
            case _Stand.WAITING:
                del self._state.agents[guest]
                self._let_go(guest, RoomEnd.NO_ANSWER)
            case _Stand.BRIEFING:
                self._join(guest, agent, now)
            case _Stand.TALKING:
                # The caller goes by the joint rules: for it, the other is gone.
                del self._state.agents[guest]
                self._let_go(guest, RoomEnd.TIME_LIMIT)
            case _:
                assert_never(agent.stand)

    # ── joint rules ──────────────────────────────────────────────────────────────────────────────────────────────────

    def _settle(self, now: Now) -> None:
        rules = (
            self._an_agent_whose_caller_is_gone_is_free,
            self._a_caller_whose_agent_is_gone_is_free,
            self._the_longest_waiting_is_taken,
        )
        while any(rule(now) for rule in rules):
            pass
        self._everybody_knows_their_place()
        self._agents_know_that_they_wait()
        self._close_if_empty()

    def _an_agent_whose_caller_is_gone_is_free(self, now: Now) -> bool:
        for guest, agent in self._state.agents.items():
            if agent.caller is None or agent.caller in self._state.callers:
                continue
            if agent.stand is _Stand.TALKING:
                self._say(Part(a=guest, b=agent.caller))
                del self._state.agents[guest]
                self._let_go(guest, RoomEnd.OVER)
            else:
                agent.caller, agent.stand, agent.until = None, _Stand.WAITING, agent.waits_until
            return True
        return False

    def _a_caller_whose_agent_is_gone_is_free(self, now: Now) -> bool:
        for guest, caller in self._state.callers.items():
            if caller.agent is None or caller.agent in self._state.agents:
                continue
            if caller.stand is _Stand.TALKING:
                self._say(Part(a=caller.agent, b=guest))
                del self._state.callers[guest]
                self._let_go(guest, RoomEnd.OVER)
            else:
                caller.agent, caller.stand, caller.told = None, _Stand.WAITING, 0
            return True
        return False

    def _the_longest_waiting_is_taken(self, now: Now) -> bool:
        callers = ((guest, each) for guest, each in self._state.callers.items() if each.stand is _Stand.WAITING)
        agents = ((guest, each) for guest, each in self._state.agents.items() if each.stand is _Stand.WAITING)
        longest, first = next(callers, None), next(agents, None)
        if longest is None or first is None:
            return False
        (taken, caller), (guest, agent) = longest, first
        agent.caller, agent.stand = taken, _Stand.BRIEFING
        caller.agent, caller.stand = guest, _Stand.BRIEFING
        # By the monotonic clock: `since` is for people, and may have been told by a clock that was set meanwhile.
        waited_s = STAY_MAX_S - (caller.until - now.mono)
        self._note("queue.taken", taken, by=guest.call, waited_s=round(waited_s))
        if agent.wish.briefing is None:
            self._join(guest, agent, now)
        else:
            agent.until = Mono(now.mono + BRIEFING_MAX_S)
            self._tell(taken, RoomBriefs(visit=taken.visit, document=agent.wish.briefing))
        return True

    def _everybody_knows_their_place(self) -> None:
        waiting = ((guest, each) for guest, each in self._state.callers.items() if each.stand is _Stand.WAITING)
        for place, (guest, caller) in enumerate(waiting, start=1):
            if caller.told != place:
                caller.told = place
                self._tell(guest, RoomWaits(visit=guest.visit, position=place))

    def _agents_know_that_they_wait(self) -> None:
        for guest, agent in self._state.agents.items():
            if agent.stand is not _Stand.TALKING and not agent.told:
                agent.told = True
                self._tell(guest, RoomWaits(visit=guest.visit, position=None))

    def _join(self, guest: Guest, agent: _Agent, now: Now) -> None:
        assert agent.caller is not None
        limit = agent.wish.time_limit_s
        agent.stand = self._state.callers[agent.caller].stand = _Stand.TALKING
        agent.until = Mono(now.mono + (STAY_MAX_S if limit is None else min(limit, STAY_MAX_S)))
        self._say(Join(a=guest, b=agent.caller))
        self._note("queue.joined", agent.caller, by=guest.call)
        for each in (guest, agent.caller):
            self._tell(each, RoomJoined(visit=each.visit))

    def _let_go(self, guest: Guest, why: RoomEnd, *, entered: bool = True) -> None:
        if entered:
            self._note("room.left", guest, why=why.value)
        self._tell(guest, RoomLeft(visit=guest.visit, why=why))
