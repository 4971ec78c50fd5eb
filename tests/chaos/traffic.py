"""Calls by lot at an even rate, each carried through by its far ends as its plan says, whatever becomes of the server.

What is seen of each call is kept in its `Life`; whether that is as it should be is decided in `judging.py`. What
parties of a room do is in `parties.py`.
"""

import asyncio
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

import aiohttp
from tests.chaos.customer import Customer, customer
from tests.chaos.lives import Life, Meeting
from tests.chaos.meetings import ALL_STAGES, didml_document, meeting, waiting_document
from tests.chaos.parties import in_room, until_due
from tests.chaos.phones import Dialog, Phones, phones
from tests.chaos.plans import CALLED, ORDERED, Kind, Plan, Span, document, plan
from tests.chaos.served import Served
from tests.chaos.sound import Sound, ticking
from tests.chaos.tones import tone_packet

__all__ = ["CARRIER", "DIDML_SHARE", "NUMBER", "Traffic", "traffic"]

CARRIER = "127.0.1.1"
NUMBER = "+46101234567"
DIDML_NUMBER = "+46101234568"
SHOWN = "+46101000000"
"""What calls that are ordered show."""
DIDML_SHARE = 0.1
ORDERING_S = 60.0
ORDER_AGAIN_S = 0.25
BUSY = 503


@dataclass(slots=True)
class Traffic:
    """Everybody outside the server."""

    served: Served
    seed: int
    span: Span
    loud_at_once: int
    patience_s: float
    """How long after its plan a call may still last before its far ends let go."""
    customer: Customer
    phones: Phones
    didml_share: float = DIDML_SHARE
    """How often what begins is a call, or several who meet, that speak didML."""
    lives: dict[str, Life] = field(default_factory=dict)
    """By the number of the first far end."""
    by_index: dict[int, Life] = field(default_factory=dict)
    orders: set[asyncio.Task[None]] = field(default_factory=set)

    @property
    def loud(self) -> int:
        """Calls under way that are listened to."""
        return sum(1 for life in self.lives.values() if life.plan.loud and any(not d.over for d in life.legs.values()))

    async def offer(self, rate: float, seconds: float) -> None:
        """Begin calls at an even rate for so long."""
        loop = asyncio.get_running_loop()
        due = loop.time()
        until = due + seconds
        while due < until:
            await asyncio.sleep(max(0.0, due - loop.time()))
            due += self.begin_next() / rate

    def begin_next(self) -> int:
        """Begin what the seed has next; how many calls that is."""
        index = len(self.lives) + 1
        loud_share = 1.0 if self.loud < self.loud_at_once else 0.0
        plans = meeting(self.seed, index, self.span, self.didml_share, loud_share)
        if not plans:
            self.begin(plan(self.seed, index, self.span, loud_share))
        elif len(plans) == 1:
            self.begin(plans[0])
        else:
            self._meet(plans)
        return max(1, len(plans))

    def begin(self, made: Plan) -> Life:
        """Begin a call of its own."""
        life = self._note(made)
        self._spawn(self._come(life))
        return life

    def _meet(self, plans: tuple[Plan, ...]) -> None:
        """Begin calls of several who meet; each comes when it is due."""
        met = Meeting(tuple(self._note(made) for made in plans))
        for life in met.lives:
            life.meeting = met
            self._spawn(self._come(life))

    def _note(self, made: Plan) -> Life:
        life = Life(made, asyncio.get_running_loop().time())
        self.lives[made.number] = self.by_index[made.index] = life
        return life

    async def _come(self, life: Life) -> None:
        if life.meeting is not None:
            await until_due(life, self.patience_s)
            life.begun_at = asyncio.get_running_loop().time()
        await (self._order(life) if life.plan.ordered else self._call(life))

    async def rest(self, within_s: float) -> bool:
        """Wait until every far end is done. False: some are not."""
        until = asyncio.get_running_loop().time() + within_s
        while self.phones.tasks or self.orders:
            left = until - asyncio.get_running_loop().time()
            if left <= 0:
                return False
            await asyncio.wait(self.phones.tasks | self.orders, timeout=left, return_when=asyncio.FIRST_COMPLETED)
        return True

    # ── how calls begin ──────────────────────────────────────────────────────────────────────────────────────────

    async def _call(self, life: Life) -> None:
        """Somebody calls our number."""
        sound = self._sound(life, "first", speaks=life.plan.kind is Kind.RECORD or life.plan.kept)
        number = DIDML_NUMBER if life.plan.didml else NUMBER
        life.legs["first"] = dialog = self.phones.calling(number, life.plan.number, sound.open())
        try:
            status = await dialog.place()
            life.busy = status == BUSY
            if status == 200:
                sound.towards(dialog.answer)
                await self._first_party(life, dialog, sound)
        finally:
            sound.close()
            _tell(life)

    async def _order(self, life: Life) -> None:
        """The customer asks for a call, again with the same key until it is told that there is one."""
        loop = asyncio.get_running_loop()
        while loop.time() - life.begun_at < ORDERING_S + self.patience_s:
            try:
                status, made = await self._ordered(life)
            except (aiohttp.ClientError, TimeoutError, OSError):
                life.unanswered += 1
                await asyncio.sleep(ORDER_AGAIN_S)
                continue
            if status == 200:
                life.ordered_at, life.call_id = loop.time(), made["callSid" if life.plan.didml else "id"]
                return
            if status == BUSY:
                life.busy = True
                _tell(life)
                return
            # 409: the first try is still being answered.
            assert status == 409, f"an order: {status} {made}"
            await asyncio.sleep(ORDER_AGAIN_S)

    async def _ordered(self, life: Life) -> tuple[int, Any]:
        """One try to order a call; the same one each time."""
        made, base = life.plan, self.customer.url
        key = {"Idempotency-Key": f"{self.seed}-{made.index}"}
        if made.didml:
            return await self.served.didforsale(
                key, from_=SHOWN, to=made.number, url=f"{base}/start", statusCallback=f"{base}/stage/{made.number}",
                statusCallbackEvent=",".join(ALL_STAGES),
            )  # fmt: skip
        fields: dict[str, str] = {"whenhangup": f"{base}/bye/{made.number}"} if made.told else {}
        status, answer, _ = await self.served.a1(
            "POST", "/calls", headers=key, voice_start=f"{base}/start", from_=SHOWN, to=made.number, timeout=40,
            **fields,
        )  # fmt: skip
        return status, answer

    async def answer(self, dialog: Dialog) -> None:
        """Somebody is called by the server."""
        assert dialog.talk.first is not None
        number = dialog.talk.first.uri.partition(":")[2].partition("@")[0]
        first = number.startswith(ORDERED)
        life = self.lives.get(number) if first else self.by_index.get(int(number[len(CALLED) :]))
        assert life is not None, f"nobody has {number}"
        leg = "first" if first else "second"
        if leg in life.legs:
            life.twice += 1
        plan_ = life.plan
        sound = self._sound(life, leg, speaks=plan_.kind is Kind.RECORD or plan_.kept)
        life.legs[leg] = dialog
        dialog.describe(sound.open())
        try:
            dialog.ring()
            if await dialog.until_over(plan_.rings_s) or not await dialog.pick_up():
                return
            sound.towards(dialog.answer)
            await (self._first_party if first else self._second_party)(life, dialog, sound)
        finally:
            sound.close()
            _tell(life)

    # ── what parties do ──────────────────────────────────────────────────────────────────────────────────────────

    async def _first_party(self, life: Life, dialog: Dialog, sound: Sound) -> None:
        made = life.plan
        match made.kind:
            case Kind.GATHER:
                if not await dialog.until_over(made.lasts_s):
                    sound.press(made.key)
                    life.pressed_at = asyncio.get_running_loop().time()
            case Kind.BRIDGE if made.by_caller:
                # The talk begins when the other has answered.
                await dialog.until(lambda: dialog.over or _talks(life), 40.0 + self.patience_s)
                await self._talk(dialog, sound, made)
            case Kind.CONFERENCE | Kind.QUEUE:
                await in_room(life, dialog, sound, self.patience_s)
                return
            case _:
                pass
        await dialog.until_over(made.lasts_s + self.patience_s)

    async def _second_party(self, life: Life, dialog: Dialog, sound: Sound) -> None:
        if life.first is not None:
            life.first.changed.set()
        if not life.plan.by_caller:
            await self._talk(dialog, sound, life.plan)
        await dialog.until_over(life.plan.lasts_s + self.patience_s)

    async def _talk(self, dialog: Dialog, sound: Sound, made: Plan) -> None:
        if not await dialog.until_over(made.lasts_s):
            await dialog.hang_up()
            sound.hush()

    def _sound(self, life: Life, leg: str, *, speaks: bool) -> Sound:
        loud, kind = life.plan.loud, life.plan.kind
        talks = loud and kind in (Kind.BRIDGE, Kind.CONFERENCE, Kind.QUEUE)
        tone = tone_packet(life.plan.tone) if loud and kind is Kind.CONFERENCE else b""
        made = Sound(CARRIER, hears=loud, speaks=speaks or talks, tone=tone)
        life.sounds[leg] = made
        return made

    def _spawn(self, script: Coroutine[Any, Any, None]) -> None:
        task = asyncio.get_running_loop().create_task(script)
        self.orders.add(task)
        task.add_done_callback(self.orders.discard)


