"""SetHangupHook: the last one wins (46elks `whenhangup`)."""

from tests.support.calls import A, outgoing

from offhook.call.commands import OweHangup
from offhook.flow.verbs import SetHangupHook


def test_the_last_one_is_told_of_the_end() -> None:
    first, second = "https://app.example/1?key=x", "https://app.example/2?key=x"
    world = outgoing(SetHangupHook(url=first), SetHangupHook(url=second), hangup_hook="https://app.example/0")
    world.ends(A)
    assert world.all(OweHangup) == [OweHangup(url=second, params=(("said", "ended"), ("state", "success")))]
    assert [note["url"] for note in world.notes("hook.set")] == [
        "https://app.example/1?key=…",
        "https://app.example/2?key=…",
    ]
    assert world.notes("hook.owed") == [{"url": "https://app.example/2?key=…"}]


def test_without_any_nobody_is_told() -> None:
    world = outgoing()
    world.ends(A)
    assert world.all(OweHangup) == []
    assert world.finished.state.value == "success"
