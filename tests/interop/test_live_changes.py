"""Calls that are changed while they live (`POST /v1/calls/{call}`), on a real server with real SIP and RTP at its far
ends: what is heard then, and what comes of changes that meet each other, the end of the call, or what it waits for.
"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import numpy as np
import pytest
import pytest_asyncio
from aiohttp import web
from tests.support.asgi import basic
from tests.support.customer import Customer, Hook, customer
from tests.support.line import Line, Party, line_on
from tests.support.server import Server, server
from tests.support.sound_checks import RATE, Samples, find, read_wav, voice, write_wav

pytestmark = [pytest.mark.interop, pytest.mark.asyncio(loop_scope="module")]

MUSIC = {"ivr": "sound/music", "timeout": 30, "repeat": 5}
"""Lasts longer than any of these tests."""
NOT_HEARD = 0.5
ROUNDS = 15


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def offhook(tmp_path_factory: pytest.TempPathFactory, engine: None) -> AsyncIterator[Server]:
    async with server(tmp_path_factory.mktemp("live"), delivery_retry_s="0.3") as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def application() -> AsyncIterator[Customer]:
    async with customer() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def line(offhook: Server, application: Customer) -> AsyncIterator[Line]:
    async with line_on(offhook, application) as made:
        yield made


@pytest_asyncio.fixture(loop_scope="module")
async def didml(offhook: Server, application: Customer) -> AsyncIterator[Line]:
    async with line_on(offhook, application, "didml") as made:
        yield made


async def change(line: Line, call: str, body: Any) -> tuple[int, Any]:
    """As the account whose call it is."""
    url, headers = f"{line.server.http}/v1/calls/{call}", basic(line.account, line.secret)
    async with line.server.session.post(url, json=body, headers=headers) as answer:
        assert answer.content_type == "application/json"
        return answer.status, await answer.json()


async def changed(line: Line, call: str, body: Any) -> None:
    """It goes well."""
    status, answer = await change(line, call, body)
    assert status == 200, answer


def sound(line: Line, tmp_path: Any, seed: int, seconds: float = 1.0) -> tuple[str, Samples]:
    """A sound of the customer's, and what it sounds like."""
    samples = voice(seed, seconds)
    return line.serve(f"/{seed}.wav", write_wav(tmp_path / f"{seed}.wav", samples).read_bytes()), samples


async def kinds(line: Line, call: str) -> list[str]:
    return [event["kind"] for event in await line.timeline(call)]


def likeness(party: Party, wanted: Samples) -> float:
    return find(party.voice.sound(), wanted).likeness


# ── what is heard ────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_sound_is_left_for_an_action_and_the_webhook_says_so(line: Line, tmp_path: Any) -> None:
    url, wanted = sound(line, tmp_path, 1)
    call, party = await line.talks(MUSIC, whenhangup=line.on("/over", ""))
    await line.noted(call, "verb.begun")
    after = line.on("/after", {"play": url})
    await changed(line, call, {"url": after})
    assert (await line.hook("/after")).fields["why"] == "changed"
    await party.voice.hears(wanted)
    await party.hung_up()
    assert (await line.hook("/over")).fields["state"] == "success"
    assert len(line.got("/over")) == 1


async def test_a_webhook_that_is_waited_for_is_waited_for_no_longer(line: Line, tmp_path: Any) -> None:
    """Its answer, when it comes after all, is nobody's."""
    url, wanted = sound(line, tmp_path, 2)
    answer = asyncio.Event()

    async def slow(_: Hook) -> Any:
        await answer.wait()
        return {"hangup": "busy"}

    call, party = await line.talks(line.on("/slow", slow))
    await line.hook("/slow")
    await changed(line, call, {"action": {"play": url, "next": MUSIC}})
    await party.voice.hears(wanted)
    answer.set()
    await line.noted(call, "flow.changed")
    await changed(line, call, {"digits": "1"})
    assert "call.ended" not in await kinds(line, call)
    await changed(line, call, {"hangup": True})
    await party.hung_up()


