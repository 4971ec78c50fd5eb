"""Puts the commands together. An error is a sentence on standard error and exit status 1, never a traceback."""

import sys
from importlib.metadata import PackageNotFoundError, version
from typing import Annotated

import typer

from offhook.cli.account import account
from offhook.cli.calls import calls, timeline
from offhook.cli.connection import CliError
from offhook.cli.deliveries import deliveries
from offhook.cli.doctor import doctor
from offhook.cli.live import call
from offhook.cli.number import number, phone
from offhook.cli.output import error_console
from offhook.cli.phone import run as run_phone
from offhook.cli.restart import restart
from offhook.cli.serve import serve
from offhook.cli.speech import say, voices
from offhook.cli.trunk import trunk

__all__ = ["app", "main"]

app = typer.Typer(
    name="offhook",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


def _version(wanted: bool) -> None:
    if wanted:
        try:
            typer.echo(f"offhook {version('offhook')}")
        except PackageNotFoundError:
            typer.echo("offhook, from its source")
        raise typer.Exit


@app.callback()
def _program(
    _: Annotated[bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version.")] = False,
) -> None:
    """Programmable voice that you run yourself."""


app.command("serve")(serve)
phone.command("run")(run_phone)
app.add_typer(account, name="account")
app.add_typer(trunk, name="trunk")
app.add_typer(number, name="number")
app.add_typer(phone, name="phone")
app.add_typer(call, name="call")
app.command("calls")(calls)
app.command("timeline")(timeline)
app.add_typer(deliveries, name="deliveries")
app.command("voices")(voices)
app.command("say")(say)
app.command("restart")(restart)
app.command("doctor")(doctor)


def main() -> None:
    """The program `offhook`."""
    try:
        app()
    except CliError as error:
        error_console().print(f"offhook: {error}", style="red", markup=False)
        sys.exit(1)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)
