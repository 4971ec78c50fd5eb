"""The wall clock is set while calls run, by hours and days, forward and back. See docs/howto/unwell.md.

libfaketime stands between the server and `clock_gettime`, and tells it another wall clock from one moment to the next;
the monotonic clock is left alone, as a machine leaves it whose clock is set.
"""

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from aiohttp import web
from tests.restart.outage import killed_and_started, tone, wav
from tests.support.asgi import basic
from tests.support.customer import Customer
from tests.support.line import Line, line_on, pairs
from tests.support.server import server
from tests.support.sip_party import Party, party
from tests.unwell.running import no_hole, somebody_talks

from offhook.runtime.sip_driver import now
from offhook.sip import events as sip
from offhook.sip.commands import Account, RegistrationOrder
from offhook.sip.headers.name_addr import NameAddr
from offhook.sip.uri import Uri

HOUR_S, DAY_S = 3600, 86_400
PHONE = "+460012345"
LIBRARIES = ("/usr/lib/*/faketime/libfaketimeMT.so.1", "/usr/lib64/faketime/libfaketimeMT.so.1")
MENU_WAITS_S = 3.0
NOTICED_WITHIN_S = 15.0
TAKEN_WITHIN_S = 10.0
WRITTEN_ANEW_S = 1.5
"""What is promised, and a little for a busy machine: a second before a crash nothing is."""


@dataclass(slots=True)
class Clock:
    """The server's wall clock."""

    file: Path
    log: Path

    async def set_by(self, seconds: int) -> None:
        """Set it, by so much from the right time; the server has noticed when this returns."""
        seen = self.log.read_text().count("clock.set")
        draft = self.file.with_suffix(".draft")
        draft.write_text(f"{seconds:+d}\n")
        draft.replace(self.file)
        async with asyncio.timeout(NOTICED_WITHIN_S):
            while self.log.read_text().count("clock.set") == seen:  # noqa: ASYNC110 - a log tells nobody
                await asyncio.sleep(0.05)


@pytest_asyncio.fixture
async def set_clock(app: Customer, tmp_path: Path) -> AsyncIterator[tuple[Line, Clock]]:
    found = [path for pattern in LIBRARIES for path in Path("/").glob(pattern.removeprefix("/"))]
    if not found:
        pytest.skip("libfaketime is not installed (make peers), so a clock that is set was NOT tested")
    clock = Clock(tmp_path / "clock", tmp_path / "server.log")
    clock.file.write_text("+0\n")
    faked = ("env", f"LD_PRELOAD={found[0]}", f"FAKETIME_TIMESTAMP_FILE={clock.file}", "FAKETIME_CACHE_DURATION=1")
    async with (
        server(
            tmp_path / "data",
            started_by=(*faked, "FAKETIME_DONT_FAKE_MONOTONIC=1"),
            log_path=clock.log,
            delivery_retry_s="0.5",
            engine_orphan_s="30",
        ) as running,
        line_on(running, app) as line,
    ):
        yield line, clock


def told(line: Line, path: str) -> dict[str, str]:
    """What a post that came once said."""
    (hook,) = line.got(path)
    return dict(pairs(hook))


