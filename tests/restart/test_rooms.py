"""kill -9 of the control process while parties are in rooms: they go on hearing each other, and their room goes on by
its rules. See docs/design/rooms.md, "Surviving a restart".
"""

import asyncio
import os
import signal
from typing import Any

from aiohttp import web
from tests.restart.outage import GAP_MOST_S, Ear, tone, until, wav
from tests.support.line import Line, Party

CONFERENCE = '<Dial><Conference beep="false" endConferenceOnExit="{ends}">board</Conference></Dial>'
TALKING_WITHIN_S = 10.0


async def comes(line: Line, path: str, document: str) -> Party:
    """Somebody calls our number, which runs a document of didML."""
    text = f"<Response>{document}</Response>"
    party = await line.calls_in(line.on(path, lambda _: web.Response(text=text, content_type="text/xml")))
    await party.answered()
    return party


async def guests(line: Line) -> list[dict[str, Any]]:
    """Who is in rooms of this server."""
    status, answer = await line.server.v1("GET", "/rooms")
    assert status == 200, answer
    return [guest for room in answer["rooms"] for guest in room["guests"]]


async def until_guests(line: Line, wanted: list[tuple[str, str, int | None]]) -> None:
    """Wait until these are there: role, state and place of each."""
    deadline = asyncio.get_running_loop().time() + TALKING_WITHIN_S
    seen: list[tuple[str, str, int | None]] = []
    while seen != wanted:
        assert asyncio.get_running_loop().time() < deadline, f"there are {seen}"
        seen = [(guest["role"], guest["state"], guest.get("position")) for guest in await guests(line)]
        await asyncio.sleep(0.02)


async def test_a_conference_is_heard_through_a_restart_and_ends_by_its_rules(didml: Line) -> None:
    after = didml.serve("/after.wav", wav(tone(1500, 1.0)))
    ann = await comes(didml, "/ann", CONFERENCE.format(ends="false") + f"<Play>{after}</Play>")
    bob = await comes(didml, "/bob", CONFERENCE.format(ends="false"))
    chair = await comes(didml, "/chair", CONFERENCE.format(ends="true"))
    talking: list[tuple[str, str, int | None]] = [("party", "talking", None)] * 3
    await until_guests(didml, talking)
    ears = [Ear(party) for party in (ann, bob, chair)]
    await until(lambda: all(len(ear.times) > 20 for ear in ears))
    since = [ear.times[-1] for ear in ears]
    await didml.server.kill()
    # Said while no server runs.
    await bob.voice.say(tone(440, 0.5))
    await didml.server.start()
    await until_guests(didml, talking)
    status, figures = await didml.server.v1("GET", "/status")
    assert (status, figures["server"]["rooms"]) == (200, {"rooms": 1, "guests": 3, "visits": 3})
    await asyncio.gather(ann.voice.hears_tone(440), chair.voice.hears_tone(440))
    await bob.voice.say(tone(700, 0.5))
    await asyncio.gather(ann.voice.hears_tone(700), chair.voice.hears_tone(700))
    assert max(ear.longest_gap_s(at) for ear, at in zip(ears, since, strict=True)) < GAP_MOST_S
    await bob.hang_up()
    await until_guests(didml, talking[:2])
    await chair.voice.say(tone(1000, 0.5))
    await ann.voice.hears_tone(1000)
    await chair.hang_up()
    # It is over for who is left, and what follows follows.
    await ann.voice.hears_tone(1500)
    await ann.hung_up()
    await until_guests(didml, [])


async def test_who_has_just_come_is_still_there_and_has_ended_nothing(didml: Line) -> None:
    ann = await comes(didml, "/ann", CONFERENCE.format(ends="false"))
    await until_guests(didml, [("party", "waiting", None)])
    chair = await comes(didml, "/chair", CONFERENCE.format(ends="true"))
    talking: list[tuple[str, str, int | None]] = [("party", "talking", None)] * 2
    await until_guests(didml, talking)
    await didml.server.kill()
    await didml.server.start()
    assert [guest["state"] for guest in await guests(didml)] == ["talking", "talking"]
    await chair.voice.say(tone(700, 0.5))
    await ann.voice.hears_tone(700)
    await chair.hang_up()
    await ann.hung_up()


async def test_an_engine_that_dies_alone_mixes_them_again(didml: Line) -> None:
    ann = await comes(didml, "/ann", CONFERENCE.format(ends="false"))
    bob = await comes(didml, "/bob", CONFERENCE.format(ends="false"))
    await until_guests(didml, [("party", "talking", None)] * 2)
    ear = Ear(ann)
    await until(lambda: len(ear.times) > 20)
    os.kill(didml.server.engine_pid, signal.SIGKILL)
    before = len(ear.times)
    await until(lambda: len(ear.times) > before + 20)
    await bob.voice.say(tone(700, 0.5))
    await ann.voice.hears_tone(700)
    await bob.hang_up()
    await ann.hang_up()
    await until_guests(didml, [])


async def test_a_queue_keeps_places_and_who_talks_through_restarts(didml: Line) -> None:
    first = await comes(didml, "/first", "<Enqueue>help</Enqueue>")
    await until_guests(didml, [("caller", "waiting", 1)])
    second = await comes(didml, "/second", "<Enqueue>help</Enqueue>")
    waiting: list[tuple[str, str, int | None]] = [("caller", "waiting", 1), ("caller", "waiting", 2)]
    await until_guests(didml, waiting)
    before = await guests(didml)
    await didml.server.kill()
    await didml.server.start()
    await until_guests(didml, waiting)
    assert [each["call"] for each in await guests(didml)] == [each["call"] for each in before]
    agent = await comes(didml, "/agent", "<Dial><Queue>help</Queue></Dial>")
    talking: list[tuple[str, str, int | None]] = [
        ("caller", "talking", None), ("caller", "waiting", 1), ("agent", "talking", None)
    ]  # fmt: skip
    await until_guests(didml, talking)
    ear = Ear(agent)
    speaking = asyncio.ensure_future(first.voice.say(tone(440, 20.0)))
    await until(lambda: len(ear.times) > 20)
    since = ear.times[-1]
    await didml.server.kill()
    await didml.server.start()
    await until_guests(didml, talking)
    await agent.voice.hears_tone(440)
    assert ear.longest_gap_s(since) < GAP_MOST_S
    speaking.cancel()
    await first.hang_up()
    # Whose caller is gone goes on with what follows, which is nothing; who waits goes on waiting, first now.
    await agent.hung_up()
    await until_guests(didml, [("caller", "waiting", 1)])
    await second.hang_up()
    await until_guests(didml, [])
