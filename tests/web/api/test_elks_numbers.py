"""Numbers: when they expire, and that the server hears of changes. The answers are in tests/conformance/elks/rest."""

from datetime import UTC, datetime, timedelta

import pytest
from tests.support.asgi import ask, basic
from tests.support.rest_cases import MAIN, SECRET, World

from offhook.storage.rows import NumberRow
from offhook.web.api.elks_numbers import number_object

T0 = datetime(2026, 1, 1, tzinfo=UTC)


@pytest.mark.parametrize(("days", "expires"), [(0, "2026-01-31"), (29.9, "2026-01-31"), (30, "2026-03-02")])
def test_expires_at_the_end_of_the_running_period(days: float, expires: str) -> None:
    row = NumberRow(id="n", number="+46", kind="trunk", created=T0, allocated=T0)
    assert number_object(row, T0 + timedelta(days=days))["expires"] == f"{expires}T00:00:00"


async def test_the_server_hears_of_changes_alone(world: World) -> None:
    app, auth = world.app(), basic(MAIN, SECRET)
    await ask(app, "POST", "/a1/numbers", {"category": "voip"}, auth)
    assert world.board.directory_changes == 1
    number = world.storage.directory.numbers_of(MAIN)[0]
    await ask(app, "POST", f"/a1/numbers/{number.id}", {"name": "desk"}, auth)
    assert world.board.directory_changes == 2
    await ask(app, "POST", f"/a1/numbers/{number.id}", {"active": "yes"}, auth)
    await ask(app, "GET", "/a1/numbers", headers=auth)
    assert world.board.directory_changes == 2
    await ask(app, "POST", f"/a1/numbers/{number.id}", {"active": "no"}, auth)
    assert world.board.directory_changes == 3
