"""One of several calls: each has its own number, people and end, and they share pages and credit."""

from offhook.testing import read_scenario, simulate

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
