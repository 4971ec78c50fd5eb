"""Conferences and queues of didML documents: three real phones who hear each other, callers who wait, an agent."""

import asyncio

import pytest
from tests.conformance.didml.calls.answers import wav, xml
from tests.conformance.didml.calls.conftest import Spoken
from tests.support.didml_line import DidmlLine, asked
from tests.support.line import CALLER, Line, Party
from tests.support.sound_checks import Samples, find, voice
from tests.support.topics import topic

from offhook.media.tones import tone

pytestmark = pytest.mark.asyncio(loop_scope="session")

NOT_HEARD = 0.5
"""Other sounds are below 0.3."""
AGENT = "+46700000008"


async def entering(line: Line, verbs: str, count: int) -> list[Party]:
    """So many callers, each answered by what these verbs do."""
    url = line.on("/start", xml(verbs))
    parties = [await line.calls_in(url if n == 0 else None, from_=f"{CALLER[:-1]}{n}") for n in range(count)]
    for party in parties:
        await party.answered()
    return parties


def likeness(party: Party, sound: Samples) -> float:
    return find(party.voice.sound(), sound).likeness


@topic("conference")
async def test_three_phones(line: Line, did: DidmlLine) -> None:
    """Each of three hears the others and not itself; who is in the room is told as `beep` says; when the one with
    `endConferenceOnExit` leaves, the others go on with the next verb.
    """
    line.serve("/next.wav", wav(voice(501, 1.0)))
    line.on("/after.php", xml("<Play>next.wav</Play>"))
    a, b = await entering(
        line, '<Dial action="after.php"><Conference beep="onEnter">board</Conference></Dial><Say>Never</Say>', 2
    )
    (chair,) = await entering(line, '<Conference endConferenceOnExit="true">board</Conference>', 1)
    await did.talking(3)
    await asyncio.gather(*(party.voice.hears(tone("enter")) for party in (a, b)))
    words = voice(502, 1.0)
    await b.voice.say(words)
    await asyncio.gather(a.voice.hears(words), chair.voice.hears(words))
    assert likeness(b, words) < NOT_HEARD
    one, other = voice(503, 1.0), voice(504, 1.0)
    await asyncio.gather(a.voice.say(one), chair.voice.say(other))
    await asyncio.gather(a.voice.hears(other), chair.voice.hears(one))
    await chair.hang_up()
    for party in (a, b):
        await party.voice.hears(voice(501, 1.0))
        await party.hung_up()
    told = [asked(hook) for hook in line.got("/after.php")]
    assert [each["DialCallStatus"] for each in told] == ["completed", "completed"]
    assert all(int(each["DialCallDuration"]) >= 2 for each in told)


@topic("queue")
async def test_queue_with_an_agent(line: Line, did: DidmlLine, spoken: Spoken) -> None:
    """Callers hear music and their place. An agent takes who waits longest, to whom a notice is read first; when the
    caller leaves, the agent's next verb takes the next one, who goes on with the verb after `enqueue`.
    """
    line.serve("/bye.wav", wav(voice(511, 1.0)))
    line.on("/notice.xml", xml("<Say>This call is recorded</Say>"))
    take = '<Dial timeout="10"><Queue url="notice.xml">support</Queue></Dial>'
    agent_number = await did.number(line.on("/agent.php", xml(take + "<Queue>support</Queue>")))
    first, second = await entering(line, "<Enqueue>support</Enqueue><Play>bye.wav</Play>", 2)
    music = tone("music")[:8000]
    await asyncio.gather(first.voice.hears(music), second.voice.hears(music))
    agent = await did.calls(agent_number, from_=AGENT)
    await agent.answered()
    notice = await spoken("This call is recorded")
    await first.voice.hears(notice)
    await did.talking(2)
    question, answer = voice(512, 1.0), voice(513, 1.0)
    await asyncio.gather(first.voice.say(question), agent.voice.say(answer))
    await asyncio.gather(agent.voice.hears(question), first.voice.hears(answer))
    assert likeness(second, answer) < NOT_HEARD
    assert likeness(agent, notice) < NOT_HEARD
    await first.hang_up()
    await did.talking(2)
    more = voice(514, 1.0)
    await agent.voice.say(more)
    await second.voice.hears(more)
    await agent.hang_up()
    await second.voice.hears(voice(511, 1.0))
    await second.hung_up()
