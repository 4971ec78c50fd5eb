"""Calls that were promised: found live, found over, or recorded as failed."""

from datetime import UTC, datetime

from tests.support.rest_cases import MAIN, World

from offhook.flow.program import Document
from offhook.flow.view import CallId, CallState
from offhook.web.placing import brief_view, placed_before
from offhook.web.port import CallOrder

CALL = CallId("c" * 32)
ORDER = CallOrder(
    owner=MAIN,
    from_="+46100000001",
    to="+46700000002",
    start=Document(url="https://app.example/"),
    dialect="elks",
    id=CALL,
)


async def test_a_live_call_an_ended_one_and_none(world: World) -> None:
    assert await placed_before(world.board, world.storage, CALL) is None
    await world.board.place_call(ORDER)
    live = await placed_before(world.board, world.storage, CALL)
    assert live is not None
    assert (live.id, live.state) == (CALL, "ongoing")
    await world.board.hang_up(CALL)
    ended = await placed_before(world.board, world.storage, CALL)
    assert ended is not None
    assert (ended.state, ended.cause) == ("failed", "cancelled")


async def test_a_call_given_up_is_there_as_failed(world: World) -> None:
    made = await world.board.give_up(ORDER)
    assert (made.id, made.state) == (CALL, CallState.FAILED)
    found = await placed_before(world.board, world.storage, CALL)
    assert found is not None
    view = brief_view(found)
    assert (view.id, view.state, view.from_, view.to) == (CALL, CallState.FAILED, "+46100000001", "+46700000002")
    assert view.created <= datetime.now(UTC)
