"""One call of a scenario: the real call machine, and people, sound and a web application that are scripted around it.

What it asks of rooms goes to the scenario's, where it meets the other calls.
"""

import json
from typing import Protocol, assert_never

from offhook.call.call import Call
from offhook.call.commands import (
    AnswerLeg,
    CallerBriefed,
    Charge,
    Command,
    EarlyMediaLeg,
    EnterConference,
    EnterQueue,
    FetchDocument,
    Finished,
    HangUpLeg,
    JoinLegs,
    KeepRecording,
    LeaveRoom,
    LegId,
    MuteLeg,
    Note,
    OweHangup,
    OweNotice,
    OweRecording,
    OweStatus,
    PartLegs,
    PauseRecording,
    PlaceLeg,
    PrepareSound,
    RingLeg,
    SendDigits,
    StartPlayback,
    StartRecording,
    StayInRoom,
    StopPlayback,
    StopRecording,
    TakeCaller,
)
from offhook.call.events import (
    CreditGone,
    DigitPressed,
    Event,
    LegAnswered,
    LegEnded,
    LegHeld,
    LegPlaced,
    LegProgress,
    Now,
)
from offhook.call.stage import target_text
from offhook.flow.dialects.choose import DIALECTS, read_start
from offhook.flow.dialects.dialect import Dialect
from offhook.flow.dialects.elks_values import target
from offhook.flow.dialects.elks_words import wrong_start
from offhook.flow.errors import DocumentError
from offhook.flow.program import Document, Flow, Next
from offhook.flow.view import CallId, CallView, Cause
from offhook.testing.application import Application
from offhook.testing.clock import Clock
from offhook.testing.person import Person
from offhook.testing.rooms import SimulatedRooms
from offhook.testing.scenario import ActKind, Calls, PlacesCall, Scenario
from offhook.testing.sound import Engine

__all__ = ["SimulatedCall", "Surroundings"]

RING_DEFAULT_S = 60.0
PARTY = LegId(0)
PHONES = "+4600"
"""Numbers that SIP phones of ours register as begin so."""


class Surroundings(Protocol):
    """What all calls of a scenario share."""

    scenario: Scenario
    clock: Clock
    rooms: SimulatedRooms
    restarts: bool
    pages_used: dict[int, int]

    @property
    def now(self) -> Now:
        """The pretend time."""

    def say(self, text: str, params: tuple[tuple[str, str], ...] = ()) -> None:
        """A line of the trace."""

    def spend(self, amount: int) -> bool:
        """False: the credit is used up."""


