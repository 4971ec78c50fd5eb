"""The commands together: help with an example, errors without a traceback, colours on a terminal only."""

import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from offhook.cli.main import app

PRINT_NO_DATA = {"remove", "serve"}
SOURCE = Path(__file__).parents[2] / "src"


def commands(command: Any = None, words: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    command = command or typer.main.get_command(app)
    children = getattr(command, "commands", None)
    if children is None:
        yield words, command
    for name, child in (children or {}).items():
        yield from commands(child, (*words, name))


@pytest.mark.parametrize("words", [words for words, _ in commands()], ids=" ".join)
def test_every_command_has_help_with_an_example(run: Any, words: tuple[str, ...]) -> None:
    shown = run(*words, "--help")
    assert shown.status == 0
    assert f"Example: offhook {' '.join(words)}" in " ".join(shown.out.replace("│", " ").split())


def test_every_command_that_prints_data_has_json() -> None:
    for words, command in commands():
        options = {option for parameter in command.params for option in parameter.opts}
        assert "--config" in options, words
        assert ("--json" in options) is (words[-1] not in PRINT_NO_DATA), words


def test_without_words_it_shows_what_there_is(run: Any) -> None:
    for words in ((), ("account",), ("trunk",)):
        assert "Usage:" in run(*words).out


def test_it_says_which_it_is(run: Any) -> None:
    said = run("--version")
    assert (said.status, said.out.split()[0].rstrip(",")) == (0, "offhook")
    assert len(said.out.split()) > 1


def test_what_is_written_wrongly(run: Any) -> None:
    wrong = run("calls", "--limit", "0")
    assert wrong.status == 2
    assert "--limit" in wrong.err


def _environment(folder: Path) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")}
    return kept | {
        "PYTHONPATH": str(SOURCE),
        "OFFHOOK_HTTP_LISTEN": "127.0.0.1:1",
        "TERM": "xterm",
        "HOME": str(folder),
    }


PROGRAM = [sys.executable, "-c", "from offhook.cli import main; main()"]


def test_a_pipe_gets_no_colours_and_errors_no_traceback(tmp_path: Path) -> None:
    environment = _environment(tmp_path)
    done = subprocess.run(
        [*PROGRAM, "account", "credit", "5"], cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=60
    )
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        "offhook: there is no account yet; make one with: offhook account add NAME"
        " (no server runs; these are the data in offhook-data)\n"
    )


def test_a_terminal_gets_colours(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*PROGRAM, "account", "credit", "5"], cwd=tmp_path, env=_environment(tmp_path), stdout=theirs, stderr=theirs
    ) as program:
        os.close(theirs)
        said = b""
        while b"NAME" not in said:
            said += os.read(ours, 4096)
        assert program.wait(60) == 1
    os.close(ours)
    assert b"\x1b[31m" in said
