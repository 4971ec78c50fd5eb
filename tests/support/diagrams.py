"""The state diagrams of docs/design/sip-machines.md, drawn from the tables. Run it to bring the page up to date."""

from __future__ import annotations

from pathlib import Path

from offhook.sip import registration
from offhook.sip.transaction.layer import MACHINES

PAGE = Path(__file__).resolve().parents[2] / "docs" / "design" / "sip-machines.md"
MARK = "<!-- drawn from the tables: python -m tests.support.diagrams -->\n"


def drawn() -> str:
    """The generated part of the page."""
    parts = [MARK]
    for machine in MACHINES.values():
        parts.append(f"\n### {machine.name} ({machine.clause})\n\n```mermaid\n{machine.diagram()}```\n")
    parts.append(f"\n### Registration (RFC 3261 10.2)\n\n```mermaid\n{registration.diagram()}```\n")
    return "".join(parts)


def page() -> str:
    """The whole page as it should be."""
    return PAGE.read_text(encoding="utf-8").partition(MARK)[0] + drawn()


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
