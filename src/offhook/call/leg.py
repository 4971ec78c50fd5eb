"""One party of a call, as a machine: what it has been told, what it has said, and what may still happen to it.

A SIP phone, a browser and a scripted party are the same here. It never decides that it should ring or be hung up; it
turns such a decision into at most one command, and drops what cannot be true (an answer after its end).
"""

from dataclasses import dataclass
from enum import Enum
from typing import assert_never

from offhook.call.commands import AnswerLeg, Command, EarlyMediaLeg, HangUpLeg, LegId, RingLeg
from offhook.call.events import LegAnswered, LegEnded, LegHeld, LegPlaced, LegProgress, Now, Tariff
from offhook.call.plain import Mono
from offhook.flow.targets import LegStage, StatusHook
from offhook.flow.view import CallState, Cause, Direction, LegView

__all__ = ["Leg", "LegEvent", "LegState"]

LegEvent = LegPlaced | LegProgress | LegAnswered | LegHeld | LegEnded


class LegState(Enum):
    """Where a party stands. Incoming legs begin as `OFFERED`, outgoing ones as `PLACING`."""

    OFFERED = "offered"
    """Incoming; has been told nothing yet."""
    PLACING = "placing"
    """Outgoing; nothing has been heard yet."""
    RINGING = "ringing"
    """Incoming: was told that it rings. Outgoing: says that it rings."""
    EARLY = "early"
    """Not answered, but can be heard (outgoing) or can hear (incoming)."""
    ANSWERING = "answering"
    """Incoming; is being answered."""
    UP = "up"
    """Answered."""
    ENDING = "ending"
    """We have hung up, and wait for the confirmation."""
    ENDED = "ended"


UNANSWERED = frozenset({LegState.OFFERED, LegState.PLACING, LegState.RINGING, LegState.EARLY})
GONE = frozenset({LegState.ENDING, LegState.ENDED})


@dataclass(slots=True, kw_only=True)
class Leg:
    """A party of a call. Plain data, changed only by its own methods."""

    id: LegId
    incoming: bool
    to: str
    from_: str
    state: LegState
    tariff: Tariff
    held: bool = False
    muted: bool = False
    """Nobody hears it, because somebody outside of the call wants it so."""
    answered_at: Mono | None = None
    gone_at: Mono | None = None
    next_charge: Mono | None = None
    """When the next minute begins, for a leg that costs by the minute."""
    cause: Cause | None = None
    told: StatusHook | None = None
    """Who is told how it fares."""
    stages_told: tuple[LegStage, ...] = ()
    """What it has reached, whether the hook wanted to know or not."""
    recording_url: str = ""
    """Of the last recording of what it said and heard."""

    @property
    def unanswered(self) -> bool:
        """It could still be answered or refused."""
        return self.state in UNANSWERED

    @property
    def up(self) -> bool:
        """It is answered and there."""
        return self.state is LegState.UP

    @property
    def audible(self) -> bool:
        """Sound can pass to or from it."""
        return self.state in (LegState.EARLY, LegState.UP)

    @property
    def gone(self) -> bool:
        """It has ended, or we have hung it up."""
        return self.state in GONE

    # ── what is decided about it ─────────────────────────────────────────────────────────────────────────────────────

    def ring(self) -> list[Command]:
        """Tell an incoming party that it rings, once."""
        if self.state is not LegState.OFFERED:
            return []
        self.state = LegState.RINGING
        return [RingLeg(leg=self.id)]

    def open_early(self) -> list[Command]:
        """Let an incoming party hear something before the answer."""
        if not self.incoming or self.state not in (LegState.OFFERED, LegState.RINGING):
            return []
        self.state = LegState.EARLY
        return [EarlyMediaLeg(leg=self.id)]

    def answer(self) -> list[Command]:
        """Answer an incoming party."""
        if not self.incoming or not self.unanswered:
            return []
        self.state = LegState.ANSWERING
        return [AnswerLeg(leg=self.id)]

    def hang_up(self, cause: Cause, now: Now) -> list[Command]:
        """End it, in whatever state it is."""
        if self.gone:
            return []
        self._go(LegState.ENDING, cause, now)
        return [HangUpLeg(leg=self.id, cause=cause)]

    # ── what is heard from it ────────────────────────────────────────────────────────────────────────────────────────

    def hear(self, event: LegEvent, now: Now) -> bool:
        """Take an event; false if it cannot be true in this state and is to be dropped."""
        match event:
            case LegPlaced():
                return self._placed(event)
            case LegProgress():
                return self._progress(event)
            case LegAnswered():
                return self._answered(now)
            case LegHeld():
                return self._held(event)
            case LegEnded():
                return self._ended(event, now)
            case _:
                assert_never(event)

    def _placed(self, event: LegPlaced) -> bool:
        if self.incoming or self.state is not LegState.PLACING:
            return False
        self.tariff = event.tariff
        return True

    def _progress(self, event: LegProgress) -> bool:
        """RFC 3261 13.2.2.1: any number of provisional answers, in any order; early media, once there, stays."""
        if self.incoming or not self.unanswered:
            return False
        heard = LegState.EARLY if event.early_media or self.state is LegState.EARLY else LegState.RINGING
        changed = heard is not self.state
        self.state = heard
        return changed

    def _answered(self, now: Now) -> bool:
        expected = self.state is LegState.ANSWERING if self.incoming else self.unanswered
        if not expected:
            return False
        self.state = LegState.UP
        self.answered_at = Mono(now.mono)
        return True

    def _held(self, event: LegHeld) -> bool:
        if not self.up or self.held == event.held:
            return False
        self.held = event.held
        return True

    def _ended(self, event: LegEnded, now: Now) -> bool:
        if self.state is LegState.ENDED:
            return False
        if self.state is LegState.ENDING:
            self.state = LegState.ENDED
        else:
            self._go(LegState.ENDED, event.cause, now)
        return True

    def _go(self, state: LegState, cause: Cause, now: Now) -> None:
        self.state = state
        self.cause = cause
        self.gone_at = Mono(now.mono)
        self.next_charge = None
        self.held = False

    # ── how it looks ─────────────────────────────────────────────────────────────────────────────────────────────────

    @property
    def seconds(self) -> int:
        """Whole seconds connected; 0 while it lasts and if it was never answered."""
        if self.answered_at is None or self.gone_at is None:
            return 0
        return max(0, round(self.gone_at - self.answered_at))

    def view(self) -> LegView:
        """As the customer may see it."""
        if not self.gone:
            state = CallState.ONGOING
        elif self.answered_at is not None:
            state = CallState.SUCCESS
        else:
            state = CallState.BUSY if self.cause is Cause.BUSY else CallState.FAILED
        return LegView(
            to=self.to,
            from_=self.from_,
            state=state,
            duration_s=self.seconds,
            number=self.id,
            direction=Direction.INCOMING if self.incoming else Direction.OUTGOING,
            recording_url=self.recording_url,
        )
