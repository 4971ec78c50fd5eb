"""A call: one party, the flow that controls it, and everything that is done for it, in nobody's protocol.

    call = Call.incoming(…) or Call.outgoing(…) or Call.restore(…)
    call.handle(event, now) · call.handle_timer(now)      then drain
    call.poll_command() → Command | None                  and ask again for
    call.poll_deadline() → moment or None                 on the monotonic clock

It routes events to whoever they are for (a leg, a performer, the book of recordings), moves the flow, and sees that the
end is an end: every leg hung up, every recording closed, what is owed said, then `Finished`, once. What a verb does
stands in `perform/`, what two joined parties do in `bridge.py`, what anything costs in `policy.py`. See
docs/design/call.md.
"""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self, assert_never

from offhook.call import recordings
from offhook.call.care import STANDARD, Apology, Care
from offhook.call.changes import Change, Objection, change, objection
from offhook.call.commands import AnswerLeg, Charge, Command, Finished, HangUpLeg, MuteLeg, OweHangup, SendDigits
from offhook.call.events import (
    ChangeRecording,
    CreditGone,
    DigitPressed,
    DigitsSent,
    DocumentArrived,
    DocumentFailed,
    Event,
    GoOn,
    HangUp,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegPlaced,
    LegProgress,
    Mute,
    Now,
    PlaybackEnded,
    PressKeys,
    RecordingEnded,
    RoomBeeped,
    RoomBriefs,
    RoomJoined,
    RoomLeft,
    RoomWaits,
    SoundFailed,
    SoundReady,
    Tariff,
)
from offhook.call.facts import Facts, read_facts, view_of, written_facts
from offhook.call.leg import Leg, LegEvent, LegState
from offhook.call.masking import shown_url
from offhook.call.perform.record_call import start_whole_call
from offhook.call.plain import Mono
from offhook.call.policy import (
    APOLOGISED,
    ENDING_WATCHDOG_S,
    call_state,
    cause_before_answer,
    charge_due,
    charge_for_answer,
    ring_timeout_s,
)
from offhook.call.room import Guest
from offhook.call.runner import Runner
from offhook.call.stage import PARTY, Stage, Standing, WholeCall, target_text
from offhook.call.status import owe_statuses
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.document import Document
from offhook.flow.interpreter import End
from offhook.flow.program import Flow, Next
from offhook.flow.verbs import HangupAs, StatusHook, Target
from offhook.flow.view import CallId, CallView, Cause, Direction

__all__ = ["Call"]


CLOCK_JUMP = timedelta(seconds=0.5)
"""By how much the wall clock may leave the monotonic one during a call before it is not believed: durations are right
to within a second."""


