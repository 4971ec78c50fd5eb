"""didML's verbs on real calls: what phones hear, press and say, and what the application is told of it."""

import asyncio

import pytest
from tests.conformance.didml.calls.answers import wav, xml
from tests.conformance.didml.calls.conftest import Spoken
from tests.support.customer import Hook
from tests.support.didml_line import DidmlLine, asked, bare, event, user
from tests.support.line import CALLER, Line, Party, Voice, pairs
from tests.support.sound_checks import find, read_wav, voice
from tests.support.topics import topic

from offhook.call.perform.record import CHOICE
from offhook.flow.dialects.didml import Didml
from offhook.flow.verbs import Speech

pytestmark = pytest.mark.asyncio(loop_scope="session")

BEEP_HZ = 1000.0
SPOKEN = voice(401, 1.5)
NOT_HEARD = 0.5
"""Other sounds are below 0.3."""


async def answered(line: Line, verbs: str) -> Party:
    """Somebody calls, and is answered by what these verbs do."""
    party = await line.calls_in(line.on("/start", xml(verbs)))
    await party.answered()
    return party


def first(line: Line, sid: str, **more: str) -> dict[str, str]:
    """The fields that every request of an answered incoming call has, and more."""
    return {
        "To": bare(line.number), "From": bare(CALLER), "CallerName": "", "callSid": sid, "Direction": "inbound",
        "CallStatus": "answered", **more,
    }  # fmt: skip


# ── say, play ────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("say")
async def test_said(line: Line, spoken: Spoken) -> None:
    """A text is heard as `offhook say` speaks it; then `action` is told, whose reply is not looked at, and the next
    verb follows.
    """
    line.on("/said.php", xml("<Hangup/>"))
    line.serve("/next.wav", wav(SPOKEN))
    party = await answered(
        line, '<Say voice="women" action="said.php">Welcome to our company</Say><Play>next.wav</Play>'
    )
    await party.voice.hears(await spoken("Welcome to our company"))
    await party.voice.hears(SPOKEN)
    await party.hung_up()
    told = asked(await line.hook("/said.php"))
    assert told == first(line, line.got("/start")[0].fields["callSid"])


@topic("slips")
async def test_sample_with_faults(line: Line, spoken: Spoken) -> None:
    """A document that is no XML, with faults of the service's samples, speaks; the timeline says what to mend."""
    body = "<Response><say voice=women loop=1>Hello world</Say>\n<Dial timeout=“15”>%s<dial/></Response>"
    party = await line.calls_in(line.on("/start", body % bare(line.far())))
    await party.answered()
    await party.voice.hears(await spoken("Hello world"))
    b = await line.rings()
    await b.refuse(486)
    await party.hung_up()
    sid = line.got("/start")[0].fields["callSid"]
    warnings = (await line.noted(sid, "hook.answered"))["warnings"]
    assert any("Line 2" in str(warning) for warning in warnings), warnings


# ── gather ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("gather")
async def test_menu(line: Line, spoken: Spoken) -> None:
    """A spoken menu: one key is enough where `numDigits` is 1; `Method="GET"` tells it in the query; its reply runs."""
    menu = '<Gather numDigits="1" Method="GET" action="menu.php?lang=en"><Say>For sales press 1</Say></Gather>'
    line.on("/menu.php", xml("<Say>Thank you</Say>"))
    party = await answered(line, menu)
    await party.voice.hears(await spoken("For sales press 1"))
    await party.voice.press("1")
    await party.voice.hears(await spoken("Thank you"))
    await party.hung_up()
    (hook,) = line.got("/menu.php")
    sid = line.got("/start")[0].fields["callSid"]
    assert (hook.method, hook.fields) == ("GET", {"lang": "en", **first(line, sid, Digits="1")})


@topic("gather")
async def test_too_few_keys(line: Line) -> None:
    """Fewer than `minDigits` are another try, with its prompt; after the last the next verb follows, and `action` is
    not asked.
    """
    prompt = voice(405, 0.6)
    line.serve("/again.wav", wav(prompt))
    line.serve("/next.wav", wav(voice(402, 1.0)))
    gather = '<Gather minDigits="3" Timeout="1" Tries="2" action="never.php"><Play>again.wav</Play></Gather>'
    party = await answered(line, f"{gather}<Play>next.wav</Play>")
    await party.voice.hears(prompt)
    await party.voice.press("12")
    party.voice.heard.clear()
    await party.voice.hears(prompt)
    await party.voice.hears(voice(402, 1.0))
    await party.hung_up()
    assert line.got("/never.php") == []


