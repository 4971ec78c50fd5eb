"""Comparing what happened with what was expected, and saying precisely what is different."""

from offhook.testing.scenario import Calls, Expected, Scenario
from offhook.testing.trace import Line, difference, time_text, trace_text

LINES = [Line(0.0, "a calls"), Line(1.25, "POST https://x", {"result": "ok", "to": "+1"}), Line(2.0, "over")]


def expect(*expected: Expected, in_part: bool = False) -> str | None:
    scenario = Scenario(title="t", begins=(Calls(from_="a", to="b"),), expected=expected, in_part=in_part)
    return difference(scenario, LINES)


def line(time: float, text: str, *params: tuple[str, str | None], number: int = 7) -> Expected:
    return Expected(line=number, time=time, text=text, params=params)


A, POST, OVER = line(0.0, "a calls"), line(1.25, "POST https://x", ("result", "ok")), line(2.0, "over")


def test_all_as_expected() -> None:
    assert expect(A, POST, OVER) is None
    assert expect(OVER, in_part=True) is None
    assert expect(A, OVER, in_part=True) is None


def test_something_else_happened() -> None:
    assert (expect(A, line(1.25, "POST https://y"), OVER) or "").startswith(
        "line 7: expected `1.25  POST https://y`, and `1.25  POST https://x` happened\n\nWhat happened:\n"
    )
    assert "expected `3.0  over`, and `2.0  over` happened" in (expect(A, POST, line(3.0, "over")) or "")


def test_more_or_less_happened() -> None:
    assert "more happened than expected, beginning with `2.0  over`" in (expect(A, POST) or "")
    assert "expected `3.0  more`, and nothing more happened" in (expect(A, POST, OVER, line(3.0, "more")) or "")


def test_parameters_are_looked_at_where_they_are_named() -> None:
    def post(*params: tuple[str, str | None]) -> str:
        return expect(A, line(1.25, "POST https://x", *params), OVER) or ""

    assert "`result` should be `failed`, and is `ok`" in post(("result", "failed"))
    assert "`why` is missing; there are `result`, `to`" in post(("why", "busy"))
    assert "`to` should not be there, and is `+1`" in post(("to", None))
    assert post(("why", None)) == ""
    assert "`x` is missing; there are no parameters" in (expect(line(0.0, "a calls", ("x", "1")), POST, OVER) or "")


def test_in_part_says_what_did_not_happen() -> None:
    assert "`9.0  never` did not happen after the line before it" in (expect(line(9.0, "never"), in_part=True) or "")
    wrong = expect(line(1.25, "POST https://x", ("result", "no")), in_part=True)
    assert "`result` should be `no`, and is `ok`" in (wrong or "")
    assert expect(OVER, A, in_part=True) is not None


def test_a_trace_reads_like_a_scenario() -> None:
    assert trace_text(LINES[1:]) == "    1.25  POST https://x\n            result=ok\n            to=+1\n     2.0  over"
    assert [time_text(each) for each in (0, 1.5, 2.25, 10)] == ["0.0", "1.5", "2.25", "10.0"]
