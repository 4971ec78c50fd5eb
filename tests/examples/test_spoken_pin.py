"""examples/spoken_pin.py with a real phone, which hears exactly what `offhook say` makes of the words."""

import sys

import pytest
from tests.support.phones import ALIKE, Stage
from tests.support.server import SECRET

from offhook.testing.listening import read_wav

pytestmark = pytest.mark.native

CUSTOMER = "+4600101"


async def test_the_pin_is_said(theatre: Stage) -> None:
    file = theatre.folder / "pin.wav"
    say = await theatre.start("say", sys.executable, "-m", "offhook", "say", "Your pin is 8 9 70", "--out", file)
    assert await say.end(30) == 0
    api = theatre.server.http
    url, _ = await theatre.example(
        "spoken_pin", "--number", "18005797676", "--api", api, "--apikey", SECRET, "--pin", "8970"
    )
    customer = await theatre.phone(CUSTOMER, "--answer")
    async with theatre.server.session.post(f"{url}/authenticate", data={"customer": CUSTOMER[1:]}) as answer:
        assert answer.status == 200, await answer.text()
    assert (await customer.says("called"))["from"] == "+18005797676"
    assert await customer.done() == 0
    spoken = read_wav(file)
    assert len(spoken) > 8000, "a second of it at least"
    assert customer.heard(spoken).likeness > ALIKE
