"""`CallTermination`: what the switchboard is asked to do for it, who may ask, and every error as JSON."""

import asyncio
import json
from collections.abc import Mapping
from typing import Any
from uuid import UUID

import pytest
from tests.support.asgi import Reply, ask, basic
from tests.support.rest_cases import MAIN, SECRET, World

from offhook.config import load_settings
from offhook.flow.dialects.dialect import Reading
from offhook.flow.document import Document
from offhook.flow.targets import LegStage, NumberTarget, StatusHook, Treatment
from offhook.flow.verbs import Dial, Hangup
from offhook.flow.view import CallId
from offhook.storage.prices import PriceList
from offhook.web.api.didforsale import DidforsaleApi
from offhook.web.api.didforsale_request import is_didforsale
from offhook.web.idempotency import Reserved
from offhook.web.port import CallOrder

PATH = "/didforsaleapi/index.php/api/V2/CallTermination/"
KEY = "K" * 32
FORM = {"apikey": KEY, "from": "18005797676", "to": "19499300360"}
CALLBACK = "https://a.example/cb"


@pytest.fixture
def keyed(world: World) -> World:
    """A world whose account `bob` has an API key."""
    world.give("dev")
    world.storage.directory.add_account("Bob", account_id="ubob", secret=SECRET, api_key=KEY)
    return world


async def posted(world: World, form: Mapping[str, str], target: str = PATH, **headers: str) -> Reply:
    return await ask(world.app(), "POST", target, form, headers)


async def ordered(world: World, **form: str) -> CallOrder:
    reply = await posted(world, FORM | form)
    assert reply.status == 200, reply.text
    return world.board.orders[-1]


def failed(reply: Reply) -> str:
    """The sentence of a refusal."""
    answer = json.loads(reply.text)
    assert reply.headers["content-type"] == "application/json"
    assert answer["status"] is False
    assert set(answer) == {"status", "message"}
    assert KEY not in reply.text
    return str(answer["message"])


# ── what is asked for ────────────────────────────────────────────────────────────────────────────────────────────────


async def test_with_a_url_the_document_is_asked_for(keyed: World) -> None:
    order = await ordered(keyed, url="https://a.example/pin.xml", Method="get", senddigits="wW1w2#")
    assert order == CallOrder(
        owner="ubob",
        from_="+18005797676",
        to="+19499300360",
        start=Document(url="https://a.example/pin.xml", method="GET"),
        dialect="didml",
        ring_timeout_s=30,
        time_limit_s=14400,
        send_digits="PPP1P2#",
    )


async def test_without_a_url_the_from_number_is_connected_and_reports_to_the_same_url(keyed: World) -> None:
    order = await ordered(
        keyed,
        statusCallback=CALLBACK,
        statusCallbackEvent="initiated,ringing,answered,completed",
        secretKey="s3",
        optional="token=123456",
    )
    hook = StatusHook(url=CALLBACK, stages=frozenset(LegStage), extra=(("apikey", "s3"), ("token", "123456")))
    assert order.told == hook
    assert isinstance(order.start, Reading)
    (step,) = order.start.flow.steps
    assert step.verb == Dial(
        targets=(NumberTarget(number="+18005797676", treatment=Treatment(told=hook)),),
        ring_timeout_s=30,
        time_limit_s=14400,
    )


async def test_the_second_leg_can_show_the_from_number(keyed: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OFFHOOK_DIDFORSALE_SECOND_LEG_SHOWS", "from")
    order = await ordered(keyed)
    assert isinstance(order.start, Reading)
    (step,) = order.start.flow.steps
    assert isinstance(step.verb, Dial)
    assert step.verb.targets[0].treatment.caller_id == "+18005797676"


async def test_the_answer_names_the_call_in_both_fields(keyed: World) -> None:
    reply = await posted(keyed, FORM)
    (call,) = keyed.board.live
    sid = str(UUID(call))
    assert json.loads(reply.text) == {"status": True, "message": "Call initiated", "uuid": sid, "callSid": sid}


async def test_the_whole_call_can_be_recorded(keyed: World) -> None:
    assert (await ordered(keyed, record="true")).record
    assert not (await ordered(keyed, record="0")).record


async def test_a_fallback_may_be_a_url_or_a_document(keyed: World) -> None:
    assert (await ordered(keyed, fallback="https://b.example/x.xml")).fallback == Document(
        url="https://b.example/x.xml"
    )
    inline = (await ordered(keyed, fallback="<Response><hangup/></Response>")).fallback
    assert isinstance(inline, Reading)
    assert inline.flow.steps[0].verb == Hangup()
    wrong = await posted(keyed, FORM | {"fallback": "<html/>"})
    assert wrong.status == 400
    assert failed(wrong).startswith("Invalid parameter: fallback")


# ── where, and who ───────────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "path",
    [
        "/didforsaleapi/index.php/api/V2/CallTermination",
        "/didforsaleapi/index.php/api/v2/calltermination/",
        "/didforsaleapi/index.php/api/V2/CallTerminationV2/CallTermination",
        "/api/V2/CallTermination",
    ],
)
async def test_every_spelling_of_the_path(keyed: World, path: str) -> None:
    assert is_didforsale(path)
    assert (await posted(keyed, FORM, path)).status == 200


@pytest.mark.parametrize("path", ["/didforsaleapi", "/api/V2", "/api/V3/CallTermination", "/calltermination", "/"])
def test_other_paths_are_others(path: str) -> None:
    assert not is_didforsale(path)


