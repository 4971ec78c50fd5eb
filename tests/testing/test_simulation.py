"""Whole simulations: the scenarios beside this prove the calls; here is what the simulation itself promises."""

from pathlib import Path

import pytest

from offhook.testing import Stuck, read_scenario, simulate
from offhook.testing.trace import Line, difference


def play(given: str, when: str, *, restarts: bool = False) -> list[Line]:
    indented = "\n".join(f"  {line}" for line in given.splitlines())
    return simulate(read_scenario(f"# t\ngiven\n{indented}\nwhen\n{when}\nthen\n  0.0 x\n"), restarts=restarts)


def texts(lines: list[Line]) -> list[str]:
    return [line.text for line in lines]


FOREVER = 'number +2 runs {"connect": "+46700000003"}\nphone +46700000003 answers after 1 s'


def test_the_same_scenario_gives_the_same_trace() -> None:
    assert play(FOREVER, "  +1 calls +2\n    hangs up after 9 s") == play(
        FOREVER, "  +1 calls +2\n    hangs up after 9 s", restarts=True
    )


def test_a_call_that_nobody_ends_is_said_to_be_stuck() -> None:
    with pytest.raises(
        Stuck, match=r"after 1 s nothing more can happen, and the call is not over: somebody must hang up"
    ):
        play(FOREVER, "  +1 calls +2")


def test_a_call_that_never_ends_is_stopped() -> None:
    with pytest.raises(Stuck, match=r"after 20000 steps"):
        play(
            'number +2 runs {"play": "sound/beep", "next": "https://a/again"}\n'
            'page https://a/again\n  {"play": "sound/beep", "next": "https://a/again"}',
            "  +1 calls +2",
        )


def test_who_is_no_target_is_named() -> None:
    lines = play('number +2 runs {"connect": "mum"}', "  +1 calls +2")
    assert "mum cannot be called: this is no number and no SIP URI" in texts(lines)


def test_a_number_without_a_phone_is_unavailable() -> None:
    lines = play('number +2 runs {"connect": "+46700000009"}', "  +1 calls +2")
    assert "+46700000009 does not answer: unavailable" in texts(lines)


def test_warnings_of_a_document_of_a_number_are_said() -> None:
    lines = play('number +2 runs {"hangup": "busy",}', "  +1 calls +2")
    assert any(text.startswith("warning: A comma") for text in texts(lines))


def test_what_crosses_a_hang_up_is_nothing() -> None:
    lines = play(
        'number +2 runs {"connect": "+46700000003", "timeout": 1}\n'
        "phone +46700000003 is heard after 2 s, answers after 3 s",
        "  +1 calls +2",
    )
    assert "+46700000003 answers" not in texts(lines)
    assert "+46700000003 is heard before it answers" not in texts(lines)


def test_a_refused_start_is_said_and_no_call_is_made() -> None:
    lines = play("credit 1", "  POST /a1/calls\n    from=+1\n    to=+46700000003\n    voice_start=no url")
    assert texts(lines) == ["403 The voice_start you tried to use is not a valid URL"]


def test_a_phone_of_ours_runs_its_own_number_whatever_it_dials() -> None:
    lines = play(
        'number +46001234567 runs {"hangup": "busy"}\nnumber +2 runs {"hangup": "404"}', "  +46001234567 calls +2"
    )
    assert "+46001234567 is hung up: busy" in texts(lines)


def test_what_plays_to_a_party_that_left_is_over() -> None:
    lines = play('number +2 runs {"play": "sound/dialtone"}', "  +1 calls +2\n    hangs up after 1 s")
    assert texts(lines)[-1] == "the call is over: normal, success"


def test_the_howto_runs() -> None:
    page = (Path(__file__).parents[2] / "docs" / "howto" / "scenarios.md").read_text(encoding="utf-8")
    scenario = read_scenario(page.split("```\n")[1], "the first scenario of docs/howto/scenarios.md")
    assert difference(scenario, simulate(scenario)) is None
