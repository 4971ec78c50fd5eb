"""`offhook deliveries`: what is owed to customers, what was given up, and sending it once more."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import typer

from offhook.cli.connection import CliError, connect, path, settings_of
from offhook.cli.output import AccountOption, ConfigOption, JsonOption, console, fields, plain, rows, show_json

__all__ = ["deliveries"]

UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}

_HOW = {
    "earlier": "follows what is owed before it to the same call and receiver, which is tried now",
    "others": "is sent when others of its account to the same receiver are done",
}

deliveries = typer.Typer(invoke_without_command=True)

State = Literal["owed", "delivered", "dead"]
StateOption = Annotated[State | None, typer.Option("--state", help="Only these.")]
CallOption = Annotated[str | None, typer.Option("--call", metavar="ID", help="Only those of a call.")]
SinceOption = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Owed then or later: 2026-01-31T12:00, or 30m, 2h, 1d ago."),
]


@deliveries.callback()
def list_deliveries(
    context: typer.Context,
    state: StateOption = None,
    call: CallOption = None,
    since: SinceOption = None,
    limit: Annotated[int, typer.Option(min=1, max=100, help="The newest so many.")] = 20,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List posts that are owed, were delivered or given up (dead), newest first.

    Example: offhook deliveries --state dead --since 1d
    """
    if context.invoked_subcommand is not None:
        return
    with connect(settings_of(config)) as server:
        found = server.get("/v1/deliveries", account=which, state=state, call=call, since=_moment(since), limit=limit)[
            "deliveries"
        ]
    if as_json:
        show_json(found)
        return
    rows(
        ("ID", "OWED (UTC)", "STATE", "TRIES", "STATUS", "NEXT TRY (UTC)", "URL"),
        [
            (row["id"], _short(row["created"]), row["state"], row["tries"], row["status"], _short(row["next_try"]),
             row["url"])
            for row in found
        ],
        nothing="There are none.",
    )  # fmt: skip


@deliveries.command("show")
def show(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="As deliveries lists it.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show one: what it says, and why it has not been delivered.

    Example: offhook deliveries show msg_719b1eefbf65b1f89c013e6433dbf537_hangup
    """
    with connect(settings_of(config)) as server:
        found = server.get(path("deliveries", identifier))
    if as_json:
        show_json(found)
        return
    fields([(name.replace("_", " "), value) for name, value in found.items() if name != "params"])
    for name, value in found["params"]:
        console().print(f"  {plain(name)}={plain(value)}", markup=False)


@deliveries.command("replay")
def replay(
    identifier: Annotated[str | None, typer.Argument(metavar="[ID]", help="One; or say --since.")] = None,
    since: SinceOption = None,
    state: StateOption = None,
    call: CallOption = None,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Send a post once more under its id, or all since a time (delivered ones too, unless --state says otherwise).

    Example: offhook deliveries replay --since 2h --state dead
    """
    if (identifier is None) == (since is None):
        raise CliError("say what to replay: the ID of one, or --since TIME for all from then on")
    with connect(settings_of(config)) as server:
        if identifier is not None:
            done = server.post(path("deliveries", identifier, "replay"), {})
            said = f"{done['id']} was {done['was']}, and {_HOW.get(done['waits_for'], 'is sent once more')}"
        else:
            query = {"account": which, "state": state, "call": call}
            done = {"replayed": 0}
            following = _moment(since)
            while following is not None:
                page = server.post(_target("/v1/deliveries/replay", since=following, **query), {})
                done["replayed"] += page["replayed"]
                following = page["next"]
            said = f"{done['replayed']} are sent once more"
    if as_json:
        show_json(done)
    else:
        console().print(said if server.online else f"{said}, when a server runs")


def _target(route: str, **query: Any) -> str:
    given = {name: value for name, value in query.items() if value is not None}
    return f"{route}?{urlencode(given)}"


def _moment(text: str | None) -> str | None:
    """A time, or how long ago. Raises `CliError`."""
    if text is None:
        return None
    ago = re.fullmatch(r"(\d+)([smhd])", text.strip())
    try:
        if ago is not None:
            moment = datetime.now(UTC) - timedelta(seconds=int(ago[1]) * UNITS_S[ago[2]])
        else:
            moment = datetime.fromisoformat(text.strip())
            moment = moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)
    except (ValueError, OverflowError):
        raise CliError(f"{text!r} is no time; write 2026-01-31T12:00 (UTC), or how long ago: 30m, 2h, 1d") from None
    return moment.isoformat()


def _short(moment: str | None) -> str | None:
    return None if moment is None else moment[:19].replace("T", " ")
