"""`offhook account`: accounts, their balance, the caller IDs they may show."""

import json
import secrets
from typing import Annotated, Any, Literal

import typer

from offhook.cli.connection import CliError, Connection, connect, path, settings_of
from offhook.cli.output import (
    AccountOption,
    ConfigOption,
    JsonOption,
    console,
    error_console,
    fields,
    money,
    rows,
    show_json,
)
from offhook.cli.timeline import follow

__all__ = ["account"]

CODE_DIGITS = 6
CODE_WAIT_S = 30
RECORDED = "recording.begun"
"""In a call's timeline. An account may change the calls that are its own, this one too."""
KEY_IN = "en_US/Somebody wants to show this telephone number as their own. If you agree, key in the code you were told."
NO_WAY = "not_allowed"
"""The cause of a call that no trunk takes, or whose carrier wants none from us."""

account = typer.Typer(no_args_is_help=True, help="Accounts, their balance, the caller IDs they may show.")
caller_id = typer.Typer(no_args_is_help=True, help="Numbers that an account may show though they are not ours.")
account.add_typer(caller_id, name="caller-id")
signing_key = typer.Typer(no_args_is_help=True, help="The key that webhooks are signed with.")
account.add_typer(signing_key, name="signing-key")


@account.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    currency: Annotated[str, typer.Option(help="Three letters.")] = "SEK",
    email: Annotated[str, typer.Option(help="Shown by /a1/me.")] = "",
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make an account; prints its id, and its secret, API key and signing key, the first two this once.

    Example: offhook account add "My company" --currency EUR
    """
    with connect(settings_of(config)) as server:
        made = server.post("/v1/accounts", {"name": name, "currency": currency, "email": email})
    if as_json:
        show_json(made)
        return
    fields(
        [
            ("id", made["id"]),
            ("secret", made["secret"]),
            ("API key", made["api_key"]),
            ("signing key", made["signing_key"]),
        ]
    )
    error_console().print("Keep the secret and the API key: they are not shown again.")


@account.command("list")
def list_accounts(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List accounts.

    Example: offhook account list
    """
    with connect(settings_of(config)) as server:
        found = server.get("/v1/accounts")["accounts"]
    if as_json:
        show_json(found)
        return
    rows(
        ("ID", "NAME", "BALANCE", "ACTIVE"),
        [(row["id"], row["name"], _balance(row), "yes" if row["active"] else "no") for row in found],
        nothing="There is no account yet; make one with: offhook account add NAME",
    )


