"""Flows under way as data: written and read with everything that they wait for."""

import json

from offhook.call.commands import LegId, RequestId
from offhook.call.perform.cast import performer_for
from offhook.call.plain import Mono, from_plain, to_plain
from offhook.call.script import Script
from offhook.call.stage import MAIN, PARTY, ScriptId
from offhook.flow.interpreter import Interpreter
from offhook.flow.program import Flow, Outcome, OutcomeKind, Step
from offhook.flow.verbs import Gather, HangupAs, Speech
from offhook.flow.view import Performed

ASKS = Gather(prompts=(Speech(text="Press 1 to accept"),))


def test_one_that_says_nothing_else_is_the_calls_own() -> None:
    script = Script()
    assert (script.id, script.leg, script.parent) == (MAIN, PARTY, None)
    assert (script.position, script.performer, script.asked, script.typed_ahead) == (None, None, None, "")


def test_all_of_it_outlives_a_restart() -> None:
    position, _ = Interpreter.begin(Flow(steps=(Step(verb=ASKS),)))
    script = Script(
        id=ScriptId(3),
        leg=LegId(1),
        parent=MAIN,
        typed_ahead="12",
        wanted_end=HangupAs.NORMAL,
        position=position,
        performer=performer_for(ASKS),
        performing_since=Mono(5.0),
        asked=RequestId(7),
        last=Performed(step=Step(verb=ASKS), outcome=Outcome(kind=OutcomeKind.DIGITS, digits="007")),
    )
    written = json.loads(json.dumps(to_plain(script, Script, 100.0)))
    assert from_plain(written, Script, 100.0) == script