class SimulatedCall:
    """A call that is being played. Make it, then `begin`."""

    def __init__(self, world: Surroundings, number: int, begins: Calls | PlacesCall, *, alone: bool) -> None:
        """`number`: of the call in the scenario, from 1. `alone`: no other call could be meant."""
        self.id = CallId(f"{number:032x}")
        self.over = False
        self.call: Call | None = None
        self._world = world
        self._scenario = world.scenario
        self._begins = begins
        self._alone = alone
        self._dialect = self._spoken()
        self._clock = world.clock
        self._people: dict[LegId, Person] = {}
        self._called: dict[int, str] = {}
        wav_base = f"https://voice.example/a1/recordings/c{self.id}"
        self._app = Application(
            self._scenario.pages, self._clock, self._dialect, self.tell, self._asked, used=world.pages_used
        )
        self._engine = Engine(self._scenario.sounds, wav_base, self._clock, self._people, self.tell, self._say)

    # ── what its surroundings say ────────────────────────────────────────────────────────────────────────────────────

    def tell(self, event: Event) -> None:
        """Something happens to the call."""
        if self.call is not None and not self.over:
            self.call.handle(event, self._world.now)
            self._drain()

    def deadline(self) -> float | None:
        """When the call wants to be asked again."""
        return None if self.call is None or self.over else self.call.poll_deadline()

    def handle_timer(self) -> None:
        """Its deadline has come."""
        assert self.call is not None
        self.call.handle_timer(self._world.now)
        self._drain()

    def address(self, leg: LegId) -> str:
        """Who is at the end of a leg."""
        return self._people[leg].address

    def talks(self, leg: LegId) -> None:
        """Somebody is joined with others."""
        self._people[leg].talks()

    def _say(self, text: str, params: tuple[tuple[str, str], ...] = ()) -> None:
        self._world.say(text, params)

    def _drain(self) -> None:
        assert self.call is not None
        while (command := self.call.poll_command()) is not None:
            self._do(command)
        if self._world.restarts:
            written = json.loads(json.dumps(self.call.export()))
            self.call = Call.restore(written, self._dialect, self._world.now)

    # ── how it begins ────────────────────────────────────────────────────────────────────────────────────────────────

    def begin(self) -> None:
        """Somebody calls, or the customer makes a call."""
        begins = self._begins
        match begins:
            case Calls():
                self._people[PARTY] = Person(PARTY, begins.from_, begins.acts, self._clock, self._acts)
                self._say(f"{begins.from_} calls {begins.to}")
                self.call = Call.incoming(
                    id=self.id,
                    from_=begins.from_,
                    to=begins.to,
                    now=self._world.now,
                    owner="u1",
                    dialect=self._dialect,
                    start=self._start(self._runs(begins)),
                    fallback=self._fallback(),
                    tariff=self._scenario.prices.incoming,
                )
            case PlacesCall():
                try:
                    self.call = self._placed(begins)
                except DocumentError as error:
                    self._say(f"403 {wrong_start(begins.params['voice_start'], error)}")
                    self.over = True
                    return
            case _:
                assert_never(begins)
        self._drain()

    def _number_of(self, begins: Calls) -> str:
        """Whose setting counts: a phone of ours (`+4600…`) has its own, whatever it dials."""
        phone = begins.from_.startswith(PHONES) and begins.from_ in self._scenario.numbers
        return begins.from_ if phone else begins.to

    def _runs(self, begins: Calls) -> str | Flow:
        return self._scenario.numbers.get(self._number_of(begins), "")

    def _spoken(self) -> Dialect:
        """The language of the web application: of the number that is called, else 46elks'."""
        number = self._number_of(self._begins) if isinstance(self._begins, Calls) else ""
        return DIALECTS[self._scenario.dialects.get(number, "elks")]

    def _placed(self, begins: PlacesCall) -> Call:
        params = begins.params
        return Call.outgoing(
            id=self.id,
            from_=params.get("from", ""),
            target=target(params.get("to", "")),
            now=self._world.now,
            owner="u1",
            dialect=self._dialect,
            start=self._start(params.get("voice_start", "")),
            ring_timeout=float(params.get("timeout") or RING_DEFAULT_S),
            hangup_hook=params.get("whenhangup") or None,
            fallback=self._fallback(),
        )

    def _fallback(self) -> Next | None:
        return self._start(self._scenario.fallback) if self._scenario.fallback else None

    def _start(self, text: str | Flow) -> Next:
        if isinstance(text, Flow):
            return text
        if not text:
            return Flow()
        start = read_start(text, self._dialect)
        if isinstance(start, Document):
            return start
        for warning in start.warnings:
            self._say(f"warning: {warning}")
        return start.flow

    # ── what the call says ───────────────────────────────────────────────────────────────────────────────────────────

    def _do(self, command: Command) -> None:
        match command:
            case PlaceLeg():
                self._place(command)
            case RingLeg(leg=leg):
                self._say(f"{self._people[leg].address} hears ringing")
            case EarlyMediaLeg(leg=leg):
                self._say(f"{self._people[leg].address} can hear before the answer")
            case AnswerLeg(leg=leg):
                self._say(f"{self._people[leg].address} is answered")
                self._clock.after(0.0, lambda: self._is_up(leg))
            case HangUpLeg(leg=leg, cause=cause):
                self._say(f"{self._people[leg].address} is hung up: {cause.value}")
                self._clock.after(0.0, lambda: self._leaves(leg, cause))
            case JoinLegs(a=a, b=b):
                self._say(f"{self._people[a].address} and {self._people[b].address} are joined")
                self._people[a].talks()
                self._people[b].talks()
            case PartLegs(a=a, b=b):
                self._say(f"{self._people[a].address} and {self._people[b].address} are parted")
            case PrepareSound():
                self._engine.prepare(command)
            case StartPlayback():
                self._engine.play(command)
            case StopPlayback(leg=leg, playback=playback):
                self._engine.stop(leg, playback)
            case SendDigits():
                self._engine.send_keys(command)
            case StartRecording():
                self._engine.record(command)
            case KeepRecording():
                self._engine.keep(command)
            case PauseRecording(recording=recording, paused=paused):
                self._say(f"recording {recording} {'holds silence' if paused else 'goes on'}")
            case MuteLeg(leg=leg, muted=muted):
                self._say(f"{self._people[leg].address} {'is muted' if muted else 'is heard again'}")
            case StopRecording(recording=recording):
                self._engine.finish(recording, "stopped")
            case EnterConference() | EnterQueue() | TakeCaller() | CallerBriefed() | StayInRoom() | LeaveRoom():
                self._world.rooms.hear(self, command)
            case FetchDocument():
                self._app.ask(command)
            case OweRecording() | OweHangup():
                self._say(f"POST {command.url}", command.params)
            case OweStatus() | OweNotice():
                self._say(f"{command.method} {command.url}", command.params)
            case Charge():
                self._charge(command)
            case Note():
                self._note(command)
            case Finished(view=view):
                self._finished(view)
            case _:
                assert_never(command)

    def _asked(self, method: str, url: str, params: tuple[tuple[str, str], ...]) -> None:
        self._say(f"{method} {url}", params)

    def _note(self, note: Note) -> None:
        """Of the timeline, what a person who writes an application wants to be told."""
        match note.kind:
            case "hook.answered":
                for warning in note.data.get("warnings", ()):
                    self._say(f"warning: {warning}")
            case "hook.failed":
                self._say(f"the web application failed ({note.data['cause']}): {note.data['detail']}")
            case "sound.failed":
                self._say(f"{note.data['sound']} cannot be played: {note.data['detail']}")
            case "flow.stopped":
                self._say(f"the flow stops: {note.data['detail']}")
            case "leg.placed":
                self._called[note.data["leg"]] = note.data["to"]
            case "leg.ended" if note.data["leg"] not in self._people:
                self._say(f"{self._called[note.data['leg']]} cannot be called: {note.data['detail']}")
            case _:
                pass

    def _charge(self, command: Charge) -> None:
        self._say(f"{command.amount} is charged for {self._people[command.leg].address}")
        if not self._world.spend(command.amount):
            self._say("the credit is used up")
            self._clock.after(0.0, lambda: self.tell(CreditGone()))

    def _finished(self, view: CallView) -> None:
        whose = "the call" if self._alone else f"the call of {self._people[PARTY].address}"
        self._say(f"{whose} is over: {view.cause.value if view.cause else ''}, {view.state.value}")
        self.over = True

    # ── phones ───────────────────────────────────────────────────────────────────────────────────────────────────────

    def _place(self, command: PlaceLeg) -> None:
        leg, address = command.leg, target_text(command.target)
        phone = next((each for each in self._scenario.phones if each.address == address), None)
        self._people[leg] = Person(leg, address, phone.acts if phone else (), self._clock, self._acts)
        self._say(f"{address} is called from {command.caller_id}")
        if phone is None:
            self._clock.after(0.0, lambda: self._refuses(leg, Cause.UNAVAILABLE))
            return
        placed = LegPlaced(leg=leg, tariff=self._scenario.prices.of(address))
        self._clock.after(0.0, lambda: self.tell(placed))
        if phone.rings and (phone.refuses is None or phone.refuses_after > 0):
            self._clock.after(0.0, lambda: self._rings(leg, early_media=False))
        if phone.heard_after is not None:
            self._clock.after(phone.heard_after, lambda: self._rings(leg, early_media=True))
        if phone.answers_after is not None:
            self._clock.after(phone.answers_after, lambda: self._answers(leg))
        if phone.refuses is not None:
            cause = phone.refuses
            self._clock.after(phone.refuses_after, lambda: self._refuses(leg, cause))

    def _rings(self, leg: LegId, *, early_media: bool) -> None:
        person = self._people[leg]
        if not person.gone and not person.up:
            self._say(f"{person.address} {'is heard before it answers' if early_media else 'rings'}")
            self.tell(LegProgress(leg=leg, early_media=early_media))

    def _answers(self, leg: LegId) -> None:
        if not self._people[leg].gone:
            self._say(f"{self._people[leg].address} answers")
            self._is_up(leg)

    def _is_up(self, leg: LegId) -> None:
        person = self._people[leg]
        if not person.gone:
            person.answered()
            self.tell(LegAnswered(leg=leg))

    def _refuses(self, leg: LegId, cause: Cause) -> None:
        if not self._people[leg].gone:
            self._say(f"{self._people[leg].address} does not answer: {cause.value}")
            self._leaves(leg, cause)

    def _leaves(self, leg: LegId, cause: Cause) -> None:
        person = self._people[leg]
        if not person.gone:
            person.gone = True
            self.tell(LegEnded(leg=leg, cause=cause))
            self._engine.left(leg)

    def _acts(self, person: Person, kind: ActKind, key: str) -> None:
        match kind:
            case ActKind.PRESSES:
                self._say(f"{person.address} presses {key}")
                self.tell(DigitPressed(leg=person.leg, digit=key))
            case ActKind.SPEAKS:
                self._say(f"{person.address} speaks")
            case ActKind.HANGS_UP:
                self._say(f"{person.address} hangs up")
                self._leaves(person.leg, Cause.NORMAL if person.up else Cause.CANCELLED)
            case ActKind.HOLDS | ActKind.RESUMES:
                self._say(f"{person.address} {kind.value}")
                self.tell(LegHeld(leg=person.leg, held=kind is ActKind.HOLDS))
            case _:
                assert_never(kind)
