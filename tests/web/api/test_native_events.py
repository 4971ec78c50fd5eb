"""`/v1/calls/{call}/events` and `export`: pages, a stream that is taken up again, one file, what was deleted."""

import asyncio
import json
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from tests.support.asgi import Reply, ask, basic
from tests.support.native_client import Client
from tests.support.rest_cases import MAIN, OTHER, SECRET, World

from offhook.flow.view import CallId
from offhook.hooks.delivery import plain_delivery
from offhook.hooks.policy import ELKS
from offhook.hooks.request import Purpose, WebhookRequest
from offhook.storage.rows import DeliveryRow
from offhook.web import event_stream
from offhook.web.api import native_events

DEADLINE_S = 10.0
BODY = {"account": "Main", "from": "+46100000001", "to": "+46700000002", "voice_start": "https://a.example/"}


@pytest.fixture(autouse=True)
def _short(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_events, "QUIET_S", 0.01)
    monkeypatch.setattr(native_events, "PAUSE_S", 0.01)


async def made(client: Client, *kinds: str) -> CallId:
    """A call whose first entry is `call.created`."""
    client.world.give("number +46100000001")
    call = CallId((await client.ok("POST", "/v1/calls", BODY))["id"][1:])
    for kind in kinds:
        await client.world.board.note(call, kind, {"leg": 0})
    return call


def path(call: CallId, what: str = "events") -> str:
    return f"/v1/calls/c{call}/{what}"


# ── pages ────────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_pages_by_number_and_by_every_spelling_of_an_id(client: Client) -> None:
    call = await made(client, "leg.placed", "leg.ringing")
    first = await client.ok("GET", f"{path(call)}?limit=2")
    assert [(entry["seq"], entry["kind"]) for entry in first["events"]] == [(1, "call.created"), (2, "leg.placed")]
    assert (first["next"], first["over"]) == (2, False)
    second = await client.ok("GET", f"{path(call)}?after=2&limit=2")
    assert ([entry["kind"] for entry in second["events"]], second["next"]) == (["leg.ringing"], 3)
    assert await client.ok("GET", f"{path(call)}?after=3") == {"events": [], "next": 3, "over": False}
    for spelled in (call, str(UUID(call)), f"C{call.upper()}"):
        assert await client.ok("GET", f"/v1/calls/{spelled}/events?limit=2") == first


@pytest.mark.parametrize("query", ["after=-1", "after=x", f"after={10**30}", "limit=0", "limit=1001", "wait=61"])
async def test_wrong_questions_are_told_what_is_wrong(client: Client, query: str) -> None:
    assert await client.error("GET", f"{path(await made(client))}?{query}") == (400, "invalid_request")


async def test_a_full_page_of_a_call_that_is_over_is_not_its_end(client: Client) -> None:
    call = await made(client)
    await client.world.board.hang_up(call)
    assert (await client.ok("GET", f"{path(call)}?limit=1"))["over"] is False
    assert (await client.ok("GET", path(call)))["over"] is True


async def test_a_page_waits_for_an_entry(client: Client) -> None:
    call = await made(client)
    waiting = asyncio.create_task(client.ok("GET", f"{path(call)}?after=1&wait=30"))
    await asyncio.sleep(0)
    await client.world.board.note(call, "leg.answered", {"leg": 0})
    async with asyncio.timeout(DEADLINE_S):
        assert [entry["kind"] for entry in (await waiting)["events"]] == ["leg.answered"]


async def test_the_older_name_says_the_same(client: Client) -> None:
    call = await made(client, "leg.placed")
    assert await client.ok("GET", path(call, "timeline")) == await client.ok("GET", path(call))


@pytest.mark.parametrize("what", ["events", "timeline", "export"])
async def test_whose_it_is(client: Client, what: str) -> None:
    call = await made(client)
    assert await client.error("GET", path(call, what), account=OTHER) == (404, "no_call")
    assert await client.error("GET", f"/v1/calls/x/{what}") == (404, "no_call")
    assert await client.error("GET", f"/v1/calls/c{'0' * 32}/{what}") == (404, "no_call")
    await client.ok("GET", path(call, what), account=MAIN)


async def test_an_account_follows_the_calls_of_its_subaccounts(client: Client) -> None:
    client.world.give("sub")
    sub = client.world.vars["sub"]
    client.world.give("number +46100000001")
    placed = await client.ok("POST", "/v1/calls", BODY | {"account": sub, "from": "anonymous"}, account=MAIN)
    call = CallId(placed["id"][1:])
    for account in (MAIN, sub):
        await client.ok("GET", path(call), account=account)
    assert await client.error("GET", path(call), account=OTHER) == (404, "no_call")
    assert [each["id"] for each in (await client.ok("GET", f"/v1/calls?account={sub}", account=MAIN))["calls"]] == [
        placed["id"]
    ]
    assert await client.error("GET", f"/v1/calls?account={sub}", account=OTHER) == (403, "not_yours")


