"""The customer's application of a soak: flows drawn by lot, and now and then a failure, a delay or rubbish.

What each call gets depends on the seed and on the call alone. It counts what it accepted, so that what was owed can be
compared with what came.
"""

import asyncio
import base64
import io
import json
import random
import wave
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from aiohttp import web
from tests.support.server import ACCOUNT, SECRET
from tests.support.sound_checks import RATE, voice

__all__ = ["CALLEES", "Application", "application"]

CALLEES = "+4672"
"""Numbers that begin so ring at the far end; what happens there is drawn by the number."""
FAULTY = 0.08
OWED_FAULTY = 0.12
SLOWER_THAN_THE_BUDGET_S = 2.6
ROUNDING_S = 1.1
RUBBISH: tuple[str, ...] = (
    "", "<html>Internal error</html>", '{"play": ', "[]", "null", '{"dance": "tango"}', '{"play": 5, "ivr": {}}',
    '{"connect": ""}', "x" * 100_000, '{"next":' * 400, '{"hangup": "busy", "next": {"hangup": 7}}', "\x00\xff",
)  # fmt: skip


def _wav(seconds: float, seed: int) -> bytes:
    held = io.BytesIO()
    with wave.open(held, "wb") as file:
        file.setparams((1, 2, RATE, 0, "NONE", ""))
        file.writeframes(voice(seed, seconds).astype("<i2").tobytes())
    return held.getvalue()


