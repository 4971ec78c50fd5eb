"""Writes docs/conformance/<dialect>.md from a manifest and the cases beside it: `python -m tests.conformance.page`.

The page says nothing that stands in neither; a test fails when it is not current.
"""

import tomllib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from tests.support.cases import Case, cases_in

__all__ = ["CASE_FOLDERS", "DIALECTS", "cases_of", "manifest_of", "page_of", "page_path"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
DIALECTS: Mapping[str, str] = {"elks": "46elks voice"}
"""Folder, and what the page is about."""
CASE_FOLDERS = ("documents", "webhooks", "rest", "calls")
VERDICTS: Mapping[str, str] = {"done": "done", "partly": "done in part", "absent": "not there"}


def manifest_of(dialect: str) -> dict[str, Any]:
    """`intro`, and the topics in the order of the page."""
    return tomllib.loads((HERE / dialect / "manifest.toml").read_text(encoding="utf-8"))


def cases_of(dialect: str) -> list[Case]:
    """All cases of a dialect, folder by folder."""
    return [case for folder in CASE_FOLDERS for case in cases_in(HERE / dialect / folder)]


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
        yield from (f"- {case.proves} ([{case.path.stem}]({_link(case)}))" for case in cases)
        yield ""
        yield "</details>"
        yield ""


def _link(case: Case) -> str:
    return f"../../{case.path.relative_to(ROOT)}"


if __name__ == "__main__":
    for name in DIALECTS:
        page_path(name).parent.mkdir(parents=True, exist_ok=True)
        page_path(name).write_text(page_of(name), encoding="utf-8")
