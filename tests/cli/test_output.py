"""What commands print."""

import io

import pytest

from offhook.cli.output import Unfailing, fields, money, plain, rows, show_json


@pytest.mark.parametrize(
    ("amount", "text"), [(57000, "5.7000 SEK"), (0, "0.0000 SEK"), (-1, "-0.0001 SEK"), (-57000, "-5.7000 SEK")]
)
def test_money(amount: int, text: str) -> None:
    assert money(amount, "SEK") == text


def test_fields_leave_out_what_is_empty(capsys: pytest.CaptureFixture[str]) -> None:
    fields([("a", 1), ("long", "[x]"), ("none", None), ("empty", "")])
    assert capsys.readouterr().out == "a     1\nlong  [x]\n"


def test_rows_are_aligned_and_whole(capsys: pytest.CaptureFixture[str]) -> None:
    rows(("A", "B"), [("x" * 200, 1), (None, "[b]")], nothing="-")
    assert capsys.readouterr().out.splitlines() == ["A" + " " * 201 + "B", "x" * 200 + "  1", " " * 202 + "[b]"]
    rows(("A",), [], nothing="none: add one")
    assert capsys.readouterr().out == "none: add one\n"


def test_nothing_moves_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    assert plain("Håkan #1") == "Håkan #1"
    assert plain("a\x1b[31mb\x07\x7f\ud800") == "a\\x1b[31mb\\x07\\x7f\\ud800"
    fields([("a", "x\x1by")])
    rows(("A",), [("x\x1by",)], nothing="-")
    assert capsys.readouterr().out == "a  x\\x1by\nA\nx\\x1by\n"


def test_json(capsys: pytest.CaptureFixture[str]) -> None:
    show_json({"å": 1})
    assert capsys.readouterr().out == '{\n  "å": 1\n}\n'


def test_a_log_on_a_full_disk_stops_nothing() -> None:
    with io.FileIO("/dev/full", "w") as full:
        log = Unfailing(io.TextIOWrapper(full, write_through=True))  # type: ignore[type-var]
        assert log.write("something\n") == 10
        log.flush()
