"""What an application written for DIDforSale does at a `Line`: makes calls by its API, answers with didML, has numbers.

Nothing here knows the product: requests are forms and JSON, documents are text.
"""

import asyncio
import itertools
import re
from dataclasses import dataclass, field
from typing import Any

from tests.support.customer import Hook
from tests.support.line import CALLER, OVERLOAD_WITHIN_S, Line, Party, pairs

__all__ = ["CALL_TERMINATION", "UUID", "DidmlLine", "asked", "bare", "event", "user"]

CALL_TERMINATION = "/didforsaleapi/index.php/api/V2/CallTermination/"
TALKING_WITHIN_S = 10.0
UUID = r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"


def bare(number: str) -> str:
    """A number as the service writes it."""
    return number.removeprefix("+")


def user(header: str) -> str:
    """The user part of the address in a From or To."""
    found = re.search(r"sip:([^@>]+)@", header)
    assert found is not None, header
    return found[1]


def event(called: str, parent: str, status: str, sid: str, **more: str) -> list[tuple[str, str]]:
    """A status event of an outbound leg as it must come: these parameters and no others, in this order."""
    return [
        ("Called", bare(called)),
        ("ParentCallSid", parent),
        ("CallStatus", status),
        ("Direction", "Outbound"),
        ("callSid", sid),
        ("CallbackSource", "call-progress-event"),
        *more.items(),
    ]


@dataclass(slots=True)
class DidmlLine:
    """A line, in DIDforSale's words."""

    line: Line
    _numbers: "itertools.count[int]" = field(default_factory=lambda: itertools.count(1))

    async def order(self, *, as_json: bool = False, **fields: Any) -> str:
        """Make a call by the service's API; returns its `callSid`. `from_` stands for `from`."""
        ours = {"apikey": self.line.api_key, "from": bare(self.line.number), "to": bare(self.line.far())}
        wanted = ours | {name.rstrip("_"): value for name, value in fields.items()}
        sent: dict[str, Any] = {"json": wanted} if as_json else {"data": wanted}
        deadline = asyncio.get_running_loop().time() + OVERLOAD_WITHIN_S
        while True:
            async with self.line.server.session.post(self.line.server.http + CALL_TERMINATION, **sent) as answer:
                made = await answer.json()
                if answer.status == 200:
                    assert made == {
                        "status": True, "message": "Call initiated", "uuid": made["uuid"], "callSid": made["uuid"]
                    }  # fmt: skip
                    assert re.fullmatch(UUID, made["uuid"])
                    return str(made["uuid"])
                # A server on a machine that others keep busy refuses for a while, as it should.
                overloaded = answer.status == 503 and asyncio.get_running_loop().time() < deadline
                assert overloaded, f"{answer.status} {made}"
            await asyncio.sleep(0.1)

    async def number(self, url: str, method: str = "POST") -> str:
        """A number of ours whose calls are answered there, in didML."""
        number = f"+1800{self.line.prefix[5:]}{next(self._numbers):02d}"
        body = {
            "number": number, "trunk": self.line.trunk, "account": self.line.account,
            "voice_start": url, "dialect": "didml", "method": method,
        }  # fmt: skip
        status, answer = await self.line.server.v1("POST", "/numbers", body)
        assert status == 200, answer
        return number

    async def calls(self, number: str, *, from_: str = CALLER) -> Party:
        """Somebody calls a number of ours."""
        voice = await self.line.voice()
        return Party(self.line.peer.invite(number, voice.sdp, from_=from_), voice)

    async def talking(self, count: int) -> None:
        """Wait until so many parties of this account's conferences and queues hear others."""
        deadline = asyncio.get_running_loop().time() + TALKING_WITHIN_S
        while True:
            _, answer = await self.line.server.v1("GET", f"/rooms?account={self.line.account}")
            states = [guest["state"] for room in answer["rooms"] for guest in room["guests"]]
            if states.count("talking") == count:
                return
            assert asyncio.get_running_loop().time() < deadline, answer
            await asyncio.sleep(0.05)

    async def events(self, count: int, path: str = "/events") -> list[list[tuple[str, str]]]:
        """Wait for so many status events by POST; all that came, as they came."""
        await self.line.hook(path, count)
        return [pairs(hook) for hook in self.line.got(path)]

    async def sid(self, path: str = "/start") -> str:
        """The id of the call that asked first there."""
        return (await self.line.hook(path)).fields["callSid"]

    async def ended(self, sid: str) -> dict[str, Any]:
        """Wait for the end of a call; returns it as the native API shows it."""
        await self.line.noted(sid, "call.ended")
        status, shown = await self.line.server.v1("GET", f"/calls/{sid}")
        assert status == 200, shown
        return dict(shown)


def asked(hook: Hook) -> dict[str, str]:
    """The fields of a control webhook, of which each may come once."""
    found = pairs(hook)
    assert len(dict(found)) == len(found), found
    return dict(found)