async def test_mute_a_recording_with_a_pause_and_keys(line: Line, tmp_path: Any) -> None:
    hook = line.on("/recorded", "")
    call, a = await line.talks({"connect": line.far(2)})
    b = await line.rings()
    await b.pick_up()
    await changed(line, call, {"record": "start", "deliver_to": hook})
    one, silent, three = voice(31, 1.0), voice(32, 1.0), voice(33, 1.0)
    await a.voice.say_clearly(one)
    await b.voice.hears(one)
    await changed(line, call, {"record": "pause"})
    await changed(line, call, {"mute": 0})
    await line.noted(call, "leg.muted")
    await a.voice.say(silent)
    assert likeness(b, silent) < NOT_HEARD
    await changed(line, call, {"unmute": 0})
    await changed(line, call, {"record": "resume"})
    await line.noted(call, "recording.resumed")
    await a.voice.say_clearly(three)
    await b.voice.hears(three)
    await changed(line, call, {"record": "stop"})
    fields = (await line.hook("/recorded")).fields
    status, content = await line.file(fields["wav"])
    heard = read_wav(content)
    assert status == 200
    first, last = find(heard, one), find(heard, three)
    assert min(first.likeness, last.likeness) > 0.9
    assert find(heard, silent).likeness < NOT_HEARD
    assert last.at_s - first.at_s > 2.0, "a pause keeps its time"
    pause = heard[int((first.at_s + 1.4) * RATE) : int((first.at_s + 1.9) * RATE)]
    assert np.abs(pause).max() < 50
    assert (await change(line, call, {"record": "stop"}))[1]["error"]["name"] == "not_recorded"
    await changed(line, call, {"digits": "12#", "leg": 1})
    deadline = asyncio.get_running_loop().time() + 10
    while b.voice.keys != "12#":
        assert asyncio.get_running_loop().time() < deadline, b.voice.keys
        await asyncio.sleep(0.02)
    await changed(line, call, {"hangup": True})
    await asyncio.gather(a.hung_up(), b.hung_up())


async def test_a_cause_is_what_an_unanswered_caller_is_told(line: Line) -> None:
    line.on("/start", lambda _: asyncio.sleep(60))
    party = await line.calls_in(line.url("/start"))
    call = (await line.hook("/start")).fields["callid"]
    await changed(line, call, {"hangup": "busy"})
    refused = await party.talk.peer.receive("486", call_id=party.talk.call_id)
    assert refused
    assert (await line.over(call))["state"] in ("busy", "failed")


# ── in company ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_out_of_a_conference_by_a_didml_action(didml: Line, tmp_path: Any) -> None:
    """Who is changed hears what it goes on with, and whoever stays in the room does not."""
    url, wanted = sound(didml, tmp_path, 4)
    conference = "<Dial><Conference>board</Conference></Dial>"
    start = didml.on("/start", lambda _: web.Response(text=f"<Response>{conference}</Response>"))
    parties, calls = [], []
    for count in (1, 2):
        parties.append(await didml.calls_in(start))
        await parties[-1].answered()
        calls.append((await didml.hook("/start", count)).fields["callSid"])
        await didml.noted(calls[-1], "room.entered")
    await changed(didml, calls[0], {"action": f"<Response><Play>{url}</Play>{conference}</Response>"})
    await parties[0].voice.hears(wanted)
    assert likeness(parties[1], wanted) < NOT_HEARD
    await changed(didml, calls[1], {"hangup": "busy"})
    await parties[1].hung_up()
    await changed(didml, calls[0], {"hangup": True})
    await parties[0].hung_up()


async def test_while_a_whisper_plays(didml: Line, tmp_path: Any) -> None:
    """The called one hears a document while the caller waits. The change is the caller's, and he is let go."""
    url, wanted = sound(didml, tmp_path, 5)
    whisper = didml.on("/whisper", lambda _: web.Response(text="<Response><Pause length='20'/></Response>"))
    start = didml.on(
        "/start",
        lambda _: web.Response(
            text=f"<Response><Dial><Number url='{whisper}'>{didml.far(3)}</Number></Dial></Response>"
        ),
    )
    a = await didml.calls_in(start)
    call = (await didml.hook("/start")).fields["callSid"]
    b = await didml.rings()
    await b.pick_up()
    await didml.hook("/whisper")
    await changed(didml, call, {"action": f"<Response><Play>{url}</Play></Response>"})
    await a.answered()
    await asyncio.gather(b.hung_up(), a.voice.hears(wanted))
    await a.hung_up()


