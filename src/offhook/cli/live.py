"""`offhook call …`: make a call, or change one that is live: go on elsewhere, hang up, mute, send keys, record.

Each is one request to `POST /v1/calls/{call}`. `offhook call TO` is short for `offhook call make TO`.
"""

from collections.abc import Mapping
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from offhook.cli.calls import call as make
from offhook.cli.connection import path, settings_of, the_running
from offhook.cli.output import ConfigOption, JsonOption, console, error_console, show_json

__all__ = ["call"]

DEFAULT = "make"


class _MakesByDefault(TyperGroup):
    """What is no command's name is whom to call."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if args and args[0] not in self.commands and args[0] != "--help":
            args = [DEFAULT, *args]
        return super().parse_args(ctx, args)


call = typer.Typer(
    cls=_MakesByDefault,
    no_args_is_help=True,
    help="Make a call and follow it (offhook call TO …), or change one that is live.",
)
call.command(DEFAULT)(make)

IdArgument = Annotated[str, typer.Argument(metavar="ID", help="As calls shows it; a UUID does too.")]
LegOption = Annotated[int, typer.Option(min=0, help="Which party; 0 is the one that the call began with.")]


def _change(identifier: str, body: Mapping[str, Any], done: str, as_json: bool, config: Any) -> None:
    with the_running(settings_of(config)) as server:
        answer = server.post(path("calls", identifier), body)
    if as_json:
        show_json(answer)
        return
    for warning in answer["warnings"]:
        error_console().print(warning, markup=False)
    console().print(done)


@call.command("go-on")
def go_on(
    identifier: IdArgument,
    start: Annotated[str, typer.Argument(metavar="DOCUMENT", help="A URL, or a document written out.")],
    method: Annotated[str, typer.Option(metavar="GET|POST", help="How a URL is asked.")] = "POST",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Let a call leave what it does for something else.

    Example: offhook call go-on c719b1eefbf65b1f89c013e6433dbf537 '{"play": "https://example.com/closing.mp3"}'
    """
    written_out = start.lstrip()[:1] in ("{", "<")
    body = {"action": start} if written_out else {"url": start, "method": method.upper()}
    _change(identifier, body, "the call goes on with it", as_json, config)


@call.command("hang-up")
def hang_up(
    identifier: IdArgument,
    cause: Annotated[
        str, typer.Option(help="Why: normal, busy, rejected, unavailable, not_found, congestion.")
    ] = "normal",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """End a call.

    Example: offhook call hang-up c719b1eefbf65b1f89c013e6433dbf537
    """
    _change(identifier, {"hangup": cause}, "the call is being ended", as_json, config)


@call.command("mute")
def mute(identifier: IdArgument, leg: LegOption = 0, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Let nobody hear a party of a call, nor its keys.

    Example: offhook call mute c719b1eefbf65b1f89c013e6433dbf537 --leg 1
    """
    _change(identifier, {"mute": leg}, f"leg {leg} is not heard any more", as_json, config)


@call.command("unmute")
def unmute(
    identifier: IdArgument, leg: LegOption = 0, as_json: JsonOption = False, config: ConfigOption = None
) -> None:
    """Let a party be heard again.

    Example: offhook call unmute c719b1eefbf65b1f89c013e6433dbf537 --leg 1
    """
    _change(identifier, {"unmute": leg}, f"leg {leg} is heard again", as_json, config)


@call.command("keys")
def keys(
    identifier: IdArgument,
    digits: Annotated[str, typer.Argument(metavar="KEYS", help="0-9*#A-D; p, P, w and W are pauses.")],
    leg: LegOption = 0,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send keys to a party of a call.

    Example: offhook call keys c719b1eefbf65b1f89c013e6433dbf537 1w2# --leg 1
    """
    _change(identifier, {"digits": digits, "leg": leg}, f"the keys are on their way to leg {leg}", as_json, config)


@call.command("record")
def record(
    identifier: IdArgument,
    what: Annotated[str, typer.Argument(metavar="WHAT", help="start, pause, resume or stop.")],
    deliver_to: Annotated[str | None, typer.Option(metavar="URL", help="With start: who is told of it.")] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Record a call from now on, let its recording hold silence for a while, or end it.

    Example: offhook call record c719b1eefbf65b1f89c013e6433dbf537 pause
    """
    done = {"start": "it is being recorded", "pause": "the recording holds silence", "resume": "the recording goes on"}
    body = {"record": what, "deliver_to": deliver_to}
    _change(identifier, body, done.get(what, "the recording ends"), as_json, config)