def _tell(life: Life) -> None:
    """Who waits for it at its meeting looks again."""
    if life.meeting is not None:
        life.meeting.tell()


def _talks(life: Life) -> bool:
    return life.second is not None and bool(life.second.up_at)


def _document(made: Plan, base: str) -> dict[str, Any] | str:
    return didml_document(made, base) if made.didml else document(made, base)


@asynccontextmanager
async def traffic(
    served: Served,
    *,
    seed: int,
    span: Span | None = None,
    loud_at_once: int = 12,
    patience_s: float = 30.0,
    didml_share: float = DIDML_SHARE,
) -> AsyncIterator[Traffic]:
    """A customer, a carrier with everybody behind it, and our number, at a server that has just started."""
    made: list[Traffic] = []

    async def answering(dialog: Dialog) -> None:
        await made[0].answer(dialog)

    async with (
        customer(
            lambda number, base: _document(made[0].lives[number].plan, base),
            lambda number, base: waiting_document(made[0].lives[number].plan, base),
        ) as application,
        phones(served.sip, CARRIER, answering) as far,
        ticking(),
    ):
        trunk = {"name": "carrier", "address": f"sip:{CARRIER}:{far.port}", "prefixes": [CALLED, ORDERED]}
        await served.v1("POST", "/trunks", trunk | {"from_addresses": [f"{CARRIER}/32"]})
        number = {"number": NUMBER, "trunk": "carrier", "voice_start": f"{application.url}/start"}
        await served.v1("POST", "/numbers", number)
        await served.v1("POST", "/numbers", number | {"number": DIDML_NUMBER, "dialect": "didml"})
        around = Traffic(
            served, seed, span or Span(), loud_at_once, patience_s, customer=application, phones=far,
            didml_share=didml_share,
        )  # fmt: skip
        made.append(around)
        try:
            yield made[0]
        finally:
            for task in made[0].orders:
                task.cancel()
            await asyncio.gather(*made[0].orders, return_exceptions=True)
