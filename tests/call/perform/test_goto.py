"""Goto: a step that is all branch."""

from tests.support.calls import A, ask, flow, outgoing

from offhook.call.care import Care
from offhook.call.commands import FetchDocument, HangUpLeg
from offhook.flow.limits import MAX_STEPS_WITHOUT_WAIT
from offhook.flow.verbs import Goto, Play
from offhook.flow.view import Cause


def test_it_goes_on_by_its_branch_and_drops_the_rest() -> None:
    world = outgoing(start=flow(Goto(), otherwise=ask("https://app.example/next")))
    fetch = world.last(FetchDocument)
    assert (fetch.url, fetch.params) == (
        "https://app.example/next",
        (("said", "continued"), ("result", "ok"), ("why", "")),
    )
    world.document(Play(sounds=()))
    assert world.results == [("ok", None), ("ok", None)]


def test_it_takes_no_time() -> None:
    world = outgoing(*[Goto()] * (MAX_STEPS_WITHOUT_WAIT + 1), care=Care(apology=None))
    assert world.all(HangUpLeg) == [HangUpLeg(leg=A, cause=Cause.FLOW_LOOP)]
