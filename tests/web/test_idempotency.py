"""The same POST again and again makes one thing and gets one answer, also across a crash; another body is refused."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import func, select
from starlette.types import Receive, Scope, Send
from tests.support.asgi import Reply, ask, basic
from tests.support.board import Board
from tests.support.rest_cases import API_KEY, MAIN, OTHER, SECRET, World

from offhook.flow.view import CallId, CallView
from offhook.storage import schema
from offhook.storage.idempotency import KEEP_KEYS, idempotency_key
from offhook.storage.records import call_by_id, events_after
from offhook.storage.rows import IdempotencyRow
from offhook.storage.writer import StorageUnavailable
from offhook.web.auth import AdminToken
from offhook.web.http import MAX_BODY_BYTES, Answer, send_answer
from offhook.web.idempotency import Idempotency, Reserved, reserved
from offhook.web.port import CallOrder

FORM = {"from": "+46100000001", "to": "+46700000002", "voice_start": "https://app.example/"}
JSON = {"from": "+46100000001", "to": "+46700000002", "voice_start": "https://app.example/", "account": "Main"}
REPLAYED = "idempotency-replayed"


@pytest.fixture(autouse=True)
def _number(world: World) -> None:
    world.give("number +46100000001")


async def elks(
    app: Any, key: str | None, form: Mapping[str, str] = FORM, path: str = "/a1/calls", account: str = MAIN
) -> Reply:
    headers = basic(account, SECRET) | ({} if key is None else {"idempotency-key": key})
    return await ask(app, "POST", path, form, headers)


async def native(world: World, app: Any, key: str, body: Any, path: str = "/v1/calls") -> Reply:
    token = (world.storage.data_dir / "admin.token").read_text().strip()
    headers = {
        "authorization": f"Bearer {token}", "content-type": "application/json", "idempotency-key": key,
    }  # fmt: skip
    return await ask(app, "POST", path, json.dumps(body).encode(), headers)


async def didforsale(
    app: Any, key: str, form: Mapping[str, str] = FORM, path: str = "/api/V2/CallTermination"
) -> Reply:
    said = {name: value for name, value in form.items() if name != "voice_start"}
    return await ask(app, "POST", path, {"apikey": API_KEY, **said}, {"idempotency-key": key})


@contextmanager
def locked(world: World) -> Iterator[None]:
    """Somebody else has the database, for good: nothing that is put becomes durable."""
    other = sqlite3.connect(world.storage.data_dir / "offhook.db", isolation_level=None)
    try:
        other.execute("BEGIN IMMEDIATE")
        yield
    finally:
        other.close()


class StuckBoard(Board):
    """A switchboard that hangs as it places a call, before or after it has."""

    def __init__(self, world: World, *, placed: bool) -> None:
        super().__init__(world.storage)
        self.placed = placed
        self.reached = asyncio.Event()

    async def place_call(self, order: CallOrder) -> CallView:
        if self.placed:
            await super().place_call(order)
        self.reached.set()
        await asyncio.Event().wait()
        raise AssertionError


async def crash(world: World, request: Any, *, placed: bool) -> Board:
    """The server dies while a request is carried out; what was durable stays. Gives the switchboard of the dead."""
    dead = StuckBoard(world, placed=placed)
    world.board = dead
    asking = asyncio.ensure_future(request(world.app()))
    await asyncio.wait_for(dead.reached.wait(), 10)
    asking.cancel()
    await asyncio.wait({asking})
    world.board = Board(world.storage)
    return dead


# ── the same again ───────────────────────────────────────────────────────────────────────────────────────────────────


async def test_the_same_request_gets_the_first_answer_again(world: World) -> None:
    app = world.app()
    first, second = await elks(app, "k"), await elks(app, "k")
    assert (first.status, second.status) == (200, 200)
    assert first.body == second.body
    assert (first.headers.get(REPLAYED), second.headers.get(REPLAYED)) == (None, "true")
    assert second.headers["content-type"] == "application/json"
    assert second.headers["content-length"] == str(len(second.body))
    assert len(world.board.orders) == 1
    assert (await elks(world.app(), "k")).body == first.body, "another process knows it too"


async def test_another_request_under_the_same_key_is_refused(world: World) -> None:
    app = world.app()
    await elks(app, "k")
    for form, path in (({**FORM, "to": "+46700000003"}, "/a1/calls"), (FORM, "/a1/subaccounts")):
        refused = await elks(app, "k", form, path)
        assert refused.status == 409
        assert refused.text.startswith("This Idempotency-Key was used for another request")
    refused = await native(world, app, "n", JSON)
    refused = await native(world, app, "n", {**JSON, "record": True})
    assert (refused.status, json.loads(refused.body)["error"]["name"]) == (409, "idempotency_key_reused")
    assert len(world.board.orders) == 2


async def test_without_a_key_each_request_is_another(world: World) -> None:
    app = world.app()
    await elks(app, None)
    await elks(app, None)
    assert len(world.board.orders) == 2


async def test_keys_belong_to_their_account(world: World) -> None:
    world.give("number +46100000009 other")
    app = world.app()
    await elks(app, "k")
    other = await elks(app, "k", {**FORM, "from": "+46100000009"}, account=OTHER)
    assert (other.status, other.headers.get(REPLAYED)) == (200, None)
    operator = await native(world, app, "k", JSON)
    assert (operator.status, operator.headers.get(REPLAYED)) == (200, None)
    assert len(world.board.orders) == 3


async def test_many_times_five_at_once_make_one_call_each(world: World) -> None:
    """A small share of what is promised: the same POST five times at once, two hundred times over, is 200 calls."""
    app = world.app()

    async def five(key: str) -> list[Reply]:
        return await asyncio.gather(*(elks(app, key) for _ in range(5)))

    for replies in await asyncio.gather(*(five(f"k{n}") for n in range(20))):
        assert {reply.status for reply in replies} == {200}
        assert len({reply.body for reply in replies}) == 1
        assert sorted(reply.headers.get(REPLAYED, "") for reply in replies) == ["", "true", "true", "true", "true"]
    assert len(world.board.orders) == 20


@pytest.mark.parametrize(
    ("path", "form", "table"),
    [
        ("/a1/subaccounts", {"name": "Sub"}, schema.accounts),
        ("/a1/numbers", {"category": "voip"}, schema.numbers),
    ],
)
async def test_whatever_is_made_is_made_once(world: World, path: str, form: Mapping[str, str], table: Any) -> None:
    app = world.app()

    async def count() -> int:
        await world.storage.writer.flush()
        found = await world.storage.read(lambda connection: connection.execute(select(func.count()).select_from(table)))
        return int(found.scalar_one())

    before = await count()
    replies = await asyncio.gather(*(elks(app, "k", form, path) for _ in range(3)))
    assert {reply.status for reply in replies} == {200}
    assert len({reply.body for reply in replies}) == 1
    assert await count() == before + 1


async def test_v1_and_its_secrets(world: World) -> None:
    app = world.app()
    first = await native(world, app, "k", {"name": "Ann"}, "/v1/accounts")
    second = await native(world, app, "k", {"name": "Ann"}, "/v1/accounts")
    assert first.body == second.body
    assert second.headers[REPLAYED] == "true"
    secret = json.loads(first.body)["secret"].encode()
    for file in world.storage.data_dir.glob("offhook.db*"):
        assert secret not in file.read_bytes(), "an answer with a secret is kept sealed"


async def test_a_get_that_is_a_post(world: World) -> None:
    app = world.app()
    query = "from=%2B46100000001&to=%2B46700000002&voice_start=https://app.example/"
    headers = basic(MAIN, SECRET) | {"idempotency-key": "k"}
    first = await ask(app, "GET", f"/a1/calls/POST?{query}", b"", headers)
    second = await ask(app, "GET", f"/a1/calls/POST?{query}", b"", headers)
    assert (first.status, first.body) == (200, second.body)
    listed = await ask(app, "GET", "/a1/calls", b"", headers)
    assert (listed.status, REPLAYED in listed.headers) == (200, False), "reading is not touched"
    assert len(world.board.orders) == 1


# ── what is refused ──────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_refusal_is_an_answer_too(world: World) -> None:
    app = world.app()
    wrong = {**FORM, "to": "nobody"}
    first, second = await elks(app, "k", wrong), await elks(app, "k", wrong)
    assert (first.status, second.status, second.text) == (403, 403, "Invalid to number")
    assert second.headers[REPLAYED] == "true"


async def test_refused_for_load_the_key_may_be_used_again(world: World) -> None:
    app = world.app()
    world.board.full = True
    for _ in range(2):
        refused = await elks(app, "k")
        assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert (await native(world, app, "n", JSON)).status == 503
    world.board.full = False
    placed = await elks(app, "k")
    assert (placed.status, placed.headers.get(REPLAYED)) == (200, None)
    assert (await native(world, app, "n", JSON)).status == 200


async def test_whoever_is_not_known_gets_the_answer_of_the_api(world: World) -> None:
    app = world.app()
    reply = await ask(app, "POST", "/a1/calls", FORM, {"idempotency-key": "k"})
    assert reply.status == 401
    assert (await elks(app, "k")).headers.get(REPLAYED) is None


async def test_each_api_refuses_in_its_own_shape(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """`/a1` in plain sentences, DIDforSale with `status` and `message`, `/v1` with a name that is stable."""
    app = world.app()

    async def asked(key: str, to: str) -> list[Reply]:
        form = {**FORM, "to": to}
        return [
            await elks(app, key, form),
            await didforsale(app, key, form),
            await native(world, app, key, JSON | form),
        ]

    def shaped(replies: list[Reply], status: int, name: str, sentence: str) -> None:
        plain, theirs, ours = replies
        assert {reply.status for reply in replies} == {status}, replies
        assert (plain.headers["content-type"], plain.text[:1].isupper()) == ("text/plain; charset=utf-8", True)
        assert sentence in plain.text
        found = json.loads(theirs.body)
        assert (found.keys(), found["status"]) == ({"status", "message"}, False)
        assert found["message"] == plain.text
        error = json.loads(ours.body)["error"]
        assert (error.keys(), error["name"]) == ({"name", "message"}, name)
        assert error["message"].casefold() == plain.text.casefold()

    shaped(await asked(" ", "+46700000002"), 400, "idempotency_key", "1 to 255 printable")
    # The elks and the DIDforSale API have one account here, and so one room for keys: one key for each.
    for key, request in (("e", elks), ("d", didforsale)):
        assert (await request(app, key)).status == 200
    assert (await native(world, app, "n", JSON)).status == 200
    other = {**FORM, "to": "+46700000003"}
    reused = [
        await elks(app, "e", other),
        await didforsale(app, "d", other),
        await native(world, app, "n", JSON | other),
    ]
    shaped(reused, 409, "idempotency_key_reused", "used for another request")
    monkeypatch.setattr("offhook.web.idempotency.DURABLE_WITHIN_S", 0.05)
    with locked(world):
        refused = await asked("late", "+46700000002")
    shaped(refused, 503, "storage_unavailable", "nothing was made")
    assert [reply.headers.get("retry-after") for reply in refused] == ["1", "1", "1"]
    assert len(world.board.orders) == 3


@pytest.mark.parametrize("key", ["", " ", "x" * 256, "å"])
async def test_a_key_that_is_none(world: World, key: str) -> None:
    app = world.app()
    refused = await native(world, app, key, JSON)
    assert (refused.status, json.loads(refused.body)["error"]["name"]) == (400, "idempotency_key")
    refused = await elks(app, key)
    assert (refused.status, "1 to 255 printable" in refused.text) == (400, True)
    assert world.board.orders == []


async def test_a_body_that_is_too_large_is_refused_as_ever(world: World) -> None:
    app = world.app()
    form = {"voice_start": "x" * MAX_BODY_BYTES}
    assert (await elks(app, "k", form)).status == 413
    assert (await native(world, app, "k", {"x": form["voice_start"]})).status == 413
    assert world.board.orders == []


async def test_a_sender_that_leaves_in_the_middle_is_let_go(world: World) -> None:
    messages = iter([{"type": "http.request", "body": b"from=", "more_body": True}, {"type": "http.disconnect"}])
    headers = basic(MAIN, SECRET) | {"idempotency-key": "k"}
    scope = {
        "type": "http", "method": "POST", "path": "/a1/calls", "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
    }  # fmt: skip

    async def receive() -> Any:
        return next(messages)

    async def send(message: Any) -> None:
        raise AssertionError(message)

    await world.app()(scope, receive, send)
    assert world.board.orders == []


# ── crashes ──────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_call_that_was_placed_before_a_crash_is_given_again(world: World) -> None:
    dead = await crash(world, lambda app: elks(app, "k"), placed=True)
    (placed,) = dead.live
    assert [order.id for order in dead.orders] == [placed]
    again = await elks(world.app(), "k")
    assert (again.status, json.loads(again.body)["id"]) == (200, f"c{placed}")
    assert again.headers[REPLAYED] == "true"
    assert world.board.orders == [], "it is not placed once more"
    assert (await elks(world.app(), "k")).body == again.body


async def test_a_call_that_lives_on_after_a_restart_is_given_as_it_is(world: World) -> None:
    dead = await crash(world, lambda app: native(world, app, "k", JSON), placed=True)
    world.board.live = dead.live
    (placed,) = dead.live
    again = json.loads((await native(world, world.app(), "k", JSON)).body)
    assert (again["id"], again["state"]) == (f"c{placed}", "ongoing")


@pytest.mark.parametrize("api", ["elks", "native"])
async def test_a_call_that_was_promised_and_never_seen_again_is_failed(world: World, api: str) -> None:
    """It may have begun to ring as the process died: nobody can know, so nobody is called again."""

    async def request(app: Any) -> Reply:
        return await (elks(app, "k") if api == "elks" else native(world, app, "k", JSON))

    await crash(world, request, placed=False)
    row = await world.storage.read(
        lambda connection: idempotency_key(connection, MAIN if api == "elks" else "operator", "k")
    )
    assert row is not None, "key and id are durable before the call is placed"
    assert row.status is None
    again = json.loads((await request(world.app())).body)
    assert (again["id"], again["state"]) == (f"c{row.call_id}", "failed")
    assert world.board.orders == []
    await world.storage.writer.flush()
    call = await world.storage.read(lambda connection: call_by_id(connection, row.call_id))
    assert call is not None
    assert (call.owner, call.cause, call.to_number) == (MAIN, "server_restart", "+46700000002")
    (event,) = await world.storage.read(lambda connection: events_after(connection, row.call_id))
    assert (event.kind, event.data["cause"]) == ("call.ended", "server_restart")
    assert json.loads((await request(world.app())).body) == again


async def test_what_else_was_under_way_is_not_done_again(world: World) -> None:
    world.storage.idempotency.save(
        IdempotencyRow(owner=MAIN, key="k", fingerprint=b"", call_id="c" * 32, created=datetime.now(UTC))
    )
    app = world.app()
    await elks(app, "other", {"name": "Sub"}, "/a1/subaccounts")
    await world.storage.writer.flush()
    done = await world.storage.read(lambda connection: idempotency_key(connection, MAIN, "other"))
    assert done is not None
    world.storage.idempotency.save(replace(done, status=None, sealed_body=None))
    await world.storage.writer.flush()
    again = await elks(app, "other", {"name": "Sub"}, "/a1/subaccounts")
    assert (again.status, "look whether it was done" in again.text) == (409, True)


async def test_a_fault_of_ours_makes_nothing_twice(world: World) -> None:
    world.board.broken = True
    assert (await elks(world.app(), "k")).status == 500
    assert (await native(world, world.app(), "n", JSON)).status == 500
    world.board.broken = False
    assert json.loads((await elks(world.app(), "k")).body)["state"] == "failed"
    assert json.loads((await native(world, world.app(), "n", JSON)).body)["state"] == "failed"
    assert world.board.orders == []


# ── time and trouble ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_key_is_remembered_until_the_house_is_kept(world: World) -> None:
    app = world.app()
    first = await elks(app, "k")
    row = await world.storage.read(lambda connection: idempotency_key(connection, MAIN, "k"))
    assert row is not None
    world.storage.idempotency.save(replace(row, created=datetime.now(UTC) - timedelta(days=2)))
    await world.storage.writer.flush()
    assert (await elks(app, "k")).body == first.body, "a clock that was set forward makes no second call"
    world.storage.idempotency.forget_before(datetime.now(UTC) - KEEP_KEYS)
    await world.storage.writer.flush()
    later = await elks(app, "k")
    assert (later.status, later.headers.get(REPLAYED), later.body != first.body) == (200, None, True)


async def test_a_disk_that_takes_nothing_places_nothing(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app = world.app()

    async def ill(timeout_s: float) -> None:
        raise StorageUnavailable("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(world.storage.idempotency, "flush", ill)
        refused = await native(world, app, "k", JSON)
        assert (refused.status, json.loads(refused.body)["error"]["name"]) == (503, "storage_unavailable")
    assert world.board.orders == []
    assert (await native(world, app, "k", JSON)).status == 200


async def test_an_answer_that_cannot_be_written_is_known_all_the_same(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    app, flush, asked = world.app(), world.storage.idempotency.flush, 0

    async def second_time_ill(timeout_s: float) -> None:
        nonlocal asked
        asked += 1
        if asked > 1:
            raise StorageUnavailable("the disk is full")
        await flush(timeout_s)

    monkeypatch.setattr(world.storage.idempotency, "flush", second_time_ill)
    monkeypatch.setattr(world.storage.idempotency, "save", lambda row: None)
    first, second = await elks(app, "k"), await elks(app, "k")
    assert (first.status, first.body, second.headers[REPLAYED]) == (200, second.body, "true")
    assert len(world.board.orders) == 1


@pytest.mark.parametrize("api", ["elks", "native"])
async def test_what_was_made_and_is_not_stored_yet_is_given_when_it_is(
    world: World, monkeypatch: pytest.MonkeyPatch, api: str
) -> None:
    """The disk fails between the promise and the change. Whoever asks again gets the secret that is shown once."""
    app, directory = world.app(), world.storage.directory
    made = "add_subaccount" if api == "elks" else "add_account"
    add, count = getattr(directory, made), 0
    monkeypatch.setattr("offhook.web.idempotency.CHANGE_WITHIN_S", 0.05)

    async def request() -> Reply:
        if api == "elks":
            return await elks(app, "k", {"name": "Sub"}, "/a1/subaccounts")
        return await native(world, app, "k", {"name": "Ann"}, "/v1/accounts")

    with ExitStack() as trouble:

        def with_the_disk_gone(*args: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            trouble.enter_context(locked(world))
            return add(*args, **more)

        monkeypatch.setattr(directory, made, with_the_disk_gone)
        for _ in range(2):
            refused = await request()
            assert (refused.status, refused.headers["retry-after"], REPLAYED in refused.headers) == (503, "1", False)
            assert "ask again with the same key" in refused.text
    await world.storage.writer.flush()
    told = await request()
    assert (told.status, told.headers[REPLAYED], bool(json.loads(told.body)["secret"])) == (200, "true", True)
    assert (await request()).body == told.body
    assert count == 1
    rows = directory.accounts() if api == "native" else directory.subaccounts(MAIN)
    assert json.loads(told.body)["id"] in [row.id for row in rows]


async def test_without_a_key_what_is_not_stored_yet_is_told(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    app = world.app()
    monkeypatch.setattr("offhook.web.idempotency.CHANGE_WITHIN_S", 0.05)
    with locked(world):
        refused = await elks(app, None, {"name": "Sub"}, "/a1/subaccounts")
    assert (refused.status, refused.headers["retry-after"]) == (503, "1")
    assert refused.text.startswith("The change is not stored yet; look whether it is there")


async def test_whatever_was_refused_with_503_may_be_tried_again_with_its_key(world: World) -> None:
    token, asked = AdminToken.make(world.storage.data_dir), 0
    once = Idempotency(world.storage, token)

    async def first_overloaded(scope: Scope, receive: Receive, send: Send) -> None:
        nonlocal asked
        asked += 1
        await send_answer(send, Answer.text(503 if asked == 1 else 200, "so"))

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await once(scope, receive, send, first_overloaded)

    replies = [await native(world, app, "k", {}, "/v1/something") for _ in range(3)]
    assert [reply.status for reply in replies] == [503, 200, 200]
    assert [reply.headers.get(REPLAYED) for reply in replies] == [None, None, "true"]
    assert asked == 2


def test_what_a_request_was_promised() -> None:
    promised = Reserved(call=CallId("c" * 32), resumed=False)
    assert reserved({"offhook.reserved": promised}) == promised
    assert reserved({}) is None
