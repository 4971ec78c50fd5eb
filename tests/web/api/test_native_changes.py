"""`POST /v1/calls/{call}`: what each change becomes, and what is wrong with those that are none."""

from typing import Any

import pytest
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN, OTHER

from offhook.call.changes import Change, Objection
from offhook.call.commands import LegId
from offhook.call.events import ChangeRecording, GoOn, HangUp, Mute, PressKeys, RecordingChange
from offhook.flow.document import Document
from offhook.flow.program import Flow
from offhook.flow.verbs import Hangup, HangupAs
from offhook.flow.view import Cause

BODY = {"account": "Main", "from": "+46100000001", "to": "+46700000002", "voice_start": "https://a.example/"}


async def live(client: Client) -> str:
    client.world.give("number +46100000001")
    made = await client.ok("POST", "/v1/calls", BODY)
    return f"/v1/calls/{made['id']}"


@pytest.mark.parametrize(
    ("body", "wanted"),
    [
        ({"url": "https://a.example/x"}, GoOn(to=Document(url="https://a.example/x"))),
        ({"url": "https://a.example/x", "method": "GET"}, GoOn(to=Document(url="https://a.example/x", method="GET"))),
        ({"hangup": True}, HangUp(cause=Cause.NORMAL)),
        ({"hangup": "busy"}, HangUp(cause=Cause.BUSY)),
        ({"mute": 0}, Mute(leg=LegId(0), muted=True)),
        ({"unmute": 1}, Mute(leg=LegId(1), muted=False)),
        ({"digits": "1w2#"}, PressKeys(leg=LegId(0), keys="1w2#")),
        ({"digits": "1", "leg": 1}, PressKeys(leg=LegId(1), keys="1")),
        ({"record": "pause"}, ChangeRecording(change=RecordingChange.PAUSE)),
        (
            {"record": "start", "deliver_to": "https://a.example/r"},
            ChangeRecording(change=RecordingChange.START, deliver_to="https://a.example/r"),
        ),
    ],
)
async def test_a_change_reaches_the_call(client: Client, body: dict[str, Any], wanted: Change) -> None:
    path = await live(client)
    answer = await client.ok("POST", path, body, account=MAIN)
    assert answer == {"id": path.rsplit("/")[-1], "changed": next(iter(body)), "warnings": []}
    assert [change for _, change in client.world.board.changes] == [wanted]


@pytest.mark.parametrize("action", [{"hangup": "busy"}, '{"hangup": "busy",}'])
async def test_an_action_is_a_document_as_json_or_as_text(client: Client, action: Any) -> None:
    path = await live(client)
    answer = await client.ok("POST", path, {"action": action})
    # The service's own page has a trailing comma: it is accepted, and said.
    assert len(answer["warnings"]) == isinstance(action, str)
    ((_, wanted),) = client.world.board.changes
    assert isinstance(wanted, GoOn)
    assert isinstance(wanted.to, Flow)
    assert wanted.to.steps[0].verb == Hangup(how=HangupAs.BUSY)


@pytest.mark.parametrize(
    ("body", "name"),
    [
        ({}, "one_change"),
        ({"mute": 0, "hangup": True}, "one_change"),
        ({"mute": 0, "leg": 1}, "one_change"),
        ({"hangup": True, "deliver_to": "https://a.example/"}, "one_change"),
        ({"action": {"hangup": True}, "method": "GET"}, "one_change"),
        ({"sing": "a song"}, "invalid_request"),
        ({"mute": "everybody"}, "invalid_request"),
        ({"mute": -1}, "invalid_request"),
        ({"record": "rewind"}, "invalid_request"),
        ({"url": "https://a.example/", "method": "PUT"}, "invalid_request"),
        ({"hangup": False}, "no_cause"),
        ({"hangup": "server_restart"}, "no_cause"),
        ({"url": "somewhere"}, "wrong_url"),
        ({"record": "start", "deliver_to": "somewhere"}, "wrong_url"),
        ({"record": "stop", "deliver_to": "https://a.example/"}, "wrong_url"),
        ({"digits": "hello"}, "invalid_digits"),
        ({"digits": ""}, "invalid_digits"),
        ({"digits": "1" * 201}, "invalid_digits"),
        ({"action": {"sing": "a song"}}, "no_action"),
        ({"action": "{nonsense"}, "broken_document"),
        ({"action": {"play": 1}}, "wrong_type"),
    ],
)
async def test_what_is_no_change_is_an_error_that_says_why(client: Client, body: dict[str, Any], name: str) -> None:
    path = await live(client)
    assert await client.error("POST", path, body) == (400, name)
    assert client.world.board.changes == []


@pytest.mark.parametrize("objection", Objection)
async def test_what_cannot_be_done_now(client: Client, objection: Objection) -> None:
    path = await live(client)
    client.world.board.objection = objection
    status = 404 if objection is Objection.NO_LEG else 409
    assert await client.error("POST", path, {"mute": 0}) == (status, objection.value)


async def test_only_ones_own_calls_and_only_live_ones(client: Client) -> None:
    path = await live(client)
    assert await client.error("POST", path, {"hangup": True}, account=OTHER) == (404, "no_call")
    assert await client.error("POST", "/v1/calls/c" + "0" * 32, {"hangup": True}) == (404, "no_call")
    assert await client.error("POST", "/v1/calls/nonsense", {"hangup": True}) == (404, "no_call")
    await client.ok("POST", f"{path}/hang-up")
    assert await client.error("POST", path, {"hangup": True}) == (409, "call_over")
    assert client.world.board.changes == []
