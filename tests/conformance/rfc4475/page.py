"""The page docs/conformance/rfc4475.md, written from the manifest: `python -m tests.conformance.rfc4475.page`."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from enum import Enum
from pathlib import Path

from tests.conformance.rfc4475.corpus import FOLDER

PAGE = Path(__file__).parents[3] / "docs" / "conformance" / "rfc4475.md"
_HEAD = """# RFC 4475: torture tests

What Offhook does with each of the 49 messages of [RFC 4475](https://www.rfc-editor.org/rfc/rfc4475). The verdict is
that of parsing and validating (`sip/parser.py`, `sip/validate.py`); the last column is what the endpoint does after
that. The tests under `tests/conformance/rfc4475/` hold every message, byte for byte, and check each row. This page is
written from their manifest by `python -m tests.conformance.rfc4475.page`.

| section | message | what it is | verdict | why | then |
|---|---|---|---|---|---|
"""


class Verdict(Enum):
    """What parsing and validating decide."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One message of the manifest."""

    section: str
    name: str
    title: str
    verdict: Verdict
    why: str
    status: int | None = None
    endpoint: str = ""
    becomes: str
    """What a whole endpoint makes of it, as a first datagram: a status, or the name of an event."""


def entries() -> list[Entry]:
    """The manifest, in the RFC's order."""
    table = tomllib.loads((FOLDER / "manifest.toml").read_text(encoding="utf-8"))
    return [Entry(**{**item, "verdict": Verdict(item["verdict"])}) for item in table["message"]]


def render() -> str:
    """The page's text."""
    return _HEAD + "".join(_row(entry) for entry in entries())


def _row(entry: Entry) -> str:
    verdict = entry.verdict.value if entry.status is None else f"{entry.verdict.value}: {entry.status}"
    title = entry.title.replace("<", "\\<")
    return f"| {entry.section} | `{entry.name}` | {title} | {verdict} | {entry.why} | {entry.endpoint} |\n"


if __name__ == "__main__":
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(render(), encoding="utf-8")
