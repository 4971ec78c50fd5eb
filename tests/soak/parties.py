"""What the people of a soak do: callers that give up, callees that are busy, both hanging up at any moment.

Every script ends by itself in bounded time. What a party does is drawn from the seed and its number.
"""

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field

from tests.soak.lines import SECOND_BRANCH, FarEnd, Line, Sound, Stream, line
from tests.support.sip_peer import Message, Talk

__all__ = ["CARRIER", "Callees", "Caller", "rubbish", "unruly_connections"]

CARRIER = "127.0.1.1"
FINAL_WITHIN_S = 20.0
LONGEST_CALL_S = 25.0
LONGEST_RINGING_S = 12.0
LOST_ACK_S = 1.0
REFUSALS = (486, 486, 486, 603, 404, 480, 500, 503, 302)


async def chatter(end: FarEnd, chance: random.Random, hang_up_after_s: float | None) -> None:
    """An answered call, until one of both has enough: keys, holding and resuming at any moment."""
    loop = asyncio.get_running_loop()
    until = loop.time() + (LONGEST_CALL_S if hang_up_after_s is None else hang_up_after_s)
    version, held = 2, False
    while not end.over and (left := until - loop.time()) > 0:
        await end.linger(min(left, chance.expovariate(1.2)))
        if end.over:
            return
        if chance.random() < 0.6:
            end.sound.press(chance.randrange(12))
        elif chance.random() < 0.5:
            held, version = not held, version + 1
            direction = chance.choice(("sendonly", "inactive")) if held else ""
            end.talk.request("INVITE", end.sound.described(direction, version))
            # A phone cannot hang up in the middle of its own offer; it may never learn of the answer, though.
            answer = await end.linger(2.0, "200 INVITE", "4xx INVITE", "5xx INVITE")
            if answer is not None and answer.status == 200:
                end.talk.request("ACK", cseq=answer.cseq[0])
            elif answer is not None:
                end.talk.refuse_ack(answer)
        elif chance.random() < 0.5:
            end.talk.request(chance.choice(("OPTIONS", "INFO", "MESSAGE")))
    await end.bye()


@dataclass(slots=True)
class Caller:
    """Calls that come in: one number of ours, a caller's number of its own each time."""

    number: str
    tcp: tuple[str, int]
    """Where the server takes connections."""
    seed: int
    patient: bool
    """Leaves no ACK out for good, so that nothing lasts 64*T1 twice."""
    figures: Counter[str] = field(default_factory=Counter)

    async def call(self, via: Line, index: int) -> None:
        """One call, by the line that all share or by a connection of its own."""
        chance = random.Random(f"{self.seed}/caller/{index}")
        by_stream = chance.random() < 0.15
        here = await Stream.open(self.tcp, CARRIER) if by_stream else via
        sound = await Sound.open(CARRIER)
        talk = here.invite(self.number, sound.description, from_=f"+4671{index:07d}")
        end = FarEnd(here, talk, sound)
        here.box(talk)
        try:
            if isinstance(here, Stream) and chance.random() < 0.3:
                await self._vanishing(end, here, chance)
            elif chance.random() < 0.2:
                await self._giving_up(end, chance)
            else:
                await self._calling(end, chance)
        finally:
            end.close()
            if isinstance(here, Stream):
                here.drop()

    async def _vanishing(self, end: FarEnd, stream: Stream, chance: random.Random) -> None:
        """The connection goes at any moment and takes the caller with it."""
        self.figures["callers whose connection went"] += 1
        final = await end.linger(chance.uniform(0, 1.5), "2xx INVITE", "4xx INVITE", "5xx INVITE", "6xx INVITE")
        if final is not None and final.status == 200:
            self._taken(end, final)
            await end.linger(chance.uniform(0, 3))
        stream.drop()

    async def _giving_up(self, end: FarEnd, chance: random.Random) -> None:
        """CANCEL at any moment; the answer may cross it (RFC 3261 section 9.1)."""
        self.figures["callers that gave up"] += 1
        final = await end.linger(chance.choice((0.0, 0.005, 0.02, 0.3, 1.0)), 200, "4xx", "5xx", "6xx")
        if final is None:
            end.talk.request("CANCEL", cseq=1)
            final = await end.linger(FINAL_WITHIN_S, "200 INVITE", "4xx INVITE", "5xx INVITE", "6xx INVITE")
        if final is None:
            self.figures["FAULT no final answer to a call that was given up"] += 1
        elif final.status == 200:
            self.figures["answers that crossed a CANCEL"] += 1
            self._taken(end, final)
            await end.bye()
        else:
            end.talk.refuse_ack(final)

    async def _calling(self, end: FarEnd, chance: random.Random) -> None:
        final = await end.linger(FINAL_WITHIN_S, "200 INVITE", "4xx INVITE", "5xx INVITE", "6xx INVITE")
        if final is None:
            self.figures["FAULT no final answer to a caller"] += 1
            return
        if final.status != 200:
            self.figures["callers refused"] += 1
            end.talk.refuse_ack(final)
            return
        self.figures["callers answered"] += 1
        if not self.patient and chance.random() < 0.02:
            self.figures["callers that never said ACK"] += 1
            return
        if chance.random() < 0.08:
            # The ACK is lost: the 200 comes again (RFC 3261 section 13.3.1.4).
            await end.linger(LOST_ACK_S, "200 INVITE")
        self._taken(end, final)
        end.sound.towards(final.body)
        await chatter(end, chance, chance.choice((None, 0.0, chance.uniform(0, 6))))

    def _taken(self, end: FarEnd, answer: Message) -> None:
        """Acknowledge an answer; its dialog is ours (RFC 3261 section 12.1.2)."""
        end.talk.confirm(answer)
        end.talk.request("ACK", cseq=1)