# ── the stream ───────────────────────────────────────────────────────────────────────────────────────────────────────


async def streamed(client: Client, target: str, **headers: str) -> Reply:
    """The whole stream, up to its end."""
    sent = {"authorization": f"Bearer {client.token}", "accept": "text/event-stream"} | headers
    async with asyncio.timeout(DEADLINE_S):
        return await ask(client.app, "GET", target, headers={name.replace("_", "-"): sent[name] for name in sent})


@asynccontextmanager
async def following(client: Client, target: str, **headers: str) -> AsyncIterator["asyncio.Task[Reply]"]:
    """A stream that is being read."""
    reading = asyncio.create_task(streamed(client, target, **headers))
    try:
        yield reading
    finally:
        reading.cancel()


def heard(reply: Reply) -> list[tuple[int, str]]:
    """Number and kind of each entry; its event id is its number."""
    found = re.findall(r"^id: (\d+)\ndata: (.*)\n\n", reply.text, re.MULTILINE)
    entries = [(int(id), json.loads(data)) for id, data in found]
    assert all(id == entry["seq"] for id, entry in entries)
    return [(entry["seq"], entry["kind"]) for _, entry in entries]


async def test_entries_come_as_they_happen_and_the_end_is_said(client: Client) -> None:
    call = await made(client, "leg.placed")
    async with following(client, path(call)) as reading:
        for kind in ("leg.ringing", "leg.answered"):
            await client.world.board.note(call, kind, {"leg": 0})
        await client.world.board.hang_up(call)
        reply = await reading
    assert (reply.status, reply.headers["cache-control"]) == (200, "no-store")
    assert heard(reply) == list(
        enumerate(("call.created", "leg.placed", "leg.ringing", "leg.answered", "call.ended"), 1)
    )
    assert reply.text.startswith("retry: 2000\n\n")
    assert reply.text.endswith("event: end\ndata: {}\n\n")


async def test_a_reader_goes_on_where_it_was(client: Client) -> None:
    call = await made(client, "leg.placed", "leg.ringing")
    await client.world.board.hang_up(call)
    assert heard(await streamed(client, path(call), last_event_id="2")) == [(3, "leg.ringing"), (4, "call.ended")]
    assert heard(await streamed(client, f"{path(call)}?after=3")) == [(4, "call.ended")]
    assert heard(await streamed(client, f"{path(call)}?after=1", last_event_id="3")) == [(4, "call.ended")]
    nothing = await streamed(client, path(call), last_event_id="4")
    assert (nothing.status, nothing.body) == (204, b"")


@pytest.mark.parametrize(
    "id", ["x", "-1", "1.5", "9" * 40, "²", "0" * 12 + "9" * 30, "0" * 5000], ids=lambda id: id[:20]
)
async def test_what_is_no_number_of_an_entry(client: Client, id: str) -> None:
    reply = await streamed(client, path(await made(client)), last_event_id=id)
    assert (reply.status, json.loads(reply.body)["error"]["name"]) == (400, "invalid_request")


async def test_more_than_a_page_comes_without_gaps(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_events, "STREAM_PAGE", 3)
    call = await made(client, *["leg.ringing"] * 10)
    await client.world.board.hang_up(call)
    assert [seq for seq, _ in heard(await streamed(client, path(call)))] == list(range(1, 13))


async def test_it_stays_for_what_is_owed(client: Client) -> None:
    board = client.world.board
    call = await made(client)
    board.owed.add(call)
    await board.hang_up(call)
    async with following(client, path(call)) as reading:
        await board.note(call, "hook.delivered", {"status": 200})
        board.owed.clear()
        assert heard(await reading)[-1] == (3, "hook.delivered")


async def test_but_not_for_ever(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_events, "LINGER_S", 0.05)
    call = await made(client)
    client.world.board.owed.add(call)
    await client.world.board.hang_up(call)
    assert (await streamed(client, path(call))).text.endswith("event: end\ndata: {}\n\n")


