"""examples/menu.py with real phones: keys that lead on, a wrong key, no key."""

import pytest
from examples.sounds import tune
from tests.support.phones import ALIKE, Stage

pytestmark = pytest.mark.native

CALLER, SALES, SUPPORT = "+4600100", "+4600101", "+4600102"


async def test_a_key_leads_to_its_number(theatre: Stage) -> None:
    url, _ = await theatre.example("menu", "--sales", SALES, "--support", SUPPORT)
    caller = await theatre.phone(CALLER, "--answer", "--digits", "WW2")
    sales = await theatre.phone(SALES, "--answer")
    support = await theatre.phone(SUPPORT, "--answer", "--hang-up-after", "1")
    await theatre.call(CALLER, f"{url}/start")
    assert (await support.says("called"))["from"] == CALLER
    assert await support.done() == 0
    assert await caller.done() == 0
    assert caller.heard(tune("menu")[: 8000 * 3 // 2]).likeness > ALIKE
    assert await sales.done(0.0) == 0
    assert "called" not in sales.program.log.read_text()


async def test_a_wrong_key_begins_again(theatre: Stage) -> None:
    url, app = await theatre.example("menu", "--sales", SALES, "--support", SUPPORT)
    # 9 within the menu; then, after the tune of two seconds that says so, 1.
    caller = await theatre.phone(CALLER, "--answer", "--digits", "W9WWWW1")
    sales = await theatre.phone(SALES, "--answer", "--hang-up-after", "1")
    await theatre.call(CALLER, f"{url}/start")
    await app.says(r'^/other .*"result": "9"', 20)
    assert await sales.done() == 0
    assert await caller.done() == 0
    assert caller.heard(tune("no-such-key")).likeness > ALIKE


async def test_no_key_is_a_goodbye(theatre: Stage) -> None:
    url, app = await theatre.example("menu", "--sales", SALES, "--support", SUPPORT)
    caller = await theatre.phone(CALLER, "--answer")
    call = await theatre.call(CALLER, f"{url}/start")
    await app.says(r'^/other .*"result": "failed", "why": "noinput"', 30)
    assert await caller.done() == 0
    menu = tune("menu")
    first = caller.heard(menu)
    assert first.likeness > ALIKE
    assert caller.heard(tune("goodbye")).at_s > first.at_s + 2 * len(menu) / 8000, "the menu came twice before"
    assert caller.heard(tune("goodbye")).likeness > ALIKE
    assert [action.get("result") for action in await theatre.actions(call)] == ["failed", "ok"]