@dataclass(slots=True)
class Application:
    """It runs while `application` is entered."""

    seed: int
    url: str = ""
    session: aiohttp.ClientSession | None = None
    accepted: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Owed posts that were answered 200: (`bye`, call id) or (`rec`, address of the sound)."""
    accepted_for: Counter[str] = field(default_factory=Counter)
    """Hang-up posts by the key of their call."""
    asked: Counter[str] = field(default_factory=Counter)
    """Requests by what they were for."""
    faults: list[str] = field(default_factory=list)
    _draws: Counter[str] = field(default_factory=Counter)

    def draw(self, what: str) -> random.Random:
        """Chance of its own for the n-th time of anything: other calls do not change it."""
        self._draws[what] += 1
        return random.Random(f"{self.seed}/{what}/{self._draws[what]}")

    # ── flows ────────────────────────────────────────────────────────────────────────────────────────────────────

    def flow(self, chance: random.Random, key: str, depth: int = 0) -> dict[str, Any]:
        """An action and what may follow. All of them end by themselves within a quarter of a minute."""
        kinds = ("play", "ivr", "record", "connect", "hangup", "nothing", "local")
        kind = chance.choices(kinds, (4, 3, 2, 4, 1, 0.3, 1))[0]
        document: dict[str, Any] = {}
        match kind:
            case "play":
                document["play"] = self.sound(chance)
            case "ivr":
                document |= {"ivr": self.sound(chance), "timeout": 1, "repeat": 1, "digits": chance.choice((1, 1, 3))}
                document |= {str(digit): self.onward(chance, key, depth) for digit in chance.sample(range(10), 3)}
            case "record":
                document |= {"record": f"{self.url}/rec/{key}", "timelimit": chance.choice((1, 2))}
            case "local":
                played = {"play": "local/said"}
                document |= {"record": "local/said", "timelimit": 1, "next": played, "failed": played}
            case "connect":
                rings = ",".join(self.callee(chance) for _ in range(chance.choice((1, 1, 1, 2, 3))))
                document |= {"connect": rings, "timeout": chance.choice((2, 3, 5)), "timelimit": chance.choice((1, 4))}
                if chance.random() < 0.3:
                    document["busy"] = self.onward(chance, key, depth)
            case "hangup":
                document["hangup"] = chance.choice(("busy", "reject", "404", "true"))
        if chance.random() < 0.25:
            document["recordcall"] = f"{self.url}/rec/{key}"
        if chance.random() < 0.4:
            document["whenhangup"] = f"{self.url}/bye/{key}"
        if kind not in ("hangup", "local") and depth < 3 and chance.random() < 0.6:
            document["next"] = self.onward(chance, key, depth)
        return document

    def onward(self, chance: random.Random, key: str, depth: int) -> Any:
        """What follows: a document to be asked for, or one written out."""
        if depth < 2 and chance.random() < 0.5:
            return self.flow(chance, key, depth + 1)
        return f"{self.url}/next/{key}/{depth + 1}"

    def sound(self, chance: random.Random) -> str:
        """Something to play; one in ten cannot be."""
        return chance.choice(
            [f"{self.url}/sound/{chance.randrange(6)}.wav"] * 6
            + ["sound/beep", "sound/dtmf/1p2", f"{self.url}/no-sound", f"{self.url}/gone"]
        )

    def callee(self, chance: random.Random) -> str:
        return f"{CALLEES}{chance.randrange(10**7):07d}"

    # ── requests ─────────────────────────────────────────────────────────────────────────────────────────────────

    async def take(self, request: web.Request) -> web.StreamResponse:
        """Answer whatever is asked."""
        what, _, rest = request.path.strip("/").partition("/")
        self.asked[what] += 1
        if what == "sound":
            return web.Response(body=_wav(0.6, int(rest[0])), content_type="audio/wav")
        if what == "no-sound":
            return web.Response(body=b"<html>this is not a sound</html>" * 20, content_type="audio/wav")
        if what == "gone":
            return web.Response(status=404)
        fields = {name: str(value) for name, value in (await request.post()).items()}
        if what in ("bye", "rec"):
            return await self.owed(request, what, rest, fields)
        key = fields["from" if fields["direction"] == "incoming" else "to"]
        depth = int(rest.rpartition("/")[2]) if what == "next" else 0
        return await self.control(request, self.draw(f"flow/{key}"), key, depth)

    async def control(self, request: web.Request, chance: random.Random, key: str, depth: int) -> web.StreamResponse:
        """The next document of a call, or something else."""
        if chance.random() > FAULTY:
            await asyncio.sleep(chance.choice((0, 0, 0, 0.05, 0.4)))
            document = self.flow(chance, key, depth) if depth < 4 else {}
            return web.Response(text=json.dumps(document), content_type="application/json")
        fault = chance.choice(("status", "rubbish", "rubbish", "slow", "cut", "loop"))
        self.asked[f"{fault} on purpose"] += 1
        match fault:
            case "status":
                return web.Response(status=chance.choice((400, 404, 500, 503)))
            case "slow":
                await asyncio.sleep(SLOWER_THAN_THE_BUDGET_S)
            case "cut":
                assert request.transport is not None
                request.transport.close()
            case "loop":
                return web.Response(status=307, headers={"Location": request.path})
        return web.Response(text=chance.choice(RUBBISH))

    async def owed(self, request: web.Request, what: str, key: str, fields: dict[str, str]) -> web.StreamResponse:
        """A post that must arrive, once: it is taken, or refused and must come again."""
        if self.draw(f"{what}/{key}").random() < OWED_FAULTY:
            self.asked["owed refused on purpose"] += 1
            return web.Response(status=500)
        if what == "bye":
            self.accepted["bye", fields["id"]] += 1
            self.accepted_for[key] += 1
        else:
            self.accepted["rec", fields["wav"]] += 1
            await self.listen(fields)
        return web.Response(text="ok")

    async def listen(self, fields: dict[str, str]) -> None:
        """A recording that is announced can be fetched at once, and is as long as was said."""
        assert self.session is not None
        login = base64.b64encode(f"{ACCOUNT}:{SECRET}".encode()).decode()
        async with self.session.get(fields["wav"], headers={"Authorization": f"Basic {login}"}) as answer:
            body = await answer.read()
            if answer.status != 200:
                self.faults.append(f"{fields['wav']} was announced and is answered {answer.status}")
                return
        try:
            with wave.open(io.BytesIO(body), "rb") as file:
                seconds = file.getnframes() / file.getframerate()
        except (wave.Error, EOFError) as error:
            self.faults.append(f"{fields['wav']} is no WAV: {error}")
            return
        if not seconds or abs(seconds - int(fields["duration"])) > ROUNDING_S:
            self.faults.append(f"{fields['wav']} lasts {seconds} s; announced were {fields['duration']}")


@asynccontextmanager
async def application(seed: int) -> AsyncIterator[Application]:
    """The application on a free loopback port."""
    made = Application(seed)

    async def take(request: web.Request) -> web.StreamResponse:
        try:
            return await made.take(request)
        except asyncio.CancelledError:
            raise
        except Exception as error:  # what the server asked in a way that nobody expects is a find, not a crash
            made.faults.append(f"{request.path}: {type(error).__name__}: {error}")
            return web.Response(status=500)

    app = web.Application()
    app.router.add_route("*", "/{rest:.*}", take)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    made.url = f"http://{host}:{port}"
    try:
        async with aiohttp.ClientSession() as session:
            made.session = session
            yield made
    finally:
        await runner.cleanup()
