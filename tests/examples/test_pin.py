"""examples/pin.py with a real phone: the right PIN, the right one at the second try, three wrong ones."""

import pytest
from examples.sounds import tune
from tests.support.phones import ALIKE, Stage

pytestmark = pytest.mark.native

CALLER = "+4600100"


async def test_the_right_pin(theatre: Stage) -> None:
    url, app = await theatre.example("pin", "--pin", "4711")
    caller = await theatre.phone(CALLER, "--answer", "--digits", "WWW4711")
    call = await theatre.call(CALLER, f"{url}/start")
    assert await caller.done() == 0
    await app.says(r'^/check\?try=1 .*"result": "4711"', 1)
    assert caller.heard(tune("pin")).likeness > ALIKE
    assert caller.heard(tune("announcement")).likeness > ALIKE
    assert [action["result"] for action in await theatre.actions(call)] == ["4711", "ok"]


async def test_a_second_try(theatre: Stage) -> None:
    url, app = await theatre.example("pin", "--pin", "4711")
    caller = await theatre.phone(CALLER, "--answer", "--digits", "W47#WWWW4711")
    await theatre.call(CALLER, f"{url}/start")
    assert await caller.done() == 0
    await app.says(r'^/check\?try=1 .*"result": "47"', 1)
    await app.says(r'^/check\?try=2 .*"result": "4711"', 1)
    assert caller.heard(tune("wrong")).likeness > ALIKE
    assert caller.heard(tune("announcement")).likeness > ALIKE


async def test_three_wrong_ones(theatre: Stage) -> None:
    url, app = await theatre.example("pin", "--pin", "4711")
    caller = await theatre.phone(CALLER, "--answer", "--digits", "W0000WWWW0000WWWW0000")
    await theatre.call(CALLER, f"{url}/start")
    assert await caller.done() == 0
    await app.says(r'^/check\?try=3 .*"result": "0000"', 1)
    assert caller.heard(tune("announcement")).likeness < 0.6
