"""The 46elks API as a whole: what no case shows since it is about no one resource (tests/conformance/elks/rest)."""

import logging
import re
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.support.asgi import ask, basic
from tests.support.rest_cases import MAIN, SECRET, World

from offhook.storage.writer import StorageUnavailable

CASES = Path(__file__).parents[2] / "conformance/elks/rest"
RESOURCES = ("calls", "numbers", "recordings", "me", "subaccounts", "billing", "transactions", "sms", "mms", "images")
ERRORS = (
    "Missing key from",
    "Missing key to",
    "Missing key voice_start",
    "Missing key country",
    "Not found",
    "Invalid to number",
    "Invalid from number",
    "Not enough credits",
    "Invalid number id",
    "Too long",
)


async def test_no_traceback_reaches_a_customer(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.give("dev")
    world.give("broken")
    form = {"from": "+46100000001", "to": "+46700000002", "voice_start": "https://app.example/"}
    with caplog.at_level(logging.ERROR):
        reply = await ask(world.app(), "POST", "/a1/calls", form, basic(MAIN, SECRET))
    assert (reply.status, reply.body) == (500, b"")
    assert "a fault of ours" in caplog.text


async def test_a_change_that_is_not_stored_in_time_is_said(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def unavailable(_timeout_s: float = 5.0) -> None:
        raise StorageUnavailable("database or disk is full")

    monkeypatch.setattr(world.storage.writer, "flush", unavailable)
    app = world.app()
    reply = await ask(app, "POST", "/a1/me", {"creditalert": "5"}, basic(MAIN, SECRET))
    assert (reply.status, reply.headers["retry-after"]) == (503, "1")
    assert reply.text == "The change is not stored yet; look whether it is there before repeating it"
    assert (await ask(app, "GET", "/a1/calls", headers=basic(MAIN, SECRET))).status == 200


def test_every_resource_and_error_of_the_service_has_a_case() -> None:
    text = "".join(path.read_text() for path in CASES.glob("*.case"))
    for word in RESOURCES:
        assert re.search(rf"(GET|POST) /a1/+{word}\b", text, re.IGNORECASE), word
    for error in ERRORS:
        assert error in text


@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(
    method=st.sampled_from(["GET", "POST", "DELETE", "PUT"]),
    path=st.lists(
        st.sampled_from(["calls", "numbers", "me", "subaccounts", "recordings", "POST", "c0", "", "x"]), max_size=4
    ),
    form=st.dictionaries(
        st.sampled_from(["from", "to", "voice_start", "timeout", "limit", "start", "name", "country", "active"]),
        st.text(st.characters(codec="utf-8"), max_size=30)
        | st.sampled_from(["+46100000001", "{", '{"play":{}}', "-1", "1e400", "yes"]),
    ),
)
async def test_whatever_is_asked_is_answered_plainly(
    world: World, method: str, path: list[str], form: dict[str, str]
) -> None:
    reply = await ask(world.app(), method, "/a1/" + "/".join(path), form, basic(MAIN, SECRET))
    assert reply.status in (200, 403, 404)
    assert b"Traceback" not in reply.body
