"""`docs/conformance/interop.md` names every file of this folder, and none that is gone."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[1] / "docs" / "conformance" / "interop.md"


def test_the_page_names_what_is_tried() -> None:
    named = set(re.findall(r"^\| `(test_\w+\.py)` \|", PAGE.read_text(encoding="utf-8"), re.M))
    there = {path.name for path in HERE.glob("test_*.py")} - {"test_harness.py", "test_page.py"}
    assert named == there