# ── at the same time ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_changes_that_come_at_once_come_one_after_another(line: Line, tmp_path: Any) -> None:
    """The last one's flow goes on, whichever it is; none is half done."""
    sounds = [sound(line, tmp_path, 60 + n) for n in range(4)]
    call, party = await line.talks(MUSIC, whenhangup=line.on("/over", ""))
    await line.noted(call, "verb.begun")
    answers = await asyncio.gather(*(change(line, call, {"action": {"play": url}}) for url, _ in sounds))
    assert {status for status, _ in answers} == {200}
    await party.hung_up()
    await line.hook("/over")
    assert sorted(likeness(party, samples) > 0.9 for _, samples in sounds) == [False, False, False, True]
    assert (await kinds(line, call)).count("flow.changed") == 4


CHANGES: list[dict[str, Any]] = [
    {"hangup": True},
    {"action": {"play": "sound/beep"}},
    {"action": {"connect": "+46709999999"}},
    {"url": "http://127.0.0.1:9/"},
    {"mute": 0},
    {"digits": "1"},
    {"record": "start"},
]


@pytest.mark.parametrize("body", CHANGES, ids=lambda body: next(iter(body)))
async def test_a_call_that_ends_at_this_moment(line: Line, body: dict[str, Any]) -> None:
    """Either the change was in time, or the call is over; both ways it ends once, and says so once."""
    over = line.on("/over", "")
    for number in range(1, ROUNDS + 1):
        call, party = await line.talks(MUSIC, whenhangup=over)
        await line.noted(call, "verb.begun")
        bye = asyncio.create_task(party.hang_up())
        for _ in range(number % 4):
            await asyncio.sleep(0)
        status, answer = await change(line, call, body)
        await bye
        assert (status, answer.get("error", {}).get("name")) in {
            (200, None),
            (409, "call_over"),
            (409, "leg_not_there"),
        }, answer
        assert (await line.hook("/over", number)).fields["id"] == call
        assert (await line.over(call))["state"] == "success"
        assert (await change(line, call, body))[1]["error"]["name"] == "call_over"
    assert len(line.got("/over")) == ROUNDS


async def test_changed_while_it_hangs_up_and_hung_up_twice(line: Line) -> None:
    over = line.on("/over", "")
    for number in range(1, ROUNDS + 1):
        call, party = await line.talks(MUSIC, whenhangup=over)
        await line.noted(call, "verb.begun")
        wanted = [{"hangup": True}, {"action": {"play": "sound/beep"}}, {"hangup": "busy"}, {"record": "start"}]
        answers = await asyncio.gather(*(change(line, call, body) for body in wanted[number % 2 :]))
        assert {status for status, _ in answers} <= {200, 409}, answers
        await party.hung_up()
        assert (await line.hook("/over", number)).fields["id"] == call
        assert (await kinds(line, call)).count("call.ended") == 1
    assert len(line.got("/over")) == ROUNDS


async def test_before_the_answer_it_is_what_the_call_begins_with(line: Line, tmp_path: Any) -> None:
    url, wanted = sound(line, tmp_path, 7)
    made = await line.place(voice_start=json.dumps({"play": "sound/busy"}))
    party = await line.rings()
    party.ring()
    assert (await change(line, made["id"], {"mute": 0}))[1]["error"]["name"] == "leg_not_there"
    await changed(line, made["id"], {"action": {"play": url}})
    await party.pick_up()
    await party.voice.hears(wanted)
    await party.hung_up()


async def test_calls_that_are_not_there(line: Line, didml: Line) -> None:
    status, answer = await change(line, "c" + "0" * 32, {"hangup": True})
    assert (status, answer["error"]["name"]) == (404, "no_call")
    call, party = await line.talks(MUSIC)
    status, answer = await change(didml, call, {"hangup": True})
    assert (status, answer["error"]["name"]) == (404, "no_call"), "another account's"
    status, answer = await change(line, call, {"mute": 1})
    assert (status, answer["error"]["name"]) == (404, "no_leg")
    await changed(line, call, {"hangup": True})
    await party.hung_up()
