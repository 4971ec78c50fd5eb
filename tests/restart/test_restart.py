"""kill -9 of the control process, and a restart: what the far ends of real calls hear and see of it (SIP and RTP over
real sockets). See docs/design/durability.md.
"""

import asyncio
import itertools
import json
import os
import signal
import time

import numpy as np
from tests.restart.outage import BEAT_S, GAP_MOST_S, Ear, killed_and_started, tone, until, wav
from tests.support.line import Line, pairs
from tests.support.sound_checks import RATE

ENDED_WITHIN_S = 5.0
WAITED_S = 0.5
ANSWERED_WITHIN_S = 10.0


async def test_a_prompt_goes_on_and_what_follows_it_follows(line: Line) -> None:
    first, second = tone(440, 3.0), tone(700, 1.0)
    start = {
        "play": line.serve("/a.wav", wav(first)),
        "next": {"play": line.serve("/b.wav", wav(second)), "whenhangup": line.on("/over", "")},
    }
    call, party = await line.talks(start)
    ear = Ear(party)
    await until(lambda: len(ear.times) > 20)
    since = ear.times[-1]
    await killed_and_started(line)
    await party.voice.hears(second)
    assert ear.longest_gap_s(since) < GAP_MOST_S
    assert await party.hung_up()
    assert (await line.over(call))["state"] == "success"
    await line.hook("/over")


async def test_a_bridge_talks_on_and_its_bye_that_waited_is_answered(line: Line) -> None:
    first = await line.calls_in({"connect": line.far(), "whenhangup": line.on("/over", "")})
    second = await line.rings()
    await second.pick_up()
    await first.answered()
    ear = Ear(second)
    speaking = asyncio.ensure_future(first.voice.say(tone(440, 4.0)))
    await until(lambda: len(ear.times) > 20)
    since = ear.times[-1]
    await killed_and_started(line)
    await asyncio.sleep(0.5)
    assert ear.longest_gap_s(since) < GAP_MOST_S
    speaking.cancel()
    await line.server.kill()
    first.talk.peer.send(first.talk.request("BYE"))
    await line.server.start()
    await first.talk.answered(200)
    await second.hung_up()
    await line.hook("/over")
    assert len(line.got("/over")) == 1


async def test_a_menu_takes_keys_that_were_pressed_meanwhile(line: Line) -> None:
    menu = {
        "ivr": line.serve("/menu.wav", wav(tone(440, 2.0))),
        "digits": 2,
        "timeout": 20,
        "next": line.on("/chosen", json.dumps({"play": line.serve("/b.wav", wav(tone(700, 1.0)))})),
    }
    made, party = await line.talks(menu)
    ear = Ear(party)
    await until(lambda: len(ear.times) > 20)
    await party.voice.press("4")
    await line.server.kill()
    await party.voice.press("2")
    await line.server.start()
    chosen = dict(pairs(await line.hook("/chosen")))
    assert chosen["result"] == "42"
    await party.voice.hears(tone(700, 1.0))
    await party.hung_up()
    assert len(line.got("/chosen")) == 1
    await line.over(made)
    told = await line.timeline(made)
    assert [each["data"]["key"] for each in told if each["kind"] == "key.pressed"] == ["4", "2"], "each once"
    assert [each["kind"] for each in told].count("leg.answered") == 1


async def test_a_recording_has_no_hole(line: Line) -> None:
    start = {"record": line.on("/recorded", ""), "timelimit": 60, "silencedetection": "no"}
    call, party = await line.talks(start)
    sound = tone(440, 3.0)
    began = time.monotonic()
    speaking = asyncio.ensure_future(party.voice.say(sound))
    await asyncio.sleep(1.0)
    await killed_and_started(line)
    await speaking
    # A machine that is busy takes its time to start a server; the recording goes on meanwhile.
    lasted_s = time.monotonic() - began
    await party.hang_up()
    posted = dict(pairs(await line.hook("/recorded")))
    assert (await line.over(call))["state"] == "success"
    status, content = await line.file(posted["wav"])
    assert status == 200
    heard = np.frombuffer(content[44:], "<i2")
    assert abs(len(heard) / RATE - lasted_s) < 0.4
    loud = np.abs(heard[: len(heard) // 160 * 160].reshape(-1, 160)).mean(axis=1) > 1000
    quiet = [len(list(run)) for is_loud, run in itertools.groupby(loud[loud.argmax() :]) if not is_loud]
    assert max(quiet[:-1] or [0]) * BEAT_S < GAP_MOST_S


async def test_a_request_that_came_meanwhile_is_answered(line: Line) -> None:
    await line.server.kill()
    asked = asyncio.ensure_future(line.ok("GET", "/me"))
    done, _ = await asyncio.wait({asked}, timeout=WAITED_S)
    assert not done, "refused, where it might have waited"
    await line.server.start()
    assert (await asyncio.wait_for(asked, ANSWERED_WITHIN_S))["currency"]


async def test_calls_that_were_being_set_up_are_ended_properly(line: Line) -> None:
    made = await line.place(voice_start=json.dumps({"play": "sound/x"}), whenhangup=line.on("/out", ""))
    called = await line.rings()
    called.ring()
    waiting = line.on("/never", "")
    await line.runs(waiting)
    caller = await line.calls_in({"connect": line.far(2), "timeout": 50})
    far = await line.rings()
    far.ring()
    await caller.talk.answered(180)
    await killed_and_started(line)
    begun = time.monotonic()
    for ringing in (called, far):
        heard = await ringing.talk.peer.receive("CANCEL", "INVITE", call_id=ringing.talk.call_id)
        if heard.method == "INVITE":
            # What the facts had not told yet, that it rings, it says again (RFC 3261 section 17.2.1).
            ringing.ring()
            await ringing.talk.peer.receive("CANCEL", call_id=ringing.talk.call_id)
    assert (await caller.talk.refused(503)).status == 503
    over = await line.over(made["id"])
    assert time.monotonic() - begun < ENDED_WITHIN_S
    assert over["state"] == "failed"
    await line.hook("/out")


async def test_both_killed_every_call_is_ended_at_its_far_ends(line: Line) -> None:
    call, party = await line.talks(
        {"play": line.serve("/a.wav", wav(tone(440, 20.0))), "whenhangup": line.on("/over", "")}
    )
    ear = Ear(party)
    await until(lambda: len(ear.times) > 20)
    engine = line.server.engine_pid
    await line.server.kill()
    os.kill(engine, signal.SIGKILL)
    begun = time.monotonic()
    await line.server.start()
    await party.hung_up(ENDED_WITHIN_S)
    await line.over(call)
    assert time.monotonic() - begun < ENDED_WITHIN_S
    await line.hook("/over")
    assert len(line.got("/over")) == 1


async def test_a_change_that_was_answered_outlives_a_kill_at_once(line: Line) -> None:
    """Who was told that a party is not heard any more relies on it."""
    call, party = await line.talks({"ivr": "sound/music", "timeout": 30})
    await line.noted(call, "verb.begun")
    _, answer = await line.server.v1("POST", f"/calls/{call}", {"mute": 0})
    assert answer["changed"] == "mute"
    await killed_and_started(line)
    assert [entry["kind"] for entry in await line.timeline(call)].count("leg.muted") == 1
    _, answer = await line.server.v1("POST", f"/calls/{call}", {"hangup": True})
    assert answer["changed"] == "hangup"
    await killed_and_started(line)
    await party.hung_up()
    assert (await line.over(call))["state"] == "success"
