"""Real phones in a conference and in a queue with an agent: over SIP and RTP, judged by what is heard.

The server runs in this process, so that flows can be given to it in nobody's language; its media engine is the real
one.
"""

import asyncio

import pytest
from tests.support.house import AMONG_OTHERS, NOT_HEARD, WITHIN_S, House, Phone
from tests.support.rtp_party import pressed
from tests.support.sound_checks import ALAW, ULAW, voice

from offhook.call.perform.waiting import position_text
from offhook.flow.document import Document
from offhook.flow.verbs import Beeps, Conference, Enqueue, Play, Speech, TakeFromQueue, UrlSound
from offhook.media.commands import Codec
from offhook.media.frames import block
from offhook.media.tones import tone

pytestmark = [pytest.mark.interop]

# ── a conference ─────────────────────────────────────────────────────────────────────────────────────────────────────

QUIET = Conference(room="board", beeps=Beeps.NONE)


async def three(house: House) -> tuple[Phone, Phone, Phone]:
    """Three phones of two codecs in one conference."""
    phones = (await house.phone(QUIET), await house.phone(QUIET, law=ULAW), await house.phone(QUIET))
    await house.talking(3)
    return phones


async def test_three_phones_hear_each_other_and_not_themselves(house: House) -> None:
    a, b, c = await three(house)
    words = voice(101)
    await b.says(words)
    await asyncio.gather(a.hears(words), c.hears(words))
    assert b.heard(words) < NOT_HEARD
    await a.talk.bye()
    await house.talking(2)
    later = voice(102)
    await c.says(later)
    await b.hears(later)
    assert a.heard(later) < NOT_HEARD, "who has left hears nothing more"
    await b.talk.bye()
    await c.talk.bye()
    await house.rooms_are_empty()


async def test_two_who_speak_at_once_are_both_heard_by_the_third(house: House) -> None:
    a, b, c = await three(house)
    one, other = voice(103), voice(104)
    await asyncio.gather(a.says(one), b.says(other))
    await asyncio.gather(c.hears(one, AMONG_OTHERS), c.hears(other, AMONG_OTHERS), a.hears(other), b.hears(one))
    assert a.heard(one) < NOT_HEARD
    assert b.heard(other) < NOT_HEARD
    await asyncio.gather(*(phone.talk.bye() for phone in (a, b, c)))
    await house.rooms_are_empty()


async def test_music_until_it_begins_then_tones_and_voices_and_what_each_runs_next(house: House) -> None:
    after = voice(105, 1.0)
    url = house.serves("/after.wav", after)
    guest = await house.phone(Conference(room="board", starts=False), Play(sounds=(UrlSound(url=url),)))
    await guest.hears(tone("music")[:16_000])
    chair = await house.phone(Conference(room="board", ends=True))
    await asyncio.gather(guest.hears(tone("enter")), chair.hears(tone("enter")))
    words = voice(106)
    await chair.says(words)
    await guest.hears(words)
    await chair.talk.bye()
    # The conference is over for the guest, who goes on with the next verb and is then hung up.
    await guest.hears(after)
    await guest.talk.ended(WITHIN_S)
    await house.rooms_are_empty()


async def test_who_is_muted_is_not_heard_and_keys_interrupt_nobody(house: House) -> None:
    speaker = await house.phone(QUIET)
    muted = await house.phone(Conference(room="board", beeps=Beeps.NONE, muted=True), law=ULAW)
    await house.talking(2)
    whispered, spoken_up = voice(107), voice(108)
    await muted.says(whispered)
    muted.sound.say(*pressed("5"))
    await speaker.says(spoken_up)
    await muted.hears(spoken_up)
    assert speaker.heard(whispered) < NOT_HEARD
    assert speaker.sound.digits() == ""
    await asyncio.gather(speaker.talk.bye(), muted.talk.bye())
    await house.rooms_are_empty()


# ── a queue ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_an_agent_takes_callers_in_their_order_and_both_sides_may_hang_up(house: House) -> None:
    first = await house.phone(Enqueue(queue="help"))
    await first.hears(tone("music")[:8_000])
    second = await house.phone(Enqueue(queue="help"), law=ULAW)
    agent = await house.phone(TakeFromQueue(queue="help"), TakeFromQueue(queue="help"))
    await house.talking(2)
    question, answer = voice(111), voice(112)
    await asyncio.gather(first.says(question), agent.says(answer))
    await asyncio.gather(agent.hears(question), first.hears(answer))
    assert second.heard(answer) < NOT_HEARD
    # The caller hangs up: the agent runs its next verb, and takes who waits behind.
    await first.talk.bye()
    await house.talking(2)
    more = voice(113)
    await agent.says(more)
    await second.hears(more)
    # The agent hangs up: the caller goes on with what follows its Enqueue, which is nothing.
    await agent.talk.bye()
    await second.talk.ended(WITHIN_S)
    await house.rooms_are_empty()


async def test_a_caller_is_told_its_place(house: House) -> None:
    first, second = await house.phone(Enqueue(queue="help")), await house.phone(Enqueue(queue="help"))
    sounds = house.server._running.services.sounds
    for phone, position in ((first, 1), (second, 2)):
        prepared = await sounds.prepare(Speech(text=position_text(position)))
        spoken_text = ALAW.decode(block(prepared.path.read_bytes(), Codec.PCMA))
        # The middle of it: the words begin and end with silence.
        await phone.hears(spoken_text[len(spoken_text) // 4 : -len(spoken_text) // 4])
    await first.talk.bye()
    await second.talk.bye()
    await house.rooms_are_empty()


async def test_an_agent_waits_with_music_and_the_caller_is_briefed(house: House) -> None:
    notice = voice(114, 1.5)
    sound = house.serves("/notice.wav", notice)
    briefing = house.app.on("/briefing", {"play": sound})
    agent = await house.phone(TakeFromQueue(queue="help", briefing=Document(url=briefing)))
    await agent.hears(tone("music")[:8_000])
    caller = await house.phone(Enqueue(queue="help"))
    await caller.hears(notice)
    await house.talking(2)
    assert agent.heard(notice) < NOT_HEARD
    words = voice(115)
    await caller.says(words)
    await agent.hears(words)
    await caller.talk.bye()
    await agent.talk.ended(WITHIN_S)
    await house.rooms_are_empty()


async def test_an_agent_for_whom_nobody_comes_is_let_go(house: House) -> None:
    agent = await house.phone(TakeFromQueue(queue="help", timeout_s=1.0))
    await agent.talk.ended(WITHIN_S)
    await house.rooms_are_empty()
