"""Tidiness is a test: sizes, mirrored tests, words and habits that the house has agreed on (CONTRIBUTING.md)."""

import ast
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "offhook"
FILE_LINES = 700
FUNCTION_LINES = 70
PURE = ("sip", "sdp", "media", "hooks", "flow", "call")
PURE_TEST_RATIO = 1.0
POOR_NAMES = {"helper", "helpers", "util", "utils", "manager", "common", "misc"}
NEEDS_NO_MIRROR = {"__init__.py", "__main__.py", "env.py"}


def tracked(*patterns: str) -> list[Path]:
    """The project's files, those that are not committed yet included."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *patterns],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    return [ROOT / line for line in listed.stdout.splitlines() if (ROOT / line).exists()]


def relative(paths: list[Path]) -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in paths)


def text(path: Path) -> str:
    return path.read_text(encoding="utf-8")


def functions(tree: ast.AST) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            yield node


def room_files(top: str, room: str) -> list[Path]:
    return tracked(f"{top}/{room}/**/*.py", f"{top}/{room}/*.py")


def test_files_are_short() -> None:
    assert relative([p for p in tracked("*.py", "*.rs") if len(text(p).splitlines()) > FILE_LINES]) == []


def test_functions_are_short() -> None:
    long = []
    for path in tracked("*.py"):
        for node in functions(ast.parse(text(path))):
            if (node.end_lineno or node.lineno) - node.lineno + 1 > FUNCTION_LINES:
                long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}")
    assert long == []


def test_every_module_says_what_it_is() -> None:
    silent = [p for p in tracked("*.py") if p.stat().st_size and ast.get_docstring(ast.parse(text(p))) is None]
    assert relative(silent) == []


def test_every_source_file_has_its_test_file() -> None:
    missing = []
    for path in tracked("src/offhook/**/*.py", "src/offhook/*.py"):
        inside = path.relative_to(SOURCE)
        if path.name in NEEDS_NO_MIRROR or "migrations" in inside.parts:
            continue
        mirror = ROOT / "tests" / inside.parent / f"test_{path.name}"
        if not mirror.exists():
            missing.append(f"{inside} wants {mirror.relative_to(ROOT)}")
    assert sorted(missing) == []


@pytest.mark.parametrize("room", PURE)
def test_pure_rooms_are_tested_as_much_as_they_are_written(room: str) -> None:
    def lines(paths: list[Path]) -> int:
        return sum(len(text(path).splitlines()) for path in paths)

    tests = lines(room_files("tests", room))
    if room in ("flow", "call"):
        # Cases that are text count as what they are: tests.
        tests += lines(tracked("tests/conformance/**/*.case", "tests/scenarios/*.case"))
    if room == "sip":
        tests += lines(tracked("tests/conformance/rfc4475/**/*.*", "tests/conformance/rfc4475/*.*", "fuzz/sip*.py"))
    assert tests >= PURE_TEST_RATIO * lines(room_files("src/offhook", room))


def test_names_say_something() -> None:
    assert relative([path for path in tracked("*.py", "*.rs") if path.stem in POOR_NAMES]) == []


def test_nothing_is_left_to_do() -> None:
    marks = re.compile(r"\b(" + "|".join(("TO" + "DO", "FIX" + "ME", "XX" + "X")) + r")\b")
    assert relative([p for p in tracked("*.py", "*.rs", "*.md") if marks.search(text(p))]) == []


def test_no_test_of_pure_code_sleeps() -> None:
    rooms = (*PURE, "testing", "scenarios", "conformance")
    sleepers = [p for room in rooms for p in room_files("tests", room) if re.search(r"\bsleep\(", text(p))]
    assert relative(sleepers) == []


def test_pure_rooms_never_ask_what_time_it_is() -> None:
    asking = re.compile(r"datetime\.(now|utcnow|today)\(|date\.today\(")
    assert relative([p for room in PURE for p in room_files("src/offhook", room) if asking.search(text(p))]) == []
