"""Writes docs/conformance/<dialect>.md from a manifest and the cases beside it: `python -m tests.conformance.page`.

Cases are text files, the Python cases of `calls/` (a `@topic`, and what they prove as their docstring), and the
scenarios that a topic names. The page says nothing that stands in none of them; a test fails when it is not current.
"""

import ast
import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.cases import Case, cases_in

__all__ = ["CASE_FOLDERS", "DIALECTS", "SCENARIOS", "cases_of", "manifest_of", "page_of", "page_path", "scenarios_of"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DIALECTS: Mapping[str, str] = {"elks": "46elks voice", "didml": "didML (DIDforSale voice)"}
"""Folder, and what the page is about."""
CASE_FOLDERS = ("documents", "webhooks", "rest", "calls")
SCENARIOS = ROOT / "tests" / "scenarios"
"""Whole calls in virtual time; a topic names its own by patterns (`scenarios` in the manifest)."""
VERDICTS: Mapping[str, str] = {"done": "done", "partly": "done in part", "absent": "not there"}


def manifest_of(dialect: str) -> dict[str, Any]:
    """`intro`, and the topics in the order of the page."""
    return tomllib.loads((HERE / dialect / "manifest.toml").read_text(encoding="utf-8"))


def cases_of(dialect: str) -> list[Case]:
    """All cases of a dialect, folder by folder."""
    folder = HERE / dialect
    written = [case for name in CASE_FOLDERS for case in cases_in(folder / name)]
    programmed = [case for path in sorted((folder / "calls").glob("test_*.py")) for case in _python_cases(path)]
    return [*written, *programmed, *scenarios_of(dialect)]


def _python_cases(path: Path) -> Iterator[Case]:
    """The functions of a test file that name their topic; read, not run."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.AsyncFunctionDef | ast.FunctionDef) or not node.name.startswith("test_"):
            continue
        named = [each.args[0] for each in node.decorator_list if isinstance(each, ast.Call) and _is_topic(each.func)]
        said = (ast.get_docstring(node) or "").partition("\n\n")[0]
        if len(named) != 1 or not isinstance(named[0], ast.Constant) or not said:
            raise ValueError(f"{path}: {node.name} needs one @topic and a docstring that says what it proves")
        headers = {
            "topic": str(named[0].value),
            "proves": " ".join(said.split()),
            "name": node.name.removeprefix("test_"),
        }
        yield Case(path=path, headers=headers, parts=())


def _is_topic(function: ast.expr) -> bool:
    return isinstance(function, ast.Name) and function.id == "topic"


def scenarios_of(dialect: str) -> list[Case]:
    """Scenarios by the topics that name them; one that several name is there several times."""
    return [
        Case(path=path, headers={"topic": topic["name"], "proves": _first_words(path)}, parts=())
        for topic in manifest_of(dialect)["topic"]
        for pattern in topic.get("scenarios", ())
        for path in sorted(SCENARIOS.glob(f"{pattern}.case"))
    ]


def _first_words(path: Path) -> str:
    """The comment that a scenario begins with."""
    lines = path.read_text(encoding="utf-8").splitlines()
    said = [line.lstrip("# ") for line in lines[: next((n for n, line in enumerate(lines) if line[:1] != "#"), 0)]]
    return " ".join(said)


def page_path(dialect: str) -> Path:
    return ROOT / "docs" / "conformance" / f"{dialect}.md"


def page_of(dialect: str) -> str:
    """The whole page."""
    manifest = manifest_of(dialect)
    cases = cases_of(dialect)
    lines = [
        f"# Conformance: {DIALECTS[dialect]}",
        "",
        f"<!-- Generated from tests/conformance/{dialect}/ by `python -m tests.conformance.page`; edit those. -->",
        "",
        manifest["intro"].strip(),
        "",
        "| topic | verdict | cases |",
        "|---|---|---|",
        *(_row(topic, cases) for topic in manifest["topic"]),
        "",
    ]
    for topic in manifest["topic"]:
        lines += _section(topic, [case for case in cases if case.topic == topic["name"]])
    return "\n".join(lines).rstrip("\n") + "\n"


def _row(topic: Mapping[str, Any], cases: list[Case]) -> str:
    count = sum(case.topic == topic["name"] for case in cases)
    return f"| {topic['title']} | {VERDICTS[topic['verdict']]} | {count or '—'} |"


def _section(topic: Mapping[str, Any], cases: list[Case]) -> Iterator[str]:
    yield f"## {topic['title']}"
    yield ""
    for key in ("says", "missing"):
        if key in topic:
            yield topic[key]
            yield ""
    for key, heading in (("decided", "What we decided:"), ("lenient", "What we understand beyond that:")):
        if key in topic:
            yield heading
            yield ""
            yield from (f"- {item}" for item in topic[key])
            yield ""
    if cases:
        yield "<details><summary>Proved by</summary>"
        yield ""
        yield from (f"- {case.proves} ([{_label(case)}]({_link(case)}))" for case in cases)
        yield ""
        yield "</details>"
        yield ""


def _label(case: Case) -> str:
    return case.headers.get("name", case.path.stem)


def _link(case: Case) -> str:
    return f"../../{case.path.relative_to(ROOT)}"


if __name__ == "__main__":
    for name in DIALECTS:
        page_path(name).parent.mkdir(parents=True, exist_ok=True)
        page_path(name).write_text(page_of(name), encoding="utf-8")
