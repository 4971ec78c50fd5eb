"""Whatever is asked of `/v1`, the answer is JSON that says why, never a fault of ours: every route there is, with
paths, queries, bodies and fields that nobody should send. Ordinary mistakes are in the tests of each route.
"""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from tests.support.asgi import Reply, ask
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN

from offhook.hooks.delivery import plain_delivery
from offhook.hooks.policy import ELKS
from offhook.hooks.request import Purpose, WebhookRequest
from offhook.storage.rows import DeliveryRow
from offhook.web.http import MAX_BODY_BYTES

CALL = {"account": MAIN, "from": "+46100000001", "to": "+46700000002", "voice_start": "https://a.example/"}
NEW_YEAR = datetime(2026, 1, 1, tzinfo=UTC)
DEEP = 5000


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


GOOD: dict[str, dict[str, Any]] = {
    "POST /v1/calls": CALL
    | {"whenhangup": "https://a.example/", "ring_timeout_s": 30, "fallback": "", "dialect": None},
    "POST /v1/calls/{call}": {},
    "POST /v1/accounts": {"name": "x", "currency": "SEK", "email": "", "mobile_number": ""},
    "PUT /v1/accounts/{account}/balance": {"amount": 1},
    "PUT /v1/accounts/{account}/delivery": {"policy": None},
    "PUT /v1/accounts/{account}/fallback": {"fallback": ""},
    "PUT /v1/accounts/{account}/quirks": {"quirks": []},
    "PUT /v1/accounts/{account}/webhooks": {"retry_timeouts": True},
    "POST /v1/accounts/{account}/signing-key/rotate": {"overlap_h": 1},
    "POST /v1/accounts/{account}/caller-ids": {"number": "+46700000009"},
    "POST /v1/accounts/{account}/caller-ids/calls": {"number": "+46700000009", "code": "123456"},
    "POST /v1/numbers": {
        "number": "+46101234567",
        "trunk": "carrier",
        "account": MAIN,
        "voice_start": "",
        "dialect": "elks",
        "method": "POST",
        "fallback": "",
        "capabilities": ["voice"],
        "category": "fixed",
        "country": "se",
        "cost": 0,
        "free": False,
    },
    "PUT /v1/numbers/{number}/fallback": {"fallback": ""},
    "POST /v1/phones": {"number": "+4600123", "account": MAIN, "voice_start": "", "name": ""},
    "POST /v1/trunks": {
        "name": "another",
        "address": "sip:sip.example.com",
        "username": "u",
        "password": "p",
        "register": False,
        "prefixes": [],
        "from_addresses": [],
    },
}
"""A body of each route that has one, which is taken as it stands (that of a change: one of `CHANGES`)."""
CHANGES: list[dict[str, Any]] = [
    {"action": {"play": "sound/beep"}},
    {"url": "https://a.example/x", "method": "GET"},
    {"hangup": "busy"},
    {"mute": 0},
    {"unmute": 0},
    {"digits": "1", "leg": 0},
    {"record": "start", "deliver_to": "https://a.example/r"},
]
POLICIES: list[dict[str, Any]] = [
    {"kind": "steady", "every_s": 60, "for_s": 3600},
    {"kind": "listed", "pauses_s": [5, 60]},
    {"kind": "growing", "first_s": 5, "factor": 2, "longest_s": 60, "for_s": 3600, "jitter": 0.1},
]
STRANGE: dict[str, str] = {
    "null": "null",
    "a negative number": "-1",
    "more than 64 bits": str(10**30),
    "NaN": "NaN",
    "infinity": "-Infinity",
    "a text": '"x"',
    "an empty text": '""',
    "a NUL": '"a\\u0000b"',
    "half a character": '"a\\ud800"',
    "a line break": '"a\\r\\nb"',
    "a long text": json.dumps("x" * 100_000),
    "a list": "[]",
    "a list of halves": '["\\ud800"]',
    "a list of nothing": "[null]",
    "an object": "{}",
    "an object with half a key": '{"\\ud800": 1}',
    "deep": nested(DEEP),
    "half as deep": nested(400),
    "true": "true",
}
PLACES = ("c" + "0" * 32, "x", "-", "a\0b", "…", "٣" * 32, "+46" + "9" * 20, "x" * 5000, "' OR 1=1 --", "%", "a/b")
VALUES = (
    "",
    "x",
    "-1",
    "0",
    "1e400",
    "nan",
    "-inf",
    str(10**30),
    "9" * 5000,
    "%00",
    "%ff",
    "%ED%A0%80",
    "0001-01-01T00:00:00%2B23:59",
    "9999-12-31T23:59:59-23:59",
    "1e11",
    "-99999999999",
)


