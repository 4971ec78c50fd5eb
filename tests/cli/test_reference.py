"""The page about the commands is current, and names them all."""

from pathlib import Path

from offhook.cli.reference import cli_reference

PAGE = Path(__file__).parents[2] / "docs/reference/cli.md"


def test_the_page_is_current() -> None:
    """To renew: python -c 'from offhook.cli.reference import *; print(cli_reference(), end="")' > that file."""
    assert PAGE.read_text(encoding="utf-8") == cli_reference()


def test_the_page_names_every_command() -> None:
    page = cli_reference()
    for words in ("account add NAME", "account caller-id add NUMBER", "trunk add", "number add NUMBER", "phone add"):
        assert f"## offhook {words}" in page
    for words in ("serve", "phone run", "call make TO", "calls", "timeline ID", "doctor"):
        assert f"## offhook {words}" in page
