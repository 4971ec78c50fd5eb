"""One test's own corner of a running server: an account, a number, a trunk, and at its far end a peer that speaks raw
SIP and RTP. Nothing of it is shared with another test, so that any number of tests may use one server at a time.
"""

import asyncio
import itertools
import json
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qsl

import numpy as np
from tests.support.asgi import basic
from tests.support.customer import Answer, Customer, Hook
from tests.support.server import Server
from tests.support.sip_peer import Message, SipPeer, Talk, media_of, sdp, sip_peer
from tests.support.sound_checks import ALAW, RATE, Samples, find

__all__ = ["CALLER", "Line", "Party", "Voice", "line_on", "pairs"]

CALLER = "+46701234567"
EVENT_TYPE = 101
FRAME_S = 0.02
HEADER = struct.Struct("!BBHII")
FRAME = int(RATE * FRAME_S)
KEYS = "0123456789*#ABCD"
KEY_FRAMES = 5
HEARD_WITHIN_S = 8.0
ALIKE = 0.9
"""The same sound after G.711 twice; other sounds are below 0.3."""
CLEARLY_TRIES = 8
LATE_S = 0.04
"""A packet that its own speaker sends later than this after its beat is too late for a jitter buffer."""
PIECE = 3 * RATE // 10
OVERLOAD_WITHIN_S = 10.0
_numbers = itertools.count(1)


def pairs(hook: Hook) -> list[tuple[str, str]]:
    """The form of a request as it came, in order, decoded by nothing of ours."""
    return parse_qsl(hook.body.decode("ascii"), keep_blank_values=True, strict_parsing=True)


