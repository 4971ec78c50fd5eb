"""Test cases that are text: a header of `# name: value` lines, then parts divided by lines of `---`.

Adding a case needs no Python. Every case names its `topic` (in the manifest of its folder) and what it `proves`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

__all__ = ["Case", "cases_in", "read_case"]

_DIVIDER = "---"


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One text file."""

    path: Path
    headers: Mapping[str, str]
    parts: tuple[str, ...]
    """Without the blank lines around them."""

    @property
    def topic(self) -> str:
        return self.headers["topic"]

    @property
    def proves(self) -> str:
        return self.headers["proves"]


def read_case(path: Path) -> Case:
    """Raises `ValueError` for a file without the two headers that every case has."""
    headers: dict[str, str] = {}
    lines = path.read_text(encoding="utf-8").splitlines()
    at = 0
    while at < len(lines) and lines[at].startswith("#"):
        name, colon, value = lines[at].lstrip("# ").partition(":")
        if colon and name.isidentifier():
            headers[name] = value.strip()
        at += 1
    if not {"topic", "proves"} <= headers.keys():
        raise ValueError(f"{path}: a case begins with '# topic: …' and '# proves: …'")
    parts: list[list[str]] = [[]]
    for line in lines[at:]:
        if line == _DIVIDER:
            parts.append([])
        else:
            parts[-1].append(line)
    return Case(path=path, headers=headers, parts=tuple("\n".join(part).strip("\n") for part in parts))


def cases_in(folder: Path) -> Iterator[Case]:
    """All cases of a folder, by name; none if there is no such folder."""
    return (read_case(path) for path in sorted(folder.glob("*.case")))
