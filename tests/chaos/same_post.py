"""Row seven: the same POST with the same `Idempotency-Key`, several times at once, makes one call."""

import asyncio
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.chaos.phones import Dialog, phones
from tests.chaos.report import Row
from tests.chaos.served import Served, served
from tests.chaos.traffic import CARRIER

__all__ = ["same_post"]

AT_ONCE = 5
PREFIX = "+4673"
BUSY_HERE, OVERLOADED = 486, 503
AGAIN_S = 0.1
TRIES = 100
REST_S = 10.0
POLL_S = 0.05


async def same_post(directory: Path, seed: int, times: int, tell: Callable[[str], None] = lambda _: None) -> list[Row]:
    """So many orders, each sent `AT_ONCE` times at once to a far end that is busy."""
    tell(f"the same POST {AT_ONCE} times at once, {times} times over")
    rang: Counter[str] = Counter()
    faults: list[str] = []
    ids: set[str] = set()

    async def busy(dialog: Dialog) -> None:
        assert dialog.talk.first is not None
        rang[dialog.talk.first.uri.partition(":")[2].partition("@")[0]] += 1
        dialog.refuse(BUSY_HERE)

    async with served(directory / "server") as here, phones(here.sip, CARRIER, busy) as far:
        trunk = {"name": "carrier", "address": f"sip:{CARRIER}:{far.port}", "prefixes": [PREFIX]}
        await here.v1("POST", "/trunks", trunk)
        for number in range(1, times + 1):
            to = f"{PREFIX}{number:07d}"
            answers = await asyncio.gather(*(_post(here, f"{seed}-{number}", to) for _ in range(AT_ONCE)))
            made = {str(answer.get("id")) for answer, _ in answers}
            replayed = sum(again for _, again in answers)
            if len(made) != 1 or replayed != AT_ONCE - 1:
                faults.append(f"{to}: ids {sorted(made)}, {replayed} answers replayed")
            ids |= made
        until = asyncio.get_running_loop().time() + REST_S
        while asyncio.get_running_loop().time() < until:
            if not (await here.counts())["calls"]:
                break
            await asyncio.sleep(POLL_S)
    faults += [f"{to} rang {count} times" for to, count in sorted(rang.items()) if count != 1]
    return [
        Row(
            figure=f"calls of the same POST sent {AT_ONCE} times at once, {times} times over", bar=f"{times} calls",
            found=f"{sum(rang.values())} calls, {len(ids)} ids",
            good=not faults and sum(rang.values()) == len(ids) == times, faults=tuple(faults),
        )
    ]  # fmt: skip


async def _post(here: Served, key: str, to: str) -> tuple[dict[str, Any], bool]:
    """The answer, and whether it was replayed. A server that is busy is asked again, with the same key."""
    for _ in range(TRIES):
        status, made, headers = await here.a1(
            "POST",
            "/calls",
            headers={"Idempotency-Key": key},
            from_="+46101000000",
            to=to,
            voice_start='{"hangup":"busy"}',
        )
        if status != OVERLOADED:
            return (made if status == 200 else {"id": f"{status} {made}"}), "idempotency-replayed" in headers
        await asyncio.sleep(AGAIN_S)
    return {"id": "refused for load"}, False