# ── record ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("record")
async def test_confirmed(line: Line, spoken: Spoken) -> None:
    """`confirmrecording`: after the beep and the message, ended by `#`, the caller hears it and keeps it with 1;
    `action` has the five fields, and its reply is run.
    """
    line.on("/message.php", xml("<Say>Thank you</Say>"))
    # It is spoken while the beep still sounds, and what was on its way at the key is not in it.
    kept = SPOKEN[2400:-1600]
    party = await answered(line, '<Record maxLength="30" confirmrecording="1" fileID="greeting" action="message.php"/>')
    await party.voice.hears_tone(BEEP_HZ)
    await party.voice.say(SPOKEN)
    await party.voice.press("#")
    await party.voice.hears(kept)
    assert isinstance(CHOICE, Speech)
    await party.voice.hears((await spoken(CHOICE.text))[4000:12000])
    await party.voice.press("1")
    await party.voice.hears(await spoken("Thank you"))
    told = asked(await line.hook("/message.php"))
    sid = told["callSid"]
    assert told == first(
        line, sid, RecordingUrl=told["RecordingUrl"], callid=sid, dialednumber=bare(line.number),
        callerid=bare(CALLER), callername="",
    )  # fmt: skip
    await party.hung_up()
    # As the service's applications do: by the link alone.
    async with line.server.session.get(told["RecordingUrl"]) as answer:
        assert answer.status == 200
        file = await answer.read()
    assert find(read_wav(file), kept).likeness > (NOT_HEARD if Voice.stammered else 0.9)


@topic("record")
async def test_played_back(line: Line) -> None:
    """The reply of `action` plays the message from its `RecordingUrl`, as the service's sample does."""

    def reply(hook: Hook) -> object:
        return xml(f"<Play>{asked(hook)['RecordingUrl']}</Play>")(hook)

    line.on("/message.php", reply)
    party = await answered(line, '<Record playBeep="false" action="message.php"/>')
    await party.voice.say(SPOKEN)
    await party.voice.press("#")
    await party.voice.hears(SPOKEN[:-1600])
    await party.hung_up()


# ── dial, number ─────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("dial")
async def test_talk_and_action(line: Line, spoken: Spoken) -> None:
    """A number that answers: both hear each other; at the end `action` is told how it went and of its recording, and
    the caller, who is still there, hears the reply.
    """
    line.on("/after.php", xml("<Say>Goodbye</Say>"))
    a = await line.calls_in(
        line.on("/start", xml(f'<Dial action="after.php" record="on">{bare(line.far())}</Dial><Say>never</Say>'))
    )
    b = await line.rings()
    assert user(b.invite["From"]) == CALLER
    await b.pick_up()
    await a.answered()
    one, other = voice(403, 1.5), voice(404, 1.5)
    await asyncio.gather(a.voice.say(one), b.voice.say(other))
    await asyncio.gather(a.voice.hears(other), b.voice.hears(one))
    await b.hang_up()
    await a.voice.hears(await spoken("Goodbye"))
    await a.hung_up()
    told = asked(await line.hook("/after.php"))
    sid = told["callSid"]
    names = ("DialCallSid", "DialCallDuration", "RecordingURL")
    assert told == first(line, sid, DialCallStatus="completed", **{name: told[name] for name in names})
    assert told["DialCallSid"] != sid
    assert int(told["DialCallDuration"]) >= 1
    found, file = await line.file(told["RecordingURL"])
    assert found == 200
    # Two voices at once: each is about 0.7 of the sum. What was on its way at the end is not in it.
    assert find(read_wav(file), other[:-1600]).likeness > NOT_HEARD


@topic("dial")
async def test_next_verb_when_busy(line: Line, spoken: Spoken) -> None:
    """Nobody there and no `action`: the next verb, here another party and then a sentence."""
    verbs = f"<Dial>{line.far(1)}</Dial><Number>{bare(line.far(2))}</Number><Say>Nobody is there</Say>"
    a = await line.calls_in(line.on("/start", xml(verbs)))
    for number in (line.far(1), line.far(2)):
        b = await line.rings()
        assert user(b.invite["To"]) == number
        await b.refuse(486)
    await a.answered()
    await a.voice.hears(await spoken("Nobody is there"))
    await a.hung_up()