@account.command("credit")
def credit(
    amount: Annotated[str, typer.Argument(metavar="AMOUNT", help="In 1/10000 of the currency, or none for no limit.")],
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Set an account's balance; from then on, calls are refused or ended when it is gone.

    Example: offhook account credit 1000000    (that is 100.00)
    """
    if amount != "none" and not amount.removeprefix("-").isdecimal():
        raise CliError(f"{amount!r} is no amount; write a whole number of 1/10000, as in 1000000 for 100.00, or none")
    with connect(settings_of(config)) as server:
        changed = server.put(
            path("accounts", which or "-", "balance"), {"amount": None if amount == "none" else int(amount)}
        )
    if as_json:
        show_json(changed)
    else:
        fields([("account", changed["name"]), ("balance", _balance(changed))])


@account.command("fallback")
def set_fallback(
    fallback: Annotated[str, typer.Argument(metavar="FALLBACK", help="A URL, a document written out, or none.")],
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say what an account's calls go on with where a web application fails; a number's own goes before it.

    Example: offhook account fallback '{"play": "https://example.com/please-call-again.mp3"}'
    """
    with connect(settings_of(config)) as server:
        changed = server.put(
            path("accounts", which or "-", "fallback"), {"fallback": "" if fallback == "none" else fallback}
        )
    if as_json:
        show_json(changed)
    else:
        fields([("account", changed["name"]), ("fallback", changed["fallback"] or "none")])


def _balance(row: dict[str, Any]) -> str:
    text = money(row["balance"], row["currency"])
    return text if row["limited"] else f"{text} (no limit)"


@account.command("quirks")
def set_quirks(
    names: Annotated[list[str], typer.Argument(metavar="NAME...", help="One or more names, or none.")],
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say which peculiarities of a service an account's applications rely on.

    CallDurartion: DIDforSale's page spells CallDuration so; status callbacks then carry both.

    Example: offhook account quirks CallDurartion
    """
    with connect(settings_of(config)) as server:
        wanted = [] if names == ["none"] else names
        changed = server.put(path("accounts", which or "-", "quirks"), {"quirks": wanted})
    if as_json:
        show_json(changed)
    else:
        fields([("account", changed["name"]), ("quirks", ", ".join(changed["quirks"]) or "none")])


@account.command("webhooks")
def webhooks(
    retry_timeouts: Annotated[
        bool | None,
        typer.Option(help="Ask an application once more that did not answer in time, though it may have acted."),
    ] = None,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Say how an account's web applications are asked while a call waits; or show it.

    Example: offhook account webhooks --retry-timeouts
    """
    with connect(settings_of(config)) as server:
        if retry_timeouts is None:
            shown = _only(server, which)
        else:
            shown = server.put(path("accounts", which or "-", "webhooks"), {"retry_timeouts": retry_timeouts})
    if as_json:
        show_json({"account": shown["id"], "retry_timeouts": shown["retry_timeouts"]})
    else:
        fields([("account", shown["name"]), ("retry timeouts", "yes" if shown["retry_timeouts"] else "no")])


def _only(server: Connection, which: str | None) -> dict[str, Any]:
    """The account that is meant. Raises `CliError`."""
    found = server.get("/v1/accounts")["accounts"]
    matching: list[dict[str, Any]] = [row for row in found if which in (None, row["id"], row["name"])]
    if len(matching) != 1:
        raise CliError("say which account with --account ID or NAME; offhook account list shows them")
    return matching[0]


# ── what is owed ─────────────────────────────────────────────────────────────────────────────────────────────────────


@account.command("delivery")
def delivery(
    policy: Annotated[
        Literal["steady", "listed", "growing", "default"] | None,
        typer.Argument(help="How posts that are owed are tried; default: as its API has it. Without: show it."),
    ] = None,
    every: Annotated[float | None, typer.Option(metavar="S", help="steady: seconds between tries.")] = None,
    pauses: Annotated[str | None, typer.Option(metavar="S,S,...", help="listed: the pauses between tries.")] = None,
    first: Annotated[float | None, typer.Option(metavar="S", help="growing: the first pause.")] = None,
    longest: Annotated[float | None, typer.Option(metavar="S", help="growing: the longest pause.")] = None,
    lasting: Annotated[
        float | None, typer.Option("--for", metavar="S", help="steady, growing: how long after the first try.")
    ] = None,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Set how often what is owed to an account is tried, and for how long; or show it.

    Example: offhook account delivery growing --first 5 --for 259200
    """
    given = {"every_s": every, "pauses_s": _pauses(pauses), "first_s": first, "longest_s": longest, "for_s": lasting}
    wanted = {name: value for name, value in given.items() if value is not None}
    if wanted and policy in (None, "default"):
        raise CliError("say which policy these are for: steady, listed or growing")
    with connect(settings_of(config)) as server:
        if policy is None:
            shown = _only(server, which)
        else:
            body = None if policy == "default" else {"kind": policy, **wanted}
            shown = server.put(path("accounts", which or "-", "delivery"), {"policy": body})
    if as_json:
        show_json({"account": shown["id"], "policy": shown["delivery"]})
        return
    own = shown["delivery"] or {"kind": "as its API has it"}
    fields([("account", shown["name"]), *((name.replace("_s", " (s)"), value) for name, value in own.items())])


def _pauses(text: str | None) -> list[float] | None:
    try:
        return None if text is None else [float(part) for part in text.split(",") if part.strip()]
    except ValueError:
        raise CliError(f"{text!r} are no pauses; write seconds with commas between them, as in 5,60,600") from None


# ── signing keys ─────────────────────────────────────────────────────────────────────────────────────────────────────


@signing_key.command("show")
def show_signing_key(which: AccountOption = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Show the key that an account's webhooks are signed with.

    Example: offhook account signing-key show
    """
    with connect(settings_of(config)) as server:
        found = server.get(path("accounts", which or "-", "signing-key"))
    _show_keys(found, as_json)


@signing_key.command("rotate")
def rotate_signing_key(
    overlap: Annotated[
        float, typer.Option(metavar="HOURS", min=0, help="How long the old key goes on signing beside the new one.")
    ] = 24.0,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a new signing key; for a while webhooks carry a signature of each.

    Example: offhook account signing-key rotate --overlap 48
    """
    with connect(settings_of(config)) as server:
        made = server.post(path("accounts", which or "-", "signing-key", "rotate"), {"overlap_h": overlap})
    _show_keys(made, as_json)


def _show_keys(found: dict[str, Any], as_json: bool) -> None:
    if as_json:
        show_json(found)
        return
    older = [("until " + key["expires"][:16].replace("T", " "), key["signing_key"]) for key in found["older"]]
    fields([("account", found["account"]), ("signing key", found["signing_key"]), *older])


# ── caller IDs ───────────────────────────────────────────────────────────────────────────────────────────────────────


@caller_id.command("add")
def add_caller_id(
    number: Annotated[str, typer.Argument(help="With + and country.")],
    trusted: Annotated[bool, typer.Option("--trusted", help="You know that it is theirs: no call is made.")] = False,
    read_out: Annotated[
        bool,
        typer.Option(
            "--read-out/--key-in", help="The call says a code that is to be typed here, or takes one that stands here."
        ),
    ] = True,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Let an account show a number, after a call to it that says a code.

    Example: offhook account caller-id add +46701234567 --trusted
    """
    with connect(settings_of(config)) as server:
        if not trusted:
            _verify(server, number, which, read_out)
        added = server.post(path("accounts", which or "-", "caller-ids"), {"number": number})
    if as_json:
        show_json(added)
    else:
        console().print(f"{added['number']} may be shown by {added['account']}")


def _verify(server: Connection, number: str, which: str | None, read_out: bool) -> None:
    """Calls the number; who answers is told what to type here, or keys in what stands here. Raises `CliError`."""
    if not server.online:
        raise CliError(
            "the number is to be called, and no server runs: start one with offhook serve,"
            " or add --trusted if you know that the number is theirs"
        )
    code = f"{secrets.randbelow(10**CODE_DIGITS):0{CODE_DIGITS}d}"
    if read_out:
        says = f"Calling {number}. A code of {CODE_DIGITS} digits will be read out to who answers."
        call = server.post(path("accounts", which or "-", "caller-ids", "calls"), {"number": number, "code": code})
    else:
        says = f"Calling {number}. When it is answered, key in: [bold]{code}[/bold]"
        flow = json.dumps({"ivr": KEY_IN, "digits": CODE_DIGITS, "timeout": CODE_WAIT_S, "repeat": 3})
        call = server.post("/v1/calls", {"to": number, "from": "anonymous", "voice_start": flow, "account": which})
    error_console().print(says)
    kinds: set[str] = set()
    ended = follow(server, call["id"], lambda event: kinds.add(event["kind"]))
    if ended["cause"] == NO_WAY:
        raise CliError(
            f"{number} cannot be called: no trunk takes it, or its carrier does not let us. offhook trunk list shows"
            " the prefixes; add one with offhook trunk add, or add --trusted if you know that the number is theirs"
        )
    if read_out:
        if RECORDED in kinds:
            raise CliError(
                "somebody had the call recorded, and may know the code without having answered; try again with --key-in"
            )
        if not any("play" in action for action in ended["actions"]):
            raise CliError(f"nobody heard the code (the call ended: {ended['cause'] or ended['state']}); try again")
        typed = "".join(sign for sign in typer.prompt("The code that was read out", err=True) if sign.isdecimal())
        if not secrets.compare_digest(typed, code):
            raise CliError("that was not the code; try again, with a new one")
    elif not any(secrets.compare_digest(str(action.get("result", "")), code) for action in ended["actions"]):
        raise CliError(
            f"the code was not keyed in (the call ended: {ended['cause'] or ended['state']});"
            " try again, or add --trusted if you know that the number is theirs"
        )


@caller_id.command("list")
def list_caller_ids(which: AccountOption = None, as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List the caller IDs of an account.

    Example: offhook account caller-id list
    """
    with connect(settings_of(config)) as server:
        found = server.get(path("accounts", which or "-", "caller-ids"))["caller_ids"]
    if as_json:
        show_json(found)
        return
    rows(
        ("NUMBER", "SINCE"),
        [(row["number"], row["created"][:10]) for row in found],
        nothing="None yet; its own numbers may be shown anyway.",
    )


@caller_id.command("remove")
def remove_caller_id(
    number: Annotated[str, typer.Argument(help="With + and country.")],
    which: AccountOption = None,
    config: ConfigOption = None,
) -> None:
    """Take a caller ID back.

    Example: offhook account caller-id remove +46701234567
    """
    with connect(settings_of(config)) as server:
        server.delete(path("accounts", which or "-", "caller-ids", number))
    console().print(f"{number} may not be shown any more")
