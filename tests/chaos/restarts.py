"""Row five: how long a restart takes, of a server that is idle and of one with hundreds of calls to restore."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from statistics import median

from tests.chaos.plans import Kind, Plan
from tests.chaos.report import Row
from tests.chaos.served import served
from tests.chaos.traffic import Traffic, traffic

__all__ = ["restarts"]

IDLE_BAR_S, LOADED_BAR_S = 1.5, 3.0
RATE = 25.0
SETTLED_S = 1.0
UP_WITHIN_S = 30.0
POLL_S = 0.1


async def restarts(directory: Path, calls: int, times: int, tell: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Kill and start: so many times with nothing to do, then once with so many calls that hear a sound."""
    tell(f"restart to `ready`: idle, then with {calls} calls")
    async with served(directory / "server", engine_orphan_s="60") as here:
        idle = []
        for _ in range(times):
            await here.kill()
            idle.append(await here.start())
        async with traffic(here, seed=1, patience_s=0.0) as run:
            up = await _fill(run, calls)
            await asyncio.sleep(SETTLED_S)
            await here.kill()
            loaded = await here.start()
            restored = (await here.counts())["calls"]
            await here.kill(engine=True)
    spread = f"median of {times}, {min(idle):.2f} to {max(idle):.2f} s"
    return [
        Row(
            figure="restart of an idle server to `ready`",
            bar=f"{IDLE_BAR_S} s", found=f"{median(idle):.2f} s ({spread})",
            good=median(idle) <= IDLE_BAR_S,
        ),
        Row(
            figure=f"restart with {up} calls to restore to `ready`", bar=f"{LOADED_BAR_S:.0f} s",
            found=f"{loaded:.2f} s, {restored} calls restored",
            good=loaded <= LOADED_BAR_S and restored == up >= 0.9 * calls,
        ),
    ]  # fmt: skip


async def _fill(run: Traffic, calls: int) -> int:
    """Callers that hear a long sound; how many came to hear it."""
    loop = asyncio.get_running_loop()
    for index in range(1, calls + 1):
        run.begin(_listening(index))
        await asyncio.sleep(1 / RATE)
    until = loop.time() + UP_WITHIN_S

    def waiting() -> int:
        return sum(1 for life in run.lives.values() if life.first is None or not (life.first.up_at or life.first.over))

    while loop.time() < until:
        if not waiting():
            break
        await asyncio.sleep(POLL_S)
    return sum(1 for life in run.lives.values() if life.first is not None and life.first.up_at)


def _listening(index: int) -> Plan:
    return Plan(
        index=index, kind=Kind.PROMPT, ordered=False, loud=False, told=True, kept=False, lasts_s=300, by_caller=True,
        rings_s=0.0, key="1",
    )  # fmt: skip
