"""A real server with a customer's application beside it, ready for calls: what interop tests stand on.

Carriers live on 127.0.1.1 (so that the server knows their calls by their address), phones on 127.0.0.1.
"""

import asyncio
import itertools
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from tests.support.customer import Answer, Customer, customer
from tests.support.ports import rtp_range
from tests.support.server import Server, server
from tests.support.sound_checks import Samples, read_wav, silence, write_wav

from offhook.call.masking import shown_number

__all__ = ["CARRIER", "Exchange", "PhoneAccount", "exchange"]

CARRIER = "127.0.1.1"
"""Where all carriers of a test are."""
POLL_S = 0.02
OVER_WITHIN_S = 15.0
RTP_PORTS = 600
QUIET_S = 0.2
LATE_S = 0.02
SETTLES_WITHIN_S = 40.0


@dataclass(frozen=True, slots=True)
class PhoneAccount:
    """What is put into a phone."""

    number: str
    username: str
    password: str


@dataclass(slots=True)
class Exchange:
    """The server, the application and what a test adds to them; names and numbers never come twice."""

    server: Server
    app: Customer
    directory: Path
    _count: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    @property
    def udp(self) -> tuple[str, int]:
        return self.server.sip["udp"]

    @property
    def tcp(self) -> tuple[str, int]:
        return self.server.sip["tcp"]

    def path(self, word: str) -> str:
        """A path of the application that is nobody else's."""
        return f"/{word}-{next(self._count)}"

    def answers(self, word: str, *answers: Answer) -> str:
        """A URL of the application that answers so."""
        return self.app.on(self.path(word), *answers)

    async def hook(self, url: str, count: int = 1, within_s: float = OVER_WITHIN_S) -> dict[str, str]:
        """Waits for the `count`th request to a URL of the application; its fields."""
        return (await self.app.hook(url.removeprefix(self.app.url), count, within_s)).fields

    def hooks(self, url: str) -> list[dict[str, str]]:
        """The requests to a URL so far."""
        return [hook.fields for hook in self.app.got(url.removeprefix(self.app.url))]

    def sound(self, samples: Samples, quiet_s: float = QUIET_S) -> str:
        """The URL of a sound, silence after it: a jitter buffer swallows what is last before a BYE."""
        padded = np.concatenate((samples, silence(quiet_s)))
        path = write_wav(self.directory / f"sound-{next(self._count)}.wav", padded)
        return self.app.serve(f"/{path.name}", path.read_bytes())

    async def timeline(self, call: str, kind: str, count: int = 1) -> list[dict[str, Any]]:
        """Waits until a call's timeline has so many entries of a kind; those."""

        async def asked() -> list[dict[str, Any]]:
            _, said = await self.server.v1("GET", f"/calls/{call}/timeline")
            found = [entry for entry in said["events"] if entry["kind"] == kind]
            return found if len(found) >= count else []

        found = await self.until(asked, f"no {count} {kind} in the timeline of {call}")
        assert isinstance(found, list)
        return found

    async def _add(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        status, made = await self.server.v1("POST", path, body)
        assert status < 300, f"{path} {body}: {status} {made}"
        assert isinstance(made, dict)
        return made

    async def number(self, start: Any) -> str:
        """A number of the incoming carrier; `start`: URL, or an action."""
        number = f"+4610{next(self._count):07d}"
        text = start if isinstance(start, str) else json.dumps(start)
        await self._add("/numbers", {"number": number, "trunk": "carrier", "voice_start": text})
        return number

    async def trunk(self, port: int, *, transport: str = "udp", host: str = CARRIER, **more: Any) -> str:
        """A carrier at a port. Returns a number that is reached through it, and through no other."""
        prefix = f"+4670{next(self._count):05d}"
        address = f"sip:{host}:{port}" + (f";transport={transport}" if transport != "udp" else "")
        await self._add("/trunks", {"name": f"trunk{prefix}", "address": address, "prefixes": [prefix], **more})
        return prefix + "12"

    async def phone(self, start: Any = "") -> PhoneAccount:
        """A number for a SIP phone to register as."""
        text = start if isinstance(start, str) else json.dumps(start)
        made = await self._add("/phones", {"number": f"+4600{next(self._count):05d}", "voice_start": text})
        return PhoneAccount(made["number"], made["username"], made["secret"])

    async def settled(self) -> None:
        """Waits until the server has loaded what it loads after its start, and refuses nothing for being late."""

        async def asked() -> bool:
            _, status = await self.server.v1("GET", "/status")
            return status["not_ready"] is None and status["server"]["loop_late_s"] < LATE_S

        await self.until(asked, "the server does not settle", SETTLES_WITHIN_S)

    async def call(self, to: str, start: Any, **more: Any) -> str:
        """POST /a1/calls; returns the call's id."""
        text = start if isinstance(start, str) else json.dumps(start)
        status, made = await self.server.a1("POST", "/calls", from_="+46101000000", to=to, voice_start=text, **more)
        assert status == 200, f"{status} {made}"
        return str(made["id"])

    async def over(self, call_id: str, within_s: float = OVER_WITHIN_S) -> dict[str, Any]:
        """Waits until a call is over; its call object."""

        async def asked() -> dict[str, Any] | None:
            _, call = await self.server.a1("GET", f"/calls/{call_id}")
            return call if isinstance(call, dict) and call["state"] != "ongoing" else None

        found = await self.until(asked, f"call {call_id} is not over", within_s)
        assert isinstance(found, dict)
        return found

    async def until(self, ask: Callable[[], Awaitable[Any]], failure: str, within_s: float = OVER_WITHIN_S) -> Any:
        """Asks again and again until the answer is true."""
        deadline = time.monotonic() + within_s
        while not (answer := await ask()):
            assert time.monotonic() < deadline, f"{failure} within {within_s} s\n{self.log()}"
            await asyncio.sleep(POLL_S)
        return answer

    async def registered(self, account: PhoneAccount, *, count: int = 1) -> None:
        """Waits until the server's log says that a phone has so many places."""

        async def asked() -> bool:
            shown = shown_number(account.username)
            lines = [line for line in self.log(0).splitlines() if "phone.bindings" in line and shown in line]
            return bool(lines) and (f"count={count}" in lines[-1] or f'"count": {count}' in lines[-1])

        await self.until(asked, f"{account.username} has not {count} bindings")

    async def recording(self, hook_fields: dict[str, str]) -> Samples:
        """The sound of a recording that a webhook names."""
        return read_wav(await self.server.fetch(hook_fields["wav"]))

    def log(self, last: int = 6000) -> str:
        """The end of the server's log (0: all of it)."""
        return self.server.log_path.read_text(errors="replace")[-last:]


@asynccontextmanager
async def exchange(directory: Path, **settings: str) -> AsyncIterator[Exchange]:
    """Starts both. RTP ports are a free corner of the range that peers use: servers side by side do not meet."""
    settings = {"rtp_ports": rtp_range(RTP_PORTS), "delivery_retry_s": "1", **settings}
    async with customer() as app, server(directory / "server", **settings) as running:
        made = Exchange(running, app, directory)
        await made._add(
            "/trunks",
            {"name": "carrier", "address": f"sip:{CARRIER}:9", "prefixes": [], "from_addresses": [f"{CARRIER}/32"]},
        )
        await made.settled()
        yield made
        assert b"Traceback" not in running.log_path.read_bytes(), f"the server had a fault:\n{made.log(20_000)}"
