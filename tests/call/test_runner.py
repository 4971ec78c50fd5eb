"""Flows of a call beside each other: each its own leg, keys, documents and end; tried without a call around them."""

import json
from datetime import UTC, datetime

import pytest
from tests.support.calls import A, B, PlainWords, ask, flow

from offhook.call.commands import (
    Command,
    FetchDocument,
    LegId,
    Note,
    PrepareSound,
    StartPlayback,
    StopPlayback,
)
from offhook.call.events import (
    DigitPressed,
    DocumentArrived,
    DocumentFailed,
    LegHeld,
    Now,
    SoundReady,
    Tariff,
)
from offhook.call.facts import Facts, read_facts, written_facts
from offhook.call.leg import Leg, LegState
from offhook.call.runner import Runner
from offhook.call.stage import MAIN, ScriptId, Stage, Standing
from offhook.flow.interpreter import End
from offhook.flow.program import Flow, Next, Step
from offhook.flow.verbs import Dial, Gather, Hangup, HangupAs, NumberTarget, Pause, Play, Record, UrlSound, Verb
from offhook.flow.view import CallId, CallView, Cause, Direction

HELLO = Play(sounds=(UrlSound(url="https://app.example/hello.wav"),))
MENU = Gather(prompts=(UrlSound(url="https://app.example/menu.wav"),), max_digits=2, timeout_s=4.0)
WAITS = Dial(targets=(NumberTarget(number="+46700000011"),))
WHISPER = "https://app.example/whisper"


def leg(number: LegId) -> Leg:
    return Leg(
        id=number,
        incoming=number == A,
        to=f"+{number}",
        from_="+9",
        state=LegState.UP,
        tariff=Tariff(),
    )


class Desk:
    """A runner with two parties that are there, and what came of it."""

    def __init__(self, *verbs: Verb) -> None:
        created = datetime(2026, 1, 1, tzinfo=UTC)
        view = CallView(id=CallId("c" * 32), direction=Direction.INCOMING, from_="+9", to="+0", created=created)
        standing = Standing(legs={A: leg(A), B: leg(B)}, other_party="+9")
        self.facts = Facts(view=view, standing=standing, start=Flow())
        self.stage = Stage(standing, Now(0.0, 1000.0))
        self.over: list[tuple[End, HangupAs | None]] = []
        self.runner = Runner(self.facts, PlainWords(), self.stage, lambda end, how: self.over.append((end, how)))
        self.runner.begin(flow(*verbs))

    def beside(self, start: Next, for_: LegId = B) -> ScriptId:
        """Begin a flow as a performer of the call's own would."""
        script = self.stage.begin_script(for_, start)
        self.runner.hear(LegHeld(leg=for_, held=False))
        return script

    def said(self) -> list[Command]:
        said = list(self.stage.out)
        self.stage.out.clear()
        return [each for each in said if not isinstance(each, Note)]

    def notes(self, kind: str) -> list[dict[str, object]]:
        return [dict(each.data) for each in self.stage.out if isinstance(each, Note) and each.kind == kind]

    def document(self, request: int, *verbs: Verb) -> None:
        self.runner.hear_customer(DocumentArrived(request=request, flow=flow(*verbs)))  # type: ignore[arg-type]


def test_the_calls_own_flow_tells_the_call_of_its_end() -> None:
    desk = Desk(Hangup(how=HangupAs.BUSY))
    assert desk.over == [(End(cause=Cause.NORMAL), HangupAs.BUSY)]


def test_a_flow_of_another_leg_speaks_to_that_leg_alone() -> None:
    desk = Desk(WAITS)
    desk.said()
    desk.beside(flow(HELLO))
    (prepare,) = desk.said()
    assert isinstance(prepare, PrepareSound)
    desk.runner.hear(SoundReady(request=prepare.request, handle="h", duration_ms=1))
    (playing,) = desk.said()
    assert isinstance(playing, StartPlayback)
    assert playing.leg == B


def test_what_it_asks_says_whose_it_is() -> None:
    asked: list[CallView] = []

    class Words(PlainWords):
        def begun(self, view: CallView) -> tuple[tuple[str, str], ...]:
            asked.append(view)
            return ()

    desk = Desk(WAITS)
    desk.runner = Runner(desk.facts, Words(), desk.stage, lambda end, how: None)
    desk.beside(ask(WHISPER))
    (view,) = asked
    assert view.leg is not None
    assert (view.leg.number, view.leg.to) == (B, "+1")


def test_keys_go_to_the_flow_of_their_leg() -> None:
    desk = Desk(MENU)
    desk.beside(flow(MENU))
    desk.runner.hear(DigitPressed(leg=B, digit="1"))
    desk.runner.hear(DigitPressed(leg=A, digit="2"))
    keys = {each.id: each.performer.keys for each in desk.facts.scripts.values()}  # type: ignore[union-attr]
    assert keys == {0: "2", 1: "1"}


def test_keys_wait_for_a_document_of_their_own_leg() -> None:
    desk = Desk(WAITS)
    desk.beside(ask(WHISPER))
    desk.runner.hear(DigitPressed(leg=A, digit="2"))
    desk.runner.hear(DigitPressed(leg=B, digit="1"))
    assert {each.id: each.typed_ahead for each in desk.facts.scripts.values()} == {0: "", 1: "1"}


def test_each_has_its_own_deadline() -> None:
    desk = Desk(MENU)
    desk.beside(flow(Gather(prompts=(), timeout_s=2.0)))
    assert desk.runner.deadlines() == [2.0]
    desk.stage.now = Now(2.0, 1002.0)
    desk.runner.handle_timer()
    assert desk.runner.deadlines() == [4.0], "its second try"


