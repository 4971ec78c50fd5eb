"""A called party with a flow of its own, over SIP and RTP: sent keys, whispered to, joined or not, recorded, reported.

Judged by what each of the two hears and does not hear.
"""

import asyncio

import pytest
from tests.support.house import NOT_HEARD, WITHIN_S, House, Phone
from tests.support.rtp_party import EVENT_TYPE, pressed
from tests.support.sound_checks import ULAW, find, read_wav, voice

from offhook.flow.document import Document
from offhook.flow.verbs import Dial, LegStage, NumberTarget, Play, StatusHook, Treatment, UrlSound
from offhook.media.tones import tone

pytestmark = [pytest.mark.interop]

FRIEND = "+46700000099"
RINGS = tone("ringback")[:8_000]
PAUSES_S = 1.0
"""Of `PP`, the 0.5 s that each is."""
CUT_OFF = 4_000
"""Samples of the last words that a hang-up may cut off: what is recorded has waited for late packets, and is late."""
IN_A_MIX = 0.5
"""A recording of both holds two voices at once, each seven tenths of the whole."""


def asked(house: House, seed: int) -> Treatment:
    """The friend is sent keys and asked by voice; key 1 takes the call."""
    who = house.serves("/who.wav", voice(seed))
    declines = {"hangup": "true"}
    house.app.on("/whisper", {"ivr": who, "1": house.app.url + "/yes", "failed": declines, "repeat": 1, "timeout": 3})
    house.app.on("/yes", {})
    house.app.on("/status", "")
    told = StatusHook(url=house.app.url + "/status", stages=frozenset(LegStage))
    return Treatment(send_digits="PP7", briefing=Document(url=house.app.url + "/whisper"), told=told, record=True)


async def ringing(house: House, treatment: Treatment, *after: Play) -> tuple[Phone, Phone]:
    """Somebody is called, and a friend for them, who has just answered."""
    caller = await house.phone(Dial(targets=(NumberTarget(number=FRIEND, treatment=treatment),)), *after)
    friend = await house.answers(caller.call, law=ULAW)
    return caller, friend


async def test_a_friend_is_asked_and_then_joined_while_the_caller_hears_that_it_rings(house: House) -> None:
    caller, friend = await ringing(house, asked(house, 201))
    assert await friend.sound.hears_digits(1) == "7"
    await friend.hears(voice(201))
    await caller.hears(RINGS)
    assert caller.heard(voice(201)) < NOT_HEARD, "the whisper is the friend's alone"
    friend.sound.say(*pressed("1"))
    await house.app.hook("/yes")
    words, reply = voice(202), voice(203)
    await caller.says(words)
    await friend.hears(words)
    await friend.says(reply)
    await caller.hears(reply)
    await friend.talk.bye()
    await caller.talk.ended(WITHIN_S)
    await house.app.hook("/status", 3)
    assert [hook.fields["status"] for hook in house.app.got("/status")] == ["initiated", "answered", "completed"]
    (recording,) = (house.server.settings.data_dir / "recordings").glob(f"{caller.call}-*.wav")
    for said in (words, reply[:-CUT_OFF]):
        assert find(read_wav(recording), said).likeness > IN_A_MIX
    assert find(read_wav(recording), voice(201)).likeness < NOT_HEARD, "it begins with the joining"


async def test_keys_are_sent_after_the_pauses_that_stand_before_them(house: House) -> None:
    caller, friend = await ringing(house, asked(house, 204))
    await friend.hears(voice(204))
    begun, key = friend.sound.packets[0].at, next(p.at for p in friend.sound.packets if p.payload_type == EVENT_TYPE)
    assert PAUSES_S - 0.1 < key - begun < PAUSES_S + 1.0
    await asyncio.gather(caller.talk.bye(), friend.talk.ended(WITHIN_S))


async def test_a_friend_who_presses_nothing_is_let_go_and_the_caller_hears_what_follows(house: House) -> None:
    after = voice(212, 1.0)
    then = Play(sounds=(UrlSound(url=house.serves("/after.wav", after)),))
    caller, friend = await ringing(house, asked(house, 211), then)
    await friend.hears(voice(211))
    await friend.talk.ended(WITHIN_S)
    await caller.hears(after)
    await caller.talk.ended(WITHIN_S)
    assert house.app.got("/yes") == []


async def test_a_caller_who_leaves_during_the_whisper_takes_the_friend_along(house: House) -> None:
    caller, friend = await ringing(house, asked(house, 221))
    await friend.hears(voice(221))
    await asyncio.gather(caller.talk.bye(), friend.talk.ended(WITHIN_S))