@dataclass(slots=True)
class Callees:
    """Everybody that our server calls; what each does is drawn by the number that is called."""

    seed: int
    figures: Counter[str] = field(default_factory=Counter)

    async def answer(self, here: Line, talk: Talk) -> None:
        """One call that came."""
        assert talk.first is not None
        number = talk.first.uri.partition(":")[2].partition("@")[0]
        chance = random.Random(f"{self.seed}/callee/{number}")
        end = FarEnd(here, talk, await Sound.open(here.host))
        try:
            await here.boxes[talk.call_id].get()
            await self._answer(end, chance)
        finally:
            end.close()

    async def _answer(self, end: FarEnd, chance: random.Random) -> None:
        talk, invite = end.talk, end.talk.first
        assert invite is not None
        how = chance.choices(("takes", "refuses", "rings", "silent", "mute"), (55, 25, 12, 3, 5))[0]
        self.figures[f"callees: {how}"] += 1
        if how == "silent":
            if (cancel := await end.linger(LONGEST_RINGING_S, "CANCEL")) is not None:
                talk.respond(cancel, 200)
            return
        talk.respond(invite, 100)
        if chance.random() < 0.7:
            early = end.sound.description if chance.random() < 0.2 else None
            talk.respond(invite, 183 if early else 180, early)
        pause_s = LONGEST_RINGING_S if how == "rings" else chance.choice((0.0, 0.0, 0.1, chance.uniform(0, 2.0)))
        cancel = await end.linger(pause_s, "CANCEL")
        if cancel is not None:
            talk.respond(cancel, 200)
            if chance.random() < 0.75:
                await self._refuse(end, 487)
                return
            self.figures["callees that answered across a CANCEL"] += 1
        elif how != "takes" and how != "mute":
            await self._refuse(end, chance.choice(REFUSALS))
            return
        await self._take(end, chance, mute=how == "mute")

    async def _refuse(self, end: FarEnd, status: int) -> None:
        assert end.talk.first is not None
        end.final = end.talk.respond(end.talk.first, status)
        await end.linger(2.0, "ACK")

    async def _take(self, end: FarEnd, chance: random.Random, *, mute: bool) -> None:
        talk, invite = end.talk, end.talk.first
        assert invite is not None
        body = chance.choice((None, "v=0\r\nrubbish", "v=0\r\ns=-\r\n")) if mute else end.sound.description
        end.final = talk.respond(invite, 200, body)
        if chance.random() < 0.04:
            # A second branch of a fork answers as well; it is to be ended (RFC 3261 section 13.2.2.4).
            self.figures["second answers of a fork"] += 1
            talk.respond(invite, 200, body, tag=SECOND_BRANCH)
        if await end.linger(5.0, "ACK") is None:
            if not end.over:
                self.figures["FAULT an answer was not acknowledged"] += 1
            return
        if not mute:
            end.sound.towards(invite.body)
        await chatter(end, chance, chance.choice((None, 0.0, chance.uniform(0, 4))))


PIECES = (
    "{method} sip:+46999999999@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.1.1:9;branch=z9hG4bK{n}\r\n"
    "Max-Forwards: 70\r\nFrom: <sip:+4673@127.0.1.1>;tag={n}\r\nTo: <sip:+46999999999@127.0.0.1>{tag}\r\n"
    "Call-ID: rubbish-{n}\r\nCSeq: {n} {method}\r\nContact: <sip:x@127.0.1.1:9>\r\nContent-Length: 0\r\n\r\n"
)
METHODS = ("INVITE", "OPTIONS", "REGISTER", "BYE", "CANCEL", "ACK", "SUBSCRIBE", "invite", "PRACK", "UPDATE")


def broken(chance: random.Random) -> bytes:
    """A message that is wrong somewhere, or not one at all."""
    tag = chance.choice(("", ";tag=none"))
    text = PIECES.format(method=chance.choice(METHODS), n=chance.randrange(1, 10**9), tag=tag)
    data = bytearray(text.encode())
    match chance.randrange(5):
        case 0:
            return chance.randbytes(chance.randrange(1, 1400))
        case 1:
            return bytes(data[: chance.randrange(len(data))])
        case 2:
            for _ in range(chance.randrange(1, 12)):
                data[chance.randrange(len(data))] = chance.randrange(256)
        case 3:
            return b"SIP/2.0 200 OK\r\n" + bytes(data).partition(b"\r\n")[2]
    return bytes(data)


async def rubbish(server: tuple[str, int], seed: int, per_s: float, figures: Counter[str]) -> None:
    """Datagrams that nobody wants, until cancelled."""
    chance = random.Random(f"{seed}/rubbish")
    async with line(server, CARRIER) as here:
        while True:
            figures["broken datagrams"] += 1
            here.send(broken(chance))
            await asyncio.sleep(chance.expovariate(per_s))


async def unruly_connections(server: tuple[str, int], seed: int, per_s: float, figures: Counter[str]) -> None:
    """Connections that say nothing, half of something or rubbish, and go; until cancelled."""
    chance = random.Random(f"{seed}/connections")
    while True:
        figures["unruly connections"] += 1
        stream = await Stream.open(server, CARRIER)
        try:
            for _ in range(chance.randrange(3)):
                cut, endless = broken(chance)[:80], b"Content-Length: 9999999\r\n"
                stream.send(chance.choice((b"\r\n\r\n", broken(chance), cut, endless)))
                await asyncio.sleep(chance.choice((0, 0.01, 0.2)))
        finally:
            stream.drop()
        await asyncio.sleep(chance.expovariate(per_s))
