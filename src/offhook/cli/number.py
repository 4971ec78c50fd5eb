"""`offhook number` and `offhook phone add`: numbers of ours, what answers them, phones that register as some."""

from typing import Annotated, Any

import typer

from offhook.cli.connection import connect, path, settings_of
from offhook.cli.output import AccountOption, ConfigOption, JsonOption, console, fields, rows, show_json

__all__ = ["number", "phone"]

number = typer.Typer(no_args_is_help=True, help="Numbers of ours and what answers them.")
phone = typer.Typer(no_args_is_help=True, help="SIP phones that register here.")


@number.command("add")
def add(
    digits: Annotated[str, typer.Argument(metavar="NUMBER", help="With + and country.")],
    trunk: Annotated[str, typer.Option(help="The carrier that it comes through.")],
    voice_start: Annotated[str, typer.Option(metavar="URL|JSON", help="What answers it.")] = "",
    dialect: Annotated[str, typer.Option(help="The language of its webhooks: elks or didml.")] = "elks",
    method: Annotated[str, typer.Option(metavar="GET|POST", help="How voice_start is asked.")] = "POST",
    fallback: Annotated[str, typer.Option(metavar="URL|JSON", help="For when that fails.")] = "",
    free: Annotated[bool, typer.Option("--free", help="Nobody's yet: to be allocated by API.")] = False,
    category: Annotated[str | None, typer.Option(help="fixed or mobile; default: by its number.")] = None,
    capabilities: Annotated[str, typer.Option(help="With commas.")] = "voice",
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Add a number of a carrier.

    Example: offhook number add +46101234567 --trunk carrier --voice-start https://app.example.com/calls
    """
    with connect(settings_of(config)) as server:
        added = server.post(
            "/v1/numbers",
            {
                "number": digits,
                "trunk": trunk,
                "voice_start": voice_start,
                "dialect": dialect,
                "method": method.upper(),
                "fallback": fallback,
                "free": free,
                "category": category,
                "capabilities": [word.strip() for word in capabilities.split(",") if word.strip()],
                "account": which,
            },
        )
    if as_json:
        show_json(added)
    else:
        fields([("id", added["id"]), ("number", added["number"]), ("account", added["account"] or "none: it is free")])


@number.command("list")
def list_numbers(which: AccountOption = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List numbers, phones and free ones too.

    Example: offhook number list
    """
    with connect(settings_of(config)) as server:
        found: list[dict[str, Any]] = server.get("/v1/numbers", account=which)["numbers"]
    if as_json:
        show_json(found)
        return
    rows(
        ("NUMBER", "KIND", "ACCOUNT", "VOICE START"),
        [(row["number"], row["kind"], row["account"] or "(free)", row["voice_start"]) for row in found],
        nothing="There is no number yet; add one with: offhook number add +46… --trunk NAME, or offhook phone add",
    )


@number.command("fallback")
def set_fallback(
    digits: Annotated[str, typer.Argument(metavar="NUMBER", help="A number or a phone's.")],
    fallback: Annotated[str, typer.Argument(metavar="FALLBACK", help="A URL, a document written out, or none.")],
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what a number's calls go on with where its web application fails; it goes before the account's.

    Example: offhook number fallback +46101234567 https://backup.example.com/calls
    """
    with connect(settings_of(config)) as server:
        changed = server.put(path("numbers", digits, "fallback"), {"fallback": "" if fallback == "none" else fallback})
    if as_json:
        show_json(changed)
    else:
        fields([("number", changed["number"]), ("fallback", changed["fallback"] or "none")])


@number.command("remove")
def remove(
    digits: Annotated[str, typer.Argument(metavar="NUMBER", help="A number or a phone's.")],
    config: ConfigOption = None,
) -> None:
    """Take a number, or a phone's, away for ever.

    Example: offhook number remove +46101234567
    """
    with connect(settings_of(config)) as server:
        server.delete(path("numbers", digits))
    console().print(f"{digits} is not ours any more")


@phone.command("add")
def add_phone(
    digits: Annotated[str | None, typer.Argument(metavar="[NUMBER]", help="+4600…; default: made up.")] = None,
    voice_start: Annotated[str, typer.Option(metavar="URL|JSON", help="What decides where its own calls go.")] = "",
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a number that a SIP phone registers as; prints what to put into the phone.

    Example: offhook phone add +46001234567
    """
    with connect(settings_of(config)) as server:
        made = server.post("/v1/phones", {"number": digits, "voice_start": voice_start, "account": which})
    if as_json:
        show_json(made)
        return
    fields(
        [
            ("number", made["number"]),
            ("user name", made["username"]),
            ("password", made["secret"]),
            ("domain", made["domain"]),
        ]
    )
