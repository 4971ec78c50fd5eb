"""`offhook phone run`: what was typed, made into a `PhoneRun`. What the phone does is in `phone_run.py`.

The running server says where it is and what the phone's password is; for another server both are given.
"""

import asyncio
import logging
import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from offhook.cli.connection import CliError, path, running, settings_of
from offhook.cli.output import ConfigOption, JsonOption, log_to_stderr
from offhook.runtime.garbage import collect_seldom
from offhook.sip.errors import SyntaxFault
from offhook.sip.uri import Uri

if TYPE_CHECKING:
    from offhook.cli.phone_run import PhoneRun

__all__ = ["run", "server_uri"]

KEYS = re.compile(r"[0-9*#A-Da-dwWpP]*")
EVERYWHERE = {"0.0.0.0": "127.0.0.1", "[::]": "[::1]"}
"""A server that listens everywhere is reached here."""
TRANSPORTS = ("udp", "tcp")


def run(
    number: Annotated[str, typer.Option("--as", metavar="+4600…", help="The number that it registers as.")],
    answer: Annotated[bool, typer.Option("--answer", help="Pick up by itself.")] = False,
    answer_after: Annotated[float, typer.Option(min=0, metavar="SECONDS", help="Let it ring so long first.")] = 0.0,
    play: Annotated[
        Path | None,
        typer.Option(exists=True, dir_okay=False, metavar="FILE", help="Say this when answered, after the keys."),
    ] = None,
    record: Annotated[
        Path | None, typer.Option(dir_okay=False, metavar="FILE", help="Write what it hears, as WAV.")
    ] = None,
    digits: Annotated[
        str, typer.Option(metavar="KEYS", help="Press these when answered; w waits half a second, W one.")
    ] = "",
    hang_up_after: Annotated[
        float | None, typer.Option(min=0, metavar="SECONDS", help="Hang up so long after the answer.")
    ] = None,
    dial: Annotated[str | None, typer.Option(metavar="TO", help="Call this number or SIP URI.")] = None,
    calls: Annotated[int, typer.Option(min=0, metavar="N", help="End after so many calls; 0: go on.")] = 1,
    server: Annotated[
        str | None, typer.Option(metavar="sip:HOST[:PORT]", help="Where it registers; default: the server here.")
    ] = None,
    domain: Annotated[str | None, typer.Option(help="Domain of that server; default: its host.")] = None,
    password: Annotated[
        str | None, typer.Option(envvar="OFFHOOK_PHONE_PASSWORD", help="Default: asked of the server here.")
    ] = None,
    as_json: JsonOption = False,
    config: ConfigOption = None,
) -> None:
    """Be a phone, on real SIP and RTP: for trying things and for scripts.

    In a terminal, Enter picks up and hangs up, digits are keys. Exit status 0: the call was answered; 1: it could not
    register; 2: the call was not answered.

    Example: offhook phone run --as +4600100 --answer --record heard.wav
    """
    if not KEYS.fullmatch(digits):
        raise CliError(f"{digits!r} are no keys; write 0 to 9, * and #, and w or W to wait")
    if record is not None and not record.absolute().parent.is_dir():
        raise CliError(f"{record.absolute().parent} is no directory; make it, or choose another --record")
    # Sockets and sound take a second to load, and no other command needs them.
    from offhook.cli.phone_run import PhoneRun
    from offhook.runtime.phone import PhoneSettings

    uri, realm, secret = _place(number, server, domain, password, config)
    phone = PhoneSettings(
        number=number,
        password=secret,
        domain=realm,
        server=uri,
        answer=answer,
        answer_after_s=answer_after,
        play=None if play is None else play.absolute(),
        record=None if record is None else record.absolute(),
        digits=digits,
        hang_up_after_s=hang_up_after,
    )
    _be(PhoneRun(phone=phone, dial=dial, calls=calls or None, as_json=as_json))


def _be(wanted: "PhoneRun") -> NoReturn:
    import uvloop

    from offhook.cli.phone_run import run_phone
    from offhook.runtime.media_process import EngineError

    log_to_stderr(logging.WARNING)
    collect_seldom()
    try:
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            status = runner.run(run_phone(wanted))
    except (EngineError, OSError) as error:
        raise CliError(f"the phone cannot run: {error}") from None
    raise typer.Exit(status)


def _place(
    number: str, server: str | None, domain: str | None, password: str | None, config: Path | None
) -> tuple[Uri, str, str]:
    """Where the phone registers: server, domain, password; what was not given is asked of the server here."""
    if server is not None and password is not None:
        uri = _parse(server)
        return uri, domain or uri.host, password
    found = _ask(number, config)
    uri = server_uri(found["sip"]) if server is None else _parse(server)
    return uri, domain or found["domain"], password or found["secret"]


def server_uri(addresses: list[str]) -> Uri:
    """Where a phone on this machine reaches a server that listens on `udp:HOST:PORT`, `tcp:HOST:PORT`…"""
    for wanted in TRANSPORTS:
        for address in addresses:
            transport, _, rest = address.partition(":")
            if transport == wanted:
                host, _, port = rest.rpartition(":")
                parameter = "" if transport == "udp" else f";transport={transport}"
                return Uri.parse(f"sip:{EVERYWHERE.get(host, host)}:{port}{parameter}")
    raise CliError("the server listens on neither udp nor tcp; say where with --server and --password")


def _parse(text: str) -> Uri:
    try:
        return Uri.parse(text if text.startswith(("sip:", "sips:")) else f"sip:{text}")
    except SyntaxFault as fault:
        raise CliError(f"--server {text}: {fault}; write sip:HOST or sip:HOST:PORT;transport=tcp") from None


def _ask(number: str, config: Path | None) -> dict[str, Any]:
    """The phone as `/v1` shows it, and where the server is."""
    here = running(settings_of(config))
    if here is None:
        raise CliError(
            "no server runs here; start one with: offhook serve --dev, or say which with --server and --password"
        )
    with here:
        phone: dict[str, Any] = here.get(path("phones", number))
        return phone | {"sip": here.get("/v1/status")["server"]["sip"]}
