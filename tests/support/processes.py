"""What the kernel says of a process: how much of a processor it takes."""

import asyncio
import os
from pathlib import Path

__all__ = ["processor_share", "rests"]

WINDOW_S = 0.3


def _seconds(pid: int) -> float:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


async def processor_share(pid: int) -> float:
    """The part of one processor that a process took in a short while."""
    before = _seconds(pid)
    await asyncio.sleep(WINDOW_S)
    return (_seconds(pid) - before) / WINDOW_S


async def rests(pid: int, within_s: float = 10.0) -> bool:
    """Whether a process comes to rest: takes next to nothing of a processor that others may be using."""
    async with asyncio.timeout(within_s):
        while await processor_share(pid) > 0.05:
            pass
    return True
