"""A whole call in virtual time: the real call machine, the real dialect, and a scripted world around them.

No socket, no clock, no chance: the same scenario gives the same trace, always. With `restarts` the call is exported and
restored after every event, which must change nothing.
"""

import json
from typing import assert_never

from offhook.call.call import Call
from offhook.call.commands import (
    AnswerLeg,
    Charge,
    Command,
    EarlyMediaLeg,
    FetchDocument,
    Finished,
    HangUpLeg,
    JoinLegs,
    KeepRecording,
    LegId,
    Note,
    OweHangup,
    OweNotice,
    OweRecording,
    OweStatus,
    PartLegs,
    PlaceLeg,
    PrepareSound,
    RingLeg,
    SendDigits,
    StartPlayback,
    StartRecording,
    StopPlayback,
    StopRecording,
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
from offhook.flow.dialects.choose import read_start
from offhook.flow.dialects.elks import Elks
from offhook.flow.dialects.elks_values import target
from offhook.flow.dialects.elks_words import wrong_start
from offhook.flow.errors import DocumentError
from offhook.flow.program import Document, Flow, Next
from offhook.flow.view import CallId, Cause
from offhook.testing.application import Application
from offhook.testing.clock import Clock
from offhook.testing.person import Person
from offhook.testing.scenario import ActKind, Calls, PlacesCall, Scenario
from offhook.testing.sound import Engine
from offhook.testing.trace import Line

__all__ = ["Stuck", "simulate"]

CALL_ID = CallId("0" * 31 + "1")
WALL_0 = 1_767_225_600.0
"""Scenarios begin at 2026-01-01T00:00:00 UTC."""
WAV_BASE = f"https://voice.example/a1/recordings/c{CALL_ID}"
RING_DEFAULT_S = 60.0
STEPS_MAX = 20_000
SAME_MOMENT_S = 1e-4
"""A deadline that went through a restart is as fine as the wall clock."""
PARTY = LegId(0)
PHONES = "+4600"
"""Numbers that SIP phones of ours register as begin so."""


class Stuck(Exception):
    """The scenario does not come to an end."""


def simulate(scenario: Scenario, *, restarts: bool = False) -> list[Line]:
    """What happens. Raises `Stuck` when the call never ends."""
    return _Simulation(scenario, restarts).run()


class _Simulation:
    """One scenario, being played."""

    def __init__(self, scenario: Scenario, restarts: bool) -> None:
        self._scenario = scenario
        self._restarts = restarts
        self._elks = Elks()
        self._clock = Clock()
        self._lines: list[Line] = []
        self._people: dict[LegId, Person] = {}
        self._called: dict[int, str] = {}
        self._finished = False
        self._credit = scenario.prices.credit
        self._call: Call | None = None
        self._app = Application(scenario.pages, self._clock, self._elks, self._tell, self._asked)
        self._engine = Engine(scenario.sounds, WAV_BASE, self._clock, self._people, self._tell, self._say)

    def run(self) -> list[Line]:
        self._begin()
        for _ in range(STEPS_MAX):
            if self._finished:
                return self._lines
            self._step()
        raise Stuck(f"after {STEPS_MAX} steps the call is still not over, at {self._clock.now:g} s")

    def _step(self) -> None:
        """The next thing that is to happen; what people do goes before a deadline at the same moment."""
        call = self._call
        if call is None:
            self._finished = True
            return
        due, deadline = self._clock.next, call.poll_deadline()
        if due is not None and (deadline is None or due <= deadline + SAME_MOMENT_S):
            self._clock.step()
        elif deadline is not None:
            self._clock.now = max(self._clock.now, deadline)
            call.handle_timer(self._now)
            self._drain()
        else:
            raise Stuck(
                f"after {self._clock.now:g} s nothing more can happen, and the call is not over: somebody must hang up"
            )

    @property
    def _now(self) -> Now:
        return Now(self._clock.now, WALL_0 + self._clock.now)

    def _say(self, text: str, params: tuple[tuple[str, str], ...] = ()) -> None:
        self._lines.append(Line(round(self._clock.now, 3), text, dict(params)))

    def _tell(self, event: Event) -> None:
        assert self._call is not None
        self._call.handle(event, self._now)
        self._drain()

    def _drain(self) -> None:
        assert self._call is not None
        while (command := self._call.poll_command()) is not None:
            self._do(command)
        if self._restarts:
            written = json.loads(json.dumps(self._call.export()))
            self._call = Call.restore(written, self._elks, self._now)

    # ── how it begins ────────────────────────────────────────────────────────────────────────────────────────────────

    def _begin(self) -> None:
        begins = self._scenario.begins
        match begins:
            case Calls():
                self._people[PARTY] = Person(PARTY, begins.from_, begins.acts, self._clock, self._acts)
                self._say(f"{begins.from_} calls {begins.to}")
                self._call = Call.incoming(
                    id=CALL_ID,
                    from_=begins.from_,
                    to=begins.to,
                    now=self._now,
                    owner="u1",
                    dialect=self._elks,
                    start=self._start(self._runs(begins)),
                    tariff=self._scenario.prices.incoming,
                )
            case PlacesCall():
                try:
                    self._call = self._placed(begins)
                except DocumentError as error:
                    self._say(f"403 {wrong_start(begins.params['voice_start'], error)}")
                    return
            case _:
                assert_never(begins)
        self._drain()

    def _runs(self, begins: Calls) -> str:
        """What an incoming call runs: a phone of ours (`+4600…`) its own number's setting, whatever it dials."""
        numbers = self._scenario.numbers
        own = numbers.get(begins.from_) if begins.from_.startswith(PHONES) else None
        return numbers.get(begins.to, "") if own is None else own

    def _placed(self, begins: PlacesCall) -> Call:
        params = begins.params
        return Call.outgoing(
            id=CALL_ID,
            from_=params.get("from", ""),
            target=target(params.get("to", "")),
            now=self._now,
            owner="u1",
            dialect=self._elks,
            start=self._start(params.get("voice_start", "")),
            ring_timeout=float(params.get("timeout") or RING_DEFAULT_S),
            hangup_hook=params.get("whenhangup") or None,
        )

    def _start(self, text: str) -> Next:
        if not text:
            return Flow()
        start = read_start(text, self._elks)
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
            case StopRecording(recording=recording):
                self._engine.finish(recording, "stopped")
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
                self._say(f"the call is over: {view.cause.value if view.cause else ''}, {view.state.value}")
                self._finished = True
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
        if self._credit is not None:
            self._credit -= command.amount
            if self._credit < 0:
                self._say("the credit is used up")
                self._clock.after(0.0, lambda: self._tell(CreditGone()))

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
        self._clock.after(0.0, lambda: self._tell(placed))
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
            self._tell(LegProgress(leg=leg, early_media=early_media))

    def _answers(self, leg: LegId) -> None:
        if not self._people[leg].gone:
            self._say(f"{self._people[leg].address} answers")
            self._is_up(leg)

    def _is_up(self, leg: LegId) -> None:
        person = self._people[leg]
        if not person.gone:
            person.answered()
            self._tell(LegAnswered(leg=leg))

    def _refuses(self, leg: LegId, cause: Cause) -> None:
        if not self._people[leg].gone:
            self._say(f"{self._people[leg].address} does not answer: {cause.value}")
            self._leaves(leg, cause)

    def _leaves(self, leg: LegId, cause: Cause) -> None:
        person = self._people[leg]
        if not person.gone:
            person.gone = True
            self._tell(LegEnded(leg=leg, cause=cause))
            self._engine.left(leg)

    def _acts(self, person: Person, kind: ActKind, key: str) -> None:
        match kind:
            case ActKind.PRESSES:
                self._say(f"{person.address} presses {key}")
                self._tell(DigitPressed(leg=person.leg, digit=key))
            case ActKind.SPEAKS:
                self._say(f"{person.address} speaks")
            case ActKind.HANGS_UP:
                self._say(f"{person.address} hangs up")
                self._leaves(person.leg, Cause.NORMAL if person.up else Cause.CANCELLED)
            case ActKind.HOLDS | ActKind.RESUMES:
                self._say(f"{person.address} {kind.value}")
                self._tell(LegHeld(leg=person.leg, held=kind is ActKind.HOLDS))
            case _:
                assert_never(kind)