class Voice(asyncio.DatagramProtocol):
    """A mouth and an ear on one UDP port: G.711 A-law, keys as RFC 4733."""

    stammered = 0
    """How many packets any voice of this process sent too late, since the machine was busy."""

    def __init__(self) -> None:
        self.transport: asyncio.DatagramTransport | None = None
        self.address = ("", 0)
        self.to: tuple[str, int] | None = None
        self.heard: list[bytes] = []
        self.keys = ""
        """Keys that were heard as events."""
        self.began: int | None = None
        """RTP timestamp of the first packet that came."""
        self.stamps: list[int] = []
        """RTP timestamps of the keys."""
        self._last_event = -1
        self._sequence, self._timestamp = 1000, 8000

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = cast(asyncio.DatagramTransport, transport)
        self.address = transport.get_extra_info("sockname")[:2]

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        _, second, _, timestamp, _ = HEADER.unpack_from(data)
        payload = data[HEADER.size :]
        self.began = timestamp if self.began is None else self.began
        if second & 0x7F == EVENT_TYPE:
            if timestamp != self._last_event:
                self._last_event = timestamp
                self.keys += KEYS[payload[0]]
                self.stamps.append(timestamp)
        elif second & 0x7F == ALAW.payload_type:
            self.heard.append(payload)

    def key_after_s(self, index: int) -> float:
        """How long after the first packet a key began, by the sender's own clock, which no busy machine holds up."""
        assert self.began is not None
        return ((self.stamps[index] - self.began) & 0xFFFFFFFF) / RATE

    @property
    def sdp(self) -> str:
        """What this voice offers or answers."""
        return sdp(*self.address, ALAW)

    def sound(self) -> Samples:
        """All that was heard so far."""
        return ALAW.decode(b"".join(self.heard))

    def send(self, payload: bytes, payload_type: int = ALAW.payload_type, *, marker: bool = False) -> None:
        """One packet."""
        assert self.to is not None
        assert self.transport is not None
        head = HEADER.pack(0x80, (marker << 7) | payload_type, self._sequence, self._timestamp, 0x0FF00002)
        self._sequence = (self._sequence + 1) & 0xFFFF
        self.transport.sendto(head + payload, self.to)

    async def say(self, sound: Samples) -> None:
        """Speak it, on a 20 ms beat."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        code = ALAW.encode(sound)
        for n in range(len(code) // FRAME):
            await asyncio.sleep(max(0.0, begun + n * FRAME_S - loop.time()))
            Voice.stammered += loop.time() > begun + n * FRAME_S + LATE_S
            self.send(code[n * FRAME : (n + 1) * FRAME])
            self._timestamp += FRAME

    async def say_clearly(self, sound: Samples) -> None:
        """Speak it again until no packet of it was late: then who hears or records it has it whole. Raises
        AssertionError."""
        for _ in range(CLEARLY_TRIES):
            before = Voice.stammered
            await self.say(sound)
            if Voice.stammered == before:
                return
        raise AssertionError(f"a busy machine held up each of {CLEARLY_TRIES} tries to speak")

    async def press(self, keys: str) -> None:
        """Press keys, 100 ms each with a pause after it."""
        loop = asyncio.get_running_loop()
        begun, beat = loop.time(), itertools.count(1)
        for key in keys:
            for frame in range(1, KEY_FRAMES + 3):
                ended = frame >= KEY_FRAMES
                length = min(frame, KEY_FRAMES) * FRAME
                payload = bytes((KEYS.index(key), 0x8A if ended else 0x0A)) + length.to_bytes(2, "big")
                self.send(payload, EVENT_TYPE, marker=frame == 1)
                await asyncio.sleep(max(0.0, begun + next(beat) * FRAME_S - loop.time()))
            self._timestamp += (KEY_FRAMES + 4) * FRAME

    async def hears(self, wanted: Samples, within_s: float = HEARD_WITHIN_S) -> float:
        """Wait until a sound has been heard whole; returns how like it was. Raises AssertionError.

        Where a voice of this process stammered, what follows a packet that came too late is moved: then most pieces of
        the sound must be heard, and one of the last.
        """
        deadline = asyncio.get_running_loop().time() + within_s
        best = 0.0
        while asyncio.get_running_loop().time() < deadline:
            heard = self.sound()
            best = find(heard, wanted).likeness
            if best > ALIKE or (Voice.stammered and _in_pieces(heard, wanted)):
                return best
            await asyncio.sleep(5 * FRAME_S)
        raise AssertionError(f"not heard within {within_s} s: likeness {best:.2f} in {len(self.heard)} packets")

    async def hears_tone(self, hz: float, within_s: float = HEARD_WITHIN_S) -> None:
        """Wait until a tone of that frequency was there for 100 ms."""
        t = np.arange(RATE // 10) / RATE
        deadline = asyncio.get_running_loop().time() + within_s
        seen = 0
        while asyncio.get_running_loop().time() < deadline:
            heard = self.sound().astype(np.float64)
            while seen + len(t) <= len(heard):
                part = heard[seen : seen + len(t)]
                power = np.abs(np.dot(part, np.exp(-2j * np.pi * hz * t))) ** 2 * 2 / len(t)
                if power > 0.3 * np.dot(part, part) and np.abs(part).mean() > 200:
                    return
                seen += FRAME
            await asyncio.sleep(2 * FRAME_S)
        raise AssertionError(f"no tone of {hz} Hz within {within_s} s in {len(self.heard)} packets")


def _in_pieces(heard: Samples, wanted: Samples) -> bool:
    """Whether most pieces of a sound were heard, and one of the last."""
    pieces = [wanted[n : n + PIECE] for n in range(0, max(len(wanted) - PIECE, 0) + 1, PIECE)]
    alike = [find(heard, piece).likeness > ALIKE for piece in pieces]
    return sum(alike) * 2 > len(alike) and any(alike[-2:])


@dataclass(slots=True)
class Party:
    """One leg as its far end sees it: signalling and a voice."""

    talk: Talk
    voice: Voice

    @property
    def invite(self) -> Message:
        """The INVITE, where we are called."""
        assert self.talk.first is not None
        return self.talk.first

    def ring(self) -> None:
        self.talk.respond(self.invite, 180)

    async def pick_up(self) -> None:
        """Answer, and let the voice be heard."""
        self.voice.to = media_of(self.invite.body)
        await self.talk.answer(self.voice.sdp)

    async def refuse(self, status: int) -> None:
        """Refuse the call, and see that acknowledged."""
        self.talk.respond(self.invite, status)
        await self.talk.peer.receive("ACK", call_id=self.talk.call_id)

    async def answered(self) -> Message:
        """Where we call: wait for the 200 and acknowledge it."""
        ok = await self.talk.accepted()
        self.voice.to = media_of(ok.body)
        return ok

    async def hang_up(self) -> None:
        await self.talk.bye()

    async def hung_up(self, within_s: float = 10.0) -> Message:
        """Wait for their BYE."""
        return await self.talk.ended(within_s)


@dataclass(slots=True)
class Line:
    """A corner of the server."""

    server: Server
    app: Customer
    peer: SipPeer
    account: str
    secret: str
    number: str
    """Ours; calls to it from the trunk run what it is set to."""
    prefix: str
    """What is dialled through the trunk begins so."""
    folder: str
    """Paths of the customer's application begin so."""
    number_id: str
    trunk: str
    api_key: str
    """Of the account, for DIDforSale's API."""
    voices: list[Voice] = field(default_factory=list)

    # ── the customer's application ───────────────────────────────────────────────────────────────────────────────

    def url(self, path: str) -> str:
        return self.app.url + self.folder + path

    def on(self, path: str, *answers: Answer) -> str:
        """Answer hooks there; returns the URL."""
        return self.app.on(self.folder + path, *answers)

    def serve(self, path: str, content: bytes, content_type: str = "audio/wav") -> str:
        """Serve a file; returns its URL."""
        return self.app.serve(self.folder + path, content, content_type)

    def got(self, path: str) -> list[Hook]:
        return self.app.got(self.folder + path)

    async def hook(self, path: str, count: int = 1, within_s: float = 10.0) -> Hook:
        return await self.app.hook(self.folder + path, count, within_s)

    # ── the API ──────────────────────────────────────────────────────────────────────────────────────────────────

    async def a1(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        auth: tuple[str, str] | None = None,
        once: str | None = None,
        **fields: Any,
    ) -> tuple[int, Any]:
        """A request of this account (or of `auth`): status, and JSON or text. `from_` stands for `from`, `once` is its
        Idempotency-Key."""
        data = {name.rstrip("_"): str(value) for name, value in fields.items()}
        sent: Any = body if body is not None else (data if method == "POST" else None)
        headers = basic(*(auth or (self.account, self.secret)))
        if once is not None:
            headers["Idempotency-Key"] = once
        if body is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        async with self.server.session.request(
            method,
            f"{self.server.http}/a1{path}",
            data=sent,
            params=data if method != "POST" else None,
            headers=headers,
        ) as answer:
            if answer.content_type == "application/json":
                return answer.status, await answer.json()
            return answer.status, await answer.text()

    async def ok(self, method: str, path: str, **fields: Any) -> Any:
        """The same, and it must have gone well."""
        status, answer = await self.a1(method, path, **fields)
        assert status == 200, f"{status} {answer}"
        return answer

    async def file(self, url: str) -> tuple[int, bytes]:
        """A file of this account, such as a recording."""
        async with self.server.session.get(url, headers=basic(self.account, self.secret)) as answer:
            return answer.status, await answer.read()

    async def runs(self, start: Any) -> None:
        """What our number runs: a URL, or an action."""
        text = start if isinstance(start, str) else json.dumps(start)
        await self.ok("POST", f"/numbers/{self.number_id}", voice_start=text)

    async def call(self, call_id: str) -> dict[str, Any]:
        """A call as the API shows it."""
        return cast(dict[str, Any], await self.ok("GET", f"/calls/{call_id}"))

    async def timeline(self, call_id: str, after: int = 0, wait_s: float = 0) -> list[dict[str, Any]]:
        """What happened in a call, as its operator sees it."""
        status, answer = await self.server.v1("GET", f"/calls/{call_id}/timeline?wait={wait_s}&after={after}")
        assert status == 200, answer
        return cast(list[dict[str, Any]], answer["events"])

    async def noted(self, call_id: str, kind: str, within_s: float = 10.0) -> dict[str, Any]:
        """Wait for an entry of a call's timeline; returns its data."""
        seen: list[str] = []
        deadline = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < deadline:
            for event in await self.timeline(call_id, len(seen), wait_s=1):
                seen.append(event["kind"])
                if event["kind"] == kind:
                    return cast(dict[str, Any], event["data"])
        raise AssertionError(f"no {kind} within {within_s} s in {seen}")

    async def until_ready(self, within_s: float = 10.0) -> None:
        """Wait until the server says that it can take calls."""
        await self._until_readyz(200, within_s)

    async def until_unready(self, within_s: float = 30.0) -> None:
        """Wait until the server says that it takes none."""
        await self._until_readyz(503, within_s)

    async def _until_readyz(self, status: int, within_s: float) -> None:
        deadline = asyncio.get_running_loop().time() + within_s
        while asyncio.get_running_loop().time() < deadline:
            async with self.server.session.get(f"{self.server.http}/readyz") as answer:
                if answer.status == status:
                    return
            await asyncio.sleep(0.02)
        raise AssertionError(f"/readyz did not become {status} within {within_s} s")

    async def over(self, call_id: str, within_s: float = 10.0) -> dict[str, Any]:
        """Wait until a call is over; returns it."""
        deadline = asyncio.get_running_loop().time() + within_s
        while (shown := await self.call(call_id))["state"] == "ongoing":
            assert asyncio.get_running_loop().time() < deadline, f"still going on: {await self.timeline(call_id)}"
            await asyncio.sleep(0.02)
        return shown

    # ── calls ────────────────────────────────────────────────────────────────────────────────────────────────────

    async def voice(self) -> Voice:
        """A new mouth and ear."""
        loop = asyncio.get_running_loop()
        _, voice = await loop.create_datagram_endpoint(Voice, local_addr=("127.0.0.1", 0))
        self.voices.append(voice)
        return voice

    async def calls_in(self, start: Any = None, *, from_: str = CALLER, headers: str = "") -> Party:
        """Somebody calls our number, which runs `start`."""
        if start is not None:
            await self.runs(start)
        voice = await self.voice()
        return Party(self.peer.invite(self.number, voice.sdp, from_=from_, headers=headers), voice)

    async def rings(self, within_s: float = 10.0) -> Party:
        """Wait for a call that comes to our trunk."""
        return Party(await self.peer.called(within_s), await self.voice())

    async def place(self, **fields: Any) -> dict[str, Any]:
        """`POST /a1/calls` to a number behind the trunk; returns its answer."""
        wanted = {"from_": self.number, "to": self.far(), **fields}
        deadline = asyncio.get_running_loop().time() + OVERLOAD_WITHIN_S
        while True:
            status, answer = await self.a1("POST", "/calls", **wanted)
            if status == 200:
                return cast(dict[str, Any], answer)
            # A server on a machine that others keep busy refuses for a while, as it should.
            overloaded = status == 503 and asyncio.get_running_loop().time() < deadline
            assert overloaded, f"{status} {answer}"
            await asyncio.sleep(0.1)

    async def talks(self, voice_start: Any, **fields: Any) -> tuple[str, Party]:
        """Place a call and answer it; returns its id and the party."""
        text = voice_start if isinstance(voice_start, str) else json.dumps(voice_start)
        made = await self.place(voice_start=text, **fields)
        party = await self.rings()
        await party.pick_up()
        return made["id"], party

    def far(self, last: int = 1) -> str:
        """A number behind the trunk, which costs nothing."""
        return f"{self.prefix}{last:02d}"

    def dear(self, last: int = 1) -> str:
        """A number behind the trunk that begins with +4679, which costs something."""
        return f"+4679{self.prefix[5:]}{last:02d}"

    async def balance(self, amount: int | None) -> None:
        """What this account may still spend, in 1/10000."""
        status, answer = await self.server.v1("PUT", f"/accounts/{self.account}/balance", {"amount": amount})
        assert status == 200, answer

    async def free_number(self, number: str, country: str = "se") -> None:
        """A number of the trunk that is nobody's yet."""
        body = {"number": number, "trunk": self.trunk, "free": True, "country": country}
        status, answer = await self.server.v1("POST", "/numbers", body)
        assert status == 200, answer


