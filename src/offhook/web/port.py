"""What the web asks of the running server: everything about live calls, and nothing else.

What is stored, the web reads and changes itself through `offhook.storage`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from offhook.call.changes import Change, Objection
from offhook.flow.dialects.dialect import Reading
from offhook.flow.program import Document
from offhook.flow.targets import StatusHook
from offhook.flow.view import CallId, CallView
from offhook.hooks.delivery import Turn
from offhook.runtime.rooms import RoomEntry, RoomName, RoomView
from offhook.runtime.speech.provider import OfferedVoice
from offhook.storage.rows import CallRow, DeliveryRow

__all__ = ["CallOrder", "Overloaded", "ServerPort"]


@dataclass(frozen=True, slots=True, kw_only=True)
class CallOrder:
    """A call to be made; every value is checked already."""

    owner: str
    """Account or subaccount id."""
    from_: str
    """E.164, or the word for a hidden caller."""
    to: str
    """E.164."""
    start: Document | Reading
    """What answers it: where to ask, or what to do at once."""
    dialect: str
    """The words of its webhooks: `elks`."""
    hangup_url: str | None = None
    ring_timeout_s: int = 60
    record: bool = False
    """Record all of it, for the customer to fetch."""
    id: CallId | None = None
    """What it was promised to be called; `None`: whatever."""
    fallback: Document | Reading | None = None
    """What it goes on with where the web application fails; `None`: what its account has."""
    send_digits: str = ""
    """Sent after the answer, before anything is asked or done; as in `SentDigits`."""
    told: StatusHook | None = None
    """Who is told how the leg fares."""
    time_limit_s: float | None = None
    """How long the call may last from its answer."""


class Overloaded(Exception):
    """No more calls can be carried now; the text says so to a customer. Answered by 503."""


class ServerPort(Protocol):
    """The switchboard, as the web sees it. Everything runs on the server's one loop."""

    async def place_call(self, order: CallOrder) -> CallView:
        """Begins a call and returns at once, before anything rings. Raises `Overloaded`.

        A call that cannot be routed is not an error: it comes back `failed` with its cause.
        """

    async def give_up(self, order: CallOrder) -> CallView:
        """Records a call that was promised by its id as failed, and owes its customer the news: it may have begun to
        ring as the process that promised it died, so it is not placed again."""

    def live_view(self, call_id: CallId) -> CallView | None:
        """The call as it is now; `None` when it is over or was never here."""

    def live_row(self, call_id: CallId) -> CallRow | None:
        """The same as lists show it."""

    async def hang_up(self, call_id: CallId) -> bool:
        """Ends a live call as if both parties had hung up. False: it is not live."""

    async def change_call(self, call_id: CallId, wanted: Change) -> Objection | None:
        """Changes a live call, or says why that cannot be done now."""

    async def wait_for_event(self, call_id: CallId, after: int, timeout_s: float, *, late: bool = False) -> None:
        """Returns when the call's timeline has an entry after that sequence number, the call is over, or time is up.

        `late`: the end of the call is nothing to return for; what is owed to its customer is reported after it.
        """

    def write_down(self, call_id: CallId) -> None:
        """Puts what a live call has told of itself and is not in storage yet: what is flushed next can be read."""

    def timeline_open(self, call_id: CallId) -> bool:
        """Whether the call itself may still have something to say. Reports of deliveries may come later still."""

    def owes(self, call_id: CallId) -> bool:
        """Whether something is still owed to the call's customer, so that its timeline goes on after its end."""

    async def replay(self, deliveries: Sequence[DeliveryRow]) -> None:
        """Owes posts that are done once more, in this order; those still owed are tried without waiting."""

    async def replay_one(self, delivery: DeliveryRow) -> Turn:
        """The same for one; says whether it is tried now, or what it waits for."""

    def erased(self, call_id: CallId) -> None:
        """Its customer has deleted a call: nothing is written about it any more."""

    def rooms(self) -> Sequence[RoomView]:
        """The conferences and queues that somebody is in, of all accounts."""

    def room_log(self, room: RoomName) -> Sequence[RoomEntry]:
        """The log of a room that there is, oldest first; of another, nothing."""

    async def voices(self) -> Sequence[OfferedVoice]:
        """What texts may be spoken with."""

    def directory_changed(self) -> None:
        """Trunks, numbers or phones have changed: registrations are to follow."""

    def not_ready(self) -> str | None:
        """Why calls cannot be made now, in words for the operator; `None`: they can."""

    def restart(self) -> None:
        """Have this process replaced by a new one, which takes up all that lives. Returns before that."""

    def status(self) -> Mapping[str, Any]:
        """Figures for `offhook doctor` and `/v1/status`: plain JSON."""