@topic("number")
async def test_whisper(line: Line, spoken: Spoken) -> None:
    """The called party hears keys and a document of its own, which the caller does not; with its key the two are
    joined. The leg's events go to the number's own address.
    """
    number = (
        f'<Number url="whisper.xml" senddigits="w7" statusCallback="leg.php?x=1" '
        f'statusCallbackEvent="answered,completed">{bare(line.far())}</Number>'
    )
    line.on("/leg.php", "")
    line.on(
        "/whisper.xml", xml('<Gather numDigits="1" action="yes.php"><Say>A call from our shop</Say></Gather><Hangup/>')
    )
    line.on("/yes.php", xml(""))
    a = await line.calls_in(line.on("/start", xml(f'<Dial callerid="{bare(line.number)}">{number}</Dial>')))
    b = await line.rings()
    assert user(b.invite["From"]) == line.number
    await b.pick_up()
    whisper = await spoken("A call from our shop")
    await b.voice.hears(whisper)
    assert b.voice.keys == "7"
    await b.voice.press("5")
    await a.answered()
    await b.voice.say(SPOKEN)
    await a.voice.hears(SPOKEN)
    assert find(a.voice.sound(), whisper).likeness < NOT_HEARD
    await a.hang_up()
    await b.hung_up()
    asking = asked(line.got("/whisper.xml")[0])
    sid, leg = asking["ParentCallSid"], asking["callSid"]
    assert asking == {
        "To": bare(line.far()), "From": bare(line.number), "CallerName": "", "callSid": leg, "Direction": "outbound",
        "CallStatus": "answered", "ParentCallSid": sid,
    }  # fmt: skip
    assert asked(line.got("/yes.php")[0]) == asking | {"Digits": "5"}
    await line.hook("/leg.php", 2)
    up, down = (pairs(hook) for hook in line.got("/leg.php"))
    assert up == event(line.far(), sid, "answered", leg)
    assert down == event(line.far(), sid, "completed", leg, CallDuration=dict(down)["CallDuration"])


# ── where it leads, and how it ends ──────────────────────────────────────────────────────────────────────────────────


@topic("redirect")
async def test_chain_of_documents(line: Line, spoken: Spoken) -> None:
    """One document at a time: what follows a redirect is never heard, and addresses start from where it led."""
    line.on("/deep/next.php", xml("<Say>Second document</Say><Redirect>last.php</Redirect>"))
    line.on("/deep/last.php", xml(""))
    party = await answered(line, "<Say>First document</Say><Redirect>deep/next.php</Redirect><Say>Never</Say>")
    for text in ("First document", "Second document"):
        await party.voice.hears(await spoken(text))
    await party.hung_up()
    assert len(line.got("/deep/last.php")) == 1
    assert asked(line.got("/deep/last.php")[0]) == first(line, line.got("/start")[0].fields["callSid"])


@topic("hangup and reject")
async def test_hangup(line: Line) -> None:
    """Alone it refuses a call that was not answered; after another verb it ends it, and what follows never is."""
    refused = await line.calls_in(line.on("/alone", xml("<hangup/>")))
    await refused.talk.refused("6xx", "4xx")
    line.serve("/a.wav", wav(SPOKEN))
    party = await answered(line, "<Play>a.wav</Play><Hangup/><Redirect>never.php</Redirect>")
    await party.voice.hears(SPOKEN)
    await party.hung_up()
    assert line.got("/never.php") == []


@topic("first request")
async def test_number_asks_by_get(line: Line, did: DidmlLine) -> None:
    """A number that is set to GET: the parameters are in the query, after what the URL has."""
    number = await did.number(line.on("/get.php", xml("<Reject/>")) + "?shop=7", "GET")
    party = await did.calls(number)
    await party.talk.refused(603)
    (hook,) = line.got("/get.php")
    assert (hook.method, hook.body) == ("GET", b"")
    assert hook.target.startswith(
        f"{line.folder}/get.php?shop=7&To={bare(number)}&From={bare(CALLER)}&CallerName=&callSid="
    )


APOLOGY = Didml().apology


@topic("what is refused")
async def test_apology(line: Line, did: DidmlLine, spoken: Spoken) -> None:
    """A caller who was answered hears a spoken apology when the next document cannot be read, and is hung up."""
    line.on("/broken.php", "Fatal error: out of memory")
    party = await answered(line, "<Say>One</Say><Redirect>broken.php</Redirect>")
    assert isinstance(APOLOGY, Speech)
    await party.voice.hears(await spoken(APOLOGY.text))
    await party.hung_up()
    sid = line.got("/start")[0].fields["callSid"]
    shown = await did.ended(sid)
    assert shown["cause"] == "bad_document"
