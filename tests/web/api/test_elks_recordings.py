"""Recordings: whole seconds, and names that lead nowhere else. The answers are in tests/conformance/elks/rest."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from tests.support.asgi import ask, basic
from tests.support.rest_cases import MAIN, SECRET, World

from offhook.storage.rows import RecordingRow
from offhook.web.api.elks_recordings import recording_object

T0 = datetime(2026, 1, 1, tzinfo=UTC)
NONE = "c" + "0" * 32
ROW = RecordingRow(call_id="0" * 32, number=3, owner="u", path="x.wav", created=T0, duration_s=0.4, bytes=1, expires=T0)


def test_seconds_are_whole() -> None:
    assert recording_object(ROW)["duration"] == 0
    assert recording_object(replace(ROW, duration_s=7.6))["duration"] == 8
    assert recording_object(ROW)["id"] == f"{NONE}-r3"


@pytest.mark.parametrize("name", ["../../admin.token", "..", f"{NONE}-r0.wav/../x", f"{NONE}-r99999"])
async def test_names_lead_nowhere_else(world: World, name: str) -> None:
    reply = await ask(world.app(), "GET", f"/a1/recordings/{name}", headers=basic(MAIN, SECRET))
    assert reply.status == 404


async def test_an_open_link_needs_no_credentials_and_opens_one_recording_alone(world: World) -> None:
    for number in ("0", "1"):
        world.give(f"recording {number}")
    await world.storage.writer.flush()
    app, name = world.app(), f"{NONE}-r0"
    key = world.storage.key.link_key(name)
    opened = await ask(app, "GET", f"/a1/recordings/{name}.wav?key={key}")
    assert (opened.status, opened.headers["content-type"]) == (200, "audio/wav")
    for target in (
        f"/a1/recordings/{NONE}-r1.wav?key={key}",
        f"/a1/recordings/{name}.wav?key={key[:-1]}",
        f"/a1/recordings/{name}.wav?key=",
        f"/a1/recordings/{name}.wav?key=\u00e9&key={key}",
        f"/a1/recordings/{name}?key={key}",
        f"/a1/calls?key={key}",
    ):
        assert (await ask(app, "GET", target)).status == 401, target
    assert (await ask(app, "POST", f"/a1/recordings/{name}.wav?key={key}")).status == 401


async def test_an_open_link_ends_with_its_recording(world: World) -> None:
    world.give("recording 0 main expired")
    await world.storage.writer.flush()
    name = f"{NONE}-r0"
    reply = await ask(world.app(), "GET", f"/a1/recordings/{name}.wav?key={world.storage.key.link_key(name)}")
    assert reply.status == 401