class Listener:
    """A reader of a stream who looks at it while it goes on."""

    def __init__(self, client: Client, target: str) -> None:
        headers = [(b"authorization", f"Bearer {client.token}".encode()), (b"accept", b"text/event-stream")]
        scope = {
            "type": "http",
            "method": "GET",
            "path": target,
            "raw_path": target.encode(),
            "query_string": b"",
            "headers": headers,
            "http_version": "1.1",
            "scheme": "http",
            "client": None,
            "server": None,
        }
        self.seen = b""
        self.leaving = asyncio.Event()
        self._more = asyncio.Event()
        self.reading = asyncio.ensure_future(client.app(scope, self._receive, self._send))

    async def _receive(self) -> Any:
        await self.leaving.wait()
        return {"type": "http.disconnect"}

    async def _send(self, message: Any) -> None:
        self.seen += message.get("body", b"")
        self._more.set()

    async def until(self, piece: bytes, times: int = 1) -> None:
        """Waits until something was said so often."""
        async with asyncio.timeout(DEADLINE_S):
            while self.seen.count(piece) < times:
                self._more.clear()
                await self._more.wait()

    async def over(self) -> None:
        async with asyncio.timeout(DEADLINE_S):
            await self.reading


async def test_silence_is_filled_with_comments(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_events, "KEEP_ALIVE_S", 0.01)
    listener = Listener(client, path(await made(client)))
    await listener.until(event_stream.KEEP_ALIVE, 2)
    listener.leaving.set()
    await listener.over()


async def test_a_server_that_stops_ends_them(client: Client) -> None:
    listener = Listener(client, path(await made(client)))
    await listener.until(b"call.created")
    await client.app.leave()
    await listener.over()
    assert b"event: end" not in listener.seen


async def test_too_many_at_a_time(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(event_stream, "STREAMS_MAX", 0)
    reply = await streamed(client, path(await made(client)))
    assert (reply.status, json.loads(reply.body)["error"]["name"]) == (503, "too_many_streams")


# ── one file ─────────────────────────────────────────────────────────────────────────────────────────────────────────


async def test_all_that_is_known_in_one_file(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native_events, "STREAM_PAGE", 2)
    call = await made(client, "leg.placed", "leg.ringing", "leg.answered", "leg.held")
    reply = await ask(client.app, "GET", path(call, "export"), headers=basic(MAIN, SECRET))
    assert reply.headers["content-disposition"] == f'attachment; filename="c{call}.json"'
    exported = json.loads(reply.body)
    assert (exported["format"], exported["over"], exported["recordings"]) == ("offhook.call/1", False, [])
    assert exported["call"] == await client.ok("GET", f"/v1/calls/{call}")
    assert exported["events"] == (await client.ok("GET", path(call)))["events"]
    assert len(exported["events"]) == 5


async def test_what_was_owed_stands_in_it_in_order_as_deliveries_show_it(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(native_events, "STREAM_PAGE", 2)
    call = await made(client, "leg.placed")
    for number in (3, 1, 2, 5, 4):
        request = WebhookRequest(
            id=f"msg_{number}", purpose=Purpose.OWED, call=call, url="https://u:s3cret@app.example/", account=MAIN,
            params=(("result", "4111"), ("to", "+46\udcff")),
        )  # fmt: skip
        at = datetime(2026, 1, 1, tzinfo=UTC)
        client.world.storage.deliveries.save(
            DeliveryRow(
                id=request.id, call_id=call, account=MAIN, kind="leg", sequence=max(number, 2), created=at,
                data=plain_delivery(request, ELKS, 0.0),
            )
        )  # fmt: skip
    for masked in (False, True):
        monkeypatch.setenv("OFFHOOK_MASK_DIGITS", str(masked))
        asking = Client(client.world)
        exported = await asking.ok("GET", path(call, "export"))
        assert [each["id"] for each in exported["deliveries"]] == [f"msg_{number}" for number in range(1, 6)]
        assert ("4111" in str(exported), "s3cret" in str(exported)) == (not masked, False)
        assert len(exported["events"]) == 2


async def test_recordings_are_named_in_it(client: Client, world: World) -> None:
    client.world.give("answered-call")
    client.world.give("recording 0")
    exported = await client.ok("GET", f"/v1/calls/c{0:032x}/export")
    assert (exported["deliveries"], exported["events"], exported["over"]) == ([], [], True)
    assert [each["wav"].endswith(f"/a1/recordings/{each['id']}.wav") for each in exported["recordings"]] == [True]


# ── what was deleted ─────────────────────────────────────────────────────────────────────────────────────────────────


async def test_a_deleted_call_has_a_tombstone_and_nothing_else(client: Client) -> None:
    call = await made(client, "leg.placed")
    await client.world.board.hang_up(call)
    reply = await ask(client.app, "DELETE", f"/a1/calls/c{call}", headers=basic(MAIN, SECRET))
    assert reply.status == 200
    for what in ("events", "timeline", "export"):
        assert await client.error("GET", path(call, what)) == (410, "call_deleted")
        assert await client.error("GET", path(call, what), account=OTHER) == (404, "no_call")
    reply = await streamed(client, path(call))
    assert reply.status == 410
    with client.world.storage._engine.connect() as connection:
        assert native_events.events_after(connection, call) == []
