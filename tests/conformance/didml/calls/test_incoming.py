"""Calls that come in to a number that speaks didML: requests as they pass on the wire, keys, SIP hosts, messages."""

import re

import pytest
from aiohttp import web
from tests.conformance.didml.calls.answers import wav, xml
from tests.support.customer import Hook
from tests.support.line import CALLER, Line, pairs
from tests.support.sip_peer import sip_peer
from tests.support.sound_checks import voice
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")

UUID = "[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}"
SPOKEN = voice(61, 2.0)


def first(line: Line, status: str) -> str:
    """The first request of an incoming call, as a form."""
    return rf"To={line.number[1:]}&From={CALLER[1:]}&CallerName=&callSid={UUID}&Direction=inbound&CallStatus={status}"


def user_of(uri: str) -> str:
    """The user part of a SIP URI."""
    return uri.partition(":")[2].rpartition("@")[0]


@topic("first request")
async def test_first_of_incoming(line: Line) -> None:
    """The first request of an incoming call, byte for byte, before it is answered."""
    party = await line.calls_in(line.on("/start", xml('<Reject reason="busy"/>')))
    await party.talk.refused(486)
    (hook,) = line.got("/start")
    assert hook.method == "POST"
    assert hook.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert re.fullmatch(first(line, "ringing"), hook.body.decode())


@topic("redirect")
async def test_redirect_with_get(line: Line) -> None:
    """A redirect with GET: the first request's parameters in the query, behind the document's own, and no body."""
    line.on("/start", xml('<Redirect Method="GET">next.xml?a=1</Redirect><Say>never</Say>'))
    line.on("/next.xml", xml("<Reject/>"))
    await (await line.calls_in(line.url("/start"))).talk.refused(603)
    (hook,) = line.got("/next.xml")
    assert (hook.method, hook.body) == ("GET", b"")
    path, _, query = hook.target.partition("?")
    assert path == f"{line.folder}/next.xml"
    assert re.fullmatch("a=1&" + first(line, "ringing"), query)


@topic("addresses")
async def test_a_file_takes_no_post(line: Line) -> None:
    """A file that is given for GET alone (405): asked once more so, with the same parameters in the query."""

    def file(hook: Hook) -> web.Response:
        if hook.method == "POST":
            return web.Response(status=405)
        return web.Response(text="<Response><Reject/></Response>", content_type="application/xml")

    await (await line.calls_in(line.on("/start.xml", file))).talk.refused(603)
    refused, given = line.got("/start.xml")
    assert (refused.method, given.method) == ("POST", "GET")
    assert given.target.partition("?")[2] == refused.body.decode()


@topic("documents")
@pytest.mark.parametrize("content_type", ["text/xml", "text/html", "text/plain", "application/octet-stream"])
async def test_any_content_type(line: Line, content_type: str) -> None:
    """Whatever type an answer says it has, it is read."""
    party = await line.calls_in(line.on("/start", xml('<Reject reason="busy"/>', content_type)))
    await party.talk.refused(486)


@topic("what is refused")
async def test_unanswered(line: Line) -> None:
    """An incoming call whose document cannot be read is refused with 503, so that a trunk can go elsewhere."""
    party = await line.calls_in(line.on("/start", lambda _: web.Response(text="<!DOCTYPE a><Response/>")))
    await party.talk.refused(503)


@topic("gather")
async def test_keys(line: Line) -> None:
    """Keys until the finish key, real ones, go to `action`; a key interrupts the prompt."""
    prompt = line.serve("/menu.wav", wav(voice(62, 20)))
    line.on("/start", xml(f'<Gather timeout="10" finishOnKey="*" action="h.php"><Play>{prompt}</Play></Gather>'))
    line.on("/h.php", xml("<Hangup/>"))
    party = await line.calls_in(line.url("/start"))
    await party.answered()
    await party.voice.hears(voice(62, 0.5))
    await party.voice.press("12*")
    hook = await line.hook("/h.php", within_s=3)
    assert re.fullmatch(first(line, "answered") + "&Digits=12", hook.body.decode())
    await party.hung_up()


@topic("sip and client")
@pytest.mark.parametrize("user_part", ["desk@", ""])
async def test_sip(line: Line, user_part: str) -> None:
    """A SIP URI; of a bare host the user is the number that was dialled, without `+`."""
    async with sip_peer(line.peer.server) as other:
        uri = f"{user_part}{other.host}:{other.port}"
        party = await line.calls_in(line.on("/start", xml(f"<dial><sip>{uri}</sip></dial><reject/>")))
        talk = await other.called()
        assert talk.first is not None
        assert user_of(talk.first.uri) == (user_part.rstrip("@") or line.number.removeprefix("+"))
        talk.respond(talk.first, 486)
        await party.talk.refused(603)


@topic("record")
async def test_message(line: Line) -> None:
    """A caller speaks and hangs up: `action` is told of the message, and where it is."""
    party = await line.calls_in(line.on("/start", xml('<Record playBeep="false" action="message.php"/>')))
    await party.answered()
    await party.voice.say(SPOKEN)
    await party.hang_up()
    told = dict(pairs(await line.hook("/message.php")))
    assert told["CallStatus"] == "completed"
    assert (told["dialednumber"], told["callerid"]) == (line.number[1:], CALLER[1:])
    assert told["callid"] == told["callSid"]
    assert (await line.file(told["RecordingUrl"]))[0] == 200


@topic("postcall")
async def test_all_details(line: Line) -> None:
    """`postcall` is told of the end of an incoming call, its recording and its times."""
    line.on("/start", xml("<Recording/><Postcall>details.php</Postcall><Play>spoken.wav</Play>"))
    line.serve("/spoken.wav", wav(SPOKEN))
    party = await line.calls_in(line.url("/start"))
    await party.answered()
    await party.hung_up()
    told = dict(pairs(await line.hook("/details.php")))
    assert (told["CallStatus"], told["CallDuration"]) == ("completed", "2")
    assert {"StartTime", "AnswerTime", "EndTime"} <= told.keys()
    assert (await line.file(told["RecordingURL"]))[0] == 200
