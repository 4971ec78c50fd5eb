"""Row four: an engine whose control process is gone for good closes what it records, exits, and leaves nothing."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from tests.chaos.judging import unreadable
from tests.chaos.plans import CALLED, Kind, Plan
from tests.chaos.report import Row, none_of
from tests.chaos.served import engines_of, gone, served
from tests.chaos.traffic import traffic

__all__ = ["orphan"]

CALLS = 6
NOTICE_S = 0.5
"""What the bar does not count: until the kernel has told the engine, and until this looks."""
UP_WITHIN_S = 20.0
RECORDED_S = 1.0


async def orphan(directory: Path, orphan_s: int, tell: Callable[[str], None] = lambda _: None) -> list[Row]:
    """Kill a server in the middle of calls, never start another, and wait for its engine's end."""
    tell(f"the control process is gone for good; engine_orphan_s is {orphan_s}")
    loop = asyncio.get_running_loop()
    async with (
        served(directory / "server", engine_orphan_s=str(orphan_s)) as here,
        traffic(here, seed=1, patience_s=0.0) as run,
    ):
        for index in range(1, CALLS + 1):
            run.begin(_recorded(index))
        for life in run.lives.values():
            while not (life.second and life.second.up_at):
                assert loop.time() - life.begun_at < UP_WITHIN_S, (
                    f"call {life.plan.index} to {CALLED} was not connected"
                )
                await asyncio.sleep(0.02)
        await asyncio.sleep(RECORDED_S)
        engines = engines_of(here.data_dir)
        await here.kill()
        took = await gone(here.data_dir, orphan_s + 10.0)
        recordings = sorted((here.data_dir / "recordings").glob("*"))
        bad = [f"{len(recordings)} recordings of {CALLS}"] if len(recordings) < CALLS else []
        bad += [f"{path.name} is empty" for path in recordings if path.stat().st_size < RECORDED_S * 8000]
        bad += unreadable(here.data_dir / "recordings", now_wall=time.time())
    left = engines_of(here.data_dir)
    return [
        Row(
            figure="the engine after its control process is gone for good", bar=f"gone within {orphan_s} s",
            found="still there" if took is None else f"gone after {took:.2f} s",
            # Not much sooner either: a server that comes back within the time finds its calls.
            good=len(engines) == 1 and took is not None and orphan_s - NOTICE_S <= took <= orphan_s + NOTICE_S,
        ),
        none_of("recordings it had to close, unreadable", "bad", {"bad": bad}),
        Row(figure="engines left behind", bar="0", found=str(len(left)), good=not left),
    ]  # fmt: skip


def _recorded(index: int) -> Plan:
    """A long bridge with somebody who speaks, recorded."""
    return Plan(
        index=index, kind=Kind.BRIDGE, ordered=False, loud=False, told=True, kept=True, lasts_s=600, by_caller=True,
        rings_s=0.0, key="1",
    )  # fmt: skip
