"""What belongs to nothing is ended when it is seen twice; what is in order is left alone."""

import asyncio
from typing import Any, cast

from tests.support.indoors import Exchange, exchange
from tests.support.sip_party import DEADLINE_S

from offhook.call.commands import LegId
from offhook.media import commands as engine
from offhook.runtime.sip_leg import LegState
from offhook.runtime.watchdog import Watchdog
from offhook.sip import events as sip
from offhook.storage.store import Storage


class Line:
    """The engine's process, with a session of nobody's."""

    def __init__(self, x: Exchange, *sessions: int) -> None:
        self.x = x
        self.more = {engine.SessionId(each) for each in sessions}
        self.sent: list[engine.Command] = []

    @property
    def sessions(self) -> frozenset[engine.SessionId]:
        return frozenset(engine.SessionId(each) for each in self.x.line.open) | self.more

    def send(self, command: engine.Command) -> None:
        self.sent.append(command)


def watchdog(x: Exchange, line: Line) -> Watchdog:
    return Watchdog(live=x.board.live, services=x.services, driver=x.driver, line=cast(Any, line))


async def answered(x: Exchange) -> None:
    """One call that lasts."""
    x.dial('{"ivr":"http://127.0.0.1:9/none.wav","digits":2,"timeout":30}')
    await x.far_answers()
    live = x.board.live[x.only_call]
    async with asyncio.timeout(DEADLINE_S):
        while live.legs[LegId(0)].state is not LegState.ANSWERED:
            await x.line.more()


async def test_what_is_in_order_is_left_alone(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        line = Line(x)
        dog = watchdog(x, line)
        assert (dog.look(), dog.look(), line.sent) == (0, 0, [])
        x.board.hang_up(x.only_call)
        await x.over()
        assert (dog.look(), dog.look()) == (0, 0)


async def test_a_session_of_the_engine_that_is_nobodys_is_closed_at_the_second_look(storage: Storage) -> None:
    async with exchange(storage) as x:
        line = Line(x, 99)
        dog = watchdog(x, line)
        assert dog.look() == 0
        assert dog.look() == 1
        assert line.sent == [engine.CloseSession(session=engine.SessionId(99))]


async def test_a_call_that_was_lost_leaves_no_party_and_no_sound(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        live = x.board.live.pop(x.only_call)
        line = Line(x)
        dog = watchdog(x, line)
        assert dog.look() == 0
        assert dog.look() == 2
        await x.far.wait(sip.RemoteHungUp)
        assert line.sent == [engine.CloseSession(session=live.legs[LegId(0)].media.session)]
        assert not any(x.services.media.counts().values())


async def test_a_call_without_a_party_is_over(storage: Storage) -> None:
    async with exchange(storage) as x:
        await answered(x)
        live = x.board.live[x.only_call]
        live.legs[LegId(0)].state = LegState.ENDED
        live.call.poll_deadline = lambda: None  # type: ignore[method-assign]
        dog = watchdog(x, Line(x))
        assert dog.look() == 0
        assert dog.look() > 0
        assert not x.board.live
        row = await x.row(live.id)
        assert (row.state, row.cause) == ("failed", "internal_error")
        assert "call.watchdog" in [kind for kind, _ in await x.timeline(live.id)]
