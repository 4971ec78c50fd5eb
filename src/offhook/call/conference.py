"""A conference: everybody hears everybody but themselves, from when it begins to when it ends (TwiML `Conference`).

It begins when two are there and one of them begins it (`starts`); until then all wait. It ends when somebody leaves who
ends it (`ends`), or nobody is left. Who is alone after the others have left stays: somebody may come back. Mixes no
sound and makes no tone; it says who is to hear what.
"""

from dataclasses import dataclass, field
from typing import assert_never

from offhook.call.commands import EnterConference
from offhook.call.events import Now, RoomBeeped, RoomEnd, RoomJoined, RoomLeft, RoomWaits
from offhook.call.plain import Mono
from offhook.call.room import (
    PARTIES_MAX,
    STAY_MAX_S,
    Briefed,
    Came,
    Guest,
    GuestView,
    Mix,
    RoomHears,
    RoomView,
    Stays,
    Tell,
    Unmix,
    Went,
)
from offhook.call.room_machine import RoomMachine, RoomState, earliest
from offhook.flow.verbs import Beeps

__all__ = ["ConferenceRoom"]

TO_BEGIN = 2
"""Parties; one alone would talk to itself."""


@dataclass(slots=True, kw_only=True)
class _Party:
    wish: EnterConference
    since: float
    until: Mono


@dataclass(slots=True, kw_only=True)
class _State(RoomState):
    parties: dict[Guest, _Party] = field(default_factory=dict)
    """In the order of their coming."""
    begun: bool = False


class ConferenceRoom(RoomMachine[_State]):
    """One conference."""

    state_type = _State

    # ── the contract of a machine ────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: RoomHears, now: Now) -> None:
        """Take an event. One that comes too late, or for nobody, is dropped."""
        if self._state.closed:
            return
        match event:
            case Came(guest=guest) | Stays(guest=guest) if guest in self._state.parties:
                self._tell_again(guest)
            case Came(guest=guest, wish=EnterConference() as wish):
                self._came(guest, wish, now)
            case Went(guest=guest) if guest in self._state.parties:
                self._went(guest)
            case Came(guest=guest):
                self._let_go(guest, RoomEnd.INTERNAL_ERROR)
            case Stays() | Went() | Briefed():
                pass
            case _:
                assert_never(event)
        self._close_if_empty()

    def handle_timer(self, now: Now) -> None:
        """Let those go who have been here for too long."""
        for guest, party in list(self._state.parties.items()):
            if party.until <= now.mono and guest in self._state.parties:
                self._let_go(guest, RoomEnd.TIME_LIMIT)
                self._went(guest)
        self._close_if_empty()

    def poll_deadline(self) -> float | None:
        """Call `handle_timer` no later than this (monotonic, seconds)."""
        return earliest(party.until for party in self._state.parties.values())

    def view(self) -> RoomView:
        """The room as its customer may see it now."""
        state = "talking" if self._state.begun else "waiting"
        guests = tuple(
            GuestView(
                call=guest.call, leg=guest.leg, role="party", state=state, since=party.since, muted=party.wish.muted
            )
            for guest, party in self._state.parties.items()
        )
        return RoomView(room=self._state.room, since=self._state.since, guests=guests)

    def guests(self) -> tuple[Guest, ...]:
        """Who is here."""
        return tuple(self._state.parties)

    # ── coming and going ─────────────────────────────────────────────────────────────────────────────────────────────

    def _came(self, guest: Guest, wish: EnterConference, now: Now) -> None:
        parties = self._state.parties
        if len(parties) >= min(wish.max_parties or PARTIES_MAX, PARTIES_MAX):
            self._note("room.refused", guest, why=RoomEnd.FULL.value)
            self._let_go(guest, RoomEnd.FULL)
            return
        parties[guest] = _Party(wish=wish, since=now.wall, until=Mono(now.mono + STAY_MAX_S))
        self._note("room.entered", guest, muted=wish.muted or None)
        if self._state.begun:
            self._take_in(guest)
        elif len(parties) >= TO_BEGIN and any(each.wish.starts for each in parties.values()):
            self._state.begun = True
            self._note("room.begun")
            for each in parties:
                self._take_in(each)
        else:
            self._tell(guest, RoomWaits(visit=guest.visit, position=None))
            return
        if wish.beeps in (Beeps.BOTH, Beeps.ENTER):
            self._beep(coming=True)

    def _tell_again(self, guest: Guest) -> None:
        if self._state.begun:
            self._take_in(guest)
        else:
            self._tell(guest, RoomWaits(visit=guest.visit, position=None))

    def _take_in(self, guest: Guest) -> None:
        muted = self._state.parties[guest].wish.muted
        self._say(Mix(guest=guest, muted=muted), Tell(guest=guest, event=RoomJoined(visit=guest.visit)))

    def _went(self, guest: Guest) -> None:
        party = self._state.parties.pop(guest)
        if self._state.begun:
            self._say(Unmix(guest=guest))
        self._note("room.left", guest)
        if party.wish.ends:
            self._end()
        elif self._state.begun and party.wish.beeps in (Beeps.BOTH, Beeps.EXIT):
            self._beep(coming=False)

    def _end(self) -> None:
        """Everybody goes on with what they do next."""
        if self._state.parties:
            self._note("room.ended")
        for guest in list(self._state.parties):
            del self._state.parties[guest]
            if self._state.begun:
                self._say(Unmix(guest=guest))
            self._note("room.left", guest)
            self._let_go(guest, RoomEnd.OVER)

    def _let_go(self, guest: Guest, why: RoomEnd) -> None:
        self._tell(guest, RoomLeft(visit=guest.visit, why=why))

    def _beep(self, *, coming: bool) -> None:
        for guest in self._state.parties:
            self._tell(guest, RoomBeeped(visit=guest.visit, coming=coming))
