"""Calls that DIDforSale's API makes: what the phones hear and see, and what the application is told, when and how."""

import asyncio
import itertools
import socket
from urllib.parse import parse_qsl

import pytest
from tests.conformance.didml.calls.answers import status, xml
from tests.conformance.didml.calls.conftest import Spoken
from tests.support.didml_line import DidmlLine, asked, bare, event, user
from tests.support.line import Line, Voice
from tests.support.sound_checks import find, read_wav, voice
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")

ALL = "initiated,ringing,answered,completed"
KEY_S = 0.4
"""How much later than the rule says a key may begin: the one before it has a length, and a pause after it."""
SLACK_S = 0.1
"""How much earlier, counted from the first packet that was heard: a few may have been lost to the answer's way."""


# ── with a url ───────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("rest call")
async def test_pin_is_said(line: Line, did: DidmlLine, spoken: Spoken) -> None:
    """`url` is asked for once, when the call is answered and not before; its document speaks, and the call is over.
    One `completed` is told.
    """
    url, told = line.on("/pin.xml", xml("<say>Your pin is 8 9 70</say>")), line.on("/events", "")
    sid = await did.order(as_json=True, url=url, statusCallback=told)
    party = await line.rings()
    assert (user(party.invite["To"]), user(party.invite["From"])) == (line.far(), line.number)
    party.ring()
    await line.noted(sid, "leg.ringing")
    assert line.got("/pin.xml") == []
    await party.pick_up()
    await party.voice.hears(await spoken("Your pin is 8 9 70"))
    await party.hung_up()
    (hook,) = line.got("/pin.xml")
    assert hook.method == "POST"
    assert hook.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked(hook) == {
        "To": bare(line.far()), "From": bare(line.number), "CallerName": "",
        "callSid": sid, "Direction": "outbound", "CallStatus": "answered",
    }  # fmt: skip
    (completed,) = await did.events(1)
    assert completed == event(line.far(), sid, "completed", sid, CallDuration=dict(completed)["CallDuration"])
    assert 1 <= int(dict(completed)["CallDuration"]) <= 15


@topic("number")
@pytest.mark.parametrize(
    ("digits", "keys", "after_s"),
    [("wW1w2#", "12#", (1.5, 0.5, 0.0)), ("WWWW101", "101", (4.0, 0.0, 0.0))],
    ids=["between", "the-page's"],
)
async def test_waits(line: Line, did: DidmlLine, digits: str, keys: str, after_s: tuple[float, ...]) -> None:
    """`w` waits half a second and `W` a whole one, measured at the phone by the sender's clock; the document is
    asked for after the keys.
    """
    await did.order(url=line.on("/start", xml("<hangup/>")), senddigits=digits)
    party = await line.rings()
    await party.pick_up()
    answered = asyncio.get_running_loop().time()
    hook = await line.hook("/start")
    await party.hung_up()
    assert party.voice.keys == keys
    assert hook.at - answered > sum(after_s) - SLACK_S
    at_s = [0.0, *(party.voice.key_after_s(n) for n in range(len(keys)))]
    waited = [now - then for then, now in itertools.pairwise(at_s)]
    for wait_s, rule_s in zip(waited, after_s, strict=True):
        assert rule_s - SLACK_S <= wait_s <= rule_s + KEY_S, waited


@topic("addresses")
async def test_a_static_file(line: Line, did: DidmlLine, spoken: Spoken) -> None:
    """`url` is a file, which takes no POST (405): it is asked once more by GET, with the same parameters, and runs."""
    url = line.on("/hello.xml", status(405), xml("<Say>Hello world</Say>"))
    sid = await did.order(url=url)
    party = await line.rings()
    await party.pick_up()
    await party.voice.hears(await spoken("Hello world"))
    await party.hung_up()
    post, get = line.got("/hello.xml")
    assert (post.method, get.method) == ("POST", "GET")
    assert get.fields == asked(post)
    assert get.fields["callSid"] == sid


@topic("first request")
async def test_asked_by_get(line: Line, did: DidmlLine) -> None:
    """`Method=GET`: the parameters are added to the query that the URL has."""
    url = line.on("/hello.php", xml("")) + "?shop=7"
    sid = await did.order(url=url, Method="GET")
    party = await line.rings()
    await party.pick_up()
    await party.hung_up()
    (hook,) = line.got("/hello.php")
    assert hook.method == "GET"
    assert hook.target.startswith(f"{line.folder}/hello.php?shop=7&To={bare(line.far())}&From=")
    assert hook.fields["callSid"] == sid


