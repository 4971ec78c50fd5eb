"""`offhook doctor`: what is wrong with this machine's set-up, in plain words, and what to do about it."""

import os
import shutil
import socket
import stat
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from enum import Enum
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import typer
from rich.text import Text

from offhook.cli.connection import CliError, Connection, connect, settings_of
from offhook.cli.output import ConfigOption, JsonOption, console, show_json
from offhook.config import ENV_PREFIX, Settings
from offhook.runtime.media_process import BINARY_VARIABLE, EngineError, find_binary
from offhook.storage.prices import PriceListError, read_price_list

__all__ = ["Finding", "Grade", "doctor", "examine"]

LEAST_FREE_BYTES = 500 * 1024 * 1024
OTHER_VARIABLES = {BINARY_VARIABLE}
"""Ours, and no settings."""


class Grade(Enum):
    """How much it matters."""

    GOOD = "good"
    ODD = "odd"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    grade: Grade
    what: str
    do: str = ""


def doctor(as_json: JsonOption = False, config: ConfigOption = None) -> None:
    """Look at the set-up and say what is wrong with it. Exit status 1: calls cannot work like this.

    Example: offhook doctor
    """
    settings = settings_of(config)
    findings = list(examine(settings))
    if as_json:
        show_json([asdict(finding) | {"grade": finding.grade.value} for finding in findings])
    else:
        for finding in findings:
            _show(finding)
    if any(finding.grade is Grade.BAD for finding in findings):
        raise typer.Exit(1)


def _show(finding: Finding) -> None:
    style = {Grade.GOOD: "green", Grade.ODD: "yellow", Grade.BAD: "red"}[finding.grade]
    line = Text(f"{finding.grade.value:<5} ", style=style).append(finding.what, style="default")
    console().print(line)
    if finding.do:
        console().print(Text(f"      {finding.do}"))


def examine(settings: Settings) -> Iterator[Finding]:
    """Everything that can be looked at, running server or not."""
    yield from _environment(settings)
    yield from _engine()
    yield from _folder(settings.data_dir)
    yield from _price_list(settings.price_list)
    try:
        with connect(settings) as server:
            yield from _server(settings, server)
            yield from _directory(server)
            if not server.online:
                yield from _ports(settings)
    except CliError as error:
        yield Finding(Grade.BAD, str(error))


def _environment(settings: Settings) -> Iterator[Finding]:
    known = {f"{ENV_PREFIX}{name}".upper() for name in type(settings).model_fields} | OTHER_VARIABLES
    for name in sorted(os.environ):
        if name.startswith(ENV_PREFIX) and name not in known:
            yield Finding(Grade.ODD, f"{name} is set, and is no setting", "docs/reference/settings.md lists them")
    if settings.dev and settings.open_to_others:
        what = f"dev is set, and {', '.join(settings.open_to_others)} is open to others"
        yield Finding(Grade.ODD, what, "leave dev out where others can call")


def _engine() -> Iterator[Finding]:
    try:
        binary = find_binary()
    except EngineError as error:
        yield Finding(Grade.BAD, str(error))
        return
    if os.access(binary, os.X_OK):
        yield Finding(Grade.GOOD, f"media engine: {binary}")
    else:
        yield Finding(Grade.BAD, f"the media engine {binary} cannot be run", f"run: chmod +x {binary}")


def _folder(folder: Path) -> Iterator[Finding]:
    nearest = next((path for path in (folder, *folder.absolute().parents) if path.exists()), Path("/"))
    if not os.access(nearest, os.W_OK):
        yield Finding(Grade.BAD, f"{nearest} cannot be written", "choose another data_dir, or mend its rights")
    free = shutil.disk_usage(nearest).free
    if free < LEAST_FREE_BYTES:
        yield Finding(Grade.BAD, f"{nearest} has only {free // 2**20} MB free", "make room, or choose another data_dir")
    for name in ("server.key", "admin.token"):
        path = folder / name
        if path.exists() and stat.S_IMODE(path.stat().st_mode) & 0o077:
            yield Finding(Grade.BAD, f"{path} can be read by others", f"run: chmod 600 {path}")


def _price_list(path: Path | None) -> Iterator[Finding]:
    if path is None:
        return
    try:
        count = len(read_price_list(path.read_text(encoding="utf-8").splitlines()).prices)
        yield Finding(Grade.GOOD, f"{path} has {count} prices")
    except (OSError, UnicodeDecodeError) as error:
        yield Finding(Grade.BAD, f"{path} cannot be read ({error})", "mend price_list, or leave it out")
    except PriceListError as error:
        yield Finding(Grade.BAD, f"{path}: {error}")


def _server(settings: Settings, server: Connection) -> Iterator[Finding]:
    if not server.online:
        yield Finding(Grade.ODD, "no server runs", "start one with: offhook serve")
        return
    found = server.get("/v1/status")
    if found["not_ready"]:
        yield Finding(Grade.BAD, f"the server takes no calls: {found['not_ready']}")
    else:
        yield Finding(Grade.GOOD, "the server runs and takes calls")
    if found["storage"]["failing"]:
        yield Finding(
            Grade.BAD, f"storage cannot write: {found['storage']['error']}", "make room on the disk, or end the lock"
        )
    if found["storage"]["dropped"]:
        yield Finding(
            Grade.BAD, f"{found['storage']['dropped']} rows were lost since the start", "see the server's log"
        )
    if settings.public_address is None and not settings.dev:
        yield Finding(Grade.ODD, "public_address is not set", "set it if this machine stands behind NAT")


def _directory(server: Connection) -> Iterator[Finding]:
    accounts = server.get("/v1/accounts")["accounts"]
    if not accounts:
        yield Finding(Grade.BAD, "there is no account", "make one with: offhook account add NAME")
    trunks, numbers = server.get("/v1/trunks")["trunks"], server.get("/v1/numbers")["numbers"]
    if not trunks and not any(number["kind"] != "trunk" for number in numbers):
        yield Finding(Grade.ODD, "there is neither trunk nor phone", "add one: offhook trunk add, offhook phone add")
    for trunk in trunks:
        if not trunk["prefixes"]:
            yield Finding(Grade.ODD, f"nothing may be dialled through trunk {trunk['name']}", "add it with --prefix")
        yield from _resolves(trunk)
    for number in numbers:
        if number["kind"] == "trunk" and number["account"] and not number["voice_start"]:
            yield Finding(
                Grade.ODD, f"{number['number']} has no voice_start: callers get 480", "configure it by /a1/numbers"
            )


def _resolves(trunk: dict[str, Any]) -> Iterator[Finding]:
    host = urlsplit("//" + trunk["address"].partition(":")[2].partition(";")[0]).hostname or ""
    try:
        socket.getaddrinfo(host, None)
    except OSError as error:
        yield Finding(
            Grade.ODD,
            f"trunk {trunk['name']}: {host} has no address ({error.strerror})",
            "that is well if it has SRV records alone; else mend its address",
        )


def _ports(settings: Settings) -> Iterator[Finding]:
    wanted = [("http_listen", socket.SOCK_STREAM, settings.http_listen.host, settings.http_listen.port)]
    for listen in settings.sip_listen:
        kind = socket.SOCK_DGRAM if listen.transport == "udp" else socket.SOCK_STREAM
        wanted.append(("sip_listen", kind, listen.host, listen.port))
    for name, kind, host, port in wanted:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, kind) as probe:
            if kind is socket.SOCK_STREAM:
                probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError as error:
                yield Finding(
                    Grade.BAD,
                    f"{name}: {host} port {port} cannot be used ({error.strerror})",
                    "choose another, or free it",
                )