@asynccontextmanager
async def line_on(server: Server, app: Customer, dialect: str = "elks") -> AsyncIterator[Line]:
    """A new corner of a server, whose number speaks a dialect with its application."""
    n = next(_numbers)
    _, account = await server.v1("POST", "/accounts", {"name": f"line {n}"})
    async with sip_peer(server.sip["udp"]) as peer:
        prefix, number = f"+4670{n:05d}", f"+468{n:06d}"
        trunk = {"name": f"trunk {n}", "address": f"sip:{peer.host}:{peer.port}", "prefixes": [prefix, f"+4679{n:05d}"]}
        status, answer = await server.v1("POST", "/trunks", trunk)
        assert status == 200, answer
        ours = {"number": number, "trunk": trunk["name"], "account": account["id"], "dialect": dialect}
        status, answer = await server.v1("POST", "/numbers", ours)
        assert status == 200, answer
        line = Line(
            server,
            app,
            peer,
            account["id"],
            account["secret"],
            number,
            prefix,
            f"/l{n}",
            answer["id"],
            f"trunk {n}",
            account["api_key"],
        )
        try:
            yield line
        finally:
            await _hang_up_all(server, account["id"])
            for voice in line.voices:
                assert voice.transport is not None
                voice.transport.close()


async def _hang_up_all(server: Server, account: str) -> None:
    """Ends an account's calls, on a server that has not ended itself."""
    if server.process.returncode is not None:
        return
    _, live = await server.v1("GET", f"/calls?account={account}")
    for call in live["calls"]:
        if call.get("state") == "ongoing":
            await server.v1("POST", f"/calls/{call['id']}/hang-up")