class Call:
    """One call. Made by `incoming`, `outgoing` or `restore`; touched by its own task alone."""

    def __init__(self, facts: Facts, dialect: Dialect, now: Now) -> None:
        self._facts = facts
        self._dialect = dialect
        self._stage = Stage(facts.standing, now)
        self._runner = Runner(facts, dialect, self._stage, self._flow_is_over)

    # ── how a call begins ────────────────────────────────────────────────────────────────────────────────────────────

    @classmethod
    def incoming(
        cls,
        *,
        id: CallId,
        from_: str,
        to: str,
        now: Now,
        owner: str,
        dialect: Dialect,
        start: Next,
        tariff: Tariff | None = None,
        hangup_hook: str | None = None,
        refused: Cause | None = None,
        quirks: frozenset[str] = frozenset(),
        caller_name: str = "",
        fallback: Next | None = None,
        care: Care = STANDARD,
    ) -> Self:
        """Somebody calls us: leg 0 is offered, and the flow runs before it is answered.

        `start` is the document to ask for, or the flow itself; an empty flow ends the call with `Cause.NO_FLOW`.
        `refused`: the call ends at once and nobody is asked; it is told of all the same.
        `caller_name`: what the caller's network calls them. `quirks`: what the customer's dialect is asked to do.
        `fallback`: what it goes on with where its web application fails; `care`: what is heard then, and while waiting.
        """
        party = Leg(id=PARTY, incoming=True, to=to, from_=from_, state=LegState.OFFERED, tariff=tariff or Tariff())
        view = CallView(
            id=id,
            direction=Direction.INCOMING,
            from_=from_,
            to=to,
            created=_utc(now),
            owner=owner,
            caller_name=caller_name,
            quirks=quirks,
        )
        standing = Standing(legs={PARTY: party}, other_party=from_, hangup_hook=hangup_hook)
        call = cls(Facts(view=view, standing=standing, start=start, fallback=fallback, care=care), dialect, now)
        call._stage.note("call.begun", direction=view.direction.value, **{"from": from_}, to=to)
        if refused is not None:
            call._end(refused)
        elif isinstance(start, Flow) and not start.steps:
            call._end(Cause.NO_FLOW)
        else:
            call._runner.begin(start)
        call._finish_if_over()
        return call

    @classmethod
    def outgoing(
        cls,
        *,
        id: CallId,
        from_: str,
        target: Target,
        now: Now,
        owner: str,
        dialect: Dialect,
        start: Next,
        ring_timeout: float,
        hangup_hook: str | None = None,
        record: bool = False,
        told: StatusHook | None = None,
        send_digits: str = "",
        fallback: Next | None = None,
        care: Care = STANDARD,
        time_limit_s: float | None = None,
        quirks: frozenset[str] = frozenset(),
        refused: Cause | None = None,
    ) -> Self:
        """We call somebody: leg 0 is placed, and the flow runs once it answers.

        `ring_timeout`: seconds, clamped to 1-600. `record`: both parties from the answer on, to be fetched. `told`: who
        is told how leg 0 fares. `send_digits`: keys sent after the answer and before the flow, as in `SentDigits`.
        `quirks`, `fallback` and `care` as of an incoming call. `time_limit_s`: how long the call may last from its
        answer. `refused`: nobody is called and the call ends at once; it is told of all the same.
        """
        ring_s = ring_timeout_s(ring_timeout)
        to = target_text(target)
        view = CallView(
            id=id,
            direction=Direction.OUTGOING,
            from_=from_,
            to=to,
            created=_utc(now),
            owner=owner,
            ring_timeout_s=round(ring_s),
            quirks=quirks,
        )
        whole_call = WholeCall(deliver_to=None) if record else None
        standing = Standing(legs={}, other_party=to, hangup_hook=hangup_hook, whole_call=whole_call)
        facts = Facts(
            view=view,
            standing=standing,
            start=start,
            first_keys=send_digits,
            time_limit_s=time_limit_s,
            fallback=fallback,
            care=care,
        )
        call = cls(facts, dialect, now)
        call._stage.note("call.begun", direction=view.direction.value, **{"from": from_}, to=to)
        party = call._stage.place(target, from_, told, refused)
        call._facts.ring_deadline = call._stage.after(ring_s)
        if party.gone:
            call._end(party.cause or Cause.NOT_FOUND)
        call._finish_if_over()
        return call

    # ── the contract of a machine ────────────────────────────────────────────────────────────────────────────────────

    def handle(self, event: Event, now: Now) -> None:
        """Take an event. One that cannot be true, or comes too late, is dropped without a word."""
        if self._facts.finished:
            return
        self._stage.now = now
        facts = self._facts
        match event:
            case LegPlaced() | LegProgress() | LegAnswered() | LegHeld() | LegEnded():
                self._hear_leg(event)
            case DocumentArrived() | DocumentFailed():
                self._runner.hear_customer(event)
            case RecordingEnded():
                self._facts.view = recordings.book(event, self._facts.view, self._dialect, self._stage)
                self._runner.hear(event)
            case DigitPressed():
                self._hear_key(event)
            case SoundReady() | SoundFailed() | PlaybackEnded():
                if facts.apology is not None:
                    facts.apology.handle(event, self._stage)
                    self._apologised()
                self._runner.hear(event)
            case DigitsSent():
                self._keys_are_out(event)
            case RoomWaits() | RoomBriefs() | RoomJoined() | RoomBeeped() | RoomLeft():
                self._runner.hear(event)
            case CreditGone():
                self._end(Cause.NO_CREDIT)
            case HangUp():
                self._end(event.cause)
            case GoOn() | Mute() | PressKeys() | ChangeRecording():
                self._change(event)
            case _:
                assert_never(event)
        self._finish_if_over()

    def handle_timer(self, now: Now) -> None:
        """Do whatever is due. May be called too early, and then does nothing."""
        if self._facts.finished:
            return
        self._stage.now = now
        facts = self._facts
        if _due(facts.ring_deadline, now):
            self._end(Cause.NO_ANSWER)
        if _due(facts.time_deadline, now):
            self._end(Cause.TIME_LIMIT)
        for leg in self._stage.legs.values():
            self._charge(leg, charge_due(leg, Mono(now.mono)))
        self._runner.handle_timer()
        self._apologised()
        if _due(facts.watchdog, now):
            self._give_up_waiting()
        self._finish_if_over()

    def poll_command(self) -> Command | None:
        """The next thing to do, in order; `None` when there is nothing."""
        return self._stage.out.popleft() if self._stage.out else None

    def poll_deadline(self) -> float | None:
        """Call `handle_timer` no later than this (monotonic, seconds)."""
        if self._facts.finished:
            return None
        moments = [
            self._facts.ring_deadline,
            self._facts.time_deadline,
            self._facts.watchdog,
            None if self._facts.apology is None else self._facts.apology.deadline,
            *self._runner.deadlines(),
            *(leg.next_charge for leg in self._stage.legs.values()),
        ]
        return min((moment for moment in moments if moment is not None), default=None)

    def view(self) -> CallView:
        """The call as its customer may see it now."""
        return view_of(self._facts)

    def visits(self) -> frozenset[Guest]:
        """The rooms' guests that this call says it is."""
        return frozenset(Guest(call=self._facts.view.id, leg=leg, visit=visit) for leg, visit in self._runner.visits())

    def export(self, now: Now | None = None) -> dict[str, Any]:
        """All of it as plain JSON, for `restore`; its deadlines by the wall clock as it is `now`, which may have been
        set since the last event.

        Raises `RuntimeError` while there are commands to poll: they are not part of it and would be lost.
        """
        if self._stage.out:
            raise RuntimeError("a call is exported only when all its commands have been polled")
        return written_facts(self._facts, now or self._stage.now)

    @classmethod
    def restore(cls, data: Mapping[str, Any], dialect: Dialect, now: Now) -> Self:
        """The call that was exported, its deadlines where they were by the wall clock. Raises `NotOurExport`."""
        return cls(read_facts(data, now), dialect, now)

    def resume(self, now: Now, *, sound_lost: bool = False) -> None:
        """After `restore`: say again what had been asked of the world and may have been lost with the last process.

        Documents and sounds that were being fetched are asked for again under their old numbers, hang-ups and answers
        are repeated. What the world itself remembers (legs, what plays, recordings) it tells by events: `LegEnded`,
        `PlaybackEnded`, `DigitsSent` and `RecordingEnded` for what is no more. `sound_lost`: the media engine has begun
        anew, so what played, was sent or was joined is said again too.
        """
        if self._facts.finished:
            return
        self._stage.now = now
        self._stage.note("call.resumed", sound_lost=sound_lost)
        for leg in self._stage.legs.values():
            if leg.state is LegState.ENDING:
                self._stage.say(HangUpLeg(leg=leg.id, cause=leg.cause or Cause.NORMAL))
            elif leg.state is LegState.ANSWERING:
                self._stage.say(AnswerLeg(leg=leg.id))
            if sound_lost and leg.muted and leg.up:
                self._stage.say(MuteLeg(leg=leg.id, muted=True))
        if sound_lost and self._facts.sending is not None:
            self._stage.say(SendDigits(leg=PARTY, request=self._facts.sending, keys=self._facts.first_keys))
        if self._facts.apology is not None:
            self._facts.apology.resume(self._stage, sound_lost=sound_lost)
        self._runner.resume(sound_lost=sound_lost)
        self._finish_if_over()

    # ── who an event is for ──────────────────────────────────────────────────────────────────────────────────────────

    def _hear_leg(self, event: LegEvent) -> None:
        leg = self._stage.legs.get(event.leg)
        if leg is None or not leg.hear(event, self._stage.now):
            return
        self._note_leg(event, leg)
        if isinstance(event, LegAnswered):
            self._charge(leg, charge_for_answer(leg, Mono(self._stage.now.mono)))
        match event:
            case LegEnded() if leg.id == PARTY:
                self._end(leg.cause or event.cause)
            case LegAnswered() if leg.id == PARTY:
                self._party_is_there(event)
            case LegEnded():
                self._runner.leg_left(leg.id)
                self._runner.hear(event)
            case _:
                self._runner.hear(event)

    def _hear_key(self, event: DigitPressed) -> None:
        leg = self._stage.legs.get(event.leg)
        if leg is not None and not leg.gone:
            self._stage.note("key.pressed", leg=event.leg, key=event.digit)
        self._runner.hear(event)

    def _party_is_there(self, event: LegAnswered) -> None:
        # A clock that was set back while it rang must not have it answered before it began.
        start = max(_utc(self._stage.now), self._facts.view.created)
        self._facts.view = replace(self._facts.view, start=start)
        self._facts.ring_deadline = None
        if self._facts.time_limit_s is not None:
            self._facts.time_deadline = self._stage.after(self._facts.time_limit_s)
        start_whole_call(self._stage)
        if self._runner.begun:
            self._runner.hear(event)
        elif self._facts.first_keys:
            self._facts.sending = self._stage.next_request()
            self._stage.say(SendDigits(leg=PARTY, request=self._facts.sending, keys=self._facts.first_keys))
        else:
            self._runner.begin(self._facts.start)

    def _keys_are_out(self, event: DigitsSent) -> None:
        if event.request == self._facts.sending:
            self._facts.sending = None
            self._runner.begin(self._facts.start)
        else:
            self._runner.hear(event)

    # ── the flow ─────────────────────────────────────────────────────────────────────────────────────────────────────

    def _flow_is_over(self, end: End, how: HangupAs | None) -> None:
        if end.cause in APOLOGISED:
            self._facts.apology = Apology.begun(end.cause, self._facts.care, self._dialect.apology, self._stage)
            if self._facts.apology is not None:
                self._apologised()
                return
        if end.cause is Cause.NORMAL and self._stage.party.unanswered:
            self._end(cause_before_answer(how, self._stage.standing.last_dial))
        else:
            self._end(end.cause)

    def _apologised(self) -> None:
        """The call ends once its apology has been heard."""
        apology = self._facts.apology
        if apology is not None and apology.over(self._stage):
            self._end(apology.cause)

    # ── changes from outside ─────────────────────────────────────────────────────────────────────────────────────────

    def objection(self, wanted: Change) -> Objection | None:
        """Why a change cannot be made as the call stands now; `None`: it can."""
        return Objection.CALL_OVER if self._facts.finished else objection(wanted, self._facts)

    def _change(self, wanted: GoOn | Mute | PressKeys | ChangeRecording) -> None:
        if self.objection(wanted) is not None:
            return
        if isinstance(wanted, GoOn):
            url = shown_url(wanted.to.url) if isinstance(wanted.to, Document) else None
            self._stage.note("flow.changed", url=url)
            self._runner.go_on(wanted.to)
        else:
            change(wanted, self._stage)

    # ── money ────────────────────────────────────────────────────────────────────────────────────────────────────────

    def _charge(self, leg: Leg, amount: int) -> None:
        if amount:
            self._facts.view = replace(self._facts.view, cost=(self._facts.view.cost or 0) + amount)
            self._stage.say(Charge(leg=leg.id, amount=amount))
            self._stage.note("charge", leg=leg.id, amount=amount)

    # ── the end ──────────────────────────────────────────────────────────────────────────────────────────────────────

    def _end(self, cause: Cause) -> None:
        """Begin to end: nothing more is performed, everybody is let go. The first cause stays."""
        facts, stage = self._facts, self._stage
        if facts.watchdog is not None:
            return
        facts.watchdog = stage.after(ENDING_WATCHDOG_S)
        facts.ring_deadline = facts.time_deadline = facts.sending = None
        if facts.apology is not None:
            # Whoever does not hear it out, or stops the server, has not ended the call: it had ended.
            cause, facts.apology = facts.apology.cause, None
        self._runner.end(cause)
        facts.view = replace(
            facts.view,
            end=self._end_moment(),
            cause=cause,
            state=call_state(cause, answered=facts.view.start is not None),
        )
        recordings.stop_all(stage)
        stage.say(*stage.party.hang_up(cause, stage.now))
        stage.note("call.ended", cause=cause.value, state=facts.view.state.value)

    def _end_moment(self) -> datetime:
        """Now; where the wall clock jumped during the call, what keeps the time between answer and end true."""
        now, start, answered = self._stage.now, self._facts.view.start, self._stage.party.answered_at
        if start is None or answered is None:
            return max(_utc(now), self._facts.view.created)
        measured = start + timedelta(seconds=now.mono - answered)
        return measured if abs(measured - _utc(now)) > CLOCK_JUMP else _utc(now)

    def _give_up_waiting(self) -> None:
        """Something never came: the call is over all the same, and says what was missing."""
        legs = [leg for leg in self._stage.legs.values() if leg.state is not LegState.ENDED]
        self._stage.note(
            "call.watchdog",
            cause=Cause.INTERNAL_ERROR.value,
            legs=[leg.id for leg in legs],
            recordings=list(self._stage.standing.recordings),
        )
        for leg in legs:
            leg.hear(LegEnded(leg=leg.id, cause=Cause.INTERNAL_ERROR), self._stage.now)
        self._stage.standing.recordings.clear()

    def _finish_if_over(self) -> None:
        facts, stage = self._facts, self._stage
        owe_statuses(stage, self.view, self._dialect)
        if facts.watchdog is None or facts.finished or stage.standing.recordings:
            return
        if any(leg.state is not LegState.ENDED for leg in stage.legs.values()):
            return
        facts.finished = True
        view = self.view()
        if stage.standing.hangup_hook is not None:
            stage.note("hook.owed", url=shown_url(stage.standing.hangup_hook))
            stage.say(OweHangup(url=stage.standing.hangup_hook, params=self._dialect.ended(view)))
        stage.say(Finished(view=view))

    # ── the timeline ─────────────────────────────────────────────────────────────────────────────────────────────────

    def _note_leg(self, event: LegEvent, leg: Leg) -> None:
        note = self._stage.note
        match event:
            case LegPlaced():
                pass
            case LegProgress():
                note("leg.ringing", leg=leg.id, early_media=event.early_media)
            case LegAnswered():
                note("leg.answered", leg=leg.id)
            case LegHeld():
                note("leg.held" if event.held else "leg.resumed", leg=leg.id)
            case LegEnded():
                cause = (leg.cause or event.cause).value
                note("leg.ended", leg=leg.id, cause=cause, detail=event.detail or None, seconds=leg.seconds)
            case _:
                assert_never(event)


def _utc(now: Now) -> datetime:
    return datetime.fromtimestamp(now.wall, UTC)


def _due(moment: Mono | None, now: Now) -> bool:
    return moment is not None and moment <= now.mono
