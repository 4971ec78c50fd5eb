"""The customer of a run: answers each call with its plan's document, takes what is owed, and keeps everything with its
time and its `webhook-id`. It never fails: what fails here is the server.
"""

import asyncio
import functools
import io
import json
import wave
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from tests.chaos.meetings import FOLLOWS_S
from tests.support.sound_checks import RATE, voice

__all__ = ["Asked", "Customer", "customer"]


@functools.cache
def _wav(seconds: int) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(voice(seconds, seconds).astype("<i2").tobytes())
    return held.getvalue()


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One request. `at`: loop time of its answer."""

    at: float
    webhook: str
    """Its `webhook-id`."""
    fields: dict[str, str]


@dataclass(slots=True)
class Customer:
    """Requests by what they are for and whose call, which is the number of its first far end."""

    documents: Callable[[str, str], dict[str, Any] | str]
    """From a call's number and our base URL to what it does: an action of 46elks, or didML."""
    waiting: Callable[[str, str], str]
    """The same for what somebody hears who waits in a queue; didML."""
    url: str = ""
    starts: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    nexts: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    byes: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    recordings: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    afters: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    """What a party of a room asked for when it was out of it."""
    stages: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    """Status events of a DIDforSale call."""

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer whatever is asked."""
        what, _, rest = request.path.strip("/").partition("/")
        if what == "sound":
            body = _wav(int(rest.partition(".")[0]))
            return web.Response(body=body, content_type="audio/wav", headers={"Cache-Control": "max-age=3600"})
        fields = {name: str(value) for name, value in (await request.post()).items()}
        asked = Asked(
            at=asyncio.get_running_loop().time(), webhook=request.headers.get("webhook-id", ""), fields=fields
        )
        match what:
            case "start":
                key = _first_far_end(fields)
                self.starts[key].append(asked)
                made = self.documents(key, self.url)
                return _xml(made) if isinstance(made, str) else _json(made)
            case "next":
                self.nexts[rest].append(asked)
                return _json({"play": f"{self.url}/sound/1.wav"})
            case "after":
                self.afters[rest].append(asked)
                return _xml(f"<Response><Play>{self.url}/sound/{FOLLOWS_S}.wav</Play></Response>")
            case "wait":
                return _xml(self.waiting(rest, self.url))
            case "stage":
                self.stages[rest].append(asked)
            case "bye":
                self.byes[rest].append(asked)
            case "rec":
                self.recordings[rest].append(asked)
        return web.Response(text="ok")


def _first_far_end(fields: Mapping[str, str]) -> str:
    """The number of a call's first far end, in the words of either dialect."""
    if "Direction" in fields:
        return "+" + fields["From" if fields["Direction"] == "inbound" else "To"]
    return fields["from" if fields["direction"] == "incoming" else "to"]


def _xml(document: str) -> web.Response:
    return web.Response(text=document, content_type="text/xml")


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(document), content_type="application/json")


@asynccontextmanager
async def customer(
    documents: Callable[[str, str], dict[str, Any] | str], waiting: Callable[[str, str], str]
) -> AsyncIterator[Customer]:
    """On a free loopback port."""
    made = Customer(documents, waiting)
    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", made.take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, backlog=1024).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    try:
        yield made
    finally:
        await runner.cleanup()