@pytest.mark.parametrize("jump_s", [2 * DAY_S, -2 * HOUR_S], ids=["forward", "back"])
async def test_the_clock_is_set(set_clock: tuple[Line, Clock], jump_s: int) -> None:
    line, clock = set_clock
    long = json.dumps({"play": line.serve("/long.wav", wav(tone(700, 40.0)))})
    line.on("/chose", web.Response(status=500), web.Response(status=500), "")
    menu = {"ivr": "sound/dialtone", "timeout": MENU_WAITS_S, "repeat": 1, "next": line.on("/menu", "")}
    key = {"Idempotency-Key": "once", **basic(line.account, line.secret)}
    ordered = {"from": line.number, "to": line.far(), "voice_start": long, "timeout": "60"}
    ordered["whenhangup"] = line.on("/rang", "")
    async with somebody_talks(line, whenhangup=line.on("/talked", "")) as talking:
        listening, listener = await talking.listens(line, long, whenhangup=line.on("/listened", ""))
        status, placed = await _posted(line, key, ordered)
        assert status == 200
        ringing = await line.rings()
        ringing.ring()
        choosing, chooser = await line.talks(menu, whenhangup=line.url("/chose"))
        waits_since = time.monotonic()
        await clock.set_by(jump_s)

        # A call that rings rings on, and is answered; the same order is the same call.
        assert await _posted(line, key, ordered) == (200, placed)
        await ringing.pick_up()
        answered_at = time.monotonic()
        # A menu waits as long as it should; its post is tried as soon as it should.
        await line.hook("/menu", within_s=MENU_WAITS_S + 3)
        assert time.monotonic() - waits_since > MENU_WAITS_S - 0.5
        await chooser.hung_up()
        await line.hook("/chose", 3, within_s=5)
        talking.nobody_missed_anything()
        await clock.set_by(0)
        await ringing.hang_up()
        lasted = time.monotonic() - answered_at
        await line.hook("/rang")
        await listener.bye()
        listened = await line.over(listening)
        await line.until_ready()
    assert abs(int(told(line, "/rang")["duration"]) - lasted) <= 1.0
    for call in (placed["id"], choosing, listening):
        shown = await line.over(call)
        assert shown["state"] == "success"
        assert 0 <= shown["duration"] < 30
        assert shown["created"] <= shown["start"]
        assert "call.watchdog" not in await no_hole(line, call)
    assert listened["duration"] >= 3
    assert len({hook.headers["webhook-id"] for hook in line.got("/chose")}) == 1


async def test_a_restart_after_the_clock_was_set(set_clock: tuple[Line, Clock]) -> None:
    """Deadlines that were kept by a clock that was wrong are kept anew when it is set right; a phone that registered
    for an hour is reached all the while.
    """
    async with party() as phone:
        await _goes_on(*set_clock, phone)


async def _goes_on(line: Line, clock: Clock, phone: Party) -> None:
    await _registers(line, phone)
    menu = {"ivr": "sound/dialtone", "timeout": 60, "next": line.on("/key", {"hangup": "reject"})}
    choosing, chooser = await line.talks(menu, whenhangup=line.on("/chose", ""))
    async with somebody_talks(line, whenhangup=line.on("/talked", "")) as talking:
        for jump_s in (6 * HOUR_S, -6 * HOUR_S):
            await clock.set_by(jump_s)
            await _rings(line, phone)
            await asyncio.sleep(WRITTEN_ANEW_S)
            await killed_and_started(line)
            await line.until_ready()
            await _rings(line, phone)
            talking.nobody_missed_anything()
        assert (await line.call(choosing))["state"] == "ongoing"
        await chooser.voice.press("4")
        assert dict(pairs(await line.hook("/key")))["result"] == "4"
        await chooser.hung_up()
    await line.hook("/talked")
    await line.hook("/chose")
    assert 0 < int(told(line, "/chose")["duration"]) < 40
    await no_hole(line, choosing)


async def _registers(line: Line, phone: Party) -> None:
    _, made = await line.server.v1("POST", "/phones", {"number": PHONE, "account": line.account})
    host, port = line.server.sip["udp"]
    user = PHONE.removeprefix("+")
    order = RegistrationOrder(
        registrar=Uri.sip(None, made["domain"]),
        aor=NameAddr(uri=Uri.sip(user, made["domain"])),
        account=Account(username=user, password=made["secret"]),
        routes=(Uri.parse(f"sip:{host}:{port};lr"),),
    )
    phone.endpoint.register(order, now())
    phone.say()
    while (await phone.wait(sip.RegistrationChanged)).state is not sip.RegistrationState.REGISTERED:
        pass


async def _rings(line: Line, phone: Party) -> None:
    """A call comes to the phone, which is busy."""
    await line.place(to=PHONE, voice_start='{"hangup":"reject"}')
    invite = await phone.wait(sip.IncomingInvite)
    phone.endpoint.reject(invite.session, 486, now())
    phone.say()


async def _posted(line: Line, headers: dict[str, str], form: dict[str, str]) -> tuple[int, Any]:
    """An order under a key; one that is refused for load has made nothing, and is given again."""
    async with asyncio.timeout(TAKEN_WITHIN_S):
        while True:
            async with line.server.session.post(f"{line.server.http}/a1/calls", data=form, headers=headers) as answer:
                if answer.status != 503:
                    return answer.status, await answer.json()
            await asyncio.sleep(0.1)
