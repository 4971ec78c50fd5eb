"""The disk of the data directory is full to the last byte, under calls that run. See docs/howto/unwell.md."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest_asyncio
from tests.restart.outage import killed_and_started, tone, wav
from tests.support.customer import Customer
from tests.support.line import Line, line_on, pairs
from tests.support.sound_checks import find, read_wav
from tests.unwell.machine import Disk, served_from
from tests.unwell.running import no_hole, refused_everywhere, somebody_talks

PADDING_CHARS = 40_000
POSTS_MOST = 200


@pytest_asyncio.fixture
async def on_disk(app: Customer, tmp_path: Path) -> AsyncIterator[tuple[Line, Disk]]:
    async with (
        served_from(tmp_path, "tmpfs", delivery_retry_s="0.3") as (running, disk),
        line_on(running, app) as line,
    ):
        yield line, disk


async def until_storage_fails(line: Line) -> None:
    """A database has room of its own in files that it has already: it is written to until that is used up too, each
    time with an answer that is to be kept."""
    path = f"/numbers/{line.number_id}"
    padded = '{"hangup":"reject"' + " " * PADDING_CHARS + "}"
    for number in range(POSTS_MOST):
        async with asyncio.timeout(10):
            status, _ = await line.a1("POST", path, once=f"fill {number}", voice_start=padded)
        if status == 503:
            return
        assert status == 200
    raise AssertionError("the disk was not full")


async def test_full_disk(on_disk: tuple[Line, Disk]) -> None:
    line, disk = on_disk
    prompt = line.serve("/long.wav", wav(tone(700, 40.0)))
    menu = {"ivr": prompt, "digits": 1, "next": line.on("/key", {"hangup": "reject"})}
    choosing, chooser = await line.talks(menu, whenhangup=line.on("/chose", ""))
    record = {"record": line.on("/rec", ""), "silencedetection": "no", "next": line.on("/next", {"play": prompt})}
    recorded, speaker = await line.talks(record, whenhangup=line.on("/spoke", ""))
    said = tone(500, 1.5)
    async with somebody_talks(line, whenhangup=line.on("/talked", "")) as talking:
        play = json.dumps({"play": prompt})
        listening, listener = await talking.listens(line, play, whenhangup=line.on("/listened", ""))
        await speaker.voice.say(said)
        disk.fill()
        assert disk.free_bytes == 0

        # What runs goes on: keys are taken, webhooks asked, what is owed is sent.
        await chooser.voice.press("4")
        assert dict(pairs(await line.hook("/key")))["result"] == "4"
        await chooser.hung_up()
        assert dict(pairs(await line.hook("/chose")))["id"] == choosing
        await speaker.voice.say(said)
        await until_storage_fails(line)
        await line.until_unready()
        await refused_everywhere(line, "storage cannot write (database or disk is full)", "storage cannot write")
        # The recording has lost what the disk did not take; its call is told, and goes on.
        assert dict(pairs(await line.hook("/next")))["result"] == "failed"

        disk.make_room()
        await line.until_ready()
        talking.nobody_missed_anything()
        await listener.bye()
    # Nobody's hand was needed: calls are taken again, and what happened meanwhile is all there.
    _, again = await line.talks({"play": "sound/beep"})
    await again.voice.hears_tone(1000.0)
    await speaker.hang_up()
    await line.hook("/listened")
    await line.hook("/spoke")
    await line.hook("/talked")
    for call in (listening, choosing, recorded):
        assert (await line.over(call))["state"] == "success"
        assert "call.ended" in await no_hole(line, call)
    assert [len(line.got(path)) for path in ("/chose", "/listened", "/spoke")] == [1, 1, 1]
    wav_url = dict(pairs(await line.hook("/rec")))["wav"]
    assert find(read_wav((await line.file(wav_url))[1]), said[:4000]).likeness > 0.8


async def test_a_restart_on_a_full_disk(on_disk: tuple[Line, Disk]) -> None:
    """The control process is killed while nothing can be written: another starts all the same, and calls go on."""
    line, disk = on_disk
    play = json.dumps({"play": line.serve("/long.wav", wav(tone(700, 40.0)))})
    async with somebody_talks(line, whenhangup=line.on("/talked", "")) as talking:
        await talking.listens(line, play)
        disk.fill()
        assert disk.free_bytes == 0
        await killed_and_started(line)
        await until_storage_fails(line)
        await line.until_unready()
        talking.nobody_missed_anything()
        disk.make_room()
        await line.until_ready()
        talking.nobody_missed_anything()
    await line.hook("/talked")
