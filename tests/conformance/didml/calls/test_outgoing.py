"""Calls that DIDforSale's API makes: when the document is asked for, keys at the phone, and events of both legs."""

import asyncio
import json
from typing import Any

import pytest
from tests.conformance.didml.calls.answers import wav, xml
from tests.support.line import Line, Party, pairs
from tests.support.sound_checks import voice
from tests.support.topics import topic

pytestmark = pytest.mark.asyncio(loop_scope="session")

PATH = "/didforsaleapi/index.php/api/V2/CallTermination/"
EVENTS = "initiated,ringing,answered,completed"
TOLERANCE_S = 0.4
"""How much later a key may be heard than the rule says: a key has a length, and the machine has other things to do."""


async def order(line: Line, *, as_json: bool = False, **fields: Any) -> str:
    """`POST` to the call API; returns `callSid`."""
    data = {"apikey": line.api_key, "to": line.far()[1:], **{name.rstrip("_"): value for name, value in fields.items()}}
    sent = {"json": data} if as_json else {"data": data}
    async with line.server.session.post(line.server.http + PATH, **sent) as answer:
        told = await answer.json()
        assert answer.status == 200, told
    return str(told["callSid"])


async def told_of(line: Line, path: str, count: int) -> list[dict[str, str]]:
    await line.hook(path, count)
    return [dict(pairs(hook)) for hook in line.got(path)]


@topic("status events")
async def test_both_legs(line: Line) -> None:
    """Without `url` whoever answers is connected to FROM, and the events of both legs come to one URL, in order."""
    line.on("/cb", "")
    first, second = line.far(1), line.far(2)
    sid = await order(
        line,
        from_=second[1:],
        statusCallback=line.url("/cb"),
        statusCallbackEvent=EVENTS,
        secretKey="s3",
        optional="token=123456",
    )
    a = await line.rings()
    a.ring()
    await a.pick_up()
    b = await line.rings()
    b.ring()
    await b.pick_up()
    await told_of(line, "/cb", 6)
    await b.hang_up()
    await a.hung_up()
    told = await told_of(line, "/cb", 8)
    assert {(each["apikey"], each["token"], each["ParentCallSid"]) for each in told} == {("s3", "123456", sid)}
    assert {(each["Direction"], each["CallbackSource"]) for each in told} == {("Outbound", "call-progress-event")}
    for number, own in ((first, True), (second, False)):
        of_leg = [each for each in told if each["Called"] == number[1:]]
        assert [each["CallStatus"] for each in of_leg] == EVENTS.split(",")
        assert {each["callSid"] == sid for each in of_leg} == {own}
        assert ["CallDuration" in each for each in of_leg] == [False, False, False, True]
        assert all(set(each) <= {*of_leg[0], "CallDuration"} for each in of_leg)
    assert set(told[0]) == {
        *("Called", "ParentCallSid", "CallStatus", "Direction", "callSid", "CallbackSource", "apikey", "token")
    }


@topic("status events")
async def test_completed_alone(line: Line) -> None:
    """As JSON, with `url`: one fetch after the answer, and without `statusCallbackEvent` only `completed`."""
    line.on("/cb", "")
    line.on("/pin.xml", xml("<say>Your pin is 8 9 7 0</say>"))
    sid = await order(
        line, as_json=True, from_=line.far(2)[1:], url=line.url("/pin.xml"), statusCallback=line.url("/cb")
    )
    party = await line.rings()
    party.ring()
    await line.noted(sid, "leg.ringing")
    assert line.got("/pin.xml") == []
    await party.pick_up()
    await party.hung_up()
    (told,) = await told_of(line, "/cb", 1)
    assert (told["CallStatus"], told["Called"], told["callSid"]) == ("completed", line.far()[1:], sid)
    (asked,) = line.got("/pin.xml")
    fields = dict(pairs(asked))
    assert (fields["To"], fields["From"]) == (line.far()[1:], line.far(2)[1:])
    assert (fields["Direction"], fields["CallStatus"], fields["callSid"]) == ("outbound", "answered", sid)
    assert len(party.voice.heard) > 50, "a second of speech at least"


@topic("number")
@pytest.mark.parametrize(
    ("digits", "keys", "after_s"),
    [("wW1w2#", "12#", (1.5, 0.5, 0.0)), ("WWWW101", "101", (4.0, 0.0, 0.0))],
    ids=["between", "the-page's"],
)
async def test_waits(line: Line, digits: str, keys: str, after_s: tuple[float, ...]) -> None:
    """`w` waits half a second and `W` a whole one, measured at the phone; the document is asked for after the keys."""
    line.on("/start", xml("<play>spoken.wav</play>"))
    line.serve("/spoken.wav", wav(voice(63, 1.0)))
    await order(line, from_=line.far(2)[1:], url=line.url("/start"), senddigits=digits)
    party: Party = await line.rings()
    await party.pick_up()
    answered = asyncio.get_running_loop().time()
    hook = await line.hook("/start")
    await party.hung_up()
    assert party.voice.keys == keys
    assert hook.at > party.voice.keys_at[-1]
    before = [answered, *party.voice.keys_at]
    waited = [now - then for then, now in zip(before, party.voice.keys_at, strict=False)]
    for wait_s, rule_s in zip(waited, after_s, strict=True):
        assert rule_s - 0.05 <= wait_s <= rule_s + TOLERANCE_S, json.dumps(waited)
