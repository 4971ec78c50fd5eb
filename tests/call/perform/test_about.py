"""What verbs are about, for people who read a timeline."""

import pytest

from offhook.call.perform.about import about
from offhook.flow.verbs import (
    Conference,
    Dial,
    Enqueue,
    Gather,
    Goto,
    Hangup,
    HangupAs,
    LocalSound,
    NamedSound,
    Notify,
    NumberTarget,
    Pause,
    Play,
    Record,
    RecordCall,
    SetHangupHook,
    Silence,
    SipTarget,
    Speech,
    TakeFromQueue,
    UnusableSound,
    UrlSound,
    Verb,
)


@pytest.mark.parametrize(
    ("verb", "words"),
    [
        (
            Play(sounds=(UrlSound(url="https://u:p@app.example/a.mp3?key=1"), Speech(text="Hello"))),
            "https://…@app.example/a.mp3?key=…, en/Hello",
        ),
        (Gather(prompts=(NamedSound(name="beep"), LocalSound(name="mine"))), "beep, local/mine"),
        (Gather(prompts=()), None),
        (Dial(targets=(NumberTarget(number="+46700000001"), SipTarget(uri="sip:a@b"))), "+46700000001, sip:a@b"),
        (Record(), None),
        (Record(keep_as="mine"), "mine"),
        (Record(keep_as="mine", name="greeting"), "greeting"),
        (RecordCall(), None),
        (RecordCall(stop=True), "off"),
        (SetHangupHook(url="https://app.example/end?key=1"), "https://app.example/end?key=…"),
        (Notify(url="https://app.example/said"), "https://app.example/said"),
        (Pause(seconds=2.5), "2.5 s"),
        (Play(sounds=(Silence(seconds=1.5), UnusableSound(text="nonsense"))), "silence for 1.5 s, nonsense"),
        (Goto(), None),
        (Hangup(how=HangupAs.BUSY), "busy"),
        (Enqueue(queue="sales"), "sales"),
        (TakeFromQueue(queue="sales"), "sales"),
        (Conference(room="blue"), "blue"),
    ],
)
def test_a_verb_is_about(verb: Verb, words: str | None) -> None:
    assert about(verb) == words


def test_a_long_text_is_cut() -> None:
    words = about(Play(sounds=(Speech(text="x" * 1000),)))
    assert words is not None
    assert len(words) == 300
