"""Software phones and the example applications as programs of their own, beside a real server."""

import json
import os
import socket
import sys
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from examples.demo.programs import Program
from tests.support.engine_binary import engine_binary
from tests.support.server import Server, server

from offhook.testing.listening import Match, find, read_wav

__all__ = ["ALIKE", "Phone", "Stage", "stage"]

ROOT = Path(__file__).parents[2]
WITHIN_S = 25.0
ALIKE = 0.9
"""The least likeness that counts as heard."""


@dataclass(slots=True)
class Phone:
    """`offhook phone run`, which says in JSON what happens to it."""

    number: str
    program: Program
    file: Path

    async def says(self, what: str, within_s: float = WITHIN_S) -> dict[str, Any]:
        """The first time that it said this."""
        line = await self.program.says(rf'"what": "{what}"', within_s)
        said: dict[str, Any] = json.loads(line.string)
        return said

    async def done(self, within_s: float = WITHIN_S) -> int:
        """Wait until its call is over and it has gone; its exit status."""
        return await self.program.end(within_s)

    def heard(self, wanted: Any) -> Match:
        """Where it heard a sound. Ask when it is done."""
        return find(wanted, read_wav(self.file))


@dataclass(slots=True)
class Stage:
    """A server, and what is started beside it."""

    server: Server
    folder: Path
    stack: AsyncExitStack
    environment: dict[str, str] = field(default_factory=dict)

    async def start(self, name: str, *command: str | Path) -> Program:
        """A program that ends with the test."""
        program = await Program.start(name, *command, log=self.folder / f"{name}.log", environment=self.environment)
        self.stack.push_async_callback(program.end)
        return program

    async def example(self, name: str, *options: str) -> tuple[str, Program]:
        """One of `examples/`: its base URL, and what it prints."""
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        path = ROOT / "examples" / f"{name}.py"
        program = await self.start(name, sys.executable, path, "--port", str(port), *options)
        await program.says("Running on", WITHIN_S)
        return f"http://127.0.0.1:{port}", program

    async def phone(self, number: str, *options: str | Path, voice_start: str = "") -> Phone:
        """A phone that has registered, answers or dials as its options say, and records what it hears."""
        body = {"number": number, "voice_start": voice_start}
        status, made = await self.server.v1("POST", "/phones", body)
        assert status == 200, made
        host, port = self.server.sip["udp"]
        file = self.folder / f"heard-{number[1:]}.wav"
        program = await self.start(
            f"phone-{number[1:]}",
            *(sys.executable, "-m", "offhook", "phone", "run", "--json", "--as", number, "--record", file),
            *("--server", f"sip:{host}:{port}", "--domain", made["domain"], "--password", made["secret"]),
            *options,
        )
        phone = Phone(number, program, file)
        await phone.says("registered")
        return phone

    async def call(self, to: str, voice_start: str, **more: str) -> str:
        """POST /a1/calls; the call's id."""
        fields = {"from_": "+46700000000", "to": to, "voice_start": voice_start, **more}
        status, made = await self.server.a1("POST", "/calls", **fields)
        assert status == 200, made
        return str(made["id"])

    async def actions(self, call: str) -> list[dict[str, Any]]:
        """What a call did, as the API shows it."""
        status, found = await self.server.a1("GET", f"/calls/{call}")
        assert status == 200, found
        return list(found.get("actions", ()))


@asynccontextmanager
async def stage(folder: Path, settings: Sequence[tuple[str, str]] = ()) -> AsyncIterator[Stage]:
    """A server on free ports, and room for programs beside it."""
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith("OFFHOOK_")},
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONUNBUFFERED": "1",
        "OFFHOOK_MEDIA_BINARY": str(engine_binary()),
    }
    os.environ.setdefault("OFFHOOK_MEDIA_BINARY", environment["OFFHOOK_MEDIA_BINARY"])
    async with server(folder / "data", **dict(settings)) as running, AsyncExitStack() as stack:
        yield Stage(running, folder, stack, environment)
