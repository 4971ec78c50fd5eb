"""One of several calls: each has its own number, people and end, and they share pages and credit."""

import pytest

from offhook.flow.document import Document
from offhook.flow.program import Flow, Step
from offhook.flow.verbs import Dial, LegStage, NumberTarget, StatusHook, Treatment
from offhook.testing import read_scenario, simulate
from offhook.testing.scenario import Act, ActKind, Calls, Page, Phone, Scenario, SoundFile, When, WhenKind
from offhook.testing.trace import time_text

GIVEN = """
given
  number +5 runs https://a/start
  page https://a/start
    {"play": "sound/beep"}
  page https://a/start
    {"hangup": "busy"}
  price incoming set-up 60 minute 0
  credit 100
"""


def test_two_calls_share_pages_and_are_told_apart() -> None:
    lines = simulate(read_scenario(f"# t\n{GIVEN}\nwhen\n  +1 calls +5\n  +2 calls +5 at 3 s\nthen\n  0.0 x\n"))
    assert [line.text for line in lines if "is over" in line.text or "hears" in line.text] == [
        "+1 hears sound/beep",
        "the call of +1 is over: normal, success",
        "the call of +2 is over: busy, busy",
    ]
    ids = [line.params["callid"] for line in lines if line.text.startswith("POST")]
    assert len(set(ids)) == 2


def test_what_one_call_costs_the_other_cannot_spend() -> None:
    given = GIVEN.replace('{"hangup": "busy"}', '{"play": "sound/dialtone"}')
    lines = simulate(read_scenario(f"# t\n{given}\nwhen\n  +1 calls +5\n  +2 calls +5 at 3 s\nthen\n  0.0 x\n"))
    assert [line.text for line in lines if "credit is" in line.text or "is over" in line.text] == [
        "the call of +1 is over: normal, success",
        "the credit is used up",
        "the call of +2 is over: no_credit, success",
    ]


def test_a_call_that_cannot_be_made_does_not_stop_the_others() -> None:
    when = "  POST /a1/calls\n    to=+1\n    voice_start={\n  +2 calls +5 at 3 s"
    lines = simulate(read_scenario(f"# t\n{GIVEN}\nwhen\n{when}\nthen\n  0.0 x\n"))
    assert lines[0].text.startswith("403 ")
    assert lines[-1].text == "the call of +2 is over: normal, success"


# ── a called party's own flow ────────────────────────────────────────────────────────────────────────────────────────

HOOK = StatusHook(url="https://a/status", method="GET", stages=frozenset(LegStage))
BRIEFED = Treatment(send_digits="P1", briefing=Document(url="https://a/whisper"), told=HOOK)
ASKS = Page(
    url="https://a/whisper",
    body=b'{"ivr": "https://a/who.mp3", "repeat": 1, "timeout": 3, "1": "https://a/yes", "failed": {"hangup": "true"}}',
)


def whispered(*acts: Act, restarts: bool) -> list[str]:
    """A caller who waits while a friend is asked whether they take the call; what happened, line by line."""
    scenario = Scenario(
        title="t",
        begins=(Calls(from_="+1", to="+5"),),
        numbers={"+5": Flow(steps=(Step(verb=Dial(targets=(NumberTarget(number="+2", treatment=BRIEFED),))),))},
        pages=(ASKS, Page(url="https://a/yes"), Page(url="https://a/status")),
        sounds=(SoundFile(url="https://a/who.mp3", seconds=2.0),),
        phones=(Phone(address="+2", answers_after=3.0, acts=acts),),
    )
    return [f"{time_text(line.time)} {line.text}" for line in simulate(scenario, restarts=restarts)]


HEARS = When(kind=WhenKind.HEARS, sound="https://a/who.mp3", seconds=1.0)
BEFORE = [
    "0.0 +1 calls +5",
    "0.0 +2 is called from +1",
    "0.0 +1 hears ringing",
    "0.0 GET https://a/status",
    "0.0 +2 rings",
    "0.0 GET https://a/status",
    "3.0 +2 answers",
    "3.0 +2 is sent the keys P1",
    "3.0 GET https://a/status",
    "3.7 POST https://a/whisper",
    "3.7 +2 hears https://a/who.mp3",
]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_called_party_accepts_by_a_key_and_only_then_the_caller_is_answered(restarts: bool) -> None:
    lines = whispered(
        Act(kind=ActKind.PRESSES, when=HEARS, keys="1"),
        Act(kind=ActKind.HANGS_UP, when=When(kind=WhenKind.TALKS, seconds=10.0)),
        restarts=restarts,
    )
    assert lines == [
        *BEFORE,
        "4.7 +2 presses 1",
        "4.7 +2 hears no more",
        "4.7 POST https://a/yes",
        "4.7 +1 is answered",
        "4.7 +1 and +2 are joined",
        "14.7 +2 hangs up",
        "14.7 +1 and +2 are parted",
        "14.7 +1 is hung up: normal",
        "14.7 GET https://a/status",
        "14.7 the call is over: normal, success",
    ]


@pytest.mark.parametrize("restarts", [False, True])
def test_a_called_party_who_presses_nothing_declines_and_the_caller_is_refused(restarts: bool) -> None:
    assert whispered(restarts=restarts) == [
        *BEFORE,
        "8.7 +2 is hung up: normal",
        "8.7 +1 is hung up: rejected",
        "8.7 GET https://a/status",
        "8.7 the call is over: rejected, failed",
    ]