# ── without one ──────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("rest call")
async def test_connected_to_the_from_number(line: Line, did: DidmlLine) -> None:
    """Without `url`: after the digits whoever answered is connected to FROM, which sees the first number; both hear
    each other; eight events come to one URL, each with the key and the token.
    """
    sid = await did.order(
        from_=bare(line.far(2)), senddigits="w7", statusCallback=line.on("/events", ""), statusCallbackEvent=ALL,
        secretKey="s3", optional="token=123456",
    )  # fmt: skip
    a = await line.rings()
    assert (user(a.invite["To"]), user(a.invite["From"])) == (line.far(1), line.far(2))
    a.ring()
    await a.pick_up()
    b = await line.rings()
    assert a.voice.keys == "7"
    assert (user(b.invite["To"]), user(b.invite["From"])) == (line.far(2), line.far(1))
    b.ring()
    await b.pick_up()
    one, other = voice(301, 1.2), voice(302, 1.2)
    await asyncio.gather(a.voice.say(one), b.voice.say(other))
    await asyncio.gather(a.voice.hears(other), b.voice.hears(one))
    await b.hang_up()
    await a.hung_up()
    told = await did.events(8)
    second = dict(told[3])["callSid"]
    assert second != sid
    more = {"apikey": "s3", "token": "123456"}
    assert told[:6] == [
        event(called, sid, stage, leg, **more)
        for called, leg in ((line.far(1), sid), (line.far(2), second))
        for stage in ("initiated", "ringing", "answered")
    ]
    ends = {dict(each)["callSid"]: each for each in told[6:]}
    for called, leg in ((line.far(1), sid), (line.far(2), second)):
        lasted = dict(ends[leg])["CallDuration"]
        assert ends[leg] == event(called, sid, "completed", leg, CallDuration=lasted, **more)
        assert 1 <= int(lasted) <= 20


@topic("rest call")
async def test_from_number_is_busy(line: Line, did: DidmlLine) -> None:
    """The FROM number is busy: its leg is completed with a duration of 0, and the call is over."""
    sid = await did.order(from_=bare(line.far(2)), statusCallback=line.on("/events", ""))
    a = await line.rings()
    await a.pick_up()
    await (await line.rings()).refuse(486)
    await a.hung_up()
    first, last = await did.events(2)
    assert first == event(line.far(2), sid, "completed", dict(first)["callSid"], CallDuration="0")
    assert last == event(line.far(1), sid, "completed", sid, CallDuration=dict(last)["CallDuration"])


# ── events ───────────────────────────────────────────────────────────────────────────────────────────────────────────


@topic("status events")
@pytest.mark.parametrize("refusal", [486, 404, 603])
async def test_never_answered(line: Line, did: DidmlLine, refusal: int) -> None:
    """A call that is refused is completed with a duration of 0; only events that happened are told, and `url` is never
    asked.
    """
    url, told = line.on("/start", xml("")), line.on("/events", "")
    sid = await did.order(url=url, statusCallback=told, statusCallbackEvent="answered completed initiated")
    await (await line.rings()).refuse(refusal)
    assert await did.events(2) == [
        event(line.far(), sid, "initiated", sid),
        event(line.far(), sid, "completed", sid, CallDuration="0"),
    ]
    assert line.got("/start") == []


@topic("status events")
async def test_nobody_answers(line: Line, did: DidmlLine) -> None:
    """A number of a document that rings in vain: `ringing`, then `completed` with 0, to its own address; the document
    goes on.
    """
    number = f'<Number timeout="1" statusCallback="events" statusCallbackEvent="ringing,completed">{bare(line.far(2))}'
    line.on("/voice/events", "")
    a = await line.calls_in(line.on("/voice/start", xml(f"<Dial>{number}</Number></Dial><Reject reason='busy'/>")))
    b = await line.rings()
    b.ring()
    b.talk.respond(await line.peer.receive("CANCEL", call_id=b.talk.call_id), 200)
    await b.refuse(487)
    await a.talk.refused(486)
    ringing, completed = await did.events(2, "/voice/events")
    sid, leg = await did.sid("/voice/start"), dict(ringing)["callSid"]
    assert ringing == event(line.far(2), sid, "ringing", leg)
    assert completed == event(line.far(2), sid, "completed", leg, CallDuration="0")