@pytest.fixture
async def furnished(client: Client) -> Client:
    """Something of each kind, so that what is wrong is the only reason to refuse."""
    client.world.give("number +46100000001")
    await client.ok("POST", "/v1/trunks", {"name": "carrier", "address": "sip:sip.example.com"})
    url = "https://a.example/"
    request = WebhookRequest(id="msg_1", purpose=Purpose.OWED, call="d" * 32, url=url, account=MAIN)
    client.world.storage.deliveries.save(
        DeliveryRow(
            id="msg_1", call_id="d" * 32, account=MAIN, kind="hangup", sequence=1, created=NEW_YEAR, state="dead",
            done=NEW_YEAR, data=plain_delivery(request, ELKS, 0.0),
        )
    )  # fmt: skip
    return client


async def routes(client: Client) -> list[tuple[str, str, dict[str, Any]]]:
    native: Any = await client.app._native_app()
    described = native.openapi()["paths"]
    found = [
        (method.upper(), path, route)
        for path, methods in described.items()
        for method, route in methods.items()
        if (method, path) != ("post", "/v1/restart")
    ]
    assert len(found) > 30
    return found


def filled(path: str, with_what: str) -> str:
    return "/".join(with_what if part.startswith("{") else part for part in path.split("/"))


async def sent(client: Client, method: str, target: str, body: bytes = b"", kind: str = "application/json") -> Reply:
    headers = {"authorization": f"Bearer {client.token}"}
    if kind and body:
        headers["content-type"] = kind
    return await ask(client.app, method, target, body, headers)


def judged(reply: Reply, what: object) -> int:
    """An answer is JSON, and one that refuses says why; it is never a fault of ours."""
    assert reply.status < 500, (what, reply)
    assert reply.headers["content-type"] == "application/json", (what, reply)
    value = json.loads(reply.body)
    if reply.status >= 400:
        assert value["error"]["name"], what
        assert 0 < len(value["error"]["message"]) < 2000, (what, len(value["error"]["message"]))
    return reply.status


async def all_is_stored(client: Client) -> None:
    """Nothing was said to be done that the database then refused."""
    await client.world.storage.writer.flush()
    health = client.world.storage.writer.health()
    assert (health.dropped, health.error) == (0, "")


@pytest.mark.parametrize("place", PLACES, ids=lambda place: ascii(place)[:20])
async def test_names_that_name_nothing(furnished: Client, place: str) -> None:
    for method, path, _ in await routes(furnished):
        if "{" in path:
            body = json.dumps(GOOD.get(f"{method} {path}") or {"hangup": True}).encode() if method != "GET" else b""
            status = judged(await sent(furnished, method, filled(path, place), body), (method, path))
            assert status in (400, 404, 405), (method, path, status)


@pytest.mark.parametrize("value", VALUES, ids=lambda value: value[:30])
async def test_queries(furnished: Client, value: str) -> None:
    made = await furnished.ok("POST", "/v1/calls", CALL)
    places = {
        "call": made["id"],
        "account": MAIN,
        "delivery": "msg_1",
        "number": "+46100000001",
        "name": "x",
        "kind": "x",
    }
    for method, path, route in await routes(furnished):
        names = [each["name"] for each in route.get("parameters", []) if each["in"] == "query"]
        target = "/".join(places[part[1:-1]] if part.startswith("{") else part for part in path.split("/"))
        for name in names:
            # A page that waits, waits for nothing here.
            if (name, value) not in {("wait", "0"), ("wait", "")}:
                judged(await sent(furnished, method, f"{target}?{name}={value}"), (method, target, name))
    await all_is_stored(furnished)


@pytest.mark.parametrize("wrong", ["stat=dead", "%00=1", "", "&&", "x" * 5000, "%ED%A0%80"])
async def test_a_parameter_that_there_is_not_is_named(furnished: Client, wrong: str) -> None:
    """`state=dead`, misspelt, would else have all that was delivered sent once more."""
    for method, path, _ in await routes(furnished):
        target = f"{filled(path, 'x')}?{wrong}"
        status = judged(await sent(furnished, method, target, b"{}" if method != "GET" else b""), (method, target))
        assert status == 400 or not wrong.strip("&"), (method, target)
    since = "/v1/deliveries/replay?since=2026-01-01T00:00:00Z"
    assert (await furnished.ok("POST", f"{since}&state=dead"))["replayed"] == 1
    status, said = await furnished("POST", f"{since}&stat=dead")
    assert (status, "account, call, since, state" in said["error"]["message"]) == (400, True)


