"""Far ends that have not answered a BYE are kept until they have, by this server or the next."""

import asyncio
import json
from collections.abc import Callable
from typing import Any

from tests.support.indoors import exchange
from tests.support.sip_party import DEADLINE_S

from offhook.runtime.leaving import FACT, sessions_in
from offhook.runtime.sip_leg import LegState
from offhook.sip.commands import SessionId
from offhook.storage.facts import Fact
from offhook.storage.store import Storage


async def facts(storage: Storage) -> list[Fact]:
    await storage.writer.flush()
    return [fact for fact in await storage.read(storage.facts.load) if fact.kind == FACT]


async def test_a_bye_is_kept_until_it_is_answered(storage: Storage) -> None:
    async with exchange(storage) as x:
        view = x.dial('{"play":"http://127.0.0.1:9/none.wav"}')
        live = x.board.live[view.id]
        await x.far_answers()
        (leg,) = live.legs.values()
        while leg.state is not LegState.ANSWERED:
            await x.line.more()
        held: list[Callable[[], None]] = []
        x.driver.hold = lambda say, **_: held.append(say)
        x.board.hang_up(view.id)
        assert await x.board.drained(DEADLINE_S)
        leaving = x.services.leaving
        (kept,) = await facts(storage)
        assert (kept.key, kept.data["sessions"]) == (view.id, [leg.session])
        assert kept.data["sip"][0]["sessions"][0]["phase"] == "leaving"
        answered = asyncio.Event()
        told = x.services.legs.on_ended

        def ended(session: SessionId) -> None:
            told(session)
            answered.set()

        x.services.legs.on_ended = ended
        for say in held:
            say()
        await asyncio.wait_for(answered.wait(), DEADLINE_S)
        assert len(leaving) == 0
        assert await facts(storage) == []


async def test_one_of_an_earlier_server_is_dropped_when_its_far_ends_have_answered(storage: Storage) -> None:
    async with exchange(storage) as x:
        data: dict[str, Any] = {"sessions": ["a", "b"], "sip": [{"version": 1}, {"version": 1}]}
        fact = Fact(kind=FACT, key="c1", version=1, data=json.loads(json.dumps(data)))
        assert len(sessions_in(fact.data)) == 2
        storage.facts.save(fact)
        leaving = x.services.leaving
        leaving.restore(fact)
        leaving.ended(SessionId("a"))
        leaving.ended(SessionId("nobody's"))
        assert len(leaving) == 1
        assert await facts(storage) == [fact]
        leaving.ended(SessionId("b"))
        assert len(leaving) == 0
        assert await facts(storage) == []
