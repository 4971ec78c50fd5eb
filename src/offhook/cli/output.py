"""What commands print: columns for people, JSON for programs. Colours on a terminal only; a pipe gets plain text."""

import contextlib
import json
import logging
import sys
from collections.abc import Iterable, Sequence
from typing import Annotated, Any, TextIO, cast

import structlog
import typer
from rich.console import Console
from rich.text import Text

__all__ = [
    "AccountOption",
    "ConfigOption",
    "JsonOption",
    "Unfailing",
    "console",
    "error_console",
    "fields",
    "log_to_stderr",
    "money",
    "plain",
    "rows",
    "show_json",
]

from pathlib import Path

ConfigOption = Annotated[
    Path | None, typer.Option("--config", metavar="FILE", help="Settings file; default: offhook.toml here, if any.")
]
JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON.")]
AccountOption = Annotated[
    str | None, typer.Option("--account", metavar="ID|NAME", help="Which account; default: the only one.")
]


def console() -> Console:
    """Standard output; asked for each time, since tests and pipes exchange it."""
    return Console(soft_wrap=True, highlight=False)


def error_console() -> Console:
    """Standard error."""
    return Console(stderr=True, soft_wrap=True, highlight=False)


def plain(text: str) -> str:
    """Without what moves the cursor or colours the screen: others wrote much of what is shown, a carrier's reason
    phrase or a web application's answer. Such characters are written out, `\\x1b`."""
    return text if text.isprintable() else "".join(map(_plain_character, text))


def _plain_character(character: str) -> str:
    return character if character.isprintable() else character.encode("unicode_escape").decode("ascii")


def show_json(value: Any) -> None:
    """One JSON value."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False))


def fields(pairs: Iterable[tuple[str, Any]]) -> None:
    """Names and values, a line each; what is empty is left out."""
    shown = [(name, plain(str(value))) for name, value in pairs if value not in (None, "", [])]
    width = max((len(name) for name, _ in shown), default=0)
    for name, value in shown:
        console().print(Text(f"{name:<{width}}  ", style="dim").append(value, style="not dim"))


def rows(heading: Sequence[str], table: Sequence[Sequence[Any]], *, nothing: str) -> None:
    """Aligned columns under a heading; `nothing` says what to do when there are none."""
    if not table:
        console().print(Text(nothing))
        return
    texts = [[plain(str(cell)) if cell is not None else "" for cell in row] for row in table]
    widths = [max(len(row[n]) for row in [list(heading), *texts]) for n in range(len(heading))]
    console().print(Text(_line(heading, widths), style="bold"))
    for row in texts:
        console().print(Text(_line(row, widths)))


def _line(cells: Sequence[str], widths: Sequence[int]) -> str:
    return "  ".join(f"{cell:<{width}}" for cell, width in zip(cells, widths, strict=True)).rstrip()


def money(amount: int, currency: str) -> str:
    """1/10000 as an amount of the currency: `57000` is `5.7000 SEK`."""
    sign = "-" if amount < 0 else ""
    return f"{sign}{abs(amount) // 10000}.{abs(amount) % 10000:04d} {currency}"


class Unfailing:
    """A stream whose writes never fail: a log on a full disk must not end what is logged."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write what can be written."""
        with contextlib.suppress(OSError):
            self._stream.write(text)
        return len(text)

    def flush(self) -> None:
        """Flush, if the disk lets us."""
        with contextlib.suppress(OSError):
            self._stream.flush()


def log_to_stderr(level: int) -> None:
    """Logs are key and value lines on standard error, and never among the output; no colours into a pipe."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty()),
        ],
        wrapper_class=structlog.make_filtering_bound_logger(level),
        logger_factory=structlog.PrintLoggerFactory(cast(TextIO, Unfailing(sys.stderr))),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(
        level=logging.WARNING, stream=cast(TextIO, Unfailing(sys.stderr)), format="%(levelname)s %(name)s: %(message)s"
    )
