"""examples/click_to_call.py with real phones: the customer is called, then the centre; both hear each other, and every
event of both legs comes to one URL.
"""

import json
import re

import pytest
from tests.support.phones import ALIKE, Stage
from tests.support.server import SECRET
from tests.support.sound_checks import voice, write_wav

pytestmark = pytest.mark.native

CUSTOMER, CENTER = "+4600101", "+4600102"


async def test_both_are_connected_and_reported(theatre: Stage) -> None:
    api = theatre.server.http
    url, app = await theatre.example("click_to_call", "--center", CENTER[1:], "--api", api, "--apikey", SECRET)
    said = voice(51, 2.0)
    write_wav(theatre.folder / "said.wav", said)
    customer = await theatre.phone(CUSTOMER, "--answer", "--hang-up-after", "4")
    center = await theatre.phone(CENTER, "--answer", "--play", theatre.folder / "said.wav")
    async with theatre.server.session.post(f"{url}/call", data={"customer": CUSTOMER[1:]}) as answer:
        assert answer.status == 200, await answer.text()
        sid = (await answer.json())["callSid"]
    assert (await customer.says("called"))["from"] == CENTER, "the customer sees the call centre"
    assert (await center.says("called"))["from"] == CUSTOMER, "the centre sees the customer"
    assert await customer.done() == 0
    assert await center.done() == 0
    assert customer.heard(said).likeness > ALIKE
    for number in (CUSTOMER, CENTER):
        await app.says(rf'^/events (?=.*"Called": "{number[1:]}").*"CallStatus": "completed"', 5)
    told = [
        json.loads(line.split(" ", 1)[1]) for line in re.findall(r"^/events .*$", app.log.read_text(), re.MULTILINE)
    ]
    assert {(each["apikey"], each["token"]) for each in told} == {("proves-who-calls-back", "123456")}
    assert {each["ParentCallSid"] for each in told} == {sid}
    for number in (CUSTOMER, CENTER):
        stages = [each["CallStatus"] for each in told if each["Called"] == number[1:]]
        assert stages == ["initiated", "ringing", "answered", "completed"], number
    assert {each["callSid"] == sid for each in told if each["Called"] == CENTER[1:]} == {False}