@topic("status events")
async def test_told_by_get(line: Line, did: DidmlLine) -> None:
    """`statusCallbackMethod=GET`: in the query, after what the URL has; key and token too. Only what was subscribed to
    comes.
    """
    told = line.on("/events", "") + "?shop=7"
    sid = await did.order(
        statusCallback=told, statusCallbackEvent="answered", statusCallbackMethod="GET", url=line.on("/u", xml("")),
        secretKey="s 3", optional="plain",
    )  # fmt: skip
    party = await line.rings()
    party.ring()
    await party.pick_up()
    await party.hung_up()
    await did.ended(sid)
    hook = await line.hook("/events")
    assert hook.method == "GET"
    query = parse_qsl(hook.target.partition("?")[2], strict_parsing=True)
    assert query == [("shop", "7"), *event(line.far(), sid, "answered", sid, apikey="s 3", optional="plain")]
    assert len(line.got("/events")) == 1


@topic("status events")
async def test_the_misspelling(line: Line, did: DidmlLine) -> None:
    """An account that asks for `CallDurartion` gets it beside `CallDuration`."""
    path = f"/accounts/{line.account}/quirks"
    assert (await line.server.v1("PUT", path, {"quirks": ["CallDurartion"]}))[0] == 200
    sid = await did.order(statusCallback=line.on("/events", ""))
    await (await line.rings()).refuse(486)
    assert await did.events(1) == [
        event(line.far(), sid, "completed", sid, CallDuration="0", CallDurartion="0"),
    ]


@topic("status events")
async def test_recording_is_named(line: Line, did: DidmlLine) -> None:
    """A call that was recorded names its `RecordingURL` with `completed` and with nothing else; the file has what was
    said.
    """
    url = line.on("/start", xml('<pause length="20"/>'))
    sid = await did.order(url=url, record="true", statusCallback=line.on("/events", ""), statusCallbackEvent=ALL)
    party = await line.rings()
    party.ring()
    await party.pick_up()
    await line.hook("/start")
    said = voice(303, 1.5)
    await party.voice.say(said)
    await party.hang_up()
    *before, completed = await did.events(4)
    assert [dict(each)["CallStatus"] for each in before] == ["initiated", "ringing", "answered"]
    assert not any("RecordingURL" in dict(each) for each in before)
    last = dict(completed)
    recording = {name: last[name] for name in ("CallDuration", "RecordingURL")}
    assert completed == event(line.far(), sid, "completed", sid, **recording)
    found, wav = await line.file(last["RecordingURL"])
    assert found == 200
    # What was still on its way when the caller hung up is not in it.
    assert find(read_wav(wav), said[:-1600]).likeness > (0.5 if Voice.stammered else 0.9)


@topic("status events")
async def test_tried_three_times(line: Line, did: DidmlLine) -> None:
    """An event that is not taken is sent three times, the same bytes, with the pauses of the account's policy, and is
    then a dead letter; the next one waits for it.
    """
    policy = {"kind": "listed", "pauses_s": [1, 1]}
    path = f"/accounts/{line.account}/delivery"
    assert (await line.server.v1("PUT", path, {"policy": policy}))[0] == 200
    told = line.on("/events", *[status(500)] * 3, "")
    sid = await did.order(statusCallback=told, statusCallbackEvent="initiated,completed")
    await (await line.rings()).refuse(486)
    await line.noted(sid, "hook.dead")
    events = await did.events(4)
    assert events[:3] == [event(line.far(), sid, "initiated", sid)] * 3
    assert events[3] == event(line.far(), sid, "completed", sid, CallDuration="0")
    tries = [hook.at for hook in line.got("/events")]
    assert min(after - before for before, after in itertools.pairwise(tries[:3])) > 0.9


@topic("status events")
async def test_unreachable(line: Line, did: DidmlLine, spoken: Spoken) -> None:
    """An address that nobody answers at does not touch the call."""
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        host, port = unused.getsockname()
        url = line.on("/start", xml("<Say>Hello world</Say>"))
        sid = await did.order(url=url, statusCallback=f"http://{host}:{port}/events", statusCallbackEvent=ALL)
        party = await line.rings()
        await party.pick_up()
        await party.voice.hears(await spoken("Hello world"))
        await party.hung_up()
        assert (await did.ended(sid))["state"] == "success"


@topic("rest key")
async def test_keys_are_not_written_down(line: Line, did: DidmlLine) -> None:
    """Neither the API key nor the `secretKey` is in the log or in the call's timeline."""
    sid = await did.order(statusCallback=line.on("/events", ""), secretKey="very-private-key")
    await (await line.rings()).refuse(486)
    await did.events(1)
    log = line.server.log_path.read_text()
    written = log + str(await line.timeline(sid))
    assert sid.replace("-", "") in written.replace("-", ""), "it is the log of this call"
    assert line.api_key not in written
    assert "very-private-key" not in written
