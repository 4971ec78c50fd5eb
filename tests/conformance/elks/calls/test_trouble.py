"""What breaks under a server while calls run: the database locked by somebody else, a disk that takes no recording, the
media engine killed. Each case has a server of its own to break.
"""

import asyncio
import json
import os
import signal
import sqlite3
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio
from tests.support.customer import Customer
from tests.support.line import Line, line_on, pairs
from tests.support.server import Server, server
from tests.support.sound_checks import find, read_wav, voice
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(loop_scope="session")
async def doomed(tmp_path: Path) -> AsyncIterator[Server]:
    """A server that nobody else needs."""
    async with server(tmp_path / "data", delivery_retry_s="0.3", webhook_timeout_s="3") as running:
        yield running


@pytest_asyncio.fixture(loop_scope="session")
async def line(doomed: Server, application: Customer) -> AsyncIterator[Line]:
    async with line_on(doomed, application) as made:
        yield made


def engine_pid(running: Server) -> int:
    """The media engine: a child of the server."""
    root = Path("/proc") / str(running.process.pid)
    children = (root / "task" / root.name / "children").read_text().split()
    (engine,) = [int(pid) for pid in children if "offhook-media" in (Path("/proc") / pid / "cmdline").read_text()]
    return engine


@topic("trouble")
async def test_locked_database(line: Line, doomed: Server) -> None:
    """While another program locks the database calls run and new ones come; afterwards everything is in the records."""
    with sqlite3.connect(doomed.data_dir / "offhook.db", isolation_level=None) as other:
        cid, party = await line.talks(
            {"ivr": "sound/dialtone", "timeout": 5, "next": line.on("/next", {"play": "sound/beep"})},
            whenhangup=line.on("/end", ""),
        )
        await line.runs(line.on("/start", {"hangup": "busy"}))
        other.execute("BEGIN EXCLUSIVE")
        try:
            await party.voice.press("4")
            await line.hook("/next", within_s=2)
            await party.voice.hears_tone(1000.0)
            await party.hung_up()
            incoming = line.peer.invite(line.number, (await line.voice()).sdp)
            await incoming.refused(486, within_s=3)
            status, answer = await line.a1("GET", f"/calls/{cid}")
            assert status in (200, 503), answer
            status, answer = await line.a1(
                "POST", "/calls", from_=line.number, to=line.far(), voice_start='{"hangup":"reject"}'
            )
            assert status in (200, 503), answer
            assert "Traceback" not in str(answer)
            if status == 200:
                second = await line.rings()
                await second.pick_up()
                await second.hung_up()
        finally:
            other.execute("ROLLBACK")
    await line.hook("/end")
    shown = await line.over(cid)
    assert [action["result"] for action in shown["actions"]] == ["4", "ok"]
    kinds = [event["kind"] for event in await line.timeline(cid)]
    assert {"call.begun", "leg.answered", "verb.ended", "call.ended"} <= set(kinds)
    assert len((await line.ok("GET", "/calls"))["data"]) == (3 if status == 200 else 2)


@topic("trouble")
async def test_database_locked_for_long(line: Line, doomed: Server) -> None:
    """After some seconds new calls of both directions are refused with 503 and the reason; what ran goes on, nothing is
    lost, and calls are taken again by themselves.
    """
    end = line.on("/end", "")
    start = {"ivr": "sound/dialtone", "timeout": 60, "next": line.on("/next", {"play": "sound/beep"})}
    cid, party = await line.talks(start, whenhangup=end)
    order = {"from_": line.number, "to": line.far(), "voice_start": '{"hangup":"reject"}'}
    await line.runs(line.on("/start", {"hangup": "busy"}))
    with sqlite3.connect(doomed.data_dir / "offhook.db", isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        try:
            await line.peer.invite(line.number, (await line.voice()).sdp).refused(486)
            await line.until_unready()
            status, why = await line.a1("POST", "/calls", **order)
            assert status == 503, why
            assert "storage cannot write" in why
            await line.peer.invite(line.number, (await line.voice()).sdp).refused(503)
            await party.voice.press("4")
            await party.voice.hears_tone(1000.0)
            await party.hung_up()
        finally:
            other.execute("ROLLBACK")
    await line.until_ready()
    await line.hook("/end")
    assert [action["result"] for action in (await line.over(cid))["actions"]] == ["4", "ok"]
    status, made = await line.a1("POST", "/calls", **order)
    assert status == 200, made
    last = await line.rings()
    await last.pick_up()
    await last.hung_up()


@topic("trouble")
async def test_disk_that_takes_no_files(line: Line, doomed: Server) -> None:
    """A recording that cannot be written makes its action fail; the call goes on, and sounds are heard all the same."""
    for folder in (doomed.data_dir / "recordings", doomed.data_dir / "sound"):
        folder.rmdir()
        folder.symlink_to("/dev/full")
    start = {"record": line.on("/rec", ""), "next": line.on("/next", {"play": "sound/beep"})}
    cid, party = await line.talks(start, whenhangup=line.on("/end", ""))
    fields = dict(pairs(await line.hook("/next")))
    assert fields["result"] == "failed"
    await party.voice.hears_tone(1000.0)
    await party.hung_up()
    await line.hook("/end")
    assert line.got("/rec") == []
    assert "recordings" not in await line.over(cid)
    _, second = await line.talks({"play": "sound/beep", "recordcall": line.url("/rec")})
    await second.voice.hears_tone(1000.0)
    await second.hung_up()


@topic("trouble")
async def test_engine_killed(line: Line, doomed: Server) -> None:
    """The engine dies: its calls go on over another one on the same ports, what was recorded is kept, and who rings
    can still be answered.
    """
    end, rec = line.on("/end", ""), line.on("/rec", "")
    cid, a = await line.talks({"connect": line.far(2), "recordcall": rec}, whenhangup=end)
    b = await line.rings()
    await b.pick_up()
    await line.place(to=line.far(3), voice_start='{"play":"sound/beep"}', whenhangup=end)
    c = await line.rings()
    c.ring()
    said = voice(41, 1.5)
    await a.voice.say(said)
    await b.voice.hears(said[:-1600])
    os.kill(engine_pid(doomed), signal.SIGKILL)
    await line.hook("/rec")
    await line.until_ready()
    # Said again and again: nobody promises that no packet is lost while there is no engine.
    async with asyncio.timeout(20):
        while find(b.voice.sound(), voice(42, 0.5)).likeness < 0.9:
            await a.voice.say(voice(42, 0.5))
    await c.pick_up()
    await c.voice.hears_tone(1000.0)
    await c.hung_up()
    await b.hang_up()
    await a.hung_up()
    await line.hook("/end", 2)
    told = {fields["id"]: fields for fields in (dict(pairs(hook)) for hook in line.got("/end"))}
    assert told[cid]["state"] == "success"
    assert json.loads(told[cid]["actions"])[0]["connect"] == line.far(2)
    wav = dict(pairs(await line.hook("/rec")))["wav"]
    assert find(read_wav((await line.file(wav))[1]), said[:4000]).likeness > 0.8
