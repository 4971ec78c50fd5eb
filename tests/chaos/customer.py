"""The customer of a run: answers each call with its plan's document, takes what is owed, and keeps everything with its
time and its `webhook-id`. It never fails: what fails here is the server.
"""

import asyncio
import functools
import io
import json
import wave
from collections import defaultdict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
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

    documents: Callable[[str, str], dict[str, Any]]
    """From a call's number and our base URL to what it does."""
    url: str = ""
    starts: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    nexts: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    byes: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))
    recordings: dict[str, list[Asked]] = field(default_factory=lambda: defaultdict(list))

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
                key = fields["from" if fields["direction"] == "incoming" else "to"]
                self.starts[key].append(asked)
                return _json(self.documents(key, self.url))
            case "next":
                self.nexts[rest].append(asked)
                return _json({"play": f"{self.url}/sound/1.wav"})
            case "bye":
                self.byes[rest].append(asked)
            case "rec":
                self.recordings[rest].append(asked)
        return web.Response(text="ok")


def _json(document: dict[str, Any]) -> web.Response:
    return web.Response(text=json.dumps(document), content_type="application/json")


@asynccontextmanager
async def customer(documents: Callable[[str, str], dict[str, Any]]) -> AsyncIterator[Customer]:
    """On a free loopback port."""
    made = Customer(documents)
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