def bodies() -> Iterator[tuple[str, bytes, str]]:
    json_ = "application/json"
    yield "nothing", b"", json_
    yield "broken", b'{"name": ', json_
    yield "no UTF-8", b'{"name": "\xff"}', json_
    yield "UTF-16", '{"no_such_key": "x"}'.encode("utf-16"), json_
    yield "a list", b"[]", json_
    yield "null", b"null", json_
    yield "a text", b'"x"', json_
    yield "NaN", b"NaN", json_
    yield "deep", nested(100_000).encode(), json_
    yield "deep objects", b'{"a":' * 20_000 + b"1" + b"}" * 20_000, json_
    yield "digits", b'{"name": ' + b"9" * 5000 + b"}", json_
    yield "an unknown key", b'{"no_such_key": 1}', json_
    yield "half a key", b'{"\\ud800": 1}', json_
    yield "a NUL", b"\0", json_
    yield "a form", b"name=x", "application/x-www-form-urlencoded"
    yield "text", b'{"name": "x"}', "text/plain"
    yield "XML", b"<Response/>", "application/xml"
    yield "multipart", b"--x\r\n", "multipart/form-data; boundary=x"
    yield "multipart without a boundary", b"--x\r\n", "multipart/form-data"
    yield "garbage for a type", b"{}", "a;;=/"
    yield "no type", b'{"name": "x"}', ""


BODIES = list(bodies())


@pytest.mark.parametrize(("body", "kind"), [case[1:] for case in BODIES], ids=[case[0] for case in BODIES])
async def test_bodies(furnished: Client, body: bytes, kind: str) -> None:
    made = await furnished.ok("POST", "/v1/calls", CALL)
    places = {"call": made["id"], "account": MAIN, "number": "+46100000001"}
    for route in GOOD:
        method, path = route.split(" ")
        target = "/".join(places[part[1:-1]] if part.startswith("{") else part for part in path.split("/"))
        status = judged(await sent(furnished, method, target, body, kind), (route, body[:50]))
        if not (path.endswith("rotate") and body in (b"", b"null")):
            assert status == 400, (route, body[:50])
    await all_is_stored(furnished)


async def test_bodies_without_end(furnished: Client) -> None:
    for route in GOOD:
        method, path = route.split(" ")
        reply = await sent(furnished, method, filled(path, "x"), b" " * (MAX_BODY_BYTES + 1))
        assert judged(reply, route) == 413


def fields() -> Iterator[tuple[str, dict[str, Any], str]]:
    for route, body in GOOD.items():
        for name in body:
            if name != "policy":
                yield route, body, name
    for body in CHANGES:
        for name in body:
            yield "POST /v1/calls/{call}", body, name
    for policy in POLICIES:
        for name in policy:
            yield "PUT /v1/accounts/{account}/delivery", policy, name


@pytest.mark.parametrize("strange", STRANGE)
async def test_fields(furnished: Client, strange: str) -> None:
    made = await furnished.ok("POST", "/v1/calls", CALL)
    places = {"call": made["id"], "account": MAIN, "number": "+46100000001"}
    for route, body, name in fields():
        method, path = route.split(" ")
        target = "/".join(places[part[1:-1]] if part.startswith("{") else part for part in path.split("/"))
        others = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in body.items() if key != name]
        text = "{" + ", ".join([*others, f"{json.dumps(name)}: {STRANGE[strange]}"]) + "}"
        if body in POLICIES:
            text = '{"policy": ' + text + "}"
        judged(await sent(furnished, method, target, text.encode()), (route, name, strange))
    await all_is_stored(furnished)


@pytest.mark.parametrize("route", [route for route in GOOD if GOOD[route]])
async def test_an_unknown_key_is_named(furnished: Client, route: str) -> None:
    """A misspelt name would else be passed over, and something made that was not meant."""
    method, path = route.split(" ")
    target = filled(path, MAIN if "account" in path else "+46100000001")
    reply = await sent(furnished, method, target, json.dumps(GOOD[route] | {"no_such_key": 1}).encode())
    assert judged(reply, route) == 400
    assert "no_such_key" in reply.text
    assert (await sent(furnished, method, target, json.dumps(GOOD[route]).encode())).status == 200, (
        "but for that, it is right"
    )


@pytest.mark.parametrize("method", ["PATCH", "TRACE", "OPTIONS", "HEAD", "NONSENSE", "DELETE", "PUT", "GET", "POST"])
async def test_methods(furnished: Client, method: str) -> None:
    found = await routes(furnished)
    known = {(each, path) for each, path, _ in found}
    for path in {path for _, path, _ in found}:
        if (method, path) not in known and not (method == "POST" and path == "/v1/restart"):
            status = judged(await sent(furnished, method, filled(path, "x")), (method, path))
            # A path that is none of this method may be one of another route's: /v1/deliveries/replay is also an id.
            assert status in (404, 405), (method, path, status)


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/", "/v1/calls/", "/v1//calls", "/v1/calls/x/y/z", "/V1/calls", "/", "/docs", "/..", "/\0"]
)
async def test_paths_that_are_none(furnished: Client, path: str) -> None:
    assert judged(await sent(furnished, "GET", path), path) == 404