async def test_the_key_is_taken_from_four_places(keyed: World) -> None:
    bare = {name: value for name, value in FORM.items() if name != "apikey"}
    for target, headers in (
        (PATH + "?apikey=" + KEY, {}),
        (PATH, {"APIKEY": KEY, "accesstoken": "whatever"}),
        (PATH, basic(KEY, "token")),
        (PATH, basic("ubob", SECRET)),
    ):
        assert (await posted(keyed, bare, target, **headers)).status == 200, target


async def test_a_missing_or_wrong_key_is_401(keyed: World) -> None:
    bare = {name: value for name, value in FORM.items() if name != "apikey"}
    missing = await posted(keyed, bare)
    assert (missing.status, failed(missing)) == (401, "Missing parameter: apikey")
    wrong = await posted(keyed, FORM | {"apikey": "no"})
    assert (wrong.status, failed(wrong)) == (401, "Invalid API key")
    assert (await posted(keyed, bare, **basic(MAIN, "wrong"))).status == 401


# ── what is wrong with it ────────────────────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"to": ""}, "Missing parameter: to"),
        ({"from": " "}, "Missing parameter: from"),
        ({"to": "abc"}, "Invalid parameter: to"),
        ({"to": "0123"}, "Invalid parameter: to"),
        ({"url": "pin.xml"}, "Invalid parameter: url"),
        ({"Method": "PUT"}, "Invalid parameter: Method"),
        ({"senddigits": "1,2"}, "Invalid parameter: senddigits"),
        ({"statusCallback": "a.example"}, "Invalid parameter: statusCallback"),
        ({"statusCallbackMethod": "HEAD"}, "Invalid parameter: statusCallbackMethod"),
        ({"record": "perhaps"}, "Invalid parameter: record"),
    ],
)
async def test_a_bad_parameter_is_400_and_named(keyed: World, change: dict[str, str], message: str) -> None:
    reply = await posted(keyed, FORM | change)
    assert reply.status == 400
    assert failed(reply).startswith(message)
    assert keyed.board.orders == []


async def test_a_number_that_may_not_be_shown_is_403(keyed: World) -> None:
    keyed.dev = False
    reply = await posted(keyed, FORM)
    assert reply.status == 403
    assert "from" in failed(reply)
    keyed.storage.directory.add_caller_id("ubob", "+18005797676")
    assert (await posted(keyed, FORM)).status == 200


async def test_no_credit_is_402(keyed: World) -> None:
    keyed.storage.directory.set_balance("ubob", 0)
    reply = await posted(keyed, FORM)
    assert (reply.status, failed(reply)) == (402, "Not enough credit to make this call")


async def test_too_much_load_is_503(keyed: World) -> None:
    keyed.give("full")
    reply = await posted(keyed, FORM)
    assert reply.status == 503
    assert reply.headers["retry-after"] == "1"
    assert failed(reply)


async def test_a_fault_of_ours_shows_nothing_of_itself(keyed: World) -> None:
    keyed.give("broken")
    reply = await posted(keyed, FORM)
    assert (reply.status, failed(reply)) == (500, "Internal error")


async def test_only_post(keyed: World) -> None:
    reply = await ask(keyed.app(), "GET", PATH)
    assert reply.status == 405
    assert reply.headers["allow"] == "POST"


async def test_a_body_that_is_too_large(keyed: World) -> None:
    reply = await posted(keyed, FORM | {"optional": "x" * 300_000})
    assert reply.status == 413
    failed(reply)


async def test_unknown_bytes_are_a_form_without_parameters(keyed: World) -> None:
    app: Any = keyed.app()
    reply = await ask(app, "POST", PATH, b"\xff\xfe\x00=%zz", {"content-type": "text/xml"})
    assert reply.status == 401


# ── Idempotency-Key ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_request_five_times_at_once_makes_one_call(keyed: World) -> None:
    app = keyed.app()
    headers = {"idempotency-key": "k1"}
    replies = await asyncio.gather(*(ask(app, "POST", PATH, FORM, headers) for _ in range(5)))
    assert len(keyed.board.orders) == 1
    assert {reply.body for reply in replies} == {replies[0].body}
    assert sorted(reply.headers.get("idempotency-replayed", "") for reply in replies) == ["", *["true"] * 4]
    assert keyed.board.orders[0].id == UUID(json.loads(replies[0].text)["uuid"]).hex
    other = await ask(app, "POST", PATH, FORM | {"to": "19499300361"}, headers)
    assert other.status == 409


async def test_a_key_of_nobody_is_answered_as_ever(keyed: World) -> None:
    reply = await posted(keyed, FORM | {"apikey": "no"}, **{"idempotency-key": "k1"})
    assert (reply.status, failed(reply)) == (401, "Invalid API key")


@pytest.mark.parametrize("placed", [True, False])
async def test_a_call_promised_before_a_crash_keeps_its_id(keyed: World, placed: bool) -> None:
    order = CallOrder(
        owner="ubob", from_="+18005797676", to="+19499300360", start=Document(url="https://a.example"), dialect="didml"
    )
    call = (await keyed.board.place_call(order)).id if placed else CallId("a" * 32)
    keyed.board.orders.clear()
    settings = load_settings(data_dir=keyed.storage.data_dir, dev=True)
    api = DidforsaleApi(keyed.board, keyed.storage, settings, PriceList({}))

    async def promised(scope: Any, receive: Any, send: Any) -> None:
        await api({**scope, "offhook.reserved": Reserved(call=call, resumed=True)}, receive, send)

    reply = await ask(promised, "POST", PATH, FORM)
    assert json.loads(reply.text)["callSid"] == str(UUID(call))
    assert keyed.board.orders == [], "it is not placed once more"
