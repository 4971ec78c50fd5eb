"""`offhook serve`: the server in the foreground. One line `ready` on standard output says that calls can be made."""

import asyncio
import logging
import os
import sys
from pathlib import Path
from typing import Annotated, NoReturn

import typer
import uvloop

from offhook.cli.output import Unfailing, log_to_stderr
from offhook.config import Settings, SettingsError, load_settings
from offhook.runtime.garbage import collect_seldom
from offhook.storage.keys import new_id, new_secret

__all__ = ["serve"]

DEV_ACCOUNT_FILE = "dev-account"
"""Keeps the credentials that `--dev` prints, so that it can print them again."""
SWITCH_S = 0.001
"""How long a thread may have to wait for the interpreter while the loop is busy. The one that writes, which calls wait
for, needs it a dozen times for a commit; the usual 5 ms would make that 60."""


def serve(
    config: Annotated[
        Path | None, typer.Option(help="Settings file; default: offhook.toml here, if there is one.")
    ] = None,
    dev: Annotated[
        bool, typer.Option("--dev", help="For trying things: on loopback, any caller ID, prints credentials.")
    ] = False,
    data_dir: Annotated[Path | None, typer.Option(help="Where everything is kept.")] = None,
    http_listen: Annotated[str | None, typer.Option(help="HOST:PORT of the API.")] = None,
    sip_listen: Annotated[str | None, typer.Option(help="udp:HOST:PORT and so on, with commas.")] = None,
) -> None:
    """Run the server until it is told to stop (Ctrl-C or SIGTERM, which let running calls finish).

    Example: offhook serve --dev
    """
    given = {"data_dir": data_dir, "http_listen": http_listen, "sip_listen": sip_listen, "dev": dev or None}
    try:
        settings = load_settings(config, **given)
    except SettingsError as error:
        _stop(str(error))
    log_to_stderr(logging.INFO)
    if settings.dev and settings.open_to_others:
        Unfailing(sys.stderr).write(
            "warning: --dev allows any caller ID and webhooks to this machine, and "
            f"{', '.join(settings.open_to_others)} is open to others; leave one of them out\n"
        )
    # Whatever is made from here on (database, prepared sound) is ours alone, also in a folder that others may enter.
    os.umask(0o077)
    credentials = None
    try:
        if settings.dev and settings.bootstrap_account is None:
            credentials = _dev_credentials(settings.data_dir)
            settings = load_settings(config, **given, bootstrap_account=credentials)
        elif settings.bootstrap_account is not None and settings.dev:
            credentials = f"{settings.bootstrap_account.id}:{settings.bootstrap_account.secret}"
        sys.setswitchinterval(SWITCH_S)
        with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
            runner.run(_serve(settings, credentials))
    except Exception as error:
        if isinstance(error, OSError):
            why = error.strerror or str(error)
            _stop(f"{error.filename}: {why}" if error.filename else why)
        if type(error).__module__.startswith("offhook."):
            _stop(str(error))
        raise


async def _serve(settings: Settings, credentials: str | None) -> None:
    from offhook.app import serve as running

    async with running(settings) as (server, stop):
        if credentials is not None:
            _say_how_to_try(server.http_address, credentials)
        print(f"ready api={server.http_address} sip={','.join(server.sip_addresses)}", flush=True)
        collect_seldom()
        if await _first_of(stop, server.restarting):
            await server.ready_to_be_replaced()
            Unfailing(sys.stderr).write("restarting: calls go on\n")
            sys.stdout.flush()
            # Nothing is stopped or closed: what the engine and the far ends see is what they see in a crash.
            os.execv(sys.executable, sys.orig_argv)
        Unfailing(sys.stderr).write("stopping: no new calls; running ones may finish (once more to end them now)\n")
        stop.clear()
        draining = asyncio.ensure_future(server.drain())
        again = asyncio.ensure_future(stop.wait())
        await asyncio.wait((draining, again), return_when=asyncio.FIRST_COMPLETED)
        if not draining.done():
            draining.cancel()
            await server.drain(0.0)
        again.cancel()


async def _first_of(stop: asyncio.Event, restarting: asyncio.Event) -> bool:
    """Wait for either; whether it is the second."""
    waiting = [asyncio.ensure_future(event.wait()) for event in (stop, restarting)]
    await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
    for each in waiting:
        each.cancel()
    return restarting.is_set() and not stop.is_set()


def _dev_credentials(data_dir: Path) -> str:
    """`ID:SECRET`, made at the first start."""
    path = data_dir / DEV_ACCOUNT_FILE
    if path.exists():
        return path.read_text(encoding="ascii").strip()
    credentials = f"{new_id('u')}:{new_secret()}"
    data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="ascii") as file:
        file.write(credentials + "\n")
    return credentials


def _say_how_to_try(base: str, credentials: str) -> None:
    account, _, secret = credentials.partition(":")
    call = f"{base}/a1/calls -u {credentials} -d from=+46700000000 -d to=+4600100"
    print(f"account and secret: {account} {secret}")
    print("to try it, each in a terminal of its own:")
    print("  offhook phone add +4600100")
    print("  offhook phone run --as +4600100 --answer")
    print(f"""  curl {call} -d 'voice_start={{"play":"sound/ringback"}}'""", flush=True)


def _stop(why: str) -> NoReturn:
    print(f"offhook serve: {why}", file=sys.stderr)
    raise typer.Exit(1)
