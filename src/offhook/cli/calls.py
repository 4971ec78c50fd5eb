"""`offhook call`, `calls`, `timeline`: make a call and follow it, see what happened."""

import json
import os
from pathlib import Path
from typing import Annotated, Any

import typer

from offhook.cli.connection import CliError, connect, path, settings_of, the_running
from offhook.cli.output import AccountOption, ConfigOption, JsonOption, console, rows, show_json
from offhook.cli.timeline import ending, follow, show_event

__all__ = ["call", "calls", "timeline"]

EXIT_NOT_ANSWERED = 3
EXIT_INTERRUPTED = 130


def call(
    to: Annotated[str, typer.Argument(help="With + and country, or a phone's +4600….")],
    caller: Annotated[str, typer.Option("--from", metavar="NUMBER", help="The number to show.")],
    voice_start: Annotated[str, typer.Option(metavar="URL|JSON", help="What happens when it is answered.")],
    timeout: Annotated[int, typer.Option(help="Seconds to let it ring.")] = 60,
    record: Annotated[bool, typer.Option("--record", help="Record all of it.")] = False,
    fallback: Annotated[str, typer.Option(metavar="URL|JSON", help="For when the web application fails.")] = "",
    dialect: Annotated[
        str | None,
        typer.Option(help="The language of its webhooks: elks or didml; default: the document's, else elks."),
    ] = None,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Make a call and follow its timeline to the end; Ctrl-C hangs up. Exit status 3: it was not answered.

    The word make may be left out.

    Example: offhook call make +46701234567 --from +46101234567 --voice-start '{"play": "https://example.com/hello.mp3"}'
    """
    with the_running(settings_of(config)) as server:
        made = server.post(
            "/v1/calls",
            {
                "to": to,
                "from": caller,
                "voice_start": voice_start,
                "ring_timeout_s": timeout,
                "record": record,
                "fallback": fallback,
                "account": which,
                "dialect": dialect,
            },
        )
        if not as_json:
            console().print(f"call {made['id']}")
        try:
            ended = follow(server, made["id"], (lambda _event: None) if as_json else show_event)
        except KeyboardInterrupt:
            server.post(path("calls", made["id"], "hang-up"), {})
            raise typer.Exit(EXIT_INTERRUPTED) from None
    if as_json:
        show_json(ended)
    else:
        console().print(ending(ended))
    if ended["state"] != "success":
        raise typer.Exit(EXIT_NOT_ANSWERED)


def calls(
    limit: Annotated[int, typer.Option(min=1, max=100, help="The newest so many.")] = 20,
    which: AccountOption = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """List calls, newest first.

    Example: offhook calls --limit 5
    """
    with connect(settings_of(config)) as server:
        found = server.get("/v1/calls", account=which, limit=limit)["calls"]
    if as_json:
        show_json(found)
        return
    rows(
        ("ID", "CREATED (UTC)", "DIRECTION", "FROM", "TO", "STATE", "CAUSE", "SECONDS"),
        [
            (
                row["id"],
                row["created"][:19].replace("T", " "),
                row["direction"],
                row["from_number"],
                row["to_number"],
                row["state"],
                row["cause"],
                row["duration_s"],
            )
            for row in found
        ],
        nothing="There are no calls yet; make one with: offhook call TO --from N --voice-start URL",
    )


def timeline(
    identifier: Annotated[str, typer.Argument(metavar="ID", help="As calls shows it; a UUID does too.")],
    keep_on: Annotated[bool, typer.Option("--follow", "-f", help="Go on until the call is over.")] = False,
    export: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write all that is known of the call into a JSON file instead.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Show what happened in a call, entry by entry.

    Example: offhook timeline c719b1eefbf65b1f89c013e6433dbf537
    """
    with connect(settings_of(config)) as server:
        if export is not None:
            _write(export, server.get(path("calls", identifier, "export")), as_json)
            return
        events: list[Any] = []
        if keep_on:
            ended = follow(server, identifier, events.append if as_json else show_event)
        else:
            after, more = 0, True
            while more:
                page = server.get(path("calls", identifier, "events"), after=after)
                events += page["events"]
                more, after = bool(page["events"]), page["next"]
            ended = server.get(path("calls", identifier))
    if as_json:
        show_json(events)
        return
    if not keep_on:
        for event in events:
            show_event(event)
    console().print(ending(ended))


def _write(file: Path, exported: Any, as_json: bool) -> None:
    """Numbers and answers of a customer are nobody else's to read. Raises `CliError`."""
    try:
        with open(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as open_file:
            json.dump(exported, open_file, indent=1, ensure_ascii=False)
            open_file.write("\n")
    except OSError as error:
        raise CliError(f"{file} cannot be written ({error.strerror}); name another file") from None
    written = {"file": str(file)} | {name: len(exported[name]) for name in ("events", "recordings", "deliveries")}
    if as_json:
        show_json(written)
    else:
        found = f"{written['events']} entries, {written['recordings']} recordings, {written['deliveries']} deliveries"
        console().print(f"{file}: {found}")
