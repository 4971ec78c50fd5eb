"""What parties of a room do: come when they are due, talk, leave, and let go where those they were to meet are lost."""

import asyncio
import contextlib
from collections.abc import Callable

from tests.chaos.lives import Life
from tests.chaos.phones import Dialog
from tests.chaos.plans import Kind, Role
from tests.chaos.sound import Sound

__all__ = ["COMES_WITHIN_S", "in_room", "until_due"]

COMES_WITHIN_S = 40.0
"""For an order to be answered and a phone to ring, the absence of a server aside."""
LOOKS_EVERY_S = 0.5
"""A party that never comes says nothing: who waits for it looks by the clock."""
STAYS_ON_S = 0.5
"""Who waited while others talked hangs up so long after them."""


async def until_due(life: Life, patience_s: float) -> None:
    """Wait until it is a party's turn to call. In a queue that is so long after the one before it has come: who came
    first must be certain."""
    assert life.meeting is not None
    lives = life.meeting.lives
    before = lives.index(life) - 1
    if life.plan.kind is Kind.QUEUE and before >= 0:
        loop = asyncio.get_running_loop()
        until = loop.time() + COMES_WITHIN_S + patience_s
        while not lives[before].came(loop.time()) and loop.time() < until:
            life.meeting.moved.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(life.meeting.moved.wait(), LOOKS_EVERY_S)
    await asyncio.sleep(life.plan.comes_s)


async def in_room(life: Life, dialog: Dialog, sound: Sound, patience_s: float) -> None:
    """A party that is connected: to its end."""
    meeting, made = life.meeting, life.plan
    assert meeting is not None
    loop = asyncio.get_running_loop()
    meeting.tell()
    leader = meeting.leader
    if made.leads or made.role is Role.LEAVER:
        await _until(dialog, lambda: meeting.all_came(loop.time()), COMES_WITHIN_S + patience_s)
        await dialog.until_over(made.lasts_s)
    elif made.role is Role.SECOND:
        others = [other for other in meeting.lives if other is not life]
        await _until(
            dialog,
            lambda: all(other.over or other.lost(loop.time()) for other in others),
            2 * COMES_WITHIN_S + made.lasts_s + patience_s,
        )
        await dialog.until_over(STAYS_ON_S)
    else:
        await _until(
            dialog,
            lambda: leader.over or leader.lost(loop.time()),
            2 * COMES_WITHIN_S + made.lasts_s + patience_s,
        )
        # Let go, now that it is over; or, where nobody left who would end it, by itself.
        await dialog.until_over(patience_s / 2 if _hung_up(leader) else made.lasts_s)
    if not dialog.over:
        await dialog.hang_up()
    sound.hush()
    meeting.tell()


def _hung_up(leader: Life) -> bool:
    """Whether who ends the room did so, and was not lost or ended by the server after a kill."""
    return leader.first is not None and leader.up and bool(leader.first.bye_at)


async def _until(dialog: Dialog, done: Callable[[], bool], within_s: float) -> None:
    """Wait for something of the others, or the end of this one."""
    loop = asyncio.get_running_loop()
    until = loop.time() + within_s
    while not (dialog.over or done()) and loop.time() < until:
        await dialog.until(lambda: dialog.over or done(), LOOKS_EVERY_S)