@pytest.mark.parametrize("verb", [Record(), WAITS])
def test_what_has_no_place_there_is_passed_over_with_its_branches(verb: Verb) -> None:
    desk = Desk(MENU)
    desk.beside(Flow(steps=(Step(verb=verb, otherwise=ask()), Step(verb=HELLO))))
    assert [each["verb"] for each in desk.notes("verb.skipped")] == ["dial" if verb is WAITS else "record"]
    assert not any(isinstance(each, FetchDocument) for each in desk.said())
    assert desk.notes("verb.begun") == [] or desk.facts.scripts[ScriptId(1)].performer is not None


def test_one_that_is_dropped_falls_silent_and_its_leg_stays() -> None:
    desk = Desk(WAITS)
    script = desk.beside(flow(HELLO))
    prepare = desk.said()[-1]
    assert isinstance(prepare, PrepareSound)
    desk.runner.hear(SoundReady(request=prepare.request, handle="h", duration_ms=1))
    (playing,) = desk.said()
    assert isinstance(playing, StartPlayback)
    desk.stage.drop_script(script)
    desk.stage.drop_script(script)
    desk.runner.hear(LegHeld(leg=B, held=False))
    assert desk.notes("script.ended") == [{"cause": "cancelled", "script": script, "leg": B}]
    assert desk.said() == [StopPlayback(leg=B, playback=playing.playback)]
    assert list(desk.facts.scripts) == [MAIN]


def test_one_that_gathers_keys_falls_silent_too() -> None:
    desk = Desk(WAITS)
    script = desk.beside(flow(MENU))
    prepare = desk.said()[-1]
    assert isinstance(prepare, PrepareSound)
    desk.runner.hear(SoundReady(request=prepare.request, handle="h", duration_ms=1))
    desk.said()
    desk.stage.drop_script(script)
    desk.runner.hear(LegHeld(leg=B, held=False))
    assert [type(each) for each in desk.said()] == [StopPlayback]


def test_one_that_pauses_has_nothing_to_fall_silent_about() -> None:
    desk = Desk(WAITS)
    script = desk.beside(flow(Pause(seconds=9.0)))
    desk.said()
    desk.stage.drop_script(script)
    desk.runner.hear(LegHeld(leg=B, held=False))
    assert desk.said() == []
    assert desk.runner.deadlines() == [60.0], "of the Dial alone"


def test_one_whose_end_crosses_its_being_dropped_ends_once() -> None:
    """Both are wished for in one step; whichever is granted first counts."""
    desk = Desk(WAITS)
    script = desk.stage.begin_script(B, flow(Hangup()))
    desk.stage.drop_script(script)
    desk.runner.hear(LegHeld(leg=B, held=False))
    assert len(desk.notes("script.ended")) == 1
    assert desk.over == []


def test_one_that_waits_for_a_document_can_be_dropped() -> None:
    desk = Desk(WAITS)
    script = desk.beside(ask(WHISPER))
    (fetch,) = [each for each in desk.said() if isinstance(each, FetchDocument)]
    desk.stage.drop_script(script)
    desk.document(fetch.request, HELLO)
    desk.runner.hear(LegHeld(leg=B, held=False))
    assert list(desk.facts.scripts) == [MAIN]


def test_a_leg_that_is_gone_takes_its_flow_along_and_gets_no_other() -> None:
    desk = Desk(WAITS)
    desk.beside(flow(HELLO))
    desk.facts.standing.legs[B].hang_up(Cause.NORMAL, desk.stage.now)
    desk.runner.leg_left(B)
    assert list(desk.facts.scripts) == [MAIN]
    desk.beside(flow(HELLO))
    assert list(desk.facts.scripts) == [MAIN]


def test_the_end_of_the_call_cuts_all_of_them_off() -> None:
    desk = Desk(MENU)
    desk.beside(flow(HELLO))
    desk.runner.end(Cause.NORMAL)
    assert [(each["verb"], each["result"], each["why"]) for each in desk.notes("verb.ended")] == [
        ("play", "failed", "hangup"),
        ("gather", "failed", "hangup"),
    ]
    assert desk.facts.scripts == {}
    assert [done.step.verb for done in desk.facts.view.performed] == [MENU], "the log is of the call's own flow"


def test_a_document_that_fails_ends_its_own_flow_alone() -> None:
    desk = Desk(WAITS)
    desk.beside(ask(WHISPER))
    (fetch,) = [each for each in desk.said() if isinstance(each, FetchDocument)]
    desk.runner.hear_customer(DocumentFailed(request=fetch.request, cause=Cause.HOOK_FAILED, detail="HTTP 500"))
    assert desk.notes("script.ended") == [{"cause": "hook_failed", "script": 1, "leg": B}]
    (failed,) = desk.notes("hook.failed")
    assert (failed["script"], failed["leg"]) == (1, B)
    assert desk.over == []
    assert list(desk.facts.scripts) == [MAIN]


def test_all_of_them_outlive_a_restart() -> None:
    desk = Desk(MENU)
    desk.beside(flow(HELLO, MENU))
    desk.beside(ask(WHISPER))
    written = json.loads(json.dumps(written_facts(desk.facts, desk.stage.now)))
    assert read_facts(written, desk.stage.now) == desk.facts


def test_only_the_calls_own_flow_has_a_fallback_and_comfort() -> None:
    desk = Desk(WAITS)
    desk.facts.fallback = ask("https://backup.example/")
    desk.beside(ask(WHISPER))
    (asked,) = (each for each in desk.said() if isinstance(each, FetchDocument))
    assert not asked.may_avoid
    desk.runner.hear_customer(
        DocumentFailed(request=asked.request, cause=Cause.HOOK_FAILED, detail="down", why="hook_refused")
    )
    assert not any(isinstance(each, FetchDocument) for each in desk.said())
