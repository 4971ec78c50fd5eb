"""Notify: a URL is told where the call stands, and the flow goes on at once."""

from tests.support.calls import A, incoming

from offhook.call.commands import AnswerLeg, OweNotice
from offhook.flow.verbs import Notify, Play, UrlSound

PLAY = Play(sounds=(UrlSound(url="https://app.example/1.wav"),))
TOLD = "https://app.example/said?key=secret"


def test_it_is_owed_and_nobody_waits_for_it() -> None:
    world = incoming(Notify(url=TOLD, method="GET"), Notify(url=TOLD), PLAY)
    first, second, answer, *_ = world.new()
    assert isinstance(first, OweNotice)
    assert isinstance(second, OweNotice)
    assert (first.url, first.method, first.params) == (TOLD, "GET", (("said", "begun"), ("id", "c" * 32)))
    assert (second.method, second.request != first.request) == ("POST", True)
    assert answer == AnswerLeg(leg=A)
    assert world.notes("notice.owed")[0] == {"url": "https://app.example/said?key=…"}
    assert world.results == [("ok", None), ("ok", None)]
