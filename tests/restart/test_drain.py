"""SIGTERM to a real server: nothing new is taken, what runs may finish, and then is ended with nothing lost."""

import asyncio
import json
import signal
import time
import wave
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest_asyncio
from aiohttp import web
from tests.restart.outage import tone
from tests.support.asgi import basic
from tests.support.customer import Customer
from tests.support.line import Line, line_on, pairs
from tests.support.server import server
from tests.support.sip_peer import Message
from tests.support.sound_checks import RATE

DRAIN_S = 4.0
ENDS_WITHIN_S = 15.0
"""After the limit: the last words of a call, what is under way to its customer, and a machine that is busy."""
LATE_S = 1.0
SAID_S = 1.5


@pytest_asyncio.fixture
async def line(app: Customer, tmp_path: Path) -> AsyncIterator[Line]:
    """A server that has a few seconds to end, and repeats what is owed soon."""
    settings = {"drain_s": str(DRAIN_S), "delivery_retry_s": "0.5"}
    async with server(tmp_path / "data", **settings) as running, line_on(running, app) as made:
        yield made


def stops(line: Line) -> float:
    """SIGTERM. Returns when."""
    line.server.process.send_signal(signal.SIGTERM)
    return time.monotonic()


async def refused(line: Line, path: str, sent: dict[str, Any], credentials: tuple[str, str] | None) -> tuple[str, str]:
    """A POST that is answered with 503; its Retry-After and what it says."""
    headers = {} if credentials is None else basic(*credentials)
    as_json = path.startswith("/v1")
    async with line.server.session.post(
        line.server.http + path, headers=headers, json=sent if as_json else None, data=None if as_json else sent
    ) as answer:
        said = await answer.text()
        assert answer.status == 503, said
        return answer.headers["Retry-After"], said


async def test_new_calls_of_both_directions_are_told_when_to_come_again(line: Line) -> None:
    start = json.dumps({"ivr": "sound/music", "timeout": 60})
    await line.runs(start)
    _, party = await line.talks(start)
    stops(line)
    await line.until_unready()
    us = line.account, line.secret
    order = {"from": line.number, "to": line.far(2), "voice_start": start}
    after, said = await refused(line, "/a1/calls", order, us)
    assert (after, said) == ("1", "the server is stopping")
    after, said = await refused(line, "/v1/calls", order, us)
    assert (after, json.loads(said)) == ("1", {"error": {"name": "overloaded", "message": "the server is stopping"}})
    theirs = {"apikey": line.api_key, "from": line.number, "to": line.far(2), "url": line.url("/x")}
    after, said = await refused(line, "/api/V2/CallTermination", theirs, None)
    assert (after, json.loads(said)) == ("1", {"status": False, "message": "the server is stopping"})
    # RFC 3261 section 21.5.4
    response: Message = await line.peer.invite(line.number, (await line.voice()).sdp).refused(503)
    assert response["Retry-After"] == "5"
    assert response.start == "SIP/2.0 503 Service Unavailable: stopping"
    assert line.peer.came("INVITE") == [], "nobody was called"
    await party.hang_up()
    assert await asyncio.wait_for(line.server.process.wait(), ENDS_WITHIN_S) == 0


async def test_a_server_ends_as_soon_as_its_last_call_has(line: Line) -> None:
    _, party = await line.talks(json.dumps({"ivr": "sound/music", "timeout": 60}))
    begun = stops(line)
    await line.until_unready()
    await party.hang_up()
    assert await asyncio.wait_for(line.server.process.wait(), ENDS_WITHIN_S) == 0
    assert time.monotonic() - begun < DRAIN_S, "it waited for nothing"


async def test_a_recording_that_the_limit_ends_is_kept_and_its_post_outlives_the_process(line: Line) -> None:
    posted = line.on("/recorded", lambda _: web.Response(status=500))
    start = {"record": posted, "timelimit": 60, "silencedetection": "no"}
    call, party = await line.talks(start, whenhangup=line.on("/over", ""))
    await line.noted(call, "recording.begun")
    talked = time.monotonic()
    speaking = asyncio.ensure_future(party.voice.say(tone(440, 2 * DRAIN_S)))
    begun = stops(line)
    assert await party.hung_up(DRAIN_S + ENDS_WITHIN_S)
    lasted_s = time.monotonic() - talked
    assert DRAIN_S - 0.1 < time.monotonic() - begun < DRAIN_S + LATE_S, "it had all of its time, and no more"
    speaking.cancel()
    first = await line.hook("/recorded")
    assert await asyncio.wait_for(line.server.process.wait(), ENDS_WITHIN_S) == 0

    # The file is closed: its head says how long it is, and all of it is sound.
    (file,) = (line.server.data_dir / "recordings").glob("*.wav")
    with wave.open(str(file)) as recording:
        frames = recording.getnframes()
        assert (recording.getframerate(), len(recording.readframes(frames))) == (RATE, 2 * frames)
    assert SAID_S < frames / RATE < lasted_s + LATE_S

    # The post is still owed, and the next server delivers it under its id.
    before = len(line.got("/recorded"))
    line.on("/recorded", "")
    await line.server.start()
    again = await line.hook("/recorded", before + 1)
    assert again.headers["webhook-id"] == first.headers["webhook-id"]
    assert dict(pairs(again)) == dict(pairs(first))
    over = await line.hook("/over")
    assert dict(pairs(over))["id"] == call
    row = await line.over(call)
    assert row["state"] == "success"
    assert (await line.noted(call, "call.ended"))["cause"] == "server_shutdown"
    status, content = await line.file(
        line.server.http + "/a1/recordings/" + dict(pairs(again))["wav"].rpartition("/")[2]
    )
    assert (status, content) == (200, file.read_bytes())
