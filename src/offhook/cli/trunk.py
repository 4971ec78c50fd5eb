"""`offhook trunk`: the carriers that calls go out through and come in from."""

from typing import Annotated

import typer

from offhook.cli.connection import connect, path, settings_of
from offhook.cli.output import ConfigOption, JsonOption, console, error_console, fields, rows, show_json

__all__ = ["trunk"]

trunk = typer.Typer(no_args_is_help=True, help="Carriers: where calls go out and come in.")


@trunk.command("add")
def add(
    name: Annotated[str, typer.Argument(help="What to call it.")],
    address: Annotated[str, typer.Option(help="sip:HOST[:PORT][;transport=udp|tcp|tls]")],
    username: Annotated[str, typer.Option(help="For its challenges and for registering.")] = "",
    password: Annotated[str, typer.Option(help="Kept encrypted.")] = "",
    register: Annotated[bool, typer.Option("--register", help="Register there, for calls to come in.")] = False,
    prefix: Annotated[
        list[str] | None,
        typer.Option(help="Numbers that may be dialled through it; repeat it; + for all; none given: none."),
    ] = None,
    from_address: Annotated[
        list[str] | None, typer.Option(metavar="CIDR", help="Where its calls come from; repeat it.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Add a carrier.

    Example: offhook trunk add carrier --address sip:sip.example.com --username me --password pw --register --prefix +46
    """
    with connect(settings_of(config)) as server:
        added = server.post(
            "/v1/trunks",
            {
                "name": name,
                "address": address,
                "username": username,
                "password": password,
                "register": register,
                "prefixes": prefix or [],
                "from_addresses": from_address or [],
            },
        )
    if as_json:
        show_json(added)
        return
    fields([("id", added["id"]), ("name", added["name"]), ("address", added["address"])])
    if not added["prefixes"]:
        error_console().print("Nothing may be dialled through it: no --prefix was given.")
    if not added["from_addresses"]:
        error_console().print("Calls from it are taken only from where --address leads: no --from-address was given.")


@trunk.command("list")
def list_trunks(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """List carriers.

    Example: offhook trunk list
    """
    with connect(settings_of(config)) as server:
        found = server.get("/v1/trunks")["trunks"]
    if as_json:
        show_json(found)
        return
    rows(
        ("NAME", "ADDRESS", "REGISTERS", "PREFIXES", "CALLS FROM"),
        [
            (
                row["name"],
                row["address"],
                "yes" if row["register"] else "no",
                " ".join(row["prefixes"]),
                " ".join(row["from_addresses"]),
            )
            for row in found
        ],
        nothing="There is no trunk yet; add one with: offhook trunk add NAME --address sip:HOST",
    )


@trunk.command("remove")
def remove(
    name: Annotated[str, typer.Argument(help="Name or id.")],
    config: ConfigOption = None,
) -> None:
    """Forget a carrier. Its numbers stay, and cannot be reached.

    Example: offhook trunk remove carrier
    """
    with connect(settings_of(config)) as server:
        server.delete(path("trunks", name))
    console().print(f"trunk {name} is forgotten")
