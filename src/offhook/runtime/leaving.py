"""Parties of calls that are over, to whom a BYE or CANCEL is still on its way: kept until they have answered.

A call ends at once, and its far ends when they say so. A server that died in between would leave them talking to
nobody.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from offhook.flow.view import CallId
from offhook.runtime.keeper import Keeper
from offhook.runtime.sip_legs import SipLeg, SipLegs
from offhook.sip.commands import SessionId
from offhook.storage.facts import Fact

__all__ = ["FACT", "Leaving", "sessions_in"]

FACT = "leaving"
VERSION = 1


class Leaving:
    """One for the whole server."""

    def __init__(self, keeper: Keeper, legs: SipLegs) -> None:
        self._keeper = keeper
        self._legs = legs
        self._sessions: dict[SessionId, CallId] = {}
        self._calls: dict[CallId, set[SessionId]] = {}

    def __len__(self) -> int:
        """Calls whose far ends have not all answered."""
        return len(self._calls)

    def leave(self, call: CallId, legs: Sequence[SipLeg]) -> None:
        """A call is over: keep what its far ends are still owed. To be said in the transaction of its end."""
        parts = {leg.session: part for leg in legs if (part := self._legs.session_facts(leg)) is not None}
        sessions = [session for session in parts if session is not None]
        if sessions:
            self._follow(call, sessions)
            data = {"sessions": sessions, "sip": list(parts.values())}
            self._keeper.write(Fact(kind=FACT, key=call, version=VERSION, data=data))

    def sessions(self) -> frozenset[SessionId]:
        """Those that are waited for."""
        return frozenset(self._sessions)

    def restore(self, fact: Fact) -> None:
        """Go on waiting for them; the endpoint has their sessions again."""
        self._follow(CallId(fact.key), fact.data["sessions"])

    def ended(self, session: SessionId) -> None:
        """A session is over on the wire too."""
        call = self._sessions.pop(session, None)
        if call is None:
            return
        left = self._calls[call]
        left.discard(session)
        if not left:
            del self._calls[call]
            self._keeper.drop(FACT, call)

    def _follow(self, call: CallId, sessions: Iterable[SessionId]) -> None:
        self._calls[call] = set(sessions)
        self._sessions.update(dict.fromkeys(self._calls[call], call))


def sessions_in(data: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """What the endpoint exported of them."""
    return list(data["sip"])
